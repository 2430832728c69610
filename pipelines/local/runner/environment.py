"""The Python environment of an image: built once with uv from the image's own requirements, shared by its jobs.

Takes a requirements file and a folder of environments, gives the path of a complete virtual environment in it, named by
the hash of what goes in. A complete one costs no network. Building happens aside, under a lock, and ends in a rename:
whoever is killed, or builds the same at once, leaves and finds a whole environment or none.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import uv

from pipelines.context import read_context
from pipelines.errors import LocalError

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_FOLDERS = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
_OTHERS = ("PATH", "LANG", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")
_NEEDED = frozenset({*_PROXIES, *map(str.lower, _PROXIES), *_FOLDERS, *_OTHERS})
# These would lead uv to another environment than the one it is told.
_MISLEADING = frozenset({"UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_LINK_MODE"})
_OF_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
}
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)(?:\s+|=)(\S+)", re.MULTILINE)
_PLACE = re.compile(
    r"\s*(?P<editable>(?:-e|--editable)[\s=]+)?(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?P<place>[^\s;#\[-][^\s;#\[]*)"
)
_MADE = re.compile(r"(?:^|/)(?:build|[^/]*\.egg-info)/")
_TAIL = 15
_LARGEST = 16 << 20  # bytes of a requirements file


def ensure_environment(
    requirements: Path | None,
    home: Path,
    report: Callable[[str], None],
    python: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """A complete environment with these requirements; `python` is the version that the image's base names ("3.11").

    Raises LocalError with the last lines of uv's output when it cannot be built.
    """
    settings = _with_cache(uv_environment(environ), home)
    interpreter, version = _interpreter(python, settings, report)
    texts = list(_texts(requirements)) if requirements else []
    packages = dict.fromkeys(_packages(texts, requirements.parent)) if requirements else {}
    name = _name([*texts, *map(_content, packages)], version)
    path = home / name
    if _complete(path):
        return path
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home / f"{name}.lock"):
        if _complete(path):  # another process has built it meanwhile
            return path
        for leftover in [path, *home.glob(f"{name}.building-*")]:
            shutil.rmtree(leftover, ignore_errors=True)
        aside = home / f"{name}.building-{os.getpid()}"
        _build(aside, interpreter, requirements, texts, settings, report)
        aside.rename(path)
    return path


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What uv needs of the caller's variables: where to find things, proxies, certificates and indexes."""
    settings = {name: value for name, value in environ.items() if name in _NEEDED}
    settings |= {n: value for n, value in environ.items() if n.startswith("UV_") and n not in _MISLEADING}
    for pip_name, uv_name in _OF_PIP.items():
        if environ.get(pip_name) and uv_name not in environ:
            parts = environ[pip_name].split()
            settings[uv_name] = (",".join if uv_name == "UV_FIND_LINKS" else " ".join)(parts)
    return settings


def _with_cache(settings: dict[str, str], home: Path) -> dict[str, str]:
    """uv's cache beside the environments, for a user whose own folder cannot be written: one without a home, say."""
    usual = Path(settings.get("XDG_CACHE_HOME") or Path(settings.get("HOME") or "/nonexistent", ".cache"))
    above = next(path for path in (usual / "uv", *(usual / "uv").parents) if path.exists())
    if "UV_CACHE_DIR" in settings or (above.is_dir() and os.access(above, os.W_OK)):
        return settings
    return {**settings, "UV_CACHE_DIR": str(home.resolve() / "cache")}


def _complete(path: Path) -> bool:
    """Whether the environment is there, and the interpreter that it links to still is, too."""
    return (path / "bin" / "python").exists()


def _name(texts: Sequence[str], version: str) -> str:
    content = json.dumps([*texts, version, sys.platform, platform.machine()])
    return hashlib.sha256(content.encode()).hexdigest()


def _texts(file: Path) -> Iterator[str]:
    """The text of a requirements file and of all that it includes."""
    pending, seen = [file], set()
    while pending:
        path = pending.pop(0).resolve()
        if path in seen:
            continue
        seen.add(path)
        try:
            text = _text(path)
        except (OSError, ValueError) as error:
            raise LocalError(
                f"the requirements cannot be read: {error}",
                where=str(path),
                fix="add the file to the image's folder, or correct the line that names it",
            ) from error
        yield text
        pending += [path.parent / match for match in _INCLUDE.findall(text) if "://" not in match]


