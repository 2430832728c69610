"""Images and programs that mean harm, or are broken: nothing of the machine changes, and what is refused is named."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import LocalError
from pipelines.local.runner.image import Image, command, read_image
from pipelines.local.runner.layer import place
from tests.local.runner.conftest import Jobs

Folder = Callable[..., Path]
BASE = "FROM python:3.11\n"


@pytest.fixture
def astray(tmp_path: Path) -> Callable[[str], Image]:
    """An image with a link of this name at its top: right in its build context, and out of any folder elsewhere."""

    def read(name: str) -> Image:
        context = tmp_path / "context"
        deep = context.joinpath(*"abcdefghijklmnopqrst")
        deep.mkdir(parents=True)
        (context / str(tmp_path).strip("/")).mkdir(parents=True)
        (deep / name).symlink_to("../" * 20 + str(tmp_path).strip("/"))
        (context / "Dockerfile").write_text(f"{BASE}COPY {'/'.join('abcdefghijklmnopqrst')} /\nCOPY Dockerfile /x\n")
        return read_image(context)

    return read


def test_a_link_of_the_image_never_shows_what_it_names_on_the_machine(
    jobs: Jobs, astray: Callable[[str], Image], tmp_path: Path
) -> None:
    job = jobs("sh", "-c", "readlink /srv; ls -A /srv/; touch /srv/mine", image=astray("srv"))
    job.end()
    assert job.text().splitlines()[0].startswith("../../..")
    assert "context" not in job.text()
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["opt", "var"])
def test_a_link_in_the_place_of_a_folder_of_the_containers_is_refused(
    jobs: Jobs, astray: Callable[[str], Image], tmp_path: Path, name: str
) -> None:
    job = jobs("true", image=astray(name))
    assert job.end() == 125
    assert f"/files/{name} is a link of the image, in the place of a folder of the container's" in job.text()
    assert not {"ml", "tmp"} & {path.name for path in tmp_path.iterdir()}


def test_a_link_to_nothing_may_stand_in_the_place_of_an_empty_folder(jobs: Jobs, folder: Folder) -> None:
    context = folder(f"{BASE}COPY top /\n", top__f="f")
    (context / "top" / "srv").symlink_to("../nothing")
    job = jobs("readlink", "/srv", image=read_image(context))
    assert (job.end(), job.text()) == (0, "../nothing\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root owns the devices")
def test_root_in_a_job_cannot_take_the_permissions_of_the_machines_devices_away(jobs: Jobs) -> None:
    before = Path("/dev/full").stat()
    job = jobs(
        "sh", "-c", "chmod 600 /dev/full; chown 1234 /dev/full; touch -d 2001-01-01 /dev/full; echo x >/dev/null"
    )
    assert job.end() == 0
    assert job.text().count("Read-only file system") == 3
    after = Path("/dev/full").stat()
    assert (after.st_mode, after.st_uid, after.st_mtime) == (before.st_mode, before.st_uid, before.st_mtime)


def test_a_job_makes_no_device_and_no_namespace(jobs: Jobs) -> None:
    script = "mknod /opt/ml/disk b 8 0; mknod /tmp/null c 1 3; unshare --user true || unshare --mount true; true"
    job = jobs("sh", "-c", script)
    assert job.end() == 0
    assert len(job.text().splitlines()) == 4
    assert not any(stat.S_ISBLK(path.stat().st_mode) for path in job.opt_ml.iterdir())


@pytest.mark.parametrize(
    "lines",
    ["COPY f /proc/x\n", "COPY f /dev/shm/x\n", "COPY f /dev/null\n", "WORKDIR /dev/shm/deep\n", "WORKDIR /proc\n"],
)
def test_what_an_image_has_where_the_container_gets_its_own_is_not_seen(jobs: Jobs, folder: Folder, lines: str) -> None:
    image = read_image(folder(BASE + lines, f="of the image\n"))
    job = jobs("sh", "-c", "cat /proc/x /dev/shm/x /dev/null; pwd >/dev/full || test -c /dev/null", image=image)
    assert job.end() == 0
    assert "of the image" not in job.text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('ENTRYPOINT ["sh\\u0000", "x"]', "embedded null"),
        ('ENTRYPOINT ["sh", "\\ud800"]', "surrogates not allowed"),
        ('ENTRYPOINT [""]', "argv first element cannot be empty"),
        ('ENV =x\nENTRYPOINT ["sh"]', "illegal environment variable name"),
    ],
)
def test_what_no_program_can_be_given_is_said_and_no_traceback(
    either_jobs: Jobs, folder: Folder, line: str, said: str
) -> None:
    image = read_image(folder(f"{BASE}{line}\n"))
    job = either_jobs(*command(image, None, None), image=image)
    assert job.end() == 126
    assert said in job.text()
    assert "cannot be executed: " in job.text()
    assert "Traceback" not in job.text()


@pytest.mark.parametrize(
    ("content", "line", "what", "fix"),
    [
        ("FROM é\n".encode("latin-1"), "", "cannot be read: 'utf-8' codec", "make it a readable text file in UTF-8"),
        (BASE.encode("utf-16"), "", "cannot be read: 'utf-8' codec", "make it a readable text file in UTF-8"),
        (f"{BASE}WORKDIR /a\0b\n".encode(), ":2", "it holds a NUL character", "leave the character out"),
        (f"{BASE}ENV\n".encode(), ":2", "ENV: '' has no value", "write ENV NAME=value"),
        (
            f"{BASE}ENV A=a\u2028FROM b\n".encode(),
            ":2",
            "ENV: 'FROM' has no value",
            'write FROM=value, or quote: NAME="a b"',
        ),
        (f"{BASE}COPY a** /\n".encode(), ":2", "COPY: 'a**' is no pattern: ", "write it with * and ?, or name it"),
        (
            (BASE + "ENV A=0123456789abcdef\n" + "ENV A=$A$A\n" * 40).encode(),
            ":16",
            "ENV: its variables amount to more than 131,072 characters",
            "shorten the value, or put it into a file",
        ),
    ],
)
def test_a_file_that_is_no_dockerfile_is_refused_with_the_mend(
    folder: Folder, content: bytes, line: str, what: str, fix: str
) -> None:
    file = folder("") / "Dockerfile"
    file.write_bytes(content)
    with pytest.raises(LocalError) as caught:
        read_image(file.parent)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert problem.where == f"{file}{line}"
    assert problem.fix == fix


BOTH = "cannot be a file and a folder of the image at once"


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("COPY f /app\nWORKDIR /app/x\n", f"/app {BOTH}"),
        ("COPY f /x\nCOPY f /x/y\n", f"/x/y {BOTH}"),
        ("COPY f /opt/ml\nCOPY f /opt/ml/f/g\n", f"/opt/ml/f/g {BOTH}"),
        (f"WORKDIR /{'x' * 300}\n", f"/{'x' * 199} is longer than a path may be"),
    ],
)
def test_a_path_that_cannot_be_is_named(folder: Folder, tmp_path: Path, lines: str, what: str) -> None:
    image = read_image(folder(BASE + lines, f="f"))
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(LocalError) as caught:
        place(image, root)
    assert caught.value.what == what
    assert caught.value.problems[0].fix == "correct the COPY or WORKDIR that names it"
