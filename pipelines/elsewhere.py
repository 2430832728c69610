"""Definitions that no pipeline.yaml says: a place in, the pipeline's name and its typed definition out.

A place is a JSON file (a definition, or what `aws sagemaker describe-pipeline` printed), or a Python function,
`module:function` or `path/to/file.py:function`. Files are read and never evaluated; a function is the user's code, and
runs: `compile/function.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.compile.function import call
from pipelines.definition import Definition, parse
from pipelines.errors import UsageError
from pipelines.spec import Target
from pipelines.spec.limits import NAME

_FUNCTION = re.compile(r"[^:]+:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Elsewhere:
    """A definition, and the pipeline that it is of."""

    pipeline: str
    definition: Definition


def is_elsewhere(place: Path) -> bool:
    """Whether a place is another than a pipeline.yaml or its folder."""
    return place.suffix == ".json" or is_function(place)


def is_function(place: Path) -> bool:
    return bool(_FUNCTION.fullmatch(str(place))) and not place.exists()


def read(place: Path, name: str, target: Target, endpoint: Callable[[], str]) -> Elsewhere:
    """The definition at `place`, of the pipeline `name`, or of the one that its place says when that is empty.

    A function is run in `target`, with the local SageMaker at `endpoint`. Raises `UsageError`, `DefinitionError`,
    `CompileError`.
    """
    if is_function(place):
        said, text = call(str(place), target, endpoint())
        said = said or str(place).rpartition(":")[2]
    else:
        said, text = _described(_read(place), place.stem)
    return Elsewhere(name or _checked(said, place), parse(text, where=str(place)))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        fix = "name the definition's JSON file with -f"
        raise UsageError("there is no such file", where=str(file), fix=fix) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        fix = "name a JSON file that you can read"
        raise UsageError(f"the definition cannot be read: {reason}", where=str(file), fix=fix) from error


def _described(text: str, name: str) -> tuple[str, str]:
    """The name and the definition of a DescribePipeline answer; any other text as it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return name, text  # whoever parses it says what is wrong
    if isinstance(document, dict) and isinstance(document.get("PipelineDefinition"), str):
        return str(document.get("PipelineName") or name), document["PipelineDefinition"]
    return name, text


def _checked(name: str, place: Path) -> str:
    if re.fullmatch(NAME.regex, name):
        return name
    from pipelines.checks.document import mended_name

    what = f"{name!r:.100} is no name of a pipeline: {NAME.what}"
    raise UsageError(what, where=str(place), fix=f"name it: --name {mended_name(name)}")
