"""Checks of step caches: a window that means what it says, a key that changes with the result (CONTRACT.md 1.9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.checks.text import constant
from pipelines.definition import Cache, Step, parse_duration
from pipelines.definition.cache_keys import ATTRIBUTES, differs
from pipelines.definition.expressions import is_expression, parse_expression
from pipelines.errors import DefinitionError

_MONTHS: Final = re.compile(r"(?i)(?P<head>P?(?:\d+Y)?)(?P<months>\d+)M(?P<rest>.*)")
_IMAGES: Final = {
    "Processing": ("AppSpecification", "ImageUri"),
    "Training": ("AlgorithmSpecification", "TrainingImage"),
}
_UNCACHED: Final = frozenset(
    {"Model", "RegisterModel", "Condition", "Fail", "InferenceComponent", "Lineage", "Cleanup"}
)


def expiry(subject: Subject) -> Iterator[Found]:
    for step, cache in _cached(subject):
        if cache.expire_after is not None:
            try:
                parse_duration(cache.expire_after)
            except DefinitionError as error:
                problem = error.problems[0]
                yield Found(step.name, f"{step.where}.CacheConfig.ExpireAfter", problem.what, problem.fix)


def without_expiry(subject: Subject) -> Iterator[Found]:
    for step, cache in _cached(subject):
        if cache.expire_after is None:
            what = "caching is on without ExpireAfter; a cache needs both"
            yield Found(step.name, f"{step.where}.CacheConfig", what, 'add "ExpireAfter": "P30D"')


def months(subject: Subject) -> Iterator[Found]:
    """M before T is months; minutes stand after T."""
    for step, cache in _cached(subject):
        match = _MONTHS.fullmatch(cache.expire_after or "")
        if match is not None and not match["rest"].upper().startswith("M"):
            count = int(match["months"][:9])
            what = f"{cache.expire_after} is {count} month{'s'[: count != 1]}, not minutes"
            fix = f'write "PT{count}M" for minutes, or "P{count * 30}D" to say that months are meant'
            yield Found(step.name, f"{step.where}.CacheConfig.ExpireAfter", what, fix)


def images(subject: Subject) -> Iterator[Found]:
    """The cache's key holds the image's URI: a tag that moves to new content still hits the old result."""
    for step, _ in _cached(subject):
        keys = _IMAGES.get(step.type, ())
        for spot in subject.arguments[step.name] if keys else ():
            if spot.path != f"{inside(step)}.{'.'.join(keys)}":
                continue
            readable = isinstance(spot.value, str) or is_expression(spot.value)
            image = constant(subject, parse_expression(spot.value)) if readable else None
            tag = moving_tag(image) if image else None
            if tag is not None:
                what = f"the step is cached, but its image is named {tag}: after a push the old result still hits"
                yield Found(
                    step.name, spot.path, what, "name the image by digest (@sha256:…) or by a tag of its content"
                )


def moving_keys(subject: Subject) -> Iterator[Found]:
    """What differs in each execution, in what the cache's key is made of: the result is kept, and never found again."""
    for step, _ in _cached(subject):
        root = re.escape(inside(step))
        names = "|".join(ATTRIBUTES.get(step.type, ()))
        for placed in subject.placed if names else ():
            if placed.step is not step or not re.match(rf"{root}\.({names})\b", placed.where):
                continue
            moving = next((item for item in placed.references if differs(item)), None)
            if moving:
                what = f"the step is cached, but {moving} differs in each execution: no earlier result is ever found"
                yield Found(step.name, placed.where, what, "write what stays the same there, or remove CacheConfig")


def unsupported(subject: Subject) -> Iterator[Found]:
    for step, _ in _cached(subject):
        if step.type in _UNCACHED:
            what = f"a {step.type} step has no cache"
            yield Found(step.name, f"{step.where}.CacheConfig", what, "remove CacheConfig")


def moving_tag(image: str) -> str | None:
    """How an image is named, when that is neither a digest nor a tag with a version or content hash in it."""
    name = image.rpartition("/")[2]
    if "@" in name:
        return None
    _, colon, tag = name.partition(":")
    if not colon or not tag:
        return "without a tag"
    return f'by the tag "{tag}"' if tag == "latest" or not any(letter.isdigit() for letter in tag) else None


def _cached(subject: Subject) -> Iterator[tuple[Step, Cache]]:
    for step in subject.steps:
        if step.cache is not None and step.cache.enabled:
            yield step, step.cache
