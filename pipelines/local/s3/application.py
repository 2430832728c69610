"""S3's protocol over an `ObjectStore`: `s3_application(store)` for WSGI, and `is_s3_request` for the dispatcher.

Enters: an HTTP request, path style (/bucket/key) or virtual-host style (bucket.localhost). Leaves: what S3 answers, or
S3's error XML: never HTML, and NotImplemented with the operation's name for what is not here. Bodies are streamed both
ways. Signatures are not checked: the endpoint is on 127.0.0.1, and the server in front keeps browsers out.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipelines.local.s3 import buckets, listing, multipart, objects
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.operations import operation_name, subresource
from pipelines.local.s3.request import Environ, Request, is_s3_request, read_request
from pipelines.local.s3.response import Response, error_response
from pipelines.local.store import ObjectStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

__all__ = ["is_s3_request", "s3_application"]

_LOG = logging.getLogger(__name__)

Handler = Callable[[ObjectStore, Request], Response]
HANDLERS: dict[str, Handler] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketVersioning": buckets.get_bucket_versioning,
    "GetBucketTagging": buckets.get_bucket_tagging,
    "PutBucketTagging": buckets.put_bucket_tagging,
    "DeleteBucketTagging": buckets.delete_bucket_tagging,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "GetObject": objects.get_object,
    "HeadObject": objects.get_object,
    "PutObject": objects.put_object,
    "CopyObject": objects.copy_object,
    "DeleteObject": objects.delete_object,
    "DeleteObjects": objects.delete_objects,
    "GetObjectTagging": objects.get_object_tagging,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "ListParts": multipart.list_parts,
    "ListMultipartUploads": multipart.list_multipart_uploads,
}


def s3_application(store: ObjectStore) -> WSGIApplication:
    """The application; threads may call it at the same time."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = _answer(store, environ)
        headers = {"x-amz-request-id": uuid.uuid4().hex[:16].upper(), **response.headers}
        start_response(response.status_line, list(headers.items()))
        return () if environ["REQUEST_METHOD"] == "HEAD" else response.body

    return application


def _answer(store: ObjectStore, environ: Environ) -> Response:
    request = None
    try:
        request = read_request(environ)
        return _handler(request)(store, request)
    except StoreError as error:
        return error_response(error, request)
    except Exception:  # noqa: BLE001 (our bug: its traceback is logged, but S3's clients must get XML)
        _LOG.exception("%s %s failed", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
        fix = "report it, with the traceback in the server's log"
        return error_response(StoreError("InternalError", "this is a bug of the local S3", fix=fix), request)


def _handler(request: Request) -> Handler:
    name = operation_name(request)
    if name in HANDLERS:
        return HANDLERS[name]
    if not name:
        what = f"{request.method} does nothing to this resource"
        raise StoreError("MethodNotAllowed", what, where=request.where, fix="use a method of S3's API")
    kind = f" (?{subresource(request)})" if subresource(request) else ""
    fix = "use a real bucket for it: name an environment with --env"
    raise StoreError("NotImplemented", f"the local S3 has no {name}{kind}", where=request.where, fix=fix)
