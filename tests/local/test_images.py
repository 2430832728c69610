"""Build contexts under the URIs of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.context import Context, File
from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.images import find, image_of, push
from pipelines.local.runner.image import Image
from pipelines.local.settings import ImageSettings, Settings

URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/flights:1"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    root = tmp_path / "context"
    (root / "program").mkdir(parents=True)
    (root / "Dockerfile").write_text('FROM python:3.11\nENTRYPOINT ["python3", "/opt/program/main.py"]\n')
    (root / "program/main.py").write_text("print(1)")
    (root / "program/main.py").chmod(0o755)
    return Context(root, tuple(File(name, root / name) for name in ("Dockerfile", "program/main.py")))


def test_an_image_is_found_under_its_uri_whatever_becomes_of_the_context(tmp_path: Path, context: Context) -> None:
    assert find(tmp_path / "images", URI) is None
    assert push(tmp_path / "images", URI, context) is True
    (context.root / "Dockerfile").write_text("FROM other\n")
    found = find(tmp_path / "images", URI)
    assert found
    assert found.entrypoint == ("python3", "/opt/program/main.py")
    assert (tmp_path / "images/team/flights:1/program/main.py").stat().st_mode & 0o777 == 0o755


def test_what_a_uri_names_never_changes(tmp_path: Path, context: Context) -> None:
    push(tmp_path / "images", URI, context)
    (context.root / "Dockerfile").write_text('FROM python:3.11\nENTRYPOINT ["other"]\n')
    assert push(tmp_path / "images", URI, context) is False
    assert find(tmp_path / "images", URI).entrypoint == ("python3", "/opt/program/main.py")  # type: ignore[union-attr]


def test_one_image_never_lies_inside_another(tmp_path: Path, context: Context) -> None:
    """A repository may be named like another's tag."""
    push(tmp_path / "images", "registry/team:flights", context)
    push(tmp_path / "images", "registry/team/flights:1", context)
    folders = sorted(path.relative_to(tmp_path / "images").as_posix() for path in tmp_path.glob("images/**/Dockerfile"))
    assert folders == ["team/flights:1/Dockerfile", "team:flights/Dockerfile"]


@pytest.mark.parametrize("uri", ["r/../x:1", "r/a:../../x", "r/a:b/../..", "r//a:1", "r/./a:1", "", "r/:1"])
def test_a_uri_never_leads_out_of_the_folder(tmp_path: Path, context: Context, uri: str) -> None:
    for use in (lambda: find(tmp_path / "images", uri), lambda: push(tmp_path / "images", uri, context)):
        with pytest.raises(LocalError, match="is not an image's URI") as caught:
            use()
        assert caught.value.problems[0].fix == "write REGISTRY/REPOSITORY:TAG"
    assert [path.name for path in tmp_path.iterdir()] == ["context"]


def test_a_context_that_cannot_be_kept_is_named_and_leaves_nothing(tmp_path: Path, context: Context) -> None:
    (context.root / "program/main.py").unlink()
    with pytest.raises(LocalError, match="the image cannot be kept") as caught:
        push(tmp_path / "images", URI, context)
    assert caught.value.problems[0].fix.startswith("free disk space, and let your user read the build context")
    assert list((tmp_path / "images/team").iterdir()) == []


def test_what_was_deployed_wins_over_what_the_settings_say_of_an_image(tmp_path: Path, context: Context) -> None:
    home, said = Home(tmp_path), Settings(images={"*/team/*": ImageSettings(entrypoint=("other",))})
    assert image_of(home, said, URI, has_program=False) == Image(entrypoint=("other",))
    push(home.images, URI, context)
    assert image_of(home, said, URI, has_program=False).entrypoint == ("python3", "/opt/program/main.py")


def test_an_image_of_a_folder_is_that_folder_as_it_is_now(tmp_path: Path, context: Context) -> None:
    said = Settings(images={URI: ImageSettings(build=context.root)})
    assert image_of(Home(tmp_path), said, URI, has_program=False).folder == context.root
    (context.root / "Dockerfile").write_text('FROM python:3.11\nENTRYPOINT ["other"]\n')
    assert image_of(Home(tmp_path), said, URI, has_program=False).entrypoint == ("other",)


def test_what_the_settings_say_wins_over_a_stand_in(tmp_path: Path) -> None:
    uri, mine = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1", tmp_path / "mine.txt"
    said = ImageSettings(requirements=mine, python="3.11", environment={"A": "1"})
    image = image_of(Home(tmp_path), Settings(images={"*scikit-learn:*": said}), uri, has_program=False)
    assert (image.requirements, image.python, image.environment["A"], image.notices) == (mine, "3.11", "1", ())
    stand_in = image_of(Home(tmp_path), Settings(), uri, has_program=False)
    assert stand_in.requirements
    assert stand_in.requirements.name == "scikit_learn_1_2.txt"


def test_an_engine_knows_every_image_that_is_not_built_here(tmp_path: Path, context: Context) -> None:
    said = Settings("docker", images={"*": ImageSettings(entrypoint=("stand-in",))})
    for uri in (URI, "python:3.11"):
        assert image_of(Home(tmp_path), said, uri, has_program=False) == Image(opaque=True)
    push(Home(tmp_path).images, URI, context)
    assert image_of(Home(tmp_path), said, URI, has_program=False).folder


def test_an_image_that_nothing_is_known_of_needs_a_program_and_is_told_how_to_get_one(tmp_path: Path) -> None:
    bare = image_of(Home(tmp_path), Settings(), URI, has_program=True)
    assert (bare.requirements, bare.entrypoint) == (None, ())
    assert bare.notices == (
        f"pipelines: nothing is known of {URI}; the program runs in bare Python, without the image's packages",
    )
    with pytest.raises(LocalError, match=f"nothing is known of the image {URI}, and the step names no entry") as caught:
        image_of(Home(tmp_path), Settings(), URI, has_program=False)
    assert f'the line "{URI}": {{ requirements: ./requirements.txt' in caught.value.problems[0].fix


@pytest.mark.parametrize(
    ("uri", "started"),
    [
        ("683313688378.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1", {"train", "serve", "serve-script"}),
        ("763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch-training:2.1-cpu-py310", {"train"}),
        ("763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch-inference:2.1-cpu-py310", set()),
        ("111111111111.dkr.ecr.eu-central-1.amazonaws.com/team/ours:1", set()),
    ],
)
def test_packages_that_are_named_for_an_image_of_aws_do_not_take_its_programs_away(
    tmp_path: Path, uri: str, started: set[str]
) -> None:
    said = ImageSettings(requirements=tmp_path / "requirements.txt", environment={"A": "b"})
    image = image_of(Home(tmp_path), Settings(images={"*": said}), uri, has_program=False)
    assert started <= {copy.destination.rpartition("/")[2] for copy in image.copies}
    assert bool(started) == bool(image.copies)
    assert (image.requirements, image.environment["A"]) == (said.requirements, "b")


def test_a_program_that_is_named_for_an_image_of_aws_is_alone(tmp_path: Path) -> None:
    said = ImageSettings(entrypoint=("python3", "own.py"))
    uri = "683313688378.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    image = image_of(Home(tmp_path), Settings(images={"*": said}), uri, has_program=False)
    assert (image.entrypoint, image.copies) == (("python3", "own.py"), ())
