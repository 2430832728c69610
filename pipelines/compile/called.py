"""The process of a function of the user's: imports it, calls it, and answers with what it gave or what went wrong.

A program (`function.py` starts it): one argument, the JSON of a `Call`; the answer is a file. The only place that runs
code which a definition's author wrote, in the package's own Python.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from pipelines.compile.function import Call
from pipelines.compile.sdk import served
from pipelines.errors import CompileError
from pipelines.nearest import suggestion

_NO_ACCOUNT = (
    "it runs with the local SageMaker as its AWS: no profile, no other account; "
    "leave the session out, or take what differs as an argument with a default"
)
_OLD_SDK = "change it to version 3 of the SDK: sagemaker.core, sagemaker.mlops and sagemaker.train"


def answer(told: Call) -> dict[str, str]:
    """The name and the definition of the pipeline; where that fails, what is wrong."""
    try:
        with served(told.region, told.bucket, told.role, told.endpoint):
            return _definition(told.place)
    except CompileError as error:
        return vars(error.problems[0])


def _definition(place: str) -> dict[str, str]:
    source, _, name = place.rpartition(":")
    with _users_code(place):
        module = _imported(source)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise CompileError(f"there is no {name!r} in {source}", where=place, fix=suggestion(name, known))
    _refuse_arguments(found, place)
    with _users_code(place):
        pipeline = found() if callable(found) else found
        return {"name": _name(pipeline), "definition": _text(pipeline, place)}


def _imported(source: str) -> ModuleType:
    """A module by its name, from the current folder on, or by its file."""
    _forget_ourselves()
    here = str(Path.cwd())
    if not source.endswith(".py"):
        sys.path.insert(0, here)
        return importlib.import_module(source)
    file = Path(source)
    if not file.is_file():
        raise CompileError("there is no such file", where=source, fix="correct the path; it is relative to this folder")
    sys.path[:0] = [str(file.parent.resolve()), here]
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None  # noqa: S101 -- the suffix says that it is a source
    assert spec.loader is not None  # noqa: S101
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _forget_ourselves() -> None:
    """A package `pipelines` of the user's own (SageMaker's project templates have one) is found before ours."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipelines"]:
        del sys.modules[name]


def _refuse_arguments(found: Callable[..., Any] | Any, place: str) -> None:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [item.name for item in parameters if item.default is item.empty and item.kind not in optional]
    if needed:
        what = f"it wants arguments: {', '.join(needed)}"
        fix = "name a function that needs none and calls it with them"
        raise CompileError(what, where=place, fix=fix)


def _name(pipeline: Any) -> str:
    name = getattr(pipeline, "name", "")
    return name if isinstance(name, str) else ""


def _text(pipeline: Any, place: str) -> str:
    definition = getattr(pipeline, "definition", None)
    value = definition() if callable(definition) else pipeline
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps(value)
    fix = "let it return the SDK's Pipeline, or a definition as a text or a dict"
    raise CompileError(f"it gives no pipeline, but {type(pipeline).__name__}", where=place, fix=fix)


@contextmanager
def _users_code(place: str) -> Iterator[None]:
    """Whatever the user's code raises becomes one message, with the innermost place that is theirs."""
    try:
        yield
    except CompileError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- it is the user's code
        _refuse(error, place)


def _refuse(error: BaseException, place: str) -> NoReturn:
    said = traceback.format_exception_only(error)[-1].strip()
    what = "it raised " + (said if len(said) <= 1000 else f"{said[:1000]} …")
    raise CompileError(what, where=_innermost(error) or place, fix=_mend(error, place)) from error


def _innermost(error: BaseException) -> str:
    """FILE:LINE of the last frame in a file of the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    library = (sys.prefix, sys.base_prefix, str(Path(__file__).parent), "<frozen")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(library)]
    return f"{_short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _short(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _mend(error: BaseException, place: str) -> str:
    if isinstance(error, ModuleNotFoundError) and "sagemaker" in str(error):
        return _OLD_SDK
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing == place.rpartition(":")[0].partition(".")[0]:
            return "repeat it in the folder that the module lies in, or name its file: path/to/file.py:function"
        return f"install {missing} where pipelines is installed: {sys.prefix}"
    if type(error).__module__.partition(".")[0] in ("boto3", "botocore"):
        return _NO_ACCOUNT
    return "correct it there"


if __name__ == "__main__":
    _told = Call(**json.loads(sys.argv[1]))
    Path(_told.answer).write_text(json.dumps(answer(_told)), encoding="utf-8")
