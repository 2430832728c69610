"""Checks of the document around the steps: version, size, the pipeline's name, the experiment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.service_model import faults, request_shape, spots

VERSION: Final = "2020-12-01"
MAX_CHARACTERS: Final = 1_048_576
MAX_NAME: Final = 256
MAX_NAME_IN_PRACTICE: Final = 82
_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


def version(subject: Subject) -> Iterator[Found]:
    """The only schema version there is."""
    document = subject.definition.document
    if document.get("Version", VERSION) != VERSION:
        yield Found(None, "Version", f"Version is not {VERSION}, the only one there is", f'write "{VERSION}"')


def size(subject: Subject) -> Iterator[Found]:
    """What CreatePipeline takes inline."""
    length = len(subject.definition.text)
    if length > MAX_CHARACTERS:
        what = f"the definition has {length:,} characters; CreatePipeline takes {MAX_CHARACTERS:,}"
        yield Found(None, "", what, "write it without blanks, or split the pipeline in two")


def name(subject: Subject) -> Iterator[Found]:
    given = subject.pipeline_name
    if given is not None and not (len(given) <= MAX_NAME and _NAME.fullmatch(given)):
        what = f"{given!r:.100} is no name of a pipeline: letters, digits and inner hyphens, at most {MAX_NAME}"
        yield Found(None, "", what, f'rename it, for example "{mended_name(given)}"')


def name_length(subject: Subject) -> Iterator[Found]:
    """The model allows 256 characters; CreatePipeline has refused more than 82."""
    given = subject.pipeline_name
    if given is not None and MAX_NAME_IN_PRACTICE < len(given) <= MAX_NAME:
        what = f"the pipeline's name has {len(given)} characters; CreatePipeline has refused more than 82"
        yield Found(None, "", what, "shorten it to 82 characters")


def experiment(subject: Subject) -> Iterator[Found]:
    value = subject.definition.document.get("PipelineExperimentConfig")
    shape = request_shape("sagemaker", "CreateProcessingJob").members["ExperimentConfig"]
    for spot in spots(shape, value, "PipelineExperimentConfig"):
        for fault in faults(spot):
            yield Found(None, fault.path, f"{fault.path.rpartition('.')[2]} {fault.what}", fault.fix)


def mended_name(given: str) -> str:
    """A name of a pipeline that is nearest to one that is none."""
    words = re.findall(r"[a-zA-Z0-9]+", given)
    return "-".join(words)[:MAX_NAME_IN_PRACTICE].rstrip("-") or "my-pipeline"
