"""The object store: keys are files, listings follow S3's rules, nothing leaves the root and nothing is half written."""

from __future__ import annotations

import errno
import io
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.local.s3.errors import disk_refusal
from pipelines.local.s3.names import is_bucket, key_problem, path_of, segment_of
from pipelines.local.store import ObjectStore, Start, Stored, StoreError


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("data")
    return store


def put(store: ObjectStore, key: str, data: bytes = b"x", **headers: str) -> Stored:
    return store.put("data", key, io.BytesIO(data), headers)


def read(store: ObjectStore, key: str) -> bytes:
    _, _, file = store.open("data", key)
    with file:
        return file.read()


def headers_of(store: ObjectStore, key: str) -> dict[str, str]:
    _, headers, file = store.open("data", key)
    file.close()
    return headers


def keys(store: ObjectStore, prefix: str = "", start: Start = Start()) -> list[str]:  # noqa: B008
    return [stored.key for stored in store.objects("data", prefix, start)]


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_object_is_a_plain_file(store: ObjectStore) -> None:
    put(store, "a/b.csv", b"1,2\n")
    assert (store.root / "data/a/b.csv").read_bytes() == b"1,2\n"


def test_a_file_dropped_into_the_folder_is_an_object(store: ObjectStore) -> None:
    (store.root / "data/raw").mkdir()
    (store.root / "data/raw/x.csv").write_bytes(b"7")
    assert keys(store) == ["raw/x.csv"]
    assert read(store, "raw/x.csv") == b"7"


def test_writing_leaves_nothing_beside_the_object(store: ObjectStore) -> None:
    put(store, "a")
    assert files_of(store.root) == ["data/a"]


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "a/../x",
        "a/..",
        "..",
        ".",
        "./a",
        "a/./b",
        "/../x",
        "a//..",
        "",
        "a\0b",
        "\ud800",
    ],
)
def test_a_key_that_is_no_path_of_a_file_is_refused_with_its_fix(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreError) as caught:
        put(store, key)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.problems[0].fix
    assert files_of(store.root) == []


@pytest.mark.parametrize(
    ("key", "fix"), [("k" * 256, "divide it with a /"), ("ü/" * 400, "shorten the key"), ("a/" + "ü" * 128, "divide")]
)
def test_a_key_too_long_for_a_file_says_how_to_shorten_it(store: ObjectStore, key: str, fix: str) -> None:
    with pytest.raises(StoreError, match=fix) as caught:
        put(store, key)
    assert caught.value.code == "KeyTooLongError"


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("prefix//file", "prefix/%empty/file"),
        ("/etc/passwd", "%empty/etc/passwd"),
        ("//x", "%empty/%empty/x"),
        ("a/%empty/b", "a/%%empty/b"),
        ("a/%empty", "a/%%empty"),
        ("%%empty//b", "%%%empty/%empty/b"),
        ("x%empty/100%/%20empty", "x%empty/100%/%20empty"),
    ],
)
def test_an_empty_segment_is_a_folder_that_a_person_can_read(store: ObjectStore, key: str, file: str) -> None:
    put(store, key, b"1", **{"content-type": "text/csv"})
    assert files_of(store.root / "data") == [file]
    assert (keys(store), keys(store, key), read(store, key)) == ([key], [key], b"1")
    assert headers_of(store, key) == {"content-type": "text/csv"}
    store.delete("data", key)
    assert files_of(store.root) == []
    assert list((store.root / "data").iterdir()) == []


def test_a_key_with_two_slashes_that_is_not_there_says_where_to_look(store: ObjectStore) -> None:
    put(store, "a/b")
    with pytest.raises(StoreError, match=r"there is no object a//b\n.*another key than one.*aws s3 ls s3://data/a/b"):
        read(store, "a//b")


def test_an_empty_segment_sorts_as_its_key_does_and_not_as_its_folder(store: ObjectStore) -> None:
    found = ["/a", "a%", "a-", "a//", "a//b", "a/!", "a/%%empty", "a/%empty/b", "a/b"]
    for key in found:
        put(store, key, b"")
    assert keys(store) == sorted(found, key=str.encode) == ["/a", "a%", "a-", *keys(store, "a/")]
    level = [entry if isinstance(entry, str) else entry.key for entry in store.level("data", "a/")]
    assert level == ["a/!", "a/%%empty", "a/%empty/", "a//", "a/b"]
    assert keys(store, "a//", Start("a//")) == ["a//b"]


