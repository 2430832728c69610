"""boto3 against a local S3 whose disk is full, or cannot be written: a clear code, and nothing lost or half written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig

from tests.local.test_s3 import MIB, Served, listed, refusal, serving

FULL = (507, "InsufficientStorage")
SIZE = 12 * MIB


@pytest.fixture
def small(tmp_path: Path, mounted: Callable[..., None]) -> Iterator[Served]:
    """A store on a disk of 12 MiB, with one object."""
    mounted(tmp_path / "disk", "size=12m")
    with serving(tmp_path / "disk" / "s3") as found:
        found.s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        found.put("kept", b"kept", Metadata={"by": "me"})
        yield found


def free(small: Served) -> int:
    return shutil.disk_usage(small.root).free


def fill(small: Served, leave: int) -> Path:
    """Let others use the disk up."""
    other = small.root.parent / "other"
    other.write_bytes(bytes(free(small) - leave))
    return other


def check_nothing_is_lost(small: Served, before: int) -> None:
    assert listed(small)[0] == ["kept"]
    assert small.get("kept") == b"kept"
    assert small.s3.head_object(Bucket="data", Key="kept")["Metadata"] == {"by": "me"}
    assert free(small) == before, "something half written was left"


def test_a_put_that_does_not_fit(small: Served) -> None:
    before = free(small)
    for key in ("new", "kept"):
        status, code, message = refusal(lambda key=key: small.put(key, bytes(SIZE + MIB)))
        assert (status, code) == FULL
        assert f"free space on the disk that holds {small.root}" in message
    check_nothing_is_lost(small, before)
    small.put("new", bytes(SIZE - 2 * MIB))


def test_a_put_on_a_disk_without_a_free_byte(small: Served) -> None:
    other = fill(small, 0)
    assert refusal(lambda: small.put("kept", b"x" * 5000))[:2] == FULL
    assert refusal(lambda: small.put("a/b/c", b"x", Metadata={"more": "m" * 1000}))[:2] == FULL
    other.unlink()
    assert listed(small)[0] == ["kept"]
    assert small.get("kept") == b"kept"


def test_an_upload_in_parts_that_does_not_fit_is_given_up_and_leaves_nothing(small: Served, tmp_path: Path) -> None:
    before, file = free(small), tmp_path / "large"
    file.write_bytes(bytes(SIZE + MIB))
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=1)
    with pytest.raises(S3UploadFailedError, match=r"InsufficientStorage.*free space"):
        small.s3.upload_file(str(file), "data", "large", Config=config)
    check_nothing_is_lost(small, before)
    assert not small.s3.list_multipart_uploads(Bucket="data").get("Uploads")


def test_parts_that_cannot_be_joined_are_still_there(small: Served) -> None:
    names = {"Bucket": "data", "Key": "joined"}
    upload = small.s3.create_multipart_upload(**names)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": small.s3.upload_part(**names, UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, bytes(5 * MIB)), (2, b"end"))
    ]
    other = fill(small, MIB)
    request = {**names, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    assert refusal(lambda: small.s3.complete_multipart_upload(**request))[:2] == FULL
    other.unlink()
    small.s3.complete_multipart_upload(**request)
    assert small.get("joined") == bytes(5 * MIB) + b"end"


def test_a_copy_that_does_not_fit(small: Served) -> None:
    small.put("large", bytes(8 * MIB))
    before = free(small)
    source = {"Bucket": "data", "Key": "large"}
    assert refusal(lambda: small.s3.copy_object(Bucket="data", Key="kept", CopySource=source))[:2] == FULL
    small.s3.delete_object(Bucket="data", Key="large")
    check_nothing_is_lost(small, free(small))
    assert before < free(small)


def test_a_disk_that_was_made_read_only_is_still_read(small: Served, mounted: Callable[..., None]) -> None:
    before = free(small)
    mounted(small.root.parent, "remount,ro")
    refused = (
        lambda: small.put("new"),
        lambda: small.put("kept", b"other"),
        lambda: small.s3.delete_object(Bucket="data", Key="kept"),
        lambda: small.s3.create_multipart_upload(Bucket="data", Key="parts"),
        lambda: small.s3.copy_object(Bucket="data", Key="new", CopySource={"Bucket": "data", "Key": "kept"}),
    )
    for act in refused:
        status, code, message = refusal(act)
        assert (status, code) == (403, "AccessDenied")
        assert "chmod -R u+rwX" in message
    answer = small.s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "kept"}]})
    assert [(item["Key"], item["Code"]) for item in answer["Errors"]] == [("kept", "AccessDenied")]
    check_nothing_is_lost(small, before)
