"""ListBuckets, CreateBucket, HeadBucket, DeleteBucket, and a bucket's location, versioning and tags."""

from __future__ import annotations

import json

from pipelines.local.s3.body import read_document
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.request import Request
from pipelines.local.s3.response import Response, empty, iso_date, xml
from pipelines.local.s3.xml import Node, text_of
from pipelines.local.store import ObjectStore

_OWNER: Node = ("Owner", [("ID", "local"), ("DisplayName", "local")])


def list_buckets(store: ObjectStore, _: Request) -> Response:
    buckets: list[Node] = [
        ("Bucket", [("Name", name), ("CreationDate", iso_date(mtime))]) for name, mtime in store.buckets()
    ]
    return xml("ListAllMyBucketsResult", [_OWNER, ("Buckets", buckets)])


def create_bucket(store: ObjectStore, request: Request) -> Response:
    """In us-east-1 creating one's own bucket again is no error, elsewhere BucketAlreadyOwnedByYou: as on S3."""
    if request.headers.get("content-length", "0") != "0":
        read_document(request)  # the region that it names makes no difference here
    try:
        store.create_bucket(request.bucket)
    except StoreError as error:
        if error.code != "BucketAlreadyOwnedByYou" or request.region != "us-east-1":
            raise
    return empty(200, {"Location": f"/{request.bucket}"})


def head_bucket(store: ObjectStore, request: Request) -> Response:
    store.bucket(request.bucket)
    return empty(200, {"x-amz-bucket-region": request.region})


def delete_bucket(store: ObjectStore, request: Request) -> Response:
    store.delete_bucket(request.bucket)
    return empty(204)


def get_bucket_location(store: ObjectStore, request: Request) -> Response:
    """The region that the client asks from: the folder has none."""
    store.bucket(request.bucket)
    return xml("LocationConstraint", "" if request.region == "us-east-1" else request.region)


def get_bucket_versioning(store: ObjectStore, request: Request) -> Response:
    """Never enabled: files have no versions."""
    store.bucket(request.bucket)
    return xml("VersioningConfiguration", [])


def get_bucket_tagging(store: ObjectStore, request: Request) -> Response:
    store.bucket(request.bucket)
    path = store.hidden(request.bucket).tags
    if not path.exists():
        fix = "set some: aws s3api put-bucket-tagging"
        raise StoreError("NoSuchTagSet", "the bucket has no tags", where=request.where, fix=fix)
    saved: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    tags: list[Node] = [("Tag", [("Key", key), ("Value", value)]) for key, value in saved.items()]
    return xml("Tagging", [("TagSet", tags)])


def put_bucket_tagging(store: ObjectStore, request: Request) -> Response:
    store.bucket(request.bucket)
    tags = {text_of(tag, "Key"): text_of(tag, "Value") for tag in read_document(request).findall("TagSet/Tag")}
    if len(tags) > 50:
        raise StoreError("InvalidTag", "a bucket takes 50 tags", where=request.where, fix="give fewer tags")
    path = store.hidden(request.bucket).tags
    with store.staged(request.bucket) as temporary, store.disk(request.where):
        temporary.write_text(json.dumps(tags), encoding="utf-8")
        temporary.replace(path)
    return empty(204)


def delete_bucket_tagging(store: ObjectStore, request: Request) -> Response:
    store.bucket(request.bucket)
    with store.disk(request.where):
        store.hidden(request.bucket).tags.unlink(missing_ok=True)
    return empty(204)
