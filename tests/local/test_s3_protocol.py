"""The façade without a client: bodies, XML, errors, names and dispatch, by calling the WSGI application itself."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.local.s3 import multipart
from pipelines.local.s3.application import HANDLERS, is_s3_request, s3_application
from pipelines.local.s3.body import Body
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.operations import operation_name
from pipelines.local.s3.request import Request
from pipelines.local.s3.xml import DECLARATION, read_xml, text_of, write_xml
from pipelines.local.store import ObjectStore


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def text(self, name: str) -> str:
        root = ElementTree.fromstring(self.body)  # noqa: S314 (our own answer)
        return next((node.text or "" for node in root.iter() if node.tag.rpartition("}")[2] == name), "")


class Client:
    """Speaks WSGI; a body is sent with its length unless the headers say otherwise."""

    def __init__(self, store: ObjectStore) -> None:
        self.store, self._application = store, s3_application(store)

    def __call__(self, method: str, path: str, body: bytes = b"", **extra: Any) -> Answer:
        seen: list[Any] = []
        environ = environ_of(method, path, body, **extra)
        pieces = self._application(environ, lambda status, headers: seen.extend((status, headers)) or (lambda _: None))
        data = b"".join(pieces)
        if hasattr(pieces, "close"):
            pieces.close()
        return Answer(int(seen[0][:3]), dict(seen[1]), data)


def environ_of(method: str, path: str, body: bytes = b"", **extra: Any) -> dict[str, Any]:
    name, _, query = path.partition("?")
    plain = {"REQUEST_METHOD": method, "RAW_URI": path, "PATH_INFO": name, "QUERY_STRING": query}
    return {**plain, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **extra}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("data")
    return Client(store)


def content(client: Client, key: str) -> bytes:
    return (client.store.root / "data" / key).read_bytes()


def chunked(data: bytes, **environ: str) -> dict[str, str]:
    announced = {"HTTP_CONTENT_ENCODING": "aws-chunked", "HTTP_X_AMZ_TRAILER": "x-amz-checksum-crc32"}
    return {**announced, "HTTP_X_AMZ_DECODED_CONTENT_LENGTH": str(len(data)), **environ}


@settings(deadline=None)
@given(data=st.binary(max_size=5000), size=st.integers(1, 2000))
def test_what_botocore_frames_as_aws_chunked_is_stored_plain(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int
) -> None:
    client = Client(ObjectStore(tmp_path_factory.getbasetemp() / "chunked"))
    (client.store.root / "data").mkdir(parents=True, exist_ok=True)
    framed = AwsChunkedWrapper(io.BytesIO(data), Crc32Checksum, "x-amz-checksum-crc32", size).read()
    answer = client("PUT", "/data/a", framed, **chunked(data))
    assert answer.status == 200, answer.body
    assert content(client, "a") == data
    assert answer.headers["x-amz-checksum-crc32"] == base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def test_signed_chunks_are_stored_plain_and_the_coding_is_not_kept(client: Client) -> None:
    body = b"5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n"
    extra = {
        "HTTP_X_AMZ_CONTENT_SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "HTTP_CONTENT_ENCODING": "gzip,aws-chunked",
    }
    assert client("PUT", "/data/a", body, **extra).status == 200
    answer = client("GET", "/data/a")
    assert (answer.body, answer.headers["Content-Encoding"]) == (b"hello", "gzip")


def test_a_checksum_that_needs_a_compiled_package_is_read_over(client: Client) -> None:
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n\r\n"
    assert (
        client("PUT", "/data/a", body, **chunked(b"hello", HTTP_X_AMZ_TRAILER="x-amz-checksum-crc64nvme")).status == 200
    )
    assert content(client, "a") == b"hello"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:not base64\r\n\r\n", "InvalidDigest"),
        (b"5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"),
        (b"4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5\r\nhello\r\n", "IncompleteBody"),
        (b"5\r\nhel", "IncompleteBody"),
        (b"zz\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"-5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"4\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"", "IncompleteBody"),
        (b"x" * 10_000, "IncompleteBody"),
    ],
)
def test_a_body_that_is_not_as_announced_stores_nothing(client: Client, body: bytes, code: str) -> None:
    answer = client("PUT", "/data/a", body, **chunked(b"hello"))
    assert (answer.status, answer.text("Code")) == (400, code)
    assert list((client.store.root / "data").iterdir()) == []
    assert list(client.store.hidden("data").staging.iterdir()) == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("HTTP_CONTENT_MD5", hashlib.md5(b"hello", usedforsecurity=False).digest()),
        ("HTTP_X_AMZ_CHECKSUM_SHA1", hashlib.sha1(b"hello", usedforsecurity=False).digest()),
        ("HTTP_X_AMZ_CHECKSUM_SHA256", hashlib.sha256(b"hello").digest()),
        ("HTTP_X_AMZ_CHECKSUM_CRC32", zlib.crc32(b"hello").to_bytes(4, "big")),
    ],
)
def test_a_checksum_of_the_standard_library_is_verified(client: Client, header: str, value: bytes) -> None:
    extra = {header: base64.b64encode(value).decode()}
    assert client("PUT", "/data/a", b"hello", **extra).status == 200
    answer = client("PUT", "/data/a", b"hellO", **extra)
    assert answer.text("Code") == "BadDigest"
    assert "fix: send it again" in answer.text("Message")
    assert content(client, "a") == b"hello"


def test_a_body_that_ends_early_stores_nothing(client: Client) -> None:
    answer = client("PUT", "/data/a", b"hello", CONTENT_LENGTH="10")
    assert answer.text("Code") == "IncompleteBody"
    assert "nothing was stored" in answer.text("Message")


def test_a_body_without_a_length_is_refused_with_its_fix(client: Client) -> None:
    answer = client("PUT", "/data/a", b"hello", CONTENT_LENGTH="")
    assert (answer.status, answer.text("Code")) == (411, "MissingContentLength")
    assert "send Content-Length" in answer.text("Message")


def test_more_than_one_put_may_hold_is_refused_while_it_streams(client: Client) -> None:
    class Endless:
        def read(self, size: int, /) -> bytes:
            return zeros[:size]

    zeros = bytes(1 << 20)
    request = Request("PUT", "data", "a", {}, {"content-length": str(10 << 30)}, {"wsgi.input": Endless()})
    with pytest.raises(StoreError, match=r"more than 3000000 bytes\n.*in parts") as caught:
        client.store.put("data", "a", Body(request, 3_000_000))
    assert caught.value.code == "EntityTooLarge"
    assert list(client.store.hidden("data").staging.iterdir()) == []


BOMB = b"""<!DOCTYPE d [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;">]>
<Delete><Object><Key>&b;</Key></Object></Delete>"""


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        BOMB.decode().encode("utf-16"),
        b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Delete/>',
        b"<Delete>",
        b"",
        b"<a>" * 50 + b"</a>" * 50,
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
        b"<Delete>&undefined;</Delete>",
    ],
)
def test_hostile_xml_is_malformed_xml(client: Client, data: bytes) -> None:
    answer = client("POST", "/data?delete", data)
    assert (answer.status, answer.text("Code")) == (400, "MalformedXML")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")))
def test_any_text_survives_xml(text: str) -> None:
    assert text_of(read_xml(DECLARATION + write_xml("A", [("B", text)])), "B") == text


def test_control_characters_leave_as_references(client: Client) -> None:
    client("PUT", "/data/a%01b%0Dc", b"x")
    assert b"<Key>a&#1;b&#13;c</Key>" in client("GET", "/data").body
    assert b"<Key>a%01b%0Dc</Key>" in client("GET", "/data?encoding-type=url").body


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/data/../x", "InvalidArgument"),
        ("/data/%2e%2e/x", "InvalidArgument"),
        ("/data/..%2f..%2fx", "InvalidArgument"),
        ("/data/a%00b", "InvalidArgument"),
        ("/data//../x", "InvalidArgument"),
        ("/data/%ff", "InvalidURI"),
        ("/data/" + "k" * 300, "KeyTooLongError"),
        ("/data/" + "k/" * 600, "KeyTooLongError"),
        ("/..", "InvalidBucketName"),
        ("/../x", "InvalidBucketName"),
        ("/.s3/data/staging/x", "InvalidBucketName"),
        ("/nowhere/x", "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_hostile_name_is_an_s3_error(client: Client, path: str, code: str, method: str) -> None:
    before = sorted(client.store.root.parent.rglob("*"))
    answer = client(method, path)
    assert answer.text("Code") == code
    assert "fix: " in answer.text("Message")
    assert sorted(client.store.root.parent.rglob("*")) == before


@settings(deadline=None)
@given(
    path=st.text(st.sampled_from("/.\\%0a\x00ü"), max_size=20), method=st.sampled_from(["GET", "PUT", "DELETE", "POST"])
)
def test_no_path_makes_the_server_fail_or_leave_its_root(
    tmp_path_factory: pytest.TempPathFactory, path: str, method: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "paths"
    client = Client(ObjectStore(folder / "s3"))
    (client.store.root / "data").mkdir(parents=True, exist_ok=True)
    assert client(method, "/data/" + quote(path, safe="/%.\\"), b"x").status != 500
    assert [entry.name for entry in folder.iterdir()] == ["s3"]
    assert {entry.name for entry in client.store.root.iterdir()} <= {"data", ".s3"}


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/data?policy", "GetBucketPolicy"),
        ("PUT", "/data?lifecycle", "PutBucketLifecycleConfiguration"),
        ("GET", "/data?versions", "ListObjectVersions"),
        ("GET", "/data/a?acl", "GetObjectAcl"),
        ("GET", "/data/a?attributes", "GetObjectAttributes"),
        ("PUT", "/data/a?tagging", "PutObjectTagging"),
        ("POST", "/data/a?select&select-type=2", "SelectObjectContent"),
        ("POST", "/data", "PostObject"),
    ],
)
def test_an_operation_that_is_not_here_is_named(client: Client, method: str, path: str, operation: str) -> None:
    answer = client(method, path)
    assert (answer.status, answer.text("Code")) == (501, "NotImplemented")
    assert operation in answer.text("Message")
    assert "use a real bucket for it: name an environment with --env" in answer.text("Message")
    assert answer.headers["Content-Type"] == "application/xml"


def test_a_method_that_s3_does_not_know_is_refused(client: Client) -> None:
    answer = client("PATCH", "/data/a")
    assert (answer.status, answer.text("Code")) == (405, "MethodNotAllowed")


def test_every_operation_here_is_one_that_a_request_can_name() -> None:
    levels = [("", ""), ("data", ""), ("data", "a")]
    queries: list[dict[str, str]] = [{}, {"list-type": "2"}]
    queries += [{name: ""} for name in ("location", "versioning", "tagging", "uploads", "uploadId", "delete")]
    headers: list[dict[str, str]] = [{}, {"x-amz-copy-source": "b/k"}]
    methods = ("GET", "HEAD", "PUT", "POST", "DELETE")
    found = {
        operation_name(Request(method, bucket, key, query, header, {}))
        for method, (bucket, key), query, header in itertools.product(methods, levels, queries, headers)
    }
    assert set(HANDLERS) <= found


def test_a_bug_answers_with_xml_and_leaves_its_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ObjectStore):
        def buckets(self) -> list[tuple[str, float]]:
            raise ZeroDivisionError

    answer = Client(Broken(tmp_path))("GET", "/")
    assert (answer.status, answer.text("Code")) == (500, "InternalError")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "host", ["data.localhost:80", "data.127.0.0.1:5000", "data.s3.localhost", "DATA.localhost".lower()]
)
def test_the_host_may_name_the_bucket(client: Client, host: str) -> None:
    assert client("PUT", "/a/b", b"x", HTTP_HOST=host).status == 200
    assert content(client, "a/b") == b"x"
    assert client("GET", "/data/a/b", HTTP_HOST="127.0.0.1:80").body == b"x"


def test_a_file_wrapper_of_the_server_sends_a_whole_object_but_no_range(client: Client) -> None:
    client("PUT", "/data/a", b"hello")
    wrapped: list[Any] = []

    def wrap(file: Any, size: int) -> list[bytes]:
        wrapped.append(file.fileno())
        with file:
            return [file.read()]

    environ = {"wsgi.file_wrapper": wrap}
    assert client("GET", "/data/a", **environ).body == b"hello"
    assert client("GET", "/data/a", HTTP_RANGE="bytes=1-2", **environ).body == b"el"
    assert len(wrapped) == 1


@pytest.mark.parametrize(
    ("given_range", "status", "body"),
    [
        ("bytes=0-0", 206, b"h"),
        ("bytes=1-", 206, b"ello"),
        ("bytes=-2", 206, b"lo"),
        ("bytes=-99", 206, b"hello"),
        ("bytes=3-99", 206, b"lo"),
        ("bytes=0-1,3-4", 200, b"hello"),
        ("bytes=3-1", 200, b"hello"),
        ("bytes=-", 200, b"hello"),
        ("lines=1-2", 200, b"hello"),
    ],
)
def test_a_range_is_answered_as_http_says(client: Client, given_range: str, status: int, body: bytes) -> None:
    client("PUT", "/data/a", b"hello")
    answer = client("GET", "/data/a", HTTP_RANGE=given_range)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (status, body, str(len(body)))
    assert not [name for name in answer.headers if "checksum" in name]


@pytest.mark.parametrize("given_range", ["bytes=5-", "bytes=-0", "bytes=9-10"])
def test_a_range_beyond_the_object_is_invalid(client: Client, given_range: str) -> None:
    client("PUT", "/data/a", b"hello")
    assert client("GET", "/data/a", HTTP_RANGE=given_range).status == 416


def test_a_header_in_the_query_cannot_split_the_answer(client: Client) -> None:
    client("PUT", "/data/a", b"x")
    answer = client("GET", "/data/a?response-content-type=a%0d%0aSet-Cookie:%20x")
    assert answer.text("Code") == "InvalidArgument"


def test_a_version_that_is_asked_for_is_not_there(client: Client) -> None:
    client("PUT", "/data/a", b"x")
    assert client("GET", "/data/a?versionId=null").body == b"x"
    assert client("GET", "/data/a?versionId=v1").text("Code") == "NoSuchVersion"
    assert client("DELETE", "/data/a?versionId=v1").text("Code") == "NoSuchVersion"
    assert content(client, "a") == b"x"


def test_a_large_completion_is_answered_while_it_is_joined(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "SLOW_JOIN", 0)
    answers = []
    for gone in (False, True):
        upload = client("POST", "/data/big?uploads").text("UploadId")
        etag = client("PUT", f"/data/big?partNumber=1&uploadId={upload}", b"part").headers["ETag"]
        if gone:
            (client.store.root / "data/big").unlink()
            (client.store.root / "data/big/x").mkdir(parents=True)
            (client.store.root / "data/big/x/y").write_text("in the way")
        body = f"<C><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></C>"
        answers.append(client("POST", f"/data/big?uploadId={upload}", body.encode()))
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body.startswith(DECLARATION + b" ")
    assert (answers[0].text("Key"), answers[1].text("Code")) == ("big", "KeyConflict")


SIGNED = "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-central-1/{}/aws4_request, SignedHeaders=host, Signature=x"


@pytest.mark.parametrize(
    ("method", "path", "extra", "expected"),
    [
        ("GET", "/", {"HTTP_AUTHORIZATION": SIGNED.format("s3")}, True),
        ("POST", "/", {"HTTP_AUTHORIZATION": SIGNED.format("sagemaker")}, False),
        ("GET", "/data/a", {"HTTP_AUTHORIZATION": SIGNED.format("lambda")}, False),
        ("GET", "/data", {"HTTP_AUTHORIZATION": SIGNED.format("s3tables")}, False),
        ("GET", "/v20180820/x", {"HTTP_AUTHORIZATION": SIGNED.format("s3")}, False),
        ("GET", "/data/a?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", {}, True),
        ("GET", "/?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fsts%2Faws4_request", {}, False),
        ("GET", "/data/a?AWSAccessKeyId=AK&Signature=x&Expires=1", {}, True),
        ("GET", "/data/a", {"HTTP_AUTHORIZATION": "AWS AK:x"}, True),
        ("GET", "/data/a", {"HTTP_AUTHORIZATION": "Bearer x"}, False),
        ("GET", "/data/a", {}, True),
        ("PUT", "/data/a", {}, True),
        ("POST", "/data/a?uploads", {}, True),
        ("POST", "/data/a", {}, False),
        ("GET", "/", {}, False),
        ("GET", "/", {"HTTP_HOST": "data.localhost"}, True),
        ("GET", "/x?Action=ListUsers&Version=1", {}, False),
        ("PUT", "/x", {"HTTP_X_AMZ_TARGET": "SageMaker.CreatePipeline"}, False),
        ("PUT", "/x", {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}, False),
    ],
)
def test_what_is_for_s3_is_told_apart(method: str, path: str, extra: dict[str, str], expected: bool) -> None:
    assert is_s3_request(environ_of(method, path, **extra)) is expected