def test_a_marker_below_an_empty_segment_keeps_its_folder(store: ObjectStore) -> None:
    for key in ("/", "a//", "a//b"):
        put(store, key, b"")
    store.delete("data", "a//b")
    assert keys(store) == ["/", "a//"]
    store.delete("data", "a//")
    assert [path.name for path in (store.root / "data").iterdir()] == ["%empty"]


def test_a_file_in_place_of_an_empty_segment_is_no_object_and_the_refusal_names_it(store: ObjectStore) -> None:
    put(store, "a/b")
    (store.root / "data/a/%empty").write_text("by hand")
    assert keys(store) == ["a/b"]
    with pytest.raises(StoreError, match=r"a/%empty is a file.*\n.*move that file away") as caught:
        put(store, "a//b")
    assert caught.value.code == "KeyConflict"


def test_a_key_of_more_empty_segments_than_a_path_can_hold_says_so(store: ObjectStore) -> None:
    with pytest.raises(StoreError, match="too long") as caught:
        put(store, "/" * 1000 + "a")
    assert caught.value.code == "KeyTooLongError"
    assert keys(store, "/" * 1000) == keys(store) == []


def test_a_backslash_is_a_character_like_any_other(store: ObjectStore) -> None:
    put(store, "..\\x\\..\\y")
    assert keys(store) == ["..\\x\\..\\y"]


@pytest.mark.parametrize("key", ["link/secret", "link", "link/new"])
def test_a_symbolic_link_is_never_followed(store: ObjectStore, tmp_path: Path, key: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (store.root / "data/link").symlink_to(outside)
    for act in (lambda: store.open("data", key), lambda: put(store, key), lambda: store.delete("data", key)):
        with pytest.raises(StoreError, match=r"symbolic link.*\n.*cp -L") as caught:
            act()
        assert caught.value.code == "AccessDenied"
    assert keys(store) == []
    assert files_of(outside) == ["secret"]


def test_a_link_at_the_end_of_a_key_is_not_read(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (store.root / "data/a").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="symbolic link"):
        store.open("data", "a")
    with pytest.raises(StoreError, match="symbolic link"):
        keys(store, "a/")


def test_a_bucket_that_is_a_link_is_no_bucket(store: ObjectStore, tmp_path: Path) -> None:
    (store.root / "link").symlink_to(tmp_path)
    assert [name for name, _ in store.buckets()] == ["data"]
    with pytest.raises(StoreError, match="aws s3 mb s3://link"):
        store.put("link", "a", io.BytesIO())


def test_a_named_pipe_is_no_object_and_does_not_block(store: ObjectStore) -> None:
    os.mkfifo(store.root / "data/pipe")
    assert keys(store) == []
    with pytest.raises(StoreError) as caught:
        store.open("data", "pipe")
    assert caught.value.code == "NoSuchKey"


@pytest.mark.parametrize("first", ["a", "b/c"])
def test_a_key_and_a_key_below_it_conflict_and_the_message_says_why(store: ObjectStore, first: str) -> None:
    put(store, first, b"first")
    second = "a/b" if first == "a" else "b"
    with pytest.raises(StoreError, match="a file is no folder") as caught:
        put(store, second)
    assert caught.value.code == "KeyConflict"
    assert "aws s3 rm --recursive s3://data/" in caught.value.problems[0].fix
    assert read(store, first) == b"first"
    assert keys(store) == [first]


def test_a_folder_without_objects_makes_room_for_a_key(store: ObjectStore) -> None:
    (store.root / "data/a/b").mkdir(parents=True)
    put(store, "a", b"1")
    assert read(store, "a") == b"1"


def test_a_folder_marker_is_an_object_until_deleted(store: ObjectStore) -> None:
    put(store, "a/", b"")
    put(store, "a/b")
    assert keys(store) == ["a/", "a/b"]
    store.delete("data", "a/b")
    assert keys(store) == ["a/"]
    assert read(store, "a/") == b""
    store.delete("data", "a/")
    assert keys(store) == []
    assert not (store.root / "data/a").exists()


def test_a_folder_marker_with_bytes_is_refused(store: ObjectStore) -> None:
    with pytest.raises(StoreError, match=r"holds no bytes\n.*leave the / out"):
        put(store, "a/", b"1")


def test_deleting_removes_headers_and_the_folders_left_empty(store: ObjectStore) -> None:
    put(store, "a/b/c", b"1", **{"content-type": "text/csv"})
    store.delete("data", "a/b/c")
    store.delete("data", "a/b/c")  # a key that is not there is no error
    assert files_of(store.root) == []
    assert not (store.root / "data/a").exists()


def test_headers_belong_to_one_version_of_the_object(store: ObjectStore) -> None:
    put(store, "a", b"1", **{"content-type": "text/csv"})
    assert headers_of(store, "a") == {"content-type": "text/csv"}
    put(store, "a", b"2")
    assert headers_of(store, "a") == {}
    assert files_of(store.root) == ["data/a"]


def test_a_file_written_over_an_object_by_hand_loses_its_headers(store: ObjectStore) -> None:
    put(store, "a", b"1", **{"content-type": "text/csv"})
    (store.root / "data/a").write_bytes(b"by hand")
    assert headers_of(store, "a") == {}


def test_the_etag_differs_between_any_two_writes(store: ObjectStore) -> None:
    etags = [put(store, "a", b"same").etag for _ in range(200)]
    assert len(set(etags)) == 200
    assert [stored.etag for stored in store.objects("data")] == etags[-1:]


def test_adopting_renames_the_file_into_the_store(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "out.csv"
    source.write_bytes(b"1")
    inode = source.stat().st_ino
    stored = store.adopt("data", "x/out.csv", source)
    assert (store.root / "data/x/out.csv").stat().st_ino == inode
    assert not source.exists()
    assert store.find("data", "x/out.csv") == stored


def test_adopting_a_file_with_another_hard_link_copies_it(store: ObjectStore, tmp_path: Path) -> None:
    source, other = tmp_path / "out", tmp_path / "other"
    source.write_bytes(b"1")
    other.hardlink_to(source)
    store.adopt("data", "out", source)
    other.write_bytes(b"changed")
    assert read(store, "out") == b"1"
    assert not source.exists()


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o4755])
def test_an_object_has_no_mode_of_its_own(store: ObjectStore, tmp_path: Path, mode: int) -> None:
    for name in ("renamed", "copied"):
        source = tmp_path / name
        source.write_bytes(b"1")
        source.chmod(mode)
    (tmp_path / "link").hardlink_to(tmp_path / "copied")
    before = os.umask(0o077)
    try:
        for name in ("renamed", "copied"):
            store.adopt("data", name, tmp_path / name)
        put(store, "put", b"1")
    finally:
        os.umask(before)
    for name in ("renamed", "copied", "put"):
        assert (store.root / "data" / name).stat().st_mode & 0o7777 == 0o644
        assert read(store, name) == b"1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others")
