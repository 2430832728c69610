"""Which cached results a change invalidates, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.definition import parse_duration
from pipelines.plan.caches import cache_effects
from tests.plan.definitions import define, get, output, parameter, processing, training

DAYS = "P30D"


def chain(
    recipe: str = "s3://b/1", *, cached: str | None = DAYS, uri: str | None = None, default: str = "x", **more: Any
):
    """Features → Train → Evaluation, and Other beside them."""
    model = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    return define(
        processing("Features", inputs={"recipe": recipe}, outputs={"train": uri}, cache=cached, **more),
        training("Train", inputs={"train": output("Features", "train")}, cache=DAYS),
        processing("Evaluation", inputs={"model": model}, cache=DAYS),
        processing("Other", inputs={"raw": get("Parameters.Raw")}, cache=DAYS),
        parameters=(parameter("Raw", default=default),),
    )


def effects(old: Any, new: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {item.step: (item.effect, item.why) for item in cache_effects(old, new)}


KEPT = ("kept", ())


def test_a_change_goes_down_to_those_who_read_what_is_made_again() -> None:
    assert effects(chain(), chain("s3://b/2")) == {
        "Features": ("runs again", ("inputs.recipe changes from s3://b/1 to s3://b/2",)),
        "Train": ("runs again", ("it reads Features, which runs again",)),
        "Evaluation": ("runs again", ("it reads Train, which runs again",)),
        "Other": KEPT,
    }


def test_what_does_not_count_for_the_key_changes_no_cache() -> None:
    found = effects(chain(), chain(instance_type="ml.m5.4xlarge", max_runtime=60))
    assert set(found.values()) == {KEPT}


def test_an_output_with_a_fixed_uri_passes_no_change_on() -> None:
    found = effects(chain(uri="s3://b/fixed"), chain("s3://b/2", uri="s3://b/fixed"))
    assert found["Features"][0] == "runs again"
    assert found["Train"] == KEPT


def test_another_fixed_uri_is_another_key() -> None:
    found = effects(chain(uri="s3://b/one"), chain(uri="s3://b/two"))
    assert found["Features"] == KEPT
    assert found["Train"] == ("runs again", ("inputs.train changes from s3://b/one to s3://b/two",))


def test_a_parameters_default_counts_where_it_is_read() -> None:
    found = effects(chain(), chain(default="y"))
    assert found["Other"] == ("runs again", ("inputs.raw changes from x to y",))
    assert found["Features"] == KEPT


def test_a_step_that_reads_what_is_never_cached_never_hits() -> None:
    found = effects(chain(), chain("s3://b/2", cached=None))
    assert "Features" not in found
    assert found["Train"] == ("never hits", ("it reads Features, which always runs",))
    assert found["Evaluation"] == ("never hits", ("it reads Train, which always runs",))


def test_a_step_that_reads_its_execution_never_hits() -> None:
    old, new = (
        define(processing("A", arguments=[get("Execution.PipelineExecutionId"), text], cache=DAYS)) for text in "ab"
    )
    assert effects(old, new) == {"A": ("never hits", ("it reads ${{ execution.id }}, another one in each execution",))}


def test_a_step_that_reads_its_pipelines_name_is_found_again() -> None:
    old, new = (
        define(processing("A", arguments=[get("Execution.PipelineName")], cache=DAYS, max_runtime=time))
        for time in (60, 120)
    )
    assert effects(old, new) == {"A": KEPT}


@pytest.mark.parametrize(
    "old",
    [define(processing("B", cache=DAYS)), define(processing("A"))],
    ids=["new step", "cached from now on"],
)
def test_where_there_is_no_result_nothing_is_invalidated(old: Any) -> None:
    assert effects(old, define(processing("A", cache=DAYS))) == {"A": ("first run", ())}


def test_another_window_keeps_the_result() -> None:
    assert effects(define(processing("A", cache="P30D")), define(processing("A", cache="P7D"))) == {"A": KEPT}


def test_equal_definitions_and_first_deployments_have_no_effects() -> None:
    assert cache_effects(chain(), chain()) == ()
    assert cache_effects(None, chain()) == ()


def test_steps_that_read_one_another_in_a_circle_do_not_hang() -> None:
    def circle(text: str) -> Any:
        return define(
            processing(
                "A", inputs={"i": output("B", "o")}, outputs={"o": output("B", "o")}, cache=DAYS, arguments=[text]
            ),
            processing("B", inputs={"i": output("A", "o")}, outputs={"o": output("A", "o")}, cache=DAYS),
        )

    assert effects(circle("a"), circle("b"))["A"][0] == "runs again"


def test_a_cache_without_a_window_that_can_be_read_is_none() -> None:
    assert parse_duration("P30D")
    assert effects(define(processing("A", cache="soon")), define(processing("A", cache="soon", arguments=["x"]))) == {}
