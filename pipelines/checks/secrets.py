"""Checks for secrets written into the definition, which everyone who may describe the pipeline can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from pipelines.checks.arguments import dig
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside

_WORDS: Final = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey"}
)
_PAIRS: Final = (("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("account", "key"))
# A name with one of these at its end tells where the secret is, or how much of it there is.
_ENDS: Final = frozenset(
    {"arn", "name", "id", "path", "file", "uri", "url", "region", "type", "length", "limit", "count", "size", "ttl"}
)
# Next to "token", words of language models and of counting.
_MODEL_WORDS: Final = frozenset(
    {"eos", "bos", "pad", "unk", "sep", "cls", "mask", "special", "image", "start", "end", "stop", "max", "min", "num"}
)
_SPLIT: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_HARMLESS: Final = re.compile(
    r"(?i)|[0-9.]+|true|false|none|null|(arn:|s3://|ssm:|/opt/|/run/|\{\{resolve:).*", re.DOTALL
)
_ACCESS_KEY: Final = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_MAPS: Final = ("Environment", "HyperParameters")
_FIX: Final = "keep it in Secrets Manager, pass its ARN, and let the container read it; then change the secret"


def literals(subject: Subject) -> Iterator[Found]:
    """The message never holds the value."""
    for index, parameter in enumerate(subject.definition.parameters):
        if _is_secret(parameter.name, parameter.default):
            what = f"the default of {parameter.name} looks like a secret"
            yield Found(None, f"Parameters[{index}].DefaultValue", what, f"remove the default; {_FIX}")
    for step in subject.steps:
        for holder in _MAPS:
            values = dig(step.arguments, holder)
            for key, value in values.items() if isinstance(values, dict) else ():
                if _is_secret(key, value):
                    where = f"{inside(step)}.{holder}[{key!r}]"
                    yield Found(step.name, where, f"{holder}[{key!r:.100}] looks like a secret", _FIX)
        for spot in subject.arguments[step.name]:
            if isinstance(spot.value, str) and _ACCESS_KEY.search(spot.value):
                yield Found(
                    step.name, spot.path, "holds an AWS access key", "remove it: the job has a role; revoke the key"
                )


def _is_secret(name: str, value: Any) -> bool:
    # The SDK writes hyperparameters as JSON: text in quotes of its own.
    if not isinstance(value, str) or _HARMLESS.fullmatch(value.strip('"')):
        return False
    words = [word.lower() for word in _SPLIT.split(name[:300]) if word]
    if not words or words[-1] in _ENDS or ("token" in words and not _MODEL_WORDS.isdisjoint(words)):
        return False
    return not _WORDS.isdisjoint(words) or any(pair in pairwise(words) for pair in _PAIRS)