@pytest.mark.parametrize("may_chown", [True, False])
def test_a_file_of_another_owner_becomes_the_servers(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_chown: bool
) -> None:
    source = tmp_path / "out"
    source.write_bytes(b"1")
    os.chown(source, 12345, 12345)
    inode = source.stat().st_ino

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    if not may_chown:
        monkeypatch.setattr(os, "chown", refuse)  # as for a server that is not root
    store.adopt("data", "out", source)
    there = (store.root / "data/out").stat()
    assert (there.st_uid, there.st_gid) == (os.geteuid(), os.getegid())
    assert (there.st_ino == inode) == may_chown
    assert not source.exists()


def test_adopting_across_file_systems_copies(store: ObjectStore) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == store.root.stat().st_dev:
        pytest.skip("there is no second file system here")
    source = memory / f"pipelines-{os.getpid()}"
    source.write_bytes(b"far")
    store.adopt("data", "far", source)
    assert read(store, "far") == b"far"
    assert not source.exists()


def test_what_cannot_be_adopted_stays_where_it_was(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "a/b")
    source = tmp_path / "out"
    source.write_bytes(b"1")
    with pytest.raises(StoreError, match="cannot both be"):
        store.adopt("data", "a", source)
    assert source.read_bytes() == b"1"
    link = tmp_path / "link"
    link.symlink_to(source)
    with pytest.raises(StoreError, match=r"is not a file\n.*regular file, not a folder or a link"):
        store.adopt("data", "c", link)


def test_a_source_that_fails_stores_nothing(store: ObjectStore) -> None:
    class Broken:
        def read(self, _: int, /) -> bytes:
            raise StoreError("IncompleteBody", "cut")

    put(store, "a", b"old")
    with pytest.raises(StoreError, match="cut"):
        store.put("data", "a", Broken())
    assert read(store, "a") == b"old"
    assert files_of(store.root) == ["data/a"]


