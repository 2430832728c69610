"""Objects to files and back: S3Prefix as the contract has it, messages, links."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.local.jobs.continuous import Watch
from pipelines.local.jobs.message import LIMIT, NotTextError, crosses_link, read_message
from pipelines.local.jobs.parse import BadUriError, split_uri
from pipelines.local.jobs.source import InputError, Item, NothingThereError, Source, list_items, relative_key, shard
from pipelines.local.jobs.staging import bring, check_target, key_below, upload
from pipelines.local.store import ObjectStore, StoreError


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    found = ObjectStore(tmp_path / "s3")
    found.create_bucket("data")
    return found


def put(store: ObjectStore, tmp_path: Path, *keys: str) -> None:
    for key in keys:
        file = tmp_path / "one"
        file.write_text(key)
        store.adopt("data", key, file)


def download(store: ObjectStore, uri: str, folder: Path, *, link: bool = False) -> int:
    items = list_items(store, Source(uri))
    bring(store, items, folder, link=link)
    return len(items)


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("prefix", "staged"),
    [
        ("raw/", {"a.csv": "raw/a.csv", "deep/b.csv": "raw/deep/b.csv"}),
        ("raw", {"a.csv": "raw/a.csv", "deep/b.csv": "raw/deep/b.csv", "raw-2/c.csv": "raw-2/c.csv"}),
        ("raw/a.csv", {"a.csv": "raw/a.csv"}),
        ("raw/de", {"deep/b.csv": "raw/deep/b.csv"}),
        ("raw-", {"raw-2/c.csv": "raw-2/c.csv"}),
        ("", {"raw/a.csv": "raw/a.csv", "raw/deep/b.csv": "raw/deep/b.csv", "raw-2/c.csv": "raw-2/c.csv"}),
    ],
)
def test_every_object_whose_key_begins_with_the_prefix_is_staged(
    store: ObjectStore, tmp_path: Path, prefix: str, staged: dict[str, str]
) -> None:
    put(store, tmp_path, "raw/a.csv", "raw/deep/b.csv", "raw-2/c.csv")
    assert download(store, f"s3://data/{prefix}", tmp_path / "in") == len(staged)
    assert files(tmp_path / "in") == staged


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize(
    ("prefix", "staged"),
    [
        ("raw", {"a": "raw//a", "b/c": "raw//b//c", "d": "raw/d", "%empty": "raw/%empty"}),
        ("raw/", {"a": "raw//a", "b/c": "raw//b//c", "d": "raw/d", "%empty": "raw/%empty"}),
        ("raw//", {"a": "raw//a", "b/c": "raw//b//c"}),
        ("raw//b//c", {"c": "raw//b//c"}),
        ("/", {"etc/x": "/etc/x"}),
        ("/etc/x", {"x": "/etc/x"}),
    ],
)
def test_an_empty_segment_vanishes_in_the_path_of_a_file(
    store: ObjectStore, tmp_path: Path, prefix: str, staged: dict[str, str], link: bool
) -> None:
    put(store, tmp_path, "raw//a", "raw//b//c", "raw/d", "raw/%empty", "/etc/x")
    download(store, f"s3://data/{prefix}", tmp_path / "in", link=link)
    assert files(tmp_path / "in") == staged


def test_two_objects_that_would_be_one_file_are_told(store: ObjectStore, tmp_path: Path) -> None:
    put(store, tmp_path, "raw/a", "raw//a", "raw///b", "raw//b/c")
    with pytest.raises(
        InputError, match="s3://data/raw//a and s3://data/raw/a are one path as files, a: // is / there"
    ):
        list_items(store, Source("s3://data/raw"))
    assert len(list_items(store, Source("s3://data/raw", pipe=True))) == 4
    with pytest.raises(InputError, match="b/c cannot be a file and a folder at once"):
        download(store, "s3://data/raw//", tmp_path / "in")


@pytest.mark.parametrize(
    ("uri", "error", "reason"),
    [
        ("s3://data/none/", NothingThereError, "No S3 objects found under S3 URL s3://data/none/"),
        ("s3://data/a//b", NothingThereError, "under S3 URL s3://data/a//b; two slashes are another key than one"),
        ("s3://other-bucket/x", NothingThereError, "there is no bucket other-bucket"),
        ("https://data/x", BadUriError, "'https://data/x' is not an S3 URI"),
    ],
)
def test_input_that_is_not_there_is_named(
    store: ObjectStore, tmp_path: Path, uri: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        download(store, uri, tmp_path / "in")


@pytest.mark.parametrize("link", [False, True])
def test_what_is_no_object_in_the_stores_folder_is_not_staged(store: ObjectStore, tmp_path: Path, link: bool) -> None:
    put(store, tmp_path, "raw/a")
    folder = store.root / "data" / "raw"
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "outside").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).mkdir()
    assert download(store, "s3://data/raw/", tmp_path / "in", link=link) == 1
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a"]


def test_a_link_is_no_copy_and_a_copy_is_no_link(store: ObjectStore, tmp_path: Path) -> None:
    put(store, tmp_path, "raw/a:b")
    inode = (store.root / "data/raw/a:b").stat().st_ino
    download(store, "s3://data/raw/", tmp_path / "linked", link=True)
    download(store, "s3://data/raw/", tmp_path / "copied")
    assert (tmp_path / "linked/a:b").stat().st_ino == inode
    assert (tmp_path / "copied/a:b").stat().st_ino != inode


def test_a_copy_over_a_link_leaves_the_object_as_it_is(store: ObjectStore, tmp_path: Path) -> None:
    put(store, tmp_path, "one/a", "two/a")
    download(store, "s3://data/one/", tmp_path / "in", link=True)
    download(store, "s3://data/two/", tmp_path / "in")
    assert files(tmp_path / "in") == {"a": "two/a"}
    assert files(store.root / "data") == {"one/a": "one/a", "two/a": "two/a"}


def test_where_no_link_can_be_there_is_a_copy(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    put(store, tmp_path, "raw/a")
    monkeypatch.setattr(os, "link", refuse)
    download(store, "s3://data/raw/", tmp_path / "in", link=True)
    assert files(tmp_path / "in") == {"a": "raw/a"}


def items_of(store: ObjectStore, tmp_path: Path, manifest: str) -> list[tuple[str, str]]:
    (tmp_path / "m").write_text(manifest)
    store.adopt("data", "lists/m", tmp_path / "m")
    return [(item.key, item.path) for item in list_items(store, Source("s3://data/lists/m", "ManifestFile"))]


@pytest.mark.parametrize(
    ("manifest", "items"),
    [
        ('[{"prefix": "s3://data/raw/"}, "b/c", "a"]', [("raw/b/c", "b/c"), ("raw/a", "a")]),
        ('[{"prefix": "s3://data/raw"}, "/a"]', [("raw/a", "a")]),
        ('[{"prefix": "s3://data/ra"}, "w/a"]', [("raw/a", "w/a")]),
        ('[{"prefix": "s3://data/raw/"}, "/b//d"]', [("raw//b//d", "b/d")]),
        ('["s3://data/raw/a", "s3://data/raw/b/c"]', [("raw/a", "raw/a"), ("raw/b/c", "raw/b/c")]),
    ],
)
def test_a_manifest_names_objects_in_its_own_order(
    store: ObjectStore, tmp_path: Path, manifest: str, items: list[tuple[str, str]]
) -> None:
    put(store, tmp_path, "raw/a", "raw/b/c", "raw//b//d")
    assert items_of(store, tmp_path, manifest) == items


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("no json", "the manifest s3://data/lists/m is no JSON: "),
        ('{"prefix": "s3://data/raw/"}', "the manifest s3://data/lists/m is no list: write "),
        ('[{"prefix": "s3://data/raw/"}, 7]', "the manifest s3://data/lists/m holds 7, which is no text"),
        ('[{"prefix": 7}, "a"]', 'the manifest s3://data/lists/m holds "a", which is no text'),
        ('[{"prefix": "s3://data/raw/"}]', "No S3 objects found under S3 URL s3://data/lists/m"),
        ("[]", "No S3 objects found under S3 URL s3://data/lists/m"),
        ('[{"prefix": "s3://data/raw/"}, "none"]', "names s3://data/raw/none, and there is no such object"),
        ('[{"prefix": "s3://data/raw/"}, "../raw/a"]', "names '../raw/a', which is no path of an object"),
        ('[{"prefix": "s3://data/raw/"}, "x/../../../etc/passwd"]', "which is no path of an object"),
        ('[{"prefix": "s3://data/raw/"}, ""]', "which is no path of an object"),
        ('["s3://data/../../etc/passwd"]', "which is no path of an object"),
    ],
)
def test_a_manifest_that_names_no_objects_is_refused(
    store: ObjectStore, tmp_path: Path, manifest: str, reason: str
) -> None:
    put(store, tmp_path, "raw/a")
    with pytest.raises(InputError, match=re.escape(reason)):
        items_of(store, tmp_path, manifest)


def test_a_manifest_that_is_not_there_is_named(store: ObjectStore) -> None:
    with pytest.raises(NothingThereError, match="there is no manifest s3://data/none"):
        list_items(store, Source("s3://data/none", "ManifestFile"))


@given(count=st.integers(0, 40), hosts=st.integers(1, 9))
def test_each_object_goes_to_one_host_and_no_host_has_two_more_than_another(count: int, hosts: int) -> None:
    items = [Item("data", f"{number:02}", "x") for number in range(count)]
    shares = [shard(items, host, hosts) for host in range(hosts)]
    assert sorted((item for share in shares for item in share), key=lambda item: item.key) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("swapped", ["out", "out/deep", "out/deep/file"])
def test_a_watched_folder_that_became_a_link_is_not_followed(store: ObjectStore, tmp_path: Path, swapped: str) -> None:
    top, outside = tmp_path / "ml", tmp_path / "outside"
    for folder in (top / "out/deep", outside / "deep"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("secret" if folder.is_relative_to(outside) else "own")
    (top / "gone").mkdir()
    (top / swapped).rename(top / "gone/x")
    (top / swapped).symlink_to(outside / Path(swapped).relative_to("out"))
    Watch(top, PurePosixPath("out"), "s3://data/out").look(store, last=True)
    assert list(store.objects("data")) == []


def test_a_folder_marker_is_no_file(store: ObjectStore, tmp_path: Path) -> None:
    put(store, tmp_path, "raw/a")
    (tmp_path / "marker").write_text("")
    store.adopt("data", "raw/", tmp_path / "marker")
    assert download(store, "s3://data/raw/", tmp_path / "in") == 1


_SEGMENT = st.text("abc.-", max_size=4).filter(lambda text: text not in (".", ".."))
_KEY = st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join).filter(lambda key: key and not key.endswith("/"))


@given(key=_KEY, length=st.integers(0, 20))
def test_a_staged_object_never_leaves_its_folder_and_keeps_its_name(key: str, length: int) -> None:
    prefix = key[:length]
    relative = relative_key(key, prefix)
    assert relative
    assert not relative.startswith("/")
    assert ".." not in relative.split("/")
    assert [name for name in key.split("/") if name][-len(relative.split("/")) :] == relative.split("/")
    assert relative.rpartition("/")[2] == key.rpartition("/")[2]


def test_links_and_what_lies_behind_them_are_not_uploaded(store: ObjectStore, tmp_path: Path) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("x")
    (folder / "file").symlink_to(outside / "secret")
    (folder / "folder").symlink_to(outside)
    (folder / "real").write_text("real")
    assert upload(store, folder, "s3://data/out") == 1
    assert [stored.key for stored in store.objects("data")] == ["out/real"]
    assert (outside / "secret").exists()


@pytest.mark.parametrize("keep", [False, True])
def test_files_are_moved_or_kept(store: ObjectStore, tmp_path: Path, keep: bool) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("a")
    upload(store, tmp_path / "out", "s3://data", keep=keep)
    assert (tmp_path / "out/a").exists() is keep
    with store.open("data", "a")[2] as stream:
        assert stream.read() == b"a"


@given(prefix=_KEY | _KEY.map(lambda key: f"{key}/") | st.just(""))
def test_what_an_output_writes_is_what_an_input_of_the_same_uri_reads(prefix: str) -> None:
    key = key_below(prefix, "deep/x")
    assert key.startswith(prefix)
    assert relative_key(key, prefix) == "deep/x"


@pytest.mark.parametrize(
    "uri", ["s3://data", "s3://data/", "s3://data/a", "s3://data/a/b/", "s3://data/a//b", "s3://data//a"]
)
def test_a_target_that_can_be_written_passes(store: ObjectStore, uri: str) -> None:
    check_target(store, uri)


@pytest.mark.parametrize("uri", ["s3://other-bucket/a", "s3://data/../x", "s3://data/a//./b"])
def test_a_target_that_cannot_be_written_is_refused(store: ObjectStore, uri: str) -> None:
    with pytest.raises(StoreError):
        check_target(store, uri)


@pytest.mark.parametrize("uri", ["", "s3://", "s3:///key", "data/key", "S3://data/key"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(BadUriError, match=r"is not an S3 URI \(s3://BUCKET/KEY\)"):
        split_uri(uri)


def test_a_message_is_its_first_kilobyte_in_whole_characters(tmp_path: Path) -> None:
    (tmp_path / "message").write_text("é" * 2000, encoding="utf-8")
    assert read_message(tmp_path, "message") == "é" * (LIMIT // 2)
    (tmp_path / "message").write_text("x" + "é" * 2000, encoding="utf-8")
    assert read_message(tmp_path, "message") == "x" + "é" * ((LIMIT - 1) // 2)
    (tmp_path / "message").write_text(" short \n", encoding="utf-8")
    assert read_message(tmp_path, "message") == "short"
    assert read_message(tmp_path, "none") == ""


@pytest.mark.parametrize("data", [b"\xff", b"ok \xc3", b"\xed\xa0\x80"])
def test_a_message_that_is_not_utf8_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "message").write_bytes(data)
    with pytest.raises(NotTextError, match="/opt/ml/message is not UTF-8: "):
        read_message(tmp_path, "message")


@given(st.text(max_size=700))
def test_any_text_comes_back_as_far_as_it_fits(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "message").write_text(text, encoding="utf-8", newline="")
        kept = text.encode()[:LIMIT].decode(errors="ignore")
        assert read_message(Path(folder), "message") == kept.strip()


def test_a_message_behind_a_link_is_not_read(tmp_path: Path) -> None:
    root, outside = tmp_path / "ml", tmp_path / "outside"
    (root / "output").mkdir(parents=True)
    outside.mkdir()
    (outside / "message").write_text("secret")
    (root / "output/message").symlink_to(outside / "message")
    assert read_message(root, "output/message") == ""
    (root / "linked").symlink_to(outside)
    assert read_message(root, "linked/message") == ""
    assert crosses_link(root, root / "linked/message")
    assert not crosses_link(root, root / "output")
