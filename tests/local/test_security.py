"""Who may speak to the local SageMaker, and what hostile or broken requests get: JSON, never HTML, never a 500."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipelines.local import peer
from tests.local.local_aws import LocalAws

LIST = {"X-Amz-Target": "SageMaker.ListPipelines", "Content-Type": "application/x-amz-json-1.1"}
LOGS = {"X-Amz-Target": "Logs_20140328.DescribeLogStreams", "Content-Type": "application/x-amz-json-1.1"}


def ask(aws: LocalAws, headers: dict[str, str], body: bytes = b"{}", method: str = "POST", path: str = "/") -> Any:
    """The status and the JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(aws.endpoint).port or 0, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    assert b"<html" not in text.lower()
    assert response.status < 500
    return response.status, json.loads(text)


def raw(aws: LocalAws, request: bytes) -> bytes:
    """What the server says to these bytes."""
    with socket.create_connection(("127.0.0.1", urlsplit(aws.endpoint).port or 0), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", ""]
)
def test_a_request_to_another_name_is_refused(aws: LocalAws, host: str) -> None:
    """DNS rebinding: a page's own name that leads to 127.0.0.1."""
    status, answer = ask(aws, {**LIST, "Host": host})
    assert (status, answer["__type"]) == (403, "AccessDeniedException")
    assert answer["message"].endswith("answers programs on this machine only: use http://127.0.0.1:PORT")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:1234", "bucket.localhost:1234", "[::1]:80"])
def test_a_request_to_this_machine_is_answered(aws: LocalAws, host: str) -> None:
    status, answer = ask(aws, {**LIST, "Host": host})
    assert (status, list(answer)) == (200, ["PipelineSummaries"])


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/data/key", "/moto-api/reset", "/?Action=ListUsers"])
def test_a_page_in_a_browser_is_refused(aws: LocalAws, header: dict[str, str], path: str) -> None:
    assert ask(aws, {**LIST, **header}, path=path)[0] == 403


AS_ANOTHER = """
import json, sys, urllib.error, urllib.request
headers = {"X-Amz-Target": "SageMaker.ListPipelines", "Content-Type": "application/x-amz-json-1.1"}
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{}", headers)).status)
except urllib.error.HTTPError as error:
    print(error.code, json.loads(error.read())["message"])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(
    ("user", "said"),
    [
        (65534, "403 the local SageMaker answers the user who started it: start your own with `pipelines local`\n"),
        (0, "200\n"),
    ],
)
def test_another_user_of_the_machine_is_refused(aws: LocalAws, user: int, said: str) -> None:
    words = ["/usr/bin/python3", "-c", AS_ANOTHER, aws.endpoint]
    done = subprocess.run(words, user=user, group=user, extra_groups=[], capture_output=True, text=True, env={})
    assert done.stdout == said, done.stderr


def test_what_it_keeps_is_its_owners_alone(aws: LocalAws) -> None:
    """A job may leave files there that are setuid, and a container's root devices."""
    assert aws.home.local.stat().st_mode & 0o777 == 0o700


def test_a_client_of_ipv6_is_known_as_well(aws: LocalAws) -> None:
    port = urlsplit(aws.endpoint).port or 0
    with socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", port))
        assert peer.user_of(client.getsockname()[1], port) == os.geteuid()


