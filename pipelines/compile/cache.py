"""What was compiled before, by the hash of all that went in.

The hash is over the spec's values, the target, the URIs of local files and images, this package's own sources and the
SDK's version: whatever could change a byte of the definition.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pipelines.compile.local_files import LocalFiles
from pipelines.spec import Spec, Target

_KEEP = 50  # definitions; the oldest go first


def cached(folder: Path | None, spec: Spec, target: Target, local_files: LocalFiles, make: Callable[[], str]) -> str:
    """The definition text from the cache in `folder`, or made and kept. A cache that cannot be used is no error."""
    if folder is None:
        return make()
    file = folder / f"{_key(spec, target, local_files)}.json"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = file.read_text(encoding="utf-8")
        if text:
            return text
    text = make()
    with contextlib.suppress(OSError):
        _keep(file, text)
    return text


def _key(spec: Spec, target: Target, local_files: LocalFiles) -> str:
    parts = [
        spec.source.value,
        {key: value for key, value in asdict(target).items() if key != "parameters"},
        sorted((str(path), uri) for path, uri in local_files.uris.items()),
        sorted((image.repository, image.tag) for image in local_files.images),
        _code_version(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _code_version() -> list[str]:
    package = Path(__file__).parent.parent
    sources = sorted([*package.glob("spec/*.py"), *package.glob("compile/*.py")])
    hashes = [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources]
    versions = [importlib.metadata.version(name) for name in ("sagemaker", "sagemaker-core", "sagemaker-mlops")]
    return [*versions, *hashes]


def _keep(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(temporary).replace(file)
    kept = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[_KEEP:]:
        old.unlink(missing_ok=True)
