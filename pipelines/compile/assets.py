"""Local files and folders of a spec → content-addressed S3 objects and image tags.

Takes paths relative to the spec's folder; gives hashes, S3 URIs and what has to be uploaded. A hash is over the
relative paths and contents of files, never over times or the place on this machine, so the same files give the same
URI everywhere.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from pipelines.context import Context, File, read_context

HASH_LENGTH = 32  # hex digits of an asset's key: 128 bits
TAG_LENGTH = 16  # hex digits of an image's tag


@dataclass(frozen=True)
class Upload:
    """One file that must lie in S3 before the definition is used."""

    file: File
    bucket: str
    key: str

    @property
    def sha256(self) -> str:
        return self.file.sha256

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Asset:
    """A local file or folder that a definition refers to by its content."""

    name: str
    is_folder: bool
    context: Context

    def key(self, prefix: str) -> str:
        """The object's key or, of a folder, the key prefix of its objects."""
        return f"{prefix}/assets/{self.context.hash[:HASH_LENGTH]}/{self.name}" + ("/" if self.is_folder else "")

    def uploads(self, bucket: str, prefix: str) -> tuple[Upload, ...]:
        base = self.key(prefix)
        return tuple(Upload(file, bucket, base + file.path if self.is_folder else base) for file in self.context.files)


@dataclass(frozen=True)
class ImageSource:
    """An image that is built from a folder of the project."""

    repository: str
    context: Context

    @property
    def tag(self) -> str:
        """Changes with the content of the build context and with nothing else."""
        return f"src-{self.context.hash[:TAG_LENGTH]}"

    def uri(self, account: str, region: str) -> str:
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return f"{account}.dkr.ecr.{region}.{suffix}/{self.repository}:{self.tag}"


def read_asset(folder: Path, relative: str) -> Asset:
    """The file or folder at `relative`. Raises `OSError` or `ValueError` (outside of the folder, or empty)."""
    context = read_context(folder, relative)
    # The project's folder itself is called the same wherever it lies.
    name = posixpath.basename(posixpath.normpath(relative))
    name = "project" if name in (".", "..") else name
    return Asset(name, context.root.is_dir(), context)
