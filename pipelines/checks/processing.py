"""Checks of a processing job's inputs and outputs beyond the request's shape (CONTRACT.md 3.2 to 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelines.checks.arguments import dig, given, items, text_at
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.definition import Step
from pipelines.definition.step_types import PROCESSING

ROOT: Final = "/opt/ml/processing"
# ScriptProcessor puts its script below the usual input folder; AWS's own examples nest it so.
_SCRIPT_INPUTS: Final = ("code", "entrypoint")


class _Mount(NamedTuple):
    """One LocalPath: its place, its input or output by name, whether an input, and the path without closing slash."""

    where: str
    name: str
    incoming: bool
    path: str


def repeated_names(subject: Subject) -> Iterator[Found]:
    """Inputs, outputs and channels are told apart by name."""
    for step in subject.steps:
        match step.type:
            case "Processing":
                yield from _repeated(step, "InputName", "ProcessingInputs")
                yield from _repeated(step, "OutputName", "ProcessingOutputConfig", "Outputs")
            case "Training":
                yield from _repeated(step, "ChannelName", "InputDataConfig")


def _repeated(step: Step, key: str, *keys: str) -> Iterator[Found]:
    seen: set[str] = set()
    for index, item in items(step.arguments, *keys):
        name = text_at(item, key)
        if name is not None and name in seen:
            where = f"{inside(step)}.{'.'.join(keys)}[{index}].{key}"
            yield Found(step.name, where, f'{key} "{name}" stands twice in "{step.name}"', "rename one of them")
        seen.add(name or "")


def local_paths(subject: Subject) -> Iterator[Found]:
    for step in _processing_steps(subject):
        for where, item, folder in _places(step):
            path = dig(item, "LocalPath")
            if path is None and folder and dig(item, "S3Uri") is not None:
                what = "LocalPath is required unless AppManaged is true"
                yield Found(step.name, f"{where}.LocalPath", what, f'write "LocalPath": "{ROOT}/{folder}"')
            elif isinstance(path, str) and not f"{path}/".startswith(f"{ROOT}/"):
                what = f"LocalPath must lie below {ROOT}; it is {path!r:.100}"
                fix = f'write "{ROOT}/{path.rstrip("/").rpartition("/")[2] or "data"}"'
                yield Found(step.name, f"{where}.LocalPath", what, fix)


def repeated_local_paths(subject: Subject) -> Iterator[Found]:
    for step in _processing_steps(subject):
        seen: dict[str, _Mount] = {}
        for mount in _mounts(step):
            first = seen.setdefault(mount.path, mount)
            if first is not mount and first.incoming == mount.incoming:
                what = f'"{first.name}" and "{mount.name}" have the same LocalPath {mount.path}'
                yield Found(step.name, mount.where, what, f"give each its own, for example {mount.path}/{mount.name}")


def nested_local_paths(subject: Subject) -> Iterator[Found]:
    """Not known to be refused; but a program that lists the outer folder meets the other's files."""
    for step in _processing_steps(subject):
        mounts = list(_mounts(step))
        by_path = {(mount.path, mount.incoming): mount for mount in mounts}
        for inner in mounts:
            outer = _around(inner, by_path)
            if outer is not None:
                what = f'LocalPath of "{inner.name}" lies inside the one of "{outer.name}", {outer.path}'
                yield Found(step.name, inner.where, what, "put the two folders beside one another")


def _around(inner: _Mount, by_path: dict[tuple[str, bool], _Mount]) -> _Mount | None:
    """The input or output in whose folder another one lies; an output in an input's very folder counts."""
    if not inner.incoming and (inner.path, True) in by_path:
        return by_path[inner.path, True]
    if inner.incoming and inner.name in _SCRIPT_INPUTS:
        return None
    path = inner.path.rpartition("/")[0]
    while path.startswith(ROOT):
        for incoming in (True, False):
            if (path, incoming) in by_path:
                return by_path[path, incoming]
        path = path.rpartition("/")[0]
    return None


def gzip_needs_pipe(subject: Subject) -> Iterator[Found]:
    for step in _processing_steps(subject):
        for index, item in items(step.arguments, "ProcessingInputs"):
            source = dig(item, "S3Input")
            if text_at(source, "S3CompressionType") == "Gzip" and text_at(source, "S3InputMode") == "File":
                where = f"{inside(step)}.ProcessingInputs[{index}].S3Input.S3CompressionType"
                what = "Gzip is decompressed in Pipe mode only; S3InputMode is File"
                yield Found(step.name, where, what, 'write "None" and decompress in the container, or use "Pipe"')


def feature_store_outputs(subject: Subject) -> Iterator[Found]:
    for step in _processing_steps(subject):
        for index, item in items(step.arguments, "ProcessingOutputConfig", "Outputs"):
            if given(item, "FeatureStoreOutput") and item.get("AppManaged") in (None, False):
                where = f"{inside(step)}.ProcessingOutputConfig.Outputs[{index}].AppManaged"
                what = "FeatureStoreOutput works only with AppManaged: the container writes the records itself"
                yield Found(step.name, where, what, 'write "AppManaged": true')


def _processing_steps(subject: Subject) -> Iterator[Step]:
    return (step for step in subject.steps if step.type == PROCESSING)


def _places(step: Step) -> Iterator[tuple[str, Any, str]]:
    """Every object with a LocalPath: its place, itself, and the folder to propose when it must have one."""
    for index, item in items(step.arguments, "ProcessingInputs"):
        where = f"{inside(step)}.ProcessingInputs[{index}]"
        needed = item.get("AppManaged") in (None, False)
        yield f"{where}.S3Input", item.get("S3Input"), f"input/{text_at(item, 'InputName')}" if needed else ""
        yield f"{where}.DatasetDefinition", item.get("DatasetDefinition"), ""
    for index, item in items(step.arguments, "ProcessingOutputConfig", "Outputs"):
        where = f"{inside(step)}.ProcessingOutputConfig.Outputs[{index}].S3Output"
        yield where, item.get("S3Output"), ""


def _mounts(step: Step) -> Iterator[_Mount]:
    holders = [("ProcessingInputs",), ("ProcessingOutputConfig", "Outputs")]
    for keys, name, sources in zip(
        holders, ("InputName", "OutputName"), (("S3Input", "DatasetDefinition"), ("S3Output",)), strict=True
    ):
        for index, item in items(step.arguments, *keys):
            for source in sources:
                path = text_at(item, source, "LocalPath")
                if path is not None:
                    where = f"{inside(step)}.{'.'.join(keys)}[{index}].{source}.LocalPath"
                    yield _Mount(where, text_at(item, name) or "?", name == "InputName", path.rstrip("/"))
