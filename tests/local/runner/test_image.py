"""Dockerfile → Image, and what a job executes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import LocalError
from pipelines.local.runner.dockerfile import expand, parse, words
from pipelines.local.runner.image import OWN_ENTRYPOINT, Image, bare_image, command, read_image
from pipelines.local.runner.layer import place
from pipelines.local.runner.stage import PATH

Folder = Callable[..., Path]


def placed(image: Image) -> dict[str, str]:
    """Destination → name in the context."""
    assert image.folder is not None
    return {copy.destination: copy.source.relative_to(image.folder).as_posix() for copy in image.copies}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("ENV A=b C=d", {"A": "b", "C": "d"}),
        ('ENV A="b c" D=e\\ f', {"A": "b c", "D": "e f"}),
        ("ENV A b c", {"A": "b c"}),
        ("ENV\tA\tb c", {"A": "b c"}),
        ("ENV A=1\nENV B=$A B2=${A}2 C='$A'", {"A": "1", "B": "1", "B2": "12", "C": "$A"}),
        ("ENV A=1 B=$A", {"A": "1", "B": ""}),
        ("ARG A=1\nENV B=${A:-2} C=${X:-2} D=${A:+3} E=${X:+3}", {"B": "1", "C": "2", "D": "3", "E": ""}),
        ("ENV A=one \\\n    # a comment between\n\n    B=two", {"A": "one", "B": "two"}),
        ("env a=b", {"a": "b"}),
        ("ENV PATH=/opt/venv/bin:$PATH", {"PATH": f"/opt/venv/bin:{PATH}"}),
        ("ENV A=", {"A": ""}),
        ("ENV A=\\$B", {"A": "$B"}),
    ],
)  # fmt: skip
def test_env_is_read_in_every_form(folder: Folder, lines: str, expected: Mapping[str, str]) -> None:
    assert read_image(folder(f"FROM base\n{lines}\n")).environment == expected


@pytest.mark.parametrize(
    ("lines", "entrypoint", "cmd"),
    [
        ('ENTRYPOINT ["python3", "-m", "a"]\nCMD ["b"]', ("python3", "-m", "a"), ("b",)),
        ('CMD ["b"]\nENTRYPOINT ["a"]', ("a",), ("b",)),
        ("ENTRYPOINT exec python3 $X", ("/bin/sh", "-c", "exec python3 $X"), ()),
        ("CMD echo a && echo b", (), ("/bin/sh", "-c", "echo a && echo b")),
        ('SHELL ["/bin/bash", "-c"]\nCMD echo', (), ("/bin/bash", "-c", "echo")),
        ("CMD ['a']", (), ("/bin/sh", "-c", "['a']")),
        ("ENTRYPOINT []", (), ()),
    ],
)
def test_programs_have_an_exec_and_a_shell_form(
    folder: Folder, lines: str, entrypoint: tuple[str, ...], cmd: tuple[str, ...]
) -> None:
    image = read_image(folder(f"FROM base\n{lines}"))
    assert (image.entrypoint, image.cmd) == (entrypoint, cmd)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("COPY a.py /x/b.py", {"/x/b.py": "a.py"}),
        ("COPY a.py /x/", {"/x/a.py": "a.py"}),
        ("WORKDIR /app\nCOPY a.py .", {"/app/a.py": "a.py"}),
        ("WORKDIR /app\nCOPY a.py ./", {"/app/a.py": "a.py"}),
        ("WORKDIR /app\nCOPY a.py /app", {"/app/a.py": "a.py"}),
        ("WORKDIR /app\nWORKDIR sub\nCOPY a.py b", {"/app/sub/b": "a.py"}),
        ("COPY a.py /tmp", {"/tmp/a.py": "a.py"}),
        ("COPY src /app", {"/app/m.py": "src/m.py", "/app/deep/n.py": "src/deep/n.py"}),
        ("COPY src/ /app/", {"/app/m.py": "src/m.py", "/app/deep/n.py": "src/deep/n.py"}),
        ("COPY src/*.py a.py /app/", {"/app/m.py": "src/m.py", "/app/a.py": "a.py"}),
        ('COPY ["a.py", "a file", "/app/"]', {"/app/a.py": "a.py", "/app/a file": "a file"}),
        ("COPY --chown=1:1 --chmod=755 /a.py /x", {"/x": "a.py"}),
        ("ADD a.py /x", {"/x": "a.py"}),
        ("ARG D=/d\nCOPY a.py ${D}/", {"/d/a.py": "a.py"}),
    ],
)
def test_copy_puts_files_where_docker_does(folder: Folder, lines: str, expected: Mapping[str, str]) -> None:
    files = {"a.py": "", "src__m.py": "", "src__deep__n.py": "", "a file": ""}
    assert placed(read_image(folder(f"FROM base\n{lines}", **files))) == expected


def test_arg_before_from_names_the_base_and_reaches_a_stage_that_declares_it(folder: Folder) -> None:
    image = read_image(folder("ARG V=3.12\nFROM python:${V}-slim\nENV A=$V\nARG V\nENV B=$V"))
    assert image.python == "3.12"
    assert image.environment == {"A": "", "B": "3.12"}


MULTI_STAGE = """\
# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM public.example/library/python:3.11-slim AS builder
WORKDIR /build
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip python -m venv /opt/venv && \\
    /opt/venv/bin/pip install --no-cache-dir -r requirements.txt
