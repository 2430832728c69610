"""boto3, unmodified, against the local S3 over HTTP."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import WSGIRequestHandler, make_server

from pipelines.local.s3.application import s3_application
from pipelines.local.s3.names import key_problem
from pipelines.local.store import ObjectStore
from tests.local.local_aws import LocalAws

MIB = 1 << 20


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Nothing: pytest shows what fails."""


@dataclass(frozen=True)
class Served:
    s3: Any
    url: str
    root: Path

    def put(self, key: str, body: bytes = b"x", **more: Any) -> Any:
        return self.s3.put_object(Bucket="data", Key=key, Body=body, **more)

    def get(self, key: str, **more: Any) -> bytes:
        with self.s3.get_object(Bucket="data", Key=key, **more)["Body"] as body:
            data: bytes = body.read()
            return data


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    """A store, served, and a client that never tries again."""
    server = make_server("127.0.0.1", 0, s3_application(ObjectStore(root)), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield Served(client, url, root)
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def s3(served: Served) -> Iterator[Served]:
    """An empty bucket, data."""
    location = {"LocationConstraint": "eu-central-1"}
    served.s3.create_bucket(Bucket="data", CreateBucketConfiguration=location)
    yield served
    shutil.rmtree(served.root / "data")
    shutil.rmtree(served.root / ".s3", ignore_errors=True)


def refusal(call: Callable[[], object]) -> tuple[int, str, str]:
    """Status, code and message."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("Message", "")


def listed(s3: Served, call: str = "list_objects_v2", **query: Any) -> tuple[list[str], list[str]]:
    """Keys and common prefixes of all pages, in their order."""
    pages = list(s3.s3.get_paginator(call).paginate(Bucket="data", **query))
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return keys, [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]


def test_a_bucket_lives_from_creation_to_deletion(served: Served) -> None:
    create = {"Bucket": "other", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    served.s3.create_bucket(**create)
    assert [bucket["Name"] for bucket in served.s3.list_buckets()["Buckets"]] == ["other"]
    assert refusal(lambda: served.s3.create_bucket(**create))[:2] == (409, "BucketAlreadyOwnedByYou")
    assert served.s3.head_bucket(Bucket="other")["BucketRegion"] == "eu-central-1"
    assert served.s3.get_bucket_location(Bucket="other")["LocationConstraint"] == "eu-central-1"
    assert "Status" not in served.s3.get_bucket_versioning(Bucket="other")
    served.s3.delete_bucket(Bucket="other")
    assert refusal(lambda: served.s3.head_bucket(Bucket="other"))[0] == 404
    assert refusal(lambda: served.s3.list_objects_v2(Bucket="other"))[1] == "NoSuchBucket"


def test_bucket_tags_round_trip(s3: Served) -> None:
    assert refusal(lambda: s3.s3.get_bucket_tagging(Bucket="data"))[1] == "NoSuchTagSet"
    tags = [{"Key": "team", "Value": "<mlops> & co"}]
    s3.s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": tags})
    assert s3.s3.get_bucket_tagging(Bucket="data")["TagSet"] == tags
    s3.s3.delete_bucket_tagging(Bucket="data")
    assert refusal(lambda: s3.s3.get_bucket_tagging(Bucket="data"))[1] == "NoSuchTagSet"


def test_an_object_round_trips_with_its_metadata(s3: Served) -> None:
    put = s3.put("a/b c+ü.csv", b"1,2\n", Metadata={"team": "mlops"}, ContentType="text/csv", CacheControl="no-cache")
    got = s3.s3.get_object(Bucket="data", Key="a/b c+ü.csv")
    head = s3.s3.head_object(Bucket="data", Key="a/b c+ü.csv")
    with got["Body"] as body:
        assert body.read() == b"1,2\n"
    for answer in (got, head):
        assert (answer["ContentType"], answer["CacheControl"]) == ("text/csv", "no-cache")
        assert (answer["Metadata"], answer["ETag"]) == ({"team": "mlops"}, put["ETag"])
        assert answer["ContentLength"] == 4
    assert (s3.root / "data/a/b c+ü.csv").read_bytes() == b"1,2\n"


def test_the_default_content_type_needs_no_sidecar(s3: Served) -> None:
    s3.put("a", b"")
    assert s3.s3.head_object(Bucket="data", Key="a")["ContentType"] == "binary/octet-stream"
    assert not (s3.root / ".s3/data/headers").exists()


def test_tags_given_with_an_object_are_kept(s3: Served) -> None:
    s3.put("a", Tagging="team=mlops&cost=a%20b")
    tags = s3.s3.get_object_tagging(Bucket="data", Key="a")["TagSet"]
    assert tags == [{"Key": "team", "Value": "mlops"}, {"Key": "cost", "Value": "a b"}]


def test_too_much_metadata_is_refused(s3: Served) -> None:
    status, code, message = refusal(lambda: s3.put("a", Metadata={"k": "v" * 2100}))
    assert (status, code) == (400, "MetadataTooLarge")
    assert "an object of its own" in message


def test_what_is_not_there_is_no_such_key(s3: Served) -> None:
    status, code, message = refusal(lambda: s3.get("nope"))
    assert (status, code) == (404, "NoSuchKey")
    assert "aws s3 ls s3://data/" in message
    assert refusal(lambda: s3.s3.head_object(Bucket="data", Key="nope"))[0] == 404


def test_conditions_are_kept_when_reading(s3: Served) -> None:
    etag = s3.put("a")["ETag"]
    assert s3.get("a", IfMatch=etag) == b"x"
    assert refusal(lambda: s3.get("a", IfNoneMatch=etag))[0] == 304
    assert refusal(lambda: s3.get("a", IfMatch='"other"'))[:2] == (412, "PreconditionFailed")
    changed = s3.s3.head_object(Bucket="data", Key="a")["LastModified"]
    assert refusal(lambda: s3.get("a", IfModifiedSince=changed))[0] == 304
    assert s3.get("a", IfUnmodifiedSince=changed) == b"x"


def test_of_parallel_writers_that_want_a_new_key_one_wins(s3: Served) -> None:
    def write(number: int) -> bool:
        try:
            s3.put("lock", bytes([number]), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"  # noqa: PT017
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(16))) == 1
    etag = s3.s3.head_object(Bucket="data", Key="lock")["ETag"]
    s3.put("lock", b"new", IfMatch=etag)
    assert refusal(lambda: s3.put("lock", b"newer", IfMatch=etag))[1] == "PreconditionFailed"
    assert s3.get("lock") == b"new"


def test_parallel_writers_leave_one_whole_object(s3: Served) -> None:
    bodies = [bytes([number]) * MIB for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: s3.put("same/key", body), bodies))
    assert s3.get("same/key") in bodies
    assert sorted(path.name for path in (s3.root / "data/same").iterdir()) == ["key"]


def test_parallel_writers_of_different_keys_all_arrive(s3: Served) -> None:
    keys = [f"part/{number % 4}/{number:03}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put(key, key.encode()), keys))
    assert listed(s3, Prefix="part/")[0] == sorted(keys)


def test_pages_hold_every_key_once(s3: Served) -> None:
    keys = sorted(f"{folder}/{number}" for folder in ("a", "a-b", "b") for number in range(7))
    for key in keys:
        s3.put(key)
    for size in (1, 2, 5, 1000):
        assert listed(s3, PaginationConfig={"PageSize": size})[0] == keys
    assert listed(s3, StartAfter="a/5")[0] == [key for key in keys if key > "a/5"]


def test_a_delimiter_groups_over_pages_and_versions_of_the_call(s3: Served) -> None:
    for key in ("a/1", "a/2", "b", "c/d/e", "c/f", "d+e/ü"):
        s3.put(key)
    for size in (1, 2, 1000):
        assert listed(s3, Delimiter="/", PaginationConfig={"PageSize": size}) == (["b"], ["a/", "c/", "d+e/"])
        assert listed(s3, "list_objects", Delimiter="/", PaginationConfig={"PageSize": size}) == (
            ["b"],
            ["a/", "c/", "d+e/"],
        )
    assert listed(s3, Prefix="c/", Delimiter="/") == (["c/f"], ["c/d/"])
    assert listed(s3, Delimiter="+") == (["a/1", "a/2", "b", "c/d/e", "c/f"], ["d+"])


def test_the_first_version_of_listing_pages_too(s3: Served) -> None:
    keys = [f"a/{number}" for number in range(5)] + ["b"]
    for key in keys:
        s3.put(key)
    pages = s3.s3.get_paginator("list_objects").paginate(Bucket="data", PaginationConfig={"PageSize": 2})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
    assert s3.s3.list_objects(Bucket="data", MaxKeys=0)["IsTruncated"] is False


def test_a_token_that_is_not_ours_is_refused(s3: Served) -> None:
    for token in ("no", "bm8=", "ü"):
        code, message = refusal(lambda token=token: s3.s3.list_objects_v2(Bucket="data", ContinuationToken=token))[1:]  # type: ignore[misc]
        assert code == "InvalidArgument"
        assert "NextContinuationToken of the page before" in message


def test_deleting_many_answers_for_each(s3: Served) -> None:
    for key in ("a/b", "c & <d>", "keep"):
        s3.put(key)
    answer = s3.s3.delete_objects(
        Bucket="data", Delete={"Objects": [{"Key": key} for key in ("a/b", "c & <d>", "none", "../x")]}
    )
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a/b", "c & <d>", "none"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("../x", "InvalidArgument")]
    assert listed(s3)[0] == ["keep"]


def test_deleting_a_version_deletes_nothing(s3: Served) -> None:
    s3.put("a")
    answer = s3.s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "a", "VersionId": "v1"}]})
    assert answer["Errors"][0]["Code"] == "NoSuchVersion"
    assert "leave the version out" in answer["Errors"][0]["Message"]
    assert s3.get("a") == b"x"


def test_a_bucket_with_objects_is_not_deleted(s3: Served) -> None:
    s3.put("a")
    status, code, message = refusal(lambda: s3.s3.delete_bucket(Bucket="data"))
    assert (status, code) == (409, "BucketNotEmpty")
    assert "aws s3 rm --recursive s3://data" in message


def test_copying_takes_or_replaces_metadata(s3: Served) -> None:
    s3.put("a ü", b"1", Metadata={"v": "1"}, ContentType="text/csv")
    source = {"Bucket": "data", "Key": "a ü"}
    s3.s3.copy_object(Bucket="data", Key="b/c", CopySource=source)
    assert (s3.get("b/c"), s3.s3.head_object(Bucket="data", Key="b/c")["Metadata"]) == (b"1", {"v": "1"})
    code, message = refusal(lambda: s3.s3.copy_object(Bucket="data", Key="a ü", CopySource=source))[1:]
    assert code == "InvalidRequest"
    assert "MetadataDirective=REPLACE" in message
    s3.s3.copy_object(Bucket="data", Key="a ü", CopySource=source, MetadataDirective="REPLACE", Metadata={"v": "2"})
    head = s3.s3.head_object(Bucket="data", Key="a ü")
    assert (head["Metadata"], head["ContentType"]) == ({"v": "2"}, "binary/octet-stream")
    assert refusal(lambda: s3.s3.copy_object(Bucket="data", Key="x", CopySource="data/nope"))[1] == "NoSuchKey"
    etag = head["ETag"]
    copy = {"Bucket": "data", "Key": "x", "CopySource": source, "CopySourceIfNoneMatch": etag}
    assert refusal(lambda: s3.s3.copy_object(**copy))[1] == "PreconditionFailed"


def test_large_files_go_up_and_down_in_parts(s3: Served, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(17 * MIB + 3))
    s3.s3.upload_file(str(source), "data", "big/file", ExtraArgs={"Metadata": {"n": "1"}})
    s3.s3.download_file("data", "big/file", str(target))
    assert target.read_bytes() == source.read_bytes()
    assert s3.s3.head_object(Bucket="data", Key="big/file")["Metadata"] == {"n": "1"}
    s3.s3.copy(
        {"Bucket": "data", "Key": "big/file"}, "data", "copy", Config=TransferConfig(multipart_threshold=5 * MIB)
    )
    assert (s3.root / "data/copy").read_bytes() == source.read_bytes()
    assert list((s3.root / ".s3/data/uploads").iterdir()) == []
    assert list((s3.root / ".s3/data/staging").iterdir()) == []


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_uploads_name_a_checksum_and_stay_whole(s3: Served, tmp_path: Path, algorithm: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(9 * MIB))
    s3.s3.upload_file(str(source), "data", "big", ExtraArgs={"ChecksumAlgorithm": algorithm})
    assert (s3.root / "data/big").read_bytes() == source.read_bytes()


def test_an_upload_in_parts_is_listed_checked_and_aborted(s3: Served) -> None:
    name = {"Bucket": "data", "Key": "in/parts"}
    upload = {**name, "UploadId": s3.s3.create_multipart_upload(**name)["UploadId"]}
    first = s3.s3.upload_part(**upload, PartNumber=1, Body=b"small")["ETag"]
    last = s3.s3.upload_part(**upload, PartNumber=10, Body=b"end")["ETag"]
    parts = s3.s3.list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in parts] == [(1, 5, first), (10, 3, last)]
    assert s3.s3.list_parts(**upload, MaxParts=1)["NextPartNumberMarker"] == 1
    uploads = s3.s3.list_multipart_uploads(Bucket="data", Prefix="in/")["Uploads"]
    assert [entry["UploadId"] for entry in uploads] == [upload["UploadId"]]

    def complete(*parts: tuple[int, str]) -> Any:
        chosen = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return s3.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": chosen})

    assert refusal(lambda: complete((1, first), (10, last)))[1] == "EntityTooSmall"
    assert refusal(lambda: complete((10, last), (1, first)))[1] == "InvalidPartOrder"
    assert refusal(lambda: complete((1, last)))[1] == "InvalidPart"
    assert refusal(lambda: complete((2, first)))[1] == "InvalidPart"
    assert listed(s3)[0] == []
    s3.s3.abort_multipart_upload(**upload)
    assert refusal(lambda: complete((10, last)))[:2] == (404, "NoSuchUpload")
    assert "Uploads" not in s3.s3.list_multipart_uploads(Bucket="data")


def test_a_part_may_be_copied_from_a_stretch_of_an_object(s3: Served) -> None:
    s3.put("source", b"0123456789")
    name = {"Bucket": "data", "Key": "joined"}
    upload = {**name, "UploadId": s3.s3.create_multipart_upload(**name)["UploadId"]}
    copy = {**upload, "PartNumber": 1, "CopySource": {"Bucket": "data", "Key": "source"}}
    part = s3.s3.upload_part_copy(**copy, CopySourceRange="bytes=2-5")["CopyPartResult"]
    assert refusal(lambda: s3.s3.upload_part_copy(**copy, CopySourceRange="bytes=5-10"))[1] == "InvalidArgument"
    chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.s3.complete_multipart_upload(**upload, MultipartUpload=chosen)
    assert s3.get("joined") == b"2345"


def test_an_upload_id_from_outside_names_no_file(s3: Served) -> None:
    for upload_id in ("../../data", "..", "0" * 32, "."):
        call = {"Bucket": "data", "Key": "a", "UploadId": upload_id}
        assert refusal(lambda call=call: s3.s3.abort_multipart_upload(**call))[1] == "NoSuchUpload"  # type: ignore[misc]


def test_a_presigned_url_reads_the_object(s3: Served) -> None:
    s3.put("a b", b"hello", ContentType="text/csv")
    params = {"Bucket": "data", "Key": "a b", "ResponseContentDisposition": "attachment"}
    url = s3.s3.generate_presigned_url("get_object", Params=params)
    with urllib.request.urlopen(url) as answer:  # noqa: S310 (our own server)
        assert answer.read() == b"hello"
        assert answer.headers["Content-Disposition"] == "attachment"


def test_an_operation_that_is_not_here_is_named(s3: Served) -> None:
    status, code, message = refusal(lambda: s3.s3.get_bucket_policy(Bucket="data"))
    assert (status, code) == (501, "NotImplemented")
    assert "GetBucketPolicy" in message


segments = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), max_size=12)
legal_keys = st.lists(segments, min_size=1, max_size=3).map("/".join).filter(lambda key: key_problem(key) is None)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(key=legal_keys)
def test_any_legal_key_round_trips_over_http(s3: Served, key: str) -> None:
    body = b"" if key.endswith("/") else key.encode()
    s3.put(key, body)
    assert s3.get(key) == body
    assert listed(s3)[0] == [key]
    s3.s3.delete_object(Bucket="data", Key=key)
    assert listed(s3)[0] == []


def test_keys_with_empty_segments_are_put_listed_copied_and_deleted(s3: Served, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(6 * MIB))
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.s3.upload_file(str(tmp_path / "big"), "data", "prefix//big", Config=parts)
    s3.s3.copy_object(Bucket="data", Key="/copy", CopySource={"Bucket": "data", "Key": "prefix//big"})
    s3.s3.copy({"Bucket": "data", "Key": "/copy"}, "data", "prefix///copy", Config=parts)
    s3.put("prefix/a", b"1")
    assert listed(s3)[0] == ["/copy", "prefix///copy", "prefix//big", "prefix/a"]
    answer = s3.s3.list_objects_v2(Bucket="data", Prefix="prefix/", Delimiter="/")
    assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == ["prefix//"]
    assert [entry["Key"] for entry in answer["Contents"]] == ["prefix/a"]
    url = s3.s3.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "/copy"})
    with urllib.request.urlopen(url) as found:  # noqa: S310 (our own server)
        assert found.headers["Content-Length"] == str(6 * MIB)
    names = [{"Key": key} for key in ("/copy", "prefix///copy", "prefix//big")]
    s3.s3.delete_objects(Bucket="data", Delete={"Objects": names})
    assert listed(s3)[0] == ["prefix/a"]


def test_a_prefix_joined_with_a_closing_slash_goes_from_step_to_step(aws: LocalAws) -> None:
    prefix = {"Name": "Prefix", "Type": "String", "DefaultValue": "s3://data/joined/"}
    out = {"Std:Join": {"On": "/", "Values": [{"Get": "Parameters.Prefix"}, "train"]}}
    path = "ML / 'processing/{}/{}/x'"
    written = {"Get": "Steps.Write.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}
    write = aws.step("Write", f"({path.format('output', 'out')}).write_text('1')", outputs={"out": out})
    read = aws.step("Read", f"sys.exit(({path.format('input', 'in')}).read_text() != '1')", inputs={"in": written})
    ended = aws.run([write, read], [prefix])
    assert ended.statuses() == {"Write": "Succeeded", "Read": "Succeeded"}
    assert aws.keys("joined/") == ["joined//train/x"]


def test_keys_that_look_alike_stay_apart(s3: Served) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    names = [composed, decomposed, composed.upper(), "Stra\u00dfe", "Strasse"]
    for name in names:
        s3.put(name, name.encode())
    assert listed(s3)[0] == sorted(names, key=str.encode)
    assert [s3.get(name).decode() for name in names] == names


def test_the_longest_key_is_kept_and_one_byte_more_is_refused(s3: Served) -> None:
    longest = "/".join(["d" * 255] * 4)
    assert len(longest) == 1023
    s3.put(longest + "/", b"")
    assert listed(s3)[0] == [longest + "/"]
    status, code, message = refusal(lambda: s3.put(longest + "/e"))
    assert (status, code) == (400, "KeyTooLongError")
    assert "the key has 1025 bytes, S3 allows 1024" in message


def test_a_key_and_a_key_below_it_cannot_both_be(s3: Served) -> None:
    s3.put("a", b"1")
    status, code, message = refusal(lambda: s3.put("a/b"))
    assert (status, code) == (409, "KeyConflict")
    assert "a" in message
    assert (listed(s3)[0], s3.get("a")) == (["a"], b"1")
    s3.put("c/d", b"2")
    assert refusal(lambda: s3.put("c"))[:2] == (409, "KeyConflict")
    assert s3.get("c/d") == b"2"


def test_the_aws_command_copies_lists_and_syncs(s3: Served, tmp_path: Path) -> None:
    aws = shutil.which("aws")
    if aws is None:
        pytest.skip("the aws command is not installed")
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
    }

    def run(*arguments: str) -> str:
        command = [aws, "--endpoint-url", s3.url, "--region", "eu-central-1", "s3", *arguments]
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout

    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/a.csv").write_text("1")
    (folder / "b.csv").write_text("2")
    run("sync", str(folder), "s3://data/in")
    assert (s3.root / "data/in/sub/a.csv").read_text() == "1"
    assert run("sync", str(folder), "s3://data/in") == ""
    assert "sub/" in run("ls", "s3://data/in/")
    run("cp", "s3://data/in/b.csv", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text() == "2"