def test_a_disk_that_takes_no_more_leaves_the_old_object(store: ObjectStore) -> None:
    put(store, "a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as a full disk: some bytes are written, then no more
    try:
        with pytest.raises(StoreError, match=r"no room.*\n.*free space") as caught:
            put(store, "a", bytes(3 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "InsufficientStorage"
    assert read(store, "a") == b"old"
    assert files_of(store.root) == ["data/a"]


@pytest.mark.parametrize(
    ("code", "expected", "fix"),
    [
        (errno.ENOSPC, "InsufficientStorage", "free space"),
        (errno.EDQUOT, "InsufficientStorage", "free space"),
        (errno.EACCES, "AccessDenied", "chmod -R u+rwX /s3"),
        (errno.EROFS, "AccessDenied", "chmod"),
        (errno.ENAMETOOLONG, "KeyTooLongError", "shorten"),
        (errno.EIO, "InternalError", "look at /s3"),
    ],
)
def test_what_the_file_system_refuses_has_a_code_and_a_fix(code: int, expected: str, fix: str) -> None:
    error = disk_refusal(OSError(code, os.strerror(code)), "s3://data/a", Path("/s3"))
    assert error.code == expected
    assert fix in error.problems[0].fix
    assert os.strerror(code) in error.what


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "s3").write_text("a file in the way")
    with pytest.raises(StoreError, match="refused") as caught:
        ObjectStore(tmp_path / "s3").create_bucket("data")
    assert "look at" in caught.value.problems[0].fix


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Data", "a_b", "-ab", "ab-", "a..b", "192.168.0.1", "xn--ab", "a-s3alias", ".s3", "a/b", ".."],
)
def test_a_bucket_is_named_by_the_rules_of_s3(store: ObjectStore, name: str) -> None:
    with pytest.raises(StoreError, match=r"no bucket name\n.*3 to 63") as caught:
        store.create_bucket(name)
    assert caught.value.code == "InvalidBucketName"


def test_a_bucket_with_objects_is_not_deleted(store: ObjectStore) -> None:
    put(store, "a/b")
    with pytest.raises(StoreError, match=r"it holds a/b\n.*aws s3 rm --recursive s3://data"):
        store.delete_bucket("data")
    store.delete("data", "a/b")
    (store.root / "data/empty/folders").mkdir(parents=True)
    store.delete_bucket("data")
    assert store.buckets() == []


def test_a_bucket_with_a_link_in_it_is_not_deleted(store: ObjectStore, tmp_path: Path) -> None:
    (store.root / "data/link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="is not empty"):
        store.delete_bucket("data")


def test_a_prefix_lists_by_key_and_not_by_folder(store: ObjectStore) -> None:
    for key in ("train/a", "train-2/a", "train.csv", "test/a"):
        put(store, key)
    assert keys(store, "train") == ["train-2/a", "train.csv", "train/a"]
    assert keys(store, "train/") == ["train/a"]
    assert keys(store, "../") == []
    assert keys(store, "train//") == keys(store, "/train") == []


def test_a_prefix_that_names_a_folder_does_not_read_the_others(store: ObjectStore) -> None:
    for key in ("a/1", "b/1"):
        put(store, key)
    visited: list[str] = []

    class Watching(ObjectStore):
        def _scan(self, bucket: str, folder: str, leaf: str, start: Start) -> Iterator[Stored | str]:
            visited.append(folder)
            return super()._scan(bucket, folder, leaf, start)

    assert keys(Watching(store.root), "b/") == ["b/1"]
    assert visited == ["b/"]


def test_staging_left_by_a_killed_process_is_cleared(store: ObjectStore) -> None:
    left = store.hidden("data").staging / "half"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    store.clear_staging()
    assert not left.exists()


def test_parallel_writers_and_deleters_leave_one_whole_object(store: ObjectStore) -> None:
    """Deletes prune the folders that puts are about to use, and readers see one version with its own headers."""
    wrong: list[object] = []

    def write(number: int) -> None:
        for _ in range(60):
            try:
                put(store, "deep/er/key", bytes([number]) * 5000, **{"x-amz-meta-n": str(number)})
                stored, headers, file = store.open("data", "deep/er/key")
                with file:
                    data = file.read()
                if len(data) != 5000 or {int(headers["x-amz-meta-n"])} != set(data):
                    wrong.append((stored, headers, data[:5]))
                store.delete("data", "deep/er/key")
            except StoreError as error:
                if error.code != "NoSuchKey":
                    wrong.append(error)
            except BaseException as error:  # noqa: BLE001 (collected for the assertion)
                wrong.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert files_of(store.root) == []


segments = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), max_size=12)
segments |= st.sampled_from(["%empty", "%%empty", "%%", "empty"])
legal_keys = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(lambda key: key_problem(key) is None)


