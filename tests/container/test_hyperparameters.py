"""hyperparameters.json: texts to numbers in range; unknown names refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from processing.errors import SettingError
from processing.hyperparameters import Hyperparameters, load_hyperparameters, read_hyperparameters


def test_texts_become_numbers_and_the_sdk_s_own_names_are_passed_over() -> None:
    found = read_hyperparameters({"max_depth": "3", "learning_rate": '"0.3"', "sagemaker_program": "x.py"}, "h.json")
    assert found == Hyperparameters(max_depth=3, learning_rate=0.3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max_dept", "3", "h.json: no hyperparameter 'max_dept'\n  fix: did you mean 'max_depth'?"),
        ("max_depth", "3.5", "'max_depth' is '3.5', not a whole number from 1 to 32\n  fix: set max_depth to 5"),
        ("learning_rate", "nan", "'learning_rate' is 'nan', not a number from 1e-06 to 1"),
        ("seed", "-1", "'seed' is '-1', not a whole number"),
    ],
)
def test_a_wrong_setting_is_told_with_its_fix(name: str, text: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_hyperparameters({name: text}, "h.json")
    assert message in str(caught.value)


def test_no_file_means_the_defaults_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    assert load_hyperparameters(tmp_path / "h.json") == Hyperparameters()
    for text, message in (("{", "not JSON"), ("[]", "not a JSON object")):
        (tmp_path / "h.json").write_text(text)
        with pytest.raises(SettingError, match=message):
            load_hyperparameters(tmp_path / "h.json")
