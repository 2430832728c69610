"""Objects in S3, and the environment's bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.aws.session import Session
from pipelines.errors import AwsError

_HASH = "sha256"


class Objects(Session):
    """Objects, with the hash of their content beside them."""

    def ensure_bucket(self) -> None:
        """Make the bucket if it is not there. For the local SageMaker: on AWS nothing makes buckets by the way."""
        bucket = self.target.bucket
        try:
            with self._translated(f"create bucket {bucket}"):
                self._client("s3").create_bucket(Bucket=bucket)
        except AwsError as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        """Whether an object of that content is there (by the hash that `upload` leaves with it)."""
        try:
            with self._translated(f"look for s3://{bucket}/{key}"):
                head = self._client("s3").head_object(Bucket=bucket, Key=key)
        except AwsError as error:
            if error.code in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return bool(head.get("Metadata", {}).get(_HASH) == sha256)

    def upload(self, file: Path, bucket: str, key: str, sha256: str) -> None:
        """Put a file at a key, its hash beside it."""
        with self._translated(f"upload {file} to s3://{bucket}/{key}"):
            self._client("s3").upload_file(str(file), bucket, key, ExtraArgs={"Metadata": {_HASH: sha256}})

    def write_object(self, bucket: str, key: str, data: bytes) -> None:
        """Put bytes at a key, their hash beside them as `upload` leaves it."""
        metadata = {_HASH: hashlib.sha256(data).hexdigest()}
        with self._translated(f"write s3://{bucket}/{key}"):
            self._client("s3").put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata)

    def read_object(self, bucket: str, key: str, limit: int = 16 << 20) -> bytes:
        """The first `limit` bytes of an object."""
        with self._translated(f"read s3://{bucket}/{key}"):
            body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"]
            return bytes(body.read(limit))

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket is there, and ours to see."""
        try:
            with self._translated(f"look for bucket {bucket}"):
                self._client("s3").head_bucket(Bucket=bucket)
        except AwsError as error:
            if error.code in ("404", "NoSuchBucket", "NotFound"):
                return False
            raise
        return True

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys below a prefix."""
        action = f"list s3://{bucket}/{prefix}"
        for item in self._items("s3", "list_objects_v2", "Contents", action, Bucket=bucket, Prefix=prefix):
            yield str(item["Key"])
