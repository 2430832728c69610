"""Images of the local SageMaker: build contexts that were deployed, under the image's URI.

`push` keeps a copy of a build context, so that what a pipeline runs changes only when it is deployed again; `find`
gives the `Image` of a URI.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.compile import ImageSource
from pipelines.context import Context
from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.runner.environment import ensure_environment
from pipelines.local.runner.image import Image, read_image


def _folder(images: Path, uri: str) -> Path:
    """Where an image's context lies: by repository and tag, whatever the registry. One folder never holds another."""
    _, _, name = uri.partition("/")
    repository, _, tag = (name or uri).partition(":")
    parts = f"{repository}:{tag or 'latest'}".split("/")
    if not repository or any(part in ("", ".", "..") for part in parts):
        raise LocalError(f"{uri!r} is not an image's URI", fix="write REGISTRY/REPOSITORY:TAG")
    return images.joinpath(*parts)


def push(images: Path, uri: str, context: Context) -> bool:
    """Keep a copy of a build context under the URI; False when it is there already. A URI's content never changes.

    Raises `LocalError` when it cannot be kept.
    """
    folder = _folder(images, uri)
    if folder.is_dir():
        return False
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".push-"))
        _copy(context, aside)
        aside.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another command was faster
            fix = "free disk space, and let your user read the build context and write to the folder"
            raise LocalError(f"the image cannot be kept: {error}", where=str(folder), fix=fix) from error
    finally:
        if aside:
            shutil.rmtree(aside, ignore_errors=True)
    return True


def _copy(context: Context, folder: Path) -> None:
    for file in context.files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)
        target.chmod(file.source.stat().st_mode & 0o755)
    folder.chmod(0o755)


def find(images: Path, uri: str) -> Image | None:
    """The image that was deployed under a URI, or None."""
    folder = _folder(images, uri)
    return read_image(folder) if folder.is_dir() else None


@dataclass(frozen=True)
class LocalImages:
    """Images of the local SageMaker, as a deployment sees them."""

    home: Home

    def has(self, uri: str) -> bool:
        """Whether it was deployed. What its environment lacks, the step that runs it makes up for."""
        return find(self.home.images, uri) is not None

    def push(self, image: ImageSource, uri: str, report: Callable[[str], None]) -> None:
        """Keep the build context, and build the environment of its requirements, so that no step waits for it."""
        if push(self.home.images, uri, image.context):
            report(f"image {uri}")
        known = find(self.home.images, uri)
        if known:
            ensure_environment(known.requirements, self.home.environments, report, known.python)
