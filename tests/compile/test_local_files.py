"""Local inputs, image folders and data: content-addressed, wherever the project lies."""

from __future__ import annotations

import re

import pytest

from pipelines.compile.assets import read_asset

RECIPE = ("steps", "First", "processing", "inputs", "recipe")
RULES = ("steps", "First", "processing", "inputs", "rules")


def test_inputs_become_uris_by_content(project, local_files):
    uris = local_files(project()).uris
    assert re.fullmatch(r"s3://pipelines-local/demo/assets/[0-9a-f]{32}/recipe\.yaml", uris[RECIPE])
    assert re.fullmatch(r"s3://pipelines-local/demo/assets/[0-9a-f]{32}/rules/", uris[RULES])


def test_uploads_are_what_the_uris_name(project, local_files):
    found = local_files(project())
    uploads = {upload.uri: upload.file.source.name for upload in found.uploads}
    assert uploads == {
        found.uris[RECIPE]: "recipe.yaml",
        f"{found.uris[RULES]}a.txt": "a.txt",
        f"{found.uris[RULES]}deep/b.txt": "b.txt",
        "s3://pipelines-local/raw/x.csv": "x.csv",
    }


def test_the_same_file_twice_is_uploaded_once(project, local_files):
    spec = (
        "name: demo\nimage: i\nsteps:\n  A: {processing: {inputs: {a: ./recipe.yaml, b: ./rules/../recipe.yaml}}}\n"
        "  B: {training: {inputs: {a: ./recipe.yaml}}}\n"
    )
    found = local_files(project(spec=spec))
    assert len(set(found.uris.values())) == 1
    assert len({(upload.uri, upload.sha256) for upload in found.uploads}) == 1


def test_place_of_the_project_makes_no_difference(project, local_files):
    here, there = local_files(project(at="here")), local_files(project(at="some/other place"))
    assert here.uris == there.uris
    assert [image.tag for image in here.images] == [image.tag for image in there.images]


def test_environment_gives_bucket_prefix_and_registry(project, local_files):
    found = local_files(project(), "other")
    assert found.uris[RECIPE].startswith("s3://team-other/team/assets/")
    assert [upload.bucket for upload in found.uploads] == ["team-other"] * 3
    (image,) = found.images
    assert image.uri("111111111111", "eu-central-1") == (
        f"111111111111.dkr.ecr.eu-central-1.amazonaws.com/demo:{image.tag}"
    )
    assert image.uri("111111111111", "cn-north-1").startswith("111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn/")


def test_tag_follows_the_image_folder_and_nothing_else(project, local_files):
    def tag(files=None):
        return local_files(project(files)).images[0].tag

    before = tag()
    assert re.fullmatch(r"src-[0-9a-f]{16}", before)
    assert tag({"recipe.yaml": "other", "data/x.csv": "other"}) == before
    assert tag({"image/new.py": ""}) != before


def test_the_folder_of_the_project_is_named_the_same_wherever_it_lies(project):
    names = {read_asset(project(at=place).folder, "./").name for place in ("here", "there")}
    assert names == {"project"}


@pytest.mark.parametrize(("relative", "name"), [("./.env", ".env"), ("./rules/", "rules"), ("./rules/../data", "data")])
def test_assets_keep_their_names(project, relative, name):
    assert read_asset(project({".env": "x"}).folder, relative).name == name


def test_a_single_object_of_data(project, local_files):
    data = "{a/b.csv: data/x.csv, c/: data/x.csv}"
    spec = f"name: demo\nimage: i\nsteps: {{A: {{fail: x}}}}\nenvironments: {{local: {{data: {data}}}}}\n"
    assert [upload.key for upload in local_files(project(spec=spec)).uploads] == ["a/b.csv", "c/x.csv"]


RELATIVE = "correct the path; it is relative to the folder of pipeline.yaml"
FETCH = "fetch it (for the demo: make data), or correct the path"


def test_everything_missing_is_reported_at_once_in_file_order(project, problems_of):
    spec = project({"image/Dockerfile": None, "recipe.yaml": None, "data/x.csv": None, "image/x": ""})
    assert problems_of(spec) == [
        ("2:8", "the folder 'image' holds no Dockerfile", "name a folder that holds a Dockerfile"),
        ("6:25", "there is no file or folder './recipe.yaml'", RELATIVE),
        ("10:26", "the folder 'data' holds no file", FETCH),
    ]


def test_outside_of_the_project(project, problems_of):
    spec = project(
        {"../secret.txt": "s"}, spec="name: demo\nimage: i\nsteps: {A: {processing: {inputs: {x: ../secret.txt}}}}\n"
    )
    what = "'../secret.txt' lies outside of the folder of pipeline.yaml"
    assert problems_of(spec) == [("3:38", what, RELATIVE)]


def test_a_folder_for_a_single_object(project, problems_of):
    spec = project(spec="name: demo\nimage: i\nsteps: {A: {fail: x}}\nenvironments: {local: {data: {raw: data}}}\n")
    assert problems_of(spec) == [("4:31", "'data' is a folder, 'raw' a single object", "write raw/")]


def test_an_environment_without_data_does_not_look_for_it(project, local_files):
    assert local_files(project({"data/x.csv": None}), "other").uploads
