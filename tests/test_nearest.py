"""The nearest known name, and the mend that is made of it."""

from __future__ import annotations

import pytest

from pipelines.nearest import nearest, suggestion

KNOWN = ["Train", "Evaluation", "volume_gb"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Trian", "Train"),
        ("TRAIN", "Train"),
        ("Evalution", "Evaluation"),
        ("volume", "volume_gb"),
        ("x", None),
        ("", None),
    ],
)
def test_nearest(name, found):
    assert nearest(name, KNOWN) == found
    assert nearest(name, []) is None


def test_suggestion_names_the_nearest_or_all_or_the_other_way():
    assert suggestion("Trian", KNOWN) == "did you mean 'Train'?"
    assert suggestion("Trian", KNOWN, otherwise="add it") == "did you mean 'Train'? Or add it"
    assert suggestion("x", KNOWN) == "use one of: Train, Evaluation, volume_gb"
    assert suggestion("x", ["a1", "b2"], what="--env with one of", otherwise="add it") == (
        "use --env with one of: a1, b2; or add it"
    )
    assert suggestion("x", []) == "there are none: remove it"
    assert suggestion("x", [], otherwise="add it") == "add it"
