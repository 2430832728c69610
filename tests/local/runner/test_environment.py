"""Environments from requirements: a wheel made here, no index, no network."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.errors import LocalError
from pipelines.local.runner.environment import ensure_environment, uv_environment


def wheel(folder: Path, name: str = "tiny", version: str = "1.0") -> Path:
    """A wheel with one module and one script."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"def main(): print('{name} {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    built = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(built, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return built


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A requirements file that needs no index."""
    wheel(tmp_path / "wheels")
    file = tmp_path / "requirements.txt"
    file.write_text(f"--no-index\n--find-links {tmp_path / 'wheels'}\ntiny==1.0\n")
    return file


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_built_once_and_its_scripts_run(requirements: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = ensure_environment(requirements, tmp_path / "home", said.append)
    assert run(first / "bin" / "tiny") == "tiny 1.0"
    assert run(first / "bin" / "python3", "-c", "import sys; print(sys.prefix)") == str(first)
    assert said[0] == f"building the environment of {requirements}"
    (tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl").unlink()  # a complete one needs nothing any more
    assert ensure_environment(requirements, tmp_path / "home", said.append) == first
    assert len(said) == 2


def test_other_requirements_are_another_environment_also_when_they_are_included(
    requirements: Path, tmp_path: Path
) -> None:
    outer = tmp_path / "outer.txt"
    outer.write_text("-r requirements.txt\n")
    before = ensure_environment(outer, tmp_path / "home", print)
    wheel(tmp_path / "wheels", version="2.0")
    requirements.write_text(requirements.read_text().replace("1.0", "2.0"))
    after = ensure_environment(outer, tmp_path / "home", print)
    assert before != after
    assert run(after / "bin" / "tiny") == "tiny 2.0"
    assert run(before / "bin" / "tiny") == "tiny 1.0"


def test_without_requirements_there_is_an_interpreter_and_nothing_else(tmp_path: Path) -> None:
    path = ensure_environment(None, tmp_path, print)
    assert run(path / "bin" / "python", "-c", "import sys; print(sys.version_info[0])") == "3"
    assert [site.name for site in (path / "lib").glob("*/site-packages/*.dist-info")] == []


def test_two_processes_build_one_environment(requirements: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from pipelines.local.runner.environment import ensure_environment\n"
        "print(ensure_environment(Path(sys.argv[1]), Path(sys.argv[2]), lambda t: print(t, file=sys.stderr)))"
    )
    command = [sys.executable, "-c", script, str(requirements), str(tmp_path / "home")]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert outputs[0][0] == outputs[1][0] != ""
    assert "".join(errors for _, errors in outputs).count("building the environment") == 1
    assert run(Path(outputs[0][0].strip()) / "bin" / "tiny") == "tiny 1.0"


def test_what_a_killed_build_left_is_cleared_away(requirements: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = ensure_environment(requirements, home, print)
    aside = home / f"{path.name}.building-1"
    path.rename(aside)
    (aside / "bin" / "tiny").unlink()
    path.mkdir()  # neither is a complete environment
    assert ensure_environment(requirements, home, print) == path
    assert run(path / "bin" / "tiny") == "tiny 1.0"
    assert sorted(entry.name for entry in home.iterdir()) == [path.name, f"{path.name}.lock"]


def test_a_wrong_hash_is_refused(requirements: Path, tmp_path: Path) -> None:
    requirements.write_text(requirements.read_text().strip() + f" --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LocalError, match="uv could not build the environment") as refused:
        ensure_environment(requirements, tmp_path / "home", print)
    assert "Hash mismatch" in str(refused.value)
    assert "fix: correct the requirement that uv names" in str(refused.value)


def test_one_hash_asks_for_all(requirements: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    wheel(tmp_path / "wheels", name="other")
    good = requirements.read_text().strip() + f" --hash=sha256:{digest}\n"
    requirements.write_text(good)
    assert ensure_environment(requirements, tmp_path / "home", print).is_dir()
    requirements.write_text(f"{good}other==1.0\n")
    with pytest.raises(LocalError, match="--require-hashes"):
        ensure_environment(requirements, tmp_path / "home", print)


def test_a_package_that_is_nowhere_shows_what_uv_said(requirements: Path, tmp_path: Path) -> None:
    requirements.write_text(requirements.read_text().replace("tiny", "nowhere"))
    with pytest.raises(LocalError) as refused:
        ensure_environment(requirements, tmp_path / "home", print)
    assert str(refused.value).startswith(f"{requirements}: uv could not build")
    assert "nowhere" in refused.value.what
    assert "UV_FIND_LINKS; behind a proxy, HTTPS_PROXY" in str(refused.value)
    assert list((tmp_path / "home").glob("*[!k]")) != []  # left for the next attempt to clear, never taken for whole


def test_a_missing_included_file_is_named(requirements: Path, tmp_path: Path) -> None:
    requirements.write_text("-r absent.txt\n")
    with pytest.raises(LocalError, match="the requirements cannot be read") as refused:
        ensure_environment(requirements, tmp_path / "home", print)
    assert refused.value.problems[0].where == str(tmp_path / "absent.txt")
    assert "fix: add the file to the image's folder" in str(refused.value)


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "folder"])
def test_an_included_file_that_is_none_is_neither_waited_for_nor_read_without_end(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "requirements.txt").write_text(f"-r {place}\n")
    with pytest.raises(LocalError) as caught:
        ensure_environment(tmp_path / "requirements.txt", tmp_path / "home", print)
    assert caught.value.what == "the requirements cannot be read: it is no file"
    assert caught.value.problems[0].fix == "add the file to the image's folder, or correct the line that names it"


BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    os.makedirs("build", exist_ok=True)
    open("build/left", "a").write("x")
    with zipfile.ZipFile(os.path.join(folder, "own-1-py3-none-any.whl"), "w") as archive:
        archive.write("own.py")
        archive.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        archive.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("own-1.dist-info/RECORD", "")
    return "own-1-py3-none-any.whl"
"""
PROJECT = """
[project]
name = "own"
version = "1"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.mark.parametrize("line", ["./own", "-e ./own", "--editable=own", "own @ file://{folder}/own", "../context/own"])
def test_a_package_of_the_images_folder_is_installed_as_it_is_now(tmp_path: Path, line: str) -> None:
    folder = tmp_path / "context"
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "pyproject.toml").write_text(PROJECT)
    (folder / "own" / "backend.py").write_text(BACKEND)
    (folder / "requirements.txt").write_text(line.format(folder=folder) + "\n")
    built = []
    for version in (1, 2, 2):
        (folder / "own" / "own.py").write_text(f"version = {version}")
        built.append(ensure_environment(folder / "requirements.txt", tmp_path / "home", lambda _: None))
        assert run(built[-1] / "bin" / "python", "-c", "import own; print(own.version)") == str(version)
    assert built[0] != built[1] == built[2]
    (folder / "own").rename(tmp_path / "away")  # a job does not see it
    assert run(built[-1] / "bin" / "python", "-c", "import own; print(own.version)") == "2"


def test_a_wheel_of_the_images_folder_that_changes_is_another_environment(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("wheels/tiny-1.0-py3-none-any.whl\n")
    wheel(tmp_path / "wheels")
    first = ensure_environment(file, tmp_path / "home", print)
    with zipfile.ZipFile(wheel(tmp_path / "wheels"), "a") as archive:
        archive.writestr("more.py", "")
    assert ensure_environment(file, tmp_path / "home", print) != first


def test_a_user_without_a_home_gets_a_cache_beside_the_environments(requirements: Path, tmp_path: Path) -> None:
    nowhere = str(requirements / "below")  # a file holds nothing, not even root's
    for variables in ({"HOME": nowhere}, {"XDG_CACHE_HOME": nowhere, "HOME": str(tmp_path)}):
        home = tmp_path / str(len(variables))
        environment = ensure_environment(requirements, home, print, environ={"PATH": os.environ["PATH"], **variables})
        assert run(environment / "bin" / "tiny") == "tiny 1.0"
        assert (home / "cache").is_dir()


def test_a_python_that_is_not_here_is_replaced_and_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    ensure_environment(None, tmp_path, said.append, python="3.99")
    ours = sys.version.split()[0]
    assert said == [f"the image asks for Python 3.99, which is not on this machine; Python {ours} takes its place"]


def test_uv_sees_of_the_caller_only_what_it_needs() -> None:
    caller = {
        "AWS_SECRET_ACCESS_KEY": "no",
        "PYTHONPATH": "no",
        "VIRTUAL_ENV": "no",
        "UV_PYTHON": "no",
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "UV_OFFLINE": "1",
        "PIP_FIND_LINKS": "/a /b",
        "PIP_INDEX_URL": "https://pip.example",
        "UV_DEFAULT_INDEX": "https://uv.example",
    }
    assert uv_environment(caller) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": "/a,/b",
        "UV_DEFAULT_INDEX": "https://uv.example",
    }
