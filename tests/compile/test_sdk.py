"""What stands in for parts of the SDK has what the SDK asks of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from pipelines.compile.sdk import _NoLocalClient


def test_the_local_client_that_is_never_made_has_the_methods_whose_names_steps_read():
    spec = importlib.util.find_spec("sagemaker")
    assert spec
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    (steps,) = [file for folder in folders if (file := folder / "mlops/workflow/steps.py").is_file()]
    named = set(re.findall(r"LocalSagemakerClient\(\)\.(\w+)", steps.read_text(encoding="utf-8")))
    assert named == {name for name in vars(_NoLocalClient) if not name.startswith("_")}