COPY src src

FROM python:3.11-slim
LABEL maintainer="a b"
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /build/src /app/src
COPY --from=ghcr.io/other/image:1 /tool /tool
ENV PATH="/opt/venv/bin:$PATH" \\
    PYTHONUNBUFFERED=1
WORKDIR /app
EXPOSE 80
ENTRYPOINT ["python", "-m", "src"]
"""


def test_the_last_stage_counts_and_takes_what_is_local_from_the_others(folder: Folder) -> None:
    image = read_image(folder(MULTI_STAGE, **{"requirements.txt": "x", "src__m.py": ""}))
    assert image.folder is not None
    assert placed(image) == {"/app/src/m.py": "src/m.py"}
    assert image.requirements == image.folder / "requirements.txt"
    assert (image.workdir, image.python, image.entrypoint) == ("/app", "3.11", ("python", "-m", "src"))


def test_a_stage_inherits_from_the_stage_it_is_built_on(folder: Folder) -> None:
    text = 'FROM base AS one\nENV A=1\nWORKDIR /w\nCMD ["c"]\nFROM one\nENTRYPOINT ["e"]'
    image = read_image(folder(text))
    assert (image.environment, image.workdir, image.entrypoint, image.cmd) == ({"A": "1"}, "/w", ("e",), ())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", "requirements.txt"),
        ("RUN apt-get install -y curl", "requirements.txt"),
        ("COPY deps/r.txt /tmp/\nRUN pip3 install --no-cache-dir -r /tmp/r.txt", "deps/r.txt"),
        ("WORKDIR /w\nCOPY deps .\nRUN pip install -q --requirement=r.txt", "deps/r.txt"),
        ("COPY deps/r.txt /r.txt\nRUN uv pip install --system -r /r.txt", "deps/r.txt"),
        ('COPY deps/r.txt /r.txt\nRUN ["pip", "install", "-r", "/r.txt"]', "deps/r.txt"),
        ("RUN --mount=type=bind,source=deps/r.txt,target=/r.txt pip install -r /r.txt", "deps/r.txt"),
        ("RUN --mount=type=bind,source=deps,target=/deps pip install -r /deps/r.txt", "deps/r.txt"),
    ],
)
def test_run_tells_the_requirements_file(folder: Folder, lines: str, expected: str) -> None:
    context = folder(f"FROM base\n{lines}", **{"requirements.txt": "", "deps__r.txt": ""})
    assert read_image(context).requirements == context / expected


def test_without_a_requirements_file_there_is_none(folder: Folder) -> None:
    assert read_image(folder("FROM base")).requirements is None


@pytest.mark.parametrize(
    ("dockerignore", "kept"),
    [
        ("*.md", {"/a/x.py", "/a/sub/y.py", "/a/sub/z.md", "/a/.dockerignore", "/a/Dockerfile"}),
        ("**/*.md\nDockerfile\n.dockerignore", {"/a/x.py", "/a/sub/y.py"}),
        ("# comment\n/sub/\nDocker*\n.*", {"/a/x.py", "/a/top.md"}),
        ("*\n!sub\nsub/z.md", {"/a/sub/y.py"}),
        ("*\n!x.py", {"/a/x.py"}),
        ("[Dt.]*\nsub/?.md", {"/a/x.py", "/a/sub/y.py"}),
    ],
)
def test_dockerignore_leaves_files_out(folder: Folder, dockerignore: str, kept: set[str]) -> None:
    files = {"x.py": "", "top.md": "", "sub__y.py": "", "sub__z.md": "", "_dot_dockerignore": dockerignore}
    assert set(placed(read_image(folder("FROM base\nCOPY . /a", **files)))) == kept


@pytest.mark.parametrize(
    ("lines", "what", "fix"),
    [
        ("FROM base\nFETCH x", "Dockerfile:2: FETCH: this instruction is not known", "use one of ADD, ARG, CMD, COPY"),
        ("ENV A=1", "Dockerfile:1: ENV: it stands before FROM", "begin the Dockerfile with FROM IMAGE"),
        ("# empty", "it has no FROM", "begin the Dockerfile with FROM IMAGE"),
        ("ARG B\nFROM $B", "Dockerfile:2: FROM: '$B' names no image", "give the ARG a default: ARG NAME=value"),
        ("FROM b\n\nRUN <<EOF\nx\nEOF", "Dockerfile:3: RUN: a heredoc (<<) is not read here", "put the text"),
        ("FROM b\nCOPY ../a /a", "COPY: '../a' leads out of", "move the file into the folder"),
        ("FROM b\nCOPY out /a", "COPY: 'out' is a link that leads out of", "put the file itself into the folder"),
        ("FROM b\nCOPY . /a", "COPY: 'out' is a link that leads out of", "put the file itself into the folder"),
        ("FROM b\nCOPY no.py /a", "COPY: 'no.py' is not in", "correct the name, or add the file"),
        ("FROM b\nCOPY a.py", "COPY: a source or the destination is missing", "write COPY SOURCE… DESTINATION"),
        ("FROM b\nADD https://x.example/y /a", "is not a local file", "download it into the folder"),
        ("FROM b\nADD a.tgz /a", "ADD: 'a.tgz' would be unpacked", "unpack it in the folder"),
        ("FROM b\nENV A", "ENV: 'A' has no value", "write ENV A=value"),
        ("FROM b\nENV A=b C", "ENV: 'C' has no value", "write C=value"),
        ("FROM b\nSHELL bash", "SHELL: it needs a JSON array", 'write SHELL ["/bin/bash", "-c"]'),
        ("FROM b\nRUN pip install -r r.txt", "installs from 'r.txt', which no COPY puts at /r.txt", "COPY r.txt"),
        (
            "FROM b\nCOPY a.py c.txt /w/\nRUN pip install -r /w/a.py -r /w/c.txt",
            "the image installs from a.py and c.txt",
            "(a line `-r other.txt`)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place_and_mend(
    folder: Folder, lines: str, what: str, fix: str
) -> None:
    context = folder(lines, **{"a.py": "", "c.txt": "", "a.tgz": ""})
    (context / "out").symlink_to("/etc/passwd")
    with pytest.raises(LocalError) as refused:
        read_image(context)
    assert what in str(refused.value)
    assert "\n  fix: " in str(refused.value)
    assert fix in str(refused.value)


def test_the_dockerfiles_own_rules_come_before_the_folders(folder: Folder) -> None:
    files = {"x.py": "", "y.py": "", "_dot_dockerignore": "x.py\n", "Dockerfile_dot_dockerignore": "y.py\nD*\n.*"}
    assert set(placed(read_image(folder("FROM base\nCOPY . /a", **files)))) == {"/a/x.py"}


def test_a_malformed_rule_of_dockerignore_is_named(folder: Folder) -> None:
    with pytest.raises(LocalError, match=r"the rule '\[z-a\]' of \.dockerignore is malformed"):
        read_image(folder("FROM base\nCOPY . /a", _dot_dockerignore="[z-a]"))


def test_a_file_that_dockerignore_leaves_out_is_said_to_be(folder: Folder) -> None:
    with pytest.raises(LocalError, match=r"'a.py' is left out by \.dockerignore"):
        read_image(folder("FROM b\nCOPY a.py /a", **{"a.py": "", "_dot_dockerignore": "*.py"}))


def test_a_folder_without_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="there is no Dockerfile") as refused:
        read_image(tmp_path)
    assert f"fix: write {tmp_path / 'Dockerfile'}" in str(refused.value)


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "expected"),
    [
        (None, None, ("e", "c")),
        (["x"], None, ("x",)),
        (None, ["y"], ("e", "y")),
        (["x"], ["y"], ("x", "y")),
    ],
)
def test_command_follows_the_contract(
    entrypoint: list[str] | None, arguments: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert command(Image(entrypoint=("e",), cmd=("c",)), entrypoint, arguments) == expected


def test_nothing_to_execute_is_refused() -> None:
    with pytest.raises(LocalError, match="there is nothing to execute") as refused:
        command(bare_image(), None, None)
    assert "fix: name the program in the step's `entrypoint`" in str(refused.value)


def test_place_merges_folders_and_lets_the_later_copy_win(folder: Folder, tmp_path: Path) -> None:
    files = {"src__m.py": "old", "new.py": "new", "src__run": "#!/bin/sh"}
    context = folder("FROM b\nWORKDIR /empty/work\nCOPY src /app\nCOPY new.py /app/m.py", **files)
    (context / "src" / "run").chmod(0o555)
    (context / "src" / "m.py").chmod(0o444)
    (context / "src" / "link").symlink_to("m.py")
    (context / "src" / "void").mkdir()
    root = tmp_path / "root"
    place(read_image(context), root)
    assert (root / "app" / "m.py").read_text() == "new"
    assert (root / "app" / "link").readlink() == Path("m.py")
    assert (root / "app" / "run").stat().st_mode & 0o777 == 0o755
    assert (root / "empty" / "work").is_dir()
    assert (root / "app" / "void").is_dir()


def test_place_never_writes_through_a_link_that_leads_out(folder: Folder, tmp_path: Path) -> None:
    context = folder("FROM b\nCOPY a/b /x\nCOPY f /x/link/f", f="", c__keep="", a__b__keep="")
    (context / "a" / "b" / "link").symlink_to("../../c")
    with pytest.raises(LocalError, match="lies behind a link that leads out of the image") as refused:
        place(read_image(context), tmp_path / "root")
    assert "fix: COPY the folder itself instead of a link to it" in str(refused.value)


@given(st.lists(st.text("ab$ '\"\\", min_size=1), min_size=1))
def test_single_quoted_words_come_back_as_they_were(texts: list[str]) -> None:
    plain = [text.replace("'", "") for text in texts]
    assert words(" ".join(f"'{text}'" for text in plain), {"a": "no", "b": "no"}) == plain


@given(st.text("ab $'\"\\{}:-+\n#"))
def test_any_text_can_be_parsed_and_expanded(text: str) -> None:
    assert isinstance(expand(text, {"a": "1"}), str)
    for instruction in parse(text, "Dockerfile"):
        assert instruction.keyword == instruction.keyword.upper()


def test_the_program_of_an_image_that_only_an_engine_knows_is_its_own_unless_one_is_named() -> None:
    image = Image(opaque=True)
    assert command(image, None, None) == (OWN_ENTRYPOINT,)
    assert command(image, None, ["a"]) == (OWN_ENTRYPOINT, "a")
    assert command(image, ["python3"], ["a"]) == ("python3", "a")
