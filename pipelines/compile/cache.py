"""What was compiled before, by the hash of all that went in.

The hash is over the spec's values, the target, the URIs of local files and images, this package's own sources and the
SDK's version: whatever could change a byte of the definition. A kept file begins with the hash of its text, so one
that was cut short or edited is no hit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from pipelines.compile.local_files import LocalFiles
from pipelines.spec import Spec, Target

_KEEP = 50  # definitions; the oldest go first
_HASH_LENGTH = 64


def cached(folder: Path | None, key: str, make: Callable[[], str]) -> str:
    """The text kept in `folder` under `key`, or made and kept. A folder that cannot be used is no error."""
    if folder is None:
        return make()
    file = folder / f"{key}.json"
    text = _kept(file)
    if text is None:
        text = make()
        with contextlib.suppress(OSError):
            _keep(file, text)
    return text


def cache_key(spec: Spec, target: Target, local_files: LocalFiles) -> str:
    """Changes with whatever could change the definition. The order of keys counts: it is the order of steps."""
    parts = [
        spec.source.value,
        # What stands beside the definition, not in it.
        asdict(replace(target, schedules={}, notifications={})),
        [[*path, uri] for path, uri in local_files.uris.items()],
        [[image.repository, image.tag] for image in local_files.images],
        _code_version(),
    ]
    return _sha256(json.dumps(parts))


@cache
def _code_version() -> list[str]:
    from importlib.metadata import version  # 20 ms that only a cache needs

    package = Path(__file__).parent.parent
    sources = sorted([*package.glob("spec/*.py"), *package.glob("compile/*.py")])
    hashes = [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources]
    return [*map(version, ("sagemaker", "sagemaker-core", "sagemaker-mlops", "sagemaker-train")), *hashes]


def _kept(file: Path) -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        content = file.read_text(encoding="utf-8")
        text = content[_HASH_LENGTH + 1 :]
        if content[:_HASH_LENGTH] == _sha256(text):
            return text
    return None


def _keep(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(f"{_sha256(text)}\n{text}")
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
    kept = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[_KEEP:]:
        old.unlink(missing_ok=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