def test_a_request_whose_sender_is_gone_is_not_carried_out(aws: LocalAws) -> None:
    """Nobody owns its socket any more, and what nobody owns would read as root's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            connection, (_, number) = server.accept()
            assert peer.user_of(number, port) == os.geteuid()
            client.sendall(b"x" * 100_000)
        assert peer.user_of(number, port) is None
        assert not peer.is_ours(number, port)
        connection.close()
        assert peer.user_of(1, port) is None


def test_only_this_machine_can_connect(aws: LocalAws) -> None:
    port = urlsplit(aws.endpoint).port
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [entry[1] for entry in entries if entry[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening
    assert not any(entry.endswith(f":{port:04X}") and not entry.startswith("0100007F") for entry in listening)


@pytest.mark.parametrize("headers", [LIST, LOGS])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", None),
        (b"not json", "the request is not JSON"),
        (b"[1]", "the request is not a JSON object"),
        (b'{"MaxResults": NaN}', "NaN is not a JSON number"),
        (b"\xff\xfe\x00", "the request is not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, None),
        (b'{"MaxResults": ' + b"9" * 10_000 + b"}", "the request is not JSON"),
    ],
)
def test_a_broken_body_is_refused(aws: LocalAws, headers: dict[str, str], body: bytes, reason: str | None) -> None:
    status, answer = ask(aws, headers, body)
    if reason:
        assert (status, answer["__type"]) == (400, "SerializationException")
        assert reason in answer["message"]


@pytest.mark.parametrize("headers", [LIST, LOGS])
def test_a_huge_body_is_refused_and_not_kept(aws: LocalAws, headers: dict[str, str]) -> None:
    status, answer = ask(aws, headers, b'{"a": "' + b"x" * (9 << 20) + b'"}')
    assert (status, answer["__type"]) == (413, "RequestEntityTooLarge")
    assert answer["message"] == "the request is too large; 8,388,608 bytes at most"


def test_a_chunked_body_is_read(aws: LocalAws) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(aws.endpoint).port or 0, timeout=60)
    pieces = (piece for piece in (b'{"PipelineNamePrefix":', b' "no-such"}'))
    connection.request("POST", "/", pieces, LIST, encode_chunked=True)
    assert json.loads(connection.getresponse().read()) == {"PipelineSummaries": []}
    connection.close()


@pytest.mark.parametrize("length", [b"many", b"-1", b"1e3", b"9" * 30])
def test_a_length_that_is_no_number_is_refused(aws: LocalAws, length: bytes) -> None:
    request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: SageMaker.ListPipelines\r\nContent-Length: "
    answer = raw(aws, request + length + b"\r\n\r\n{}")
    assert answer.split(b" ")[1] in (b"400", b"413")
    assert b"<html" not in answer.lower()


def test_what_is_not_http_is_answered_in_json(aws: LocalAws) -> None:
    answer = raw(aws, b'hello \\ "there"\r\n\r\n')
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2] or answer)["__type"] == "BadRequest"


@pytest.mark.parametrize(
    "target",
    [
        "SageMaker.NoSuchOperation",
        "SageMaker.",
        "SageMaker.CreateAutoMLJobV2",
        "SageMaker.RetryPipelineExecution",
        "Nobody.DoesThis",
        "DynamoDB_20120810.NoSuchOperation",
        "Logs_20140328.NoSuchOperation",
    ],
)
def test_an_operation_that_is_not_there_says_so(aws: LocalAws, target: str) -> None:
    status, answer = ask(aws, {**LIST, "X-Amz-Target": target})
    assert status in (400, 404)
    assert answer["__type"]


def test_motos_own_pages_are_not_served(aws: LocalAws) -> None:
    for path in ("/moto-api/", "/moto-api/reset", "//moto-api/reset"):
        status, answer = ask(aws, {}, method="POST", path=path)
        assert (status, answer["__type"]) == (404, "NotFound")


def test_a_query_protocol_operation_that_is_not_there_is_refused_in_xml(aws: LocalAws) -> None:
    iam = aws.client("iam")
    with pytest.raises(iam.exceptions.ClientError) as caught:
        iam.simulate_principal_policy(PolicySourceArn="arn:aws:iam::123456789012:role/a", ActionNames=["s3:GetObject"])
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_services_of_moto_are_served(aws: LocalAws) -> None:
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert aws.client("iam").list_roles()["Roles"] == []


@pytest.mark.parametrize("key", ["../../state.sqlite3", "a/../../../x", "/../../x"])
def test_a_hostile_key_is_refused(aws: LocalAws, key: str) -> None:
    aws.put("there", "")
    with pytest.raises(aws.s3.exceptions.ClientError):
        aws.s3.get_object(Bucket="data", Key=key)
    with pytest.raises(aws.s3.exceptions.ClientError):
        aws.s3.put_object(Bucket="data", Key=key, Body=b"x")


def test_a_key_that_reads_like_a_path_of_the_machine_stays_in_its_bucket(aws: LocalAws) -> None:
    outside = aws.home.root / "outside"
    aws.put(str(outside), "x")
    assert not outside.exists()
    aws.s3.delete_object(Bucket="data", Key=str(outside))


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".", "a b", "x" * 64])
def test_a_hostile_job_name_is_refused(aws: LocalAws, name: str) -> None:
    body = json.dumps({"ProcessingJobName": name, **aws.job()}).encode()
    status, answer = ask(aws, {**LIST, "X-Amz-Target": "SageMaker.CreateProcessingJob"}, body)
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert "ProcessingJobName" in answer["message"]