def _packages(texts: Sequence[str], folder: Path) -> Iterator[Path]:
    """The packages that requirements name by their place on this machine: folders, wheels and archives."""
    for match in (match for text in texts for line in text.splitlines() if (match := _PLACE.match(line))):
        place = unquote(match["place"].removeprefix("file://"))
        path = folder / place
        named_as_path = match["editable"] or "/" in place or place in (".", "..")
        is_project = any((path / name).is_file() for name in ("pyproject.toml", "setup.py"))
        if path.is_file() or (named_as_path and is_project):
            yield path.resolve()


def _content(package: Path) -> str:
    """The hash of a package's files, but for those that building it makes there. Raises `LocalError`."""
    try:
        files = read_context(package.parent, package.name).files
        digests = [(file.path, file.sha256) for file in files if not _MADE.search(file.path)]
    except (OSError, ValueError) as error:
        fix = "put its files into its folder, or name them in its .dockerignore"
        raise LocalError(f"the package cannot be read: {error}", where=str(package), fix=fix) from error
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _text(file: Path) -> str:
    """The text of a plain file: a pipe would be waited for, and a device has no end. Raises `OSError`, `ValueError`."""
    if file.exists() and not file.is_file():
        raise ValueError("it is no file")
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST:,} bytes")
    return file.read_text(encoding="utf-8")


def _interpreter(python: str | None, settings: Mapping[str, str], report: Callable[[str], None]) -> tuple[str, str]:
    """The interpreter to build on, and its version: the image's own minor version when this machine has it."""
    ours = platform.python_version()
    if python is None or python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable, ours
    found = _find(python, tuple(sorted(settings.items())))
    if found is None:
        report(f"the image asks for Python {python}, which is not on this machine; Python {ours} takes its place")
        return sys.executable, ours
    return found


@functools.cache
def _find(python: str, settings: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    """An interpreter of this machine and its version; looked for once, not for each job."""
    arguments = ["python", "find", "--no-project", "--no-python-downloads", "--show-version", "--system", python]
    asked = _uv(arguments, dict(settings))
    found = _uv([word for word in arguments if word != "--show-version"], dict(settings))
    return None if asked.returncode or found.returncode else (found.stdout.strip(), asked.stdout.strip())


def _build(
    aside: Path,
    interpreter: str,
    requirements: Path | None,
    texts: Sequence[str],
    settings: Mapping[str, str],
    report: Callable[[str], None],
) -> None:
    began = time.monotonic()
    # Relocatable, because it is built beside its final place; scripts then find their interpreter beside them.
    _check(
        _uv(["venv", "--quiet", "--no-project", "--relocatable", "--python", interpreter, str(aside)], settings), None
    )
    if requirements is None:
        return
    report(f"building the environment of {requirements}")
    hashed = ["--require-hashes"] if any("--hash=" in text for text in texts) else []
    install = ["pip", "install", "--quiet", "--python", str(aside / "bin" / "python"), "--compile-bytecode"]
    install += ["--no-editable", *hashed]  # a job does not see the folder behind an editable package
    if any(_packages(texts, requirements.parent)):  # uv would look at the time of their pyproject.toml alone
        install.append("--refresh")
    _check(_uv([*install, "-r", str(requirements)], settings, requirements.parent), requirements)
    report(f"built the environment of {requirements} in {time.monotonic() - began:.1f} s")


def _uv(
    arguments: Sequence[str], settings: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [uv.find_uv_bin(), *arguments],
        env=settings,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def _check(done: subprocess.CompletedProcess[str], requirements: Path | None) -> None:
    if done.returncode == 0:
        return
    tail = "\n".join(f"    {line}" for line in done.stderr.strip().splitlines()[-_TAIL:])
    raise LocalError(
        f"uv could not build the environment of the image (exit code {done.returncode}):\n{tail}",
        where=str(requirements or ""),
        fix="correct the requirement that uv names; if it lies elsewhere than on the usual index, set "
        "UV_DEFAULT_INDEX, UV_EXTRA_INDEX_URL or UV_FIND_LINKS; behind a proxy, HTTPS_PROXY and SSL_CERT_FILE",
    )


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Held by one process (and one thread) at a time; the kernel lets go of it when the holder dies."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