@settings(deadline=None)
@given(key=legal_keys, data=st.binary(max_size=100))
def test_any_legal_key_round_trips(tmp_path_factory: pytest.TempPathFactory, key: str, data: bytes) -> None:
    data = b"" if key.endswith("/") else data
    store = ObjectStore(tmp_path_factory.mktemp("s3"))
    store.create_bucket("data")
    put(store, key, data)
    assert read(store, key) == data
    assert keys(store) == [key]
    assert store.path("data", key).is_relative_to(store.root / "data")


alike = st.lists(st.text("%empty/", max_size=8) | st.sampled_from(["", "%empty", "%%empty", "a"]), max_size=5)


@given(one=alike.map("/".join), two=alike.map("/".join))
def test_no_two_keys_share_a_path_and_a_path_gives_its_key_back(one: str, two: str) -> None:
    assert (path_of(one) == path_of(two)) is (one == two)
    segments = [segment_of(name) for name in path_of(one).removesuffix("/").split("/")]
    assert "/".join(segments) in (one, one.removesuffix("/"))
    assert "//" not in path_of(one)
    assert not path_of(one).startswith("/")


@given(st.text("ab%./-", min_size=1))
def test_a_key_without_empty_segments_is_its_path(key: str) -> None:
    if "//" not in key and not key.startswith("/"):
        assert path_of(key) == key


@settings(deadline=None)
@given(key=st.text(max_size=30) | st.text(st.sampled_from("./\\\0a"), max_size=12))
def test_no_key_leaves_the_bucket(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    store = ObjectStore(tmp_path_factory.getbasetemp() / "keys")
    (store.root / "data").mkdir(parents=True, exist_ok=True)
    try:
        path = store.path("data", key)
    except StoreError:
        return
    assert Path(os.path.normpath(path)) == path
    assert path.is_relative_to(store.root / "data")
    assert path != store.root / "data"


@given(st.text(st.sampled_from("ab.-_/9"), max_size=8))
def test_no_bucket_leaves_the_root(name: str) -> None:
    if is_bucket(name):
        assert Path("/root/s3", name).parent == Path("/root/s3")
        assert name not in (".", "..", ".s3")


few_segments = st.sampled_from(["a", "b", "a-", "a.b", "ä", "a0", "", "%empty"])
few_keys = st.lists(few_segments, min_size=1, max_size=3).map("/".join).filter(bool)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_listing_equals_that_of_a_dict(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    store = ObjectStore(tmp_path_factory.mktemp("s3"))
    store.create_bucket("data")
    model: dict[str, bytes] = {}
    for key in data.draw(st.lists(few_keys | few_keys.map(lambda key: f"{key}/"), max_size=12)):
        if data.draw(st.integers(0, 3)) == 0:
            store.delete("data", key)
            model.pop(key, None)
            continue
        clash = any(other.startswith(key.removesuffix("/") + "/") for other in model if not key.endswith("/"))
        clash |= any(key.startswith(f"{other}/") for other in model if not other.endswith("/"))
        try:
            put(store, key, b"")
            assert not clash
            model[key] = b""
        except StoreError as error:
            assert error.code == "KeyConflict"  # noqa: PT017
            assert clash
    prefix = data.draw(st.sampled_from(["", "a", "a/", "a-", "a/b", "ä", "b/a/", "x", "/", "a//", "%"]))
    start = Start(data.draw(st.sampled_from(["", "a", "a/", "a/b", "b", "a-/b", "/", "a//"])), data.draw(st.booleans()))
    start = start if start.key else Start()
    expected = [key for key in sorted(model, key=str.encode) if key.startswith(prefix) and start.passes(key)]
    assert keys(store, prefix, start) == expected
    shown = [entry if isinstance(entry, str) else entry.key for entry in store.level("data", prefix, start)]
    assert shown == grouped(expected, prefix)


def grouped(found: list[str], prefix: str) -> list[str]:
    heads = [key[len(prefix) :].partition("/") for key in found]
    return list(dict.fromkeys(prefix + head + slash for head, slash, _ in heads))
