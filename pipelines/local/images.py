"""Images of the local SageMaker: build contexts that were deployed, under the image's URI.

`push` keeps a copy of a build context, so that what a pipeline runs changes only when it is deployed again; `find`
gives the `Image` of a URI; `image_of` that of any URI, deployed here or not.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.compile import ImageSource
from pipelines.context import Context
from pipelines.errors import LocalError, Mend
from pipelines.local.home import Home
from pipelines.local.runner.environment import ensure_environment
from pipelines.local.runner.image import Image, bare_image, read_image
from pipelines.local.settings import ImageSettings, Settings, read
from pipelines.local.stand_ins.table import programs, stand_in


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


def image_of(home: Home, settings: Settings, uri: str, *, has_program: bool) -> Image:
    """What runs for a URI: what was deployed under it, what the settings say of it, what stands in for it.

    One that nothing is known of is a bare Python environment where the job has a program of its own. Raises
    `LocalError` where it has none.
    """
    deployed, said = find(home.images, uri), settings.image(uri)
    if deployed:
        return deployed
    if said and said.build:
        return read_image(said.build)
    if settings.runner == "docker":
        return Image(opaque=True)
    if said:
        return _as_said(said, programs(uri))
    known = stand_in(uri)
    if known is None and not has_program:
        what = f"nothing is known of the image {uri}, and the step names no entrypoint"
        raise LocalError(what, fix=_mend(uri))
    if known is None:
        notice = f"pipelines: nothing is known of {uri}; the program runs in bare Python, without the image's packages"
        return replace(bare_image(), notices=(notice,))
    return known


def _as_said(said: ImageSettings, known: Image | None) -> Image:
    """What the settings say of an image; where they name no program, with those of its stand-in (`train`, `serve`)."""
    own = known if known and not said.entrypoint else Image()
    return Image(
        entrypoint=said.entrypoint or own.entrypoint,
        environment={**own.environment, **said.environment},
        copies=own.copies,
        requirements=said.requirements,
        python=said.python,
    )


def _mend(uri: str) -> str:
    """The line of pipeline.yaml that says what an image is."""
    line = f'"{uri}": {{ requirements: ./requirements.txt, entrypoint: [python3, -m, PROGRAM] }}'
    return (
        f"add to pipeline.yaml, under environments: local: images:, the line {line} (or {{ build: ./FOLDER }}); "
        "deploy the project that builds it; or run the real image: --runner docker"
    )


@dataclass(frozen=True)
class LocalImages:
    """Images of the local SageMaker, as a deployment sees them."""

    home: Home

    def digest(self, uri: str) -> str | None:
        """Empty when it was deployed: its tag says all. A step makes up for what its environment lacks."""
        return None if find(self.home.images, uri) is None else ""

    def has_repository(self, _uri: str) -> bool:
        """A folder is made with the image."""
        return True

    def copy(self, source: str, uri: str, _report: Callable[[str], None]) -> None:
        """Nothing is promoted to this machine."""
        raise LocalError(f"{source} cannot be copied here", where=uri, fix=Mend("build it here", "deploy"))

    def build(self, image: ImageSource, uri: str, report: Callable[[str], None]) -> None:
        """Keep the build context, and build the environment of its requirements, so that no step waits for it."""
        if push(self.home.images, uri, image.context):
            report(f"image {uri}")
        known = find(self.home.images, uri)
        if known and read(self.home).runner == "process":
            ensure_environment(known.requirements, self.home.environments, report, known.python)
