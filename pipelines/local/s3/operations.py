"""Which operation of S3 a request is: by method, by what the path names, and by the query's subresource."""

from __future__ import annotations

from pipelines.local.s3.request import Request

# A subresource's noun in AWS's operation names: ?policy on a bucket is GetBucketPolicy, PutBucketPolicy …
_BUCKET_NOUNS = {
    "accelerate": "AccelerateConfiguration",
    "acl": "Acl",
    "analytics": "AnalyticsConfiguration",
    "cors": "Cors",
    "encryption": "Encryption",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "location": "Location",
    "logging": "Logging",
    "metrics": "MetricsConfiguration",
    "notification": "NotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "OwnershipControls",
    "policy": "Policy",
    "policyStatus": "PolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "Replication",
    "requestPayment": "RequestPayment",
    "tagging": "Tagging",
    "versioning": "Versioning",
    "website": "Website",
}
_OBJECT_NOUNS = {
    "acl": "Acl",
    "attributes": "Attributes",
    "legal-hold": "LegalHold",
    "retention": "Retention",
    "tagging": "Tagging",
    "torrent": "Torrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_NAMED = {
    ("bucket", "GET", "uploads"): "ListMultipartUploads",
    ("bucket", "GET", "versions"): "ListObjectVersions",
    ("bucket", "POST", "delete"): "DeleteObjects",
    ("bucket", "GET", "session"): "CreateSession",
    ("object", "POST", "uploads"): "CreateMultipartUpload",
    ("object", "PUT", "uploadId"): "UploadPart",
    ("object", "POST", "uploadId"): "CompleteMultipartUpload",
    ("object", "DELETE", "uploadId"): "AbortMultipartUpload",
    ("object", "GET", "uploadId"): "ListParts",
    ("object", "POST", "restore"): "RestoreObject",
    ("object", "POST", "select"): "SelectObjectContent",
    ("service", "GET", ""): "ListBuckets",
    ("bucket", "PUT", ""): "CreateBucket",
    ("bucket", "HEAD", ""): "HeadBucket",
    ("bucket", "DELETE", ""): "DeleteBucket",
    ("bucket", "POST", ""): "PostObject",
    ("object", "GET", ""): "GetObject",
    ("object", "HEAD", ""): "HeadObject",
    ("object", "PUT", ""): "PutObject",
    ("object", "DELETE", ""): "DeleteObject",
}
_KNOWN = {*_BUCKET_NOUNS, *_OBJECT_NOUNS, *(name for _, _, name in _NAMED if name)}


def subresource(request: Request) -> str:
    """The query's subresource, "" for none."""
    return next((name for name in request.query if name in _KNOWN), "")


def operation_name(request: Request) -> str:
    """AWS's name of the operation; "" when there is none for the method."""
    level = "object" if request.key else "bucket" if request.bucket else "service"
    name = subresource(request)
    if (level, request.method, name) == ("bucket", "GET", ""):
        return "ListObjectsV2" if request.query.get("list-type") == "2" else "ListObjects"
    if operation := _NAMED.get((level, request.method, name)):
        return _copying(operation) if "x-amz-copy-source" in request.headers else operation
    nouns = {"bucket": _BUCKET_NOUNS, "object": _OBJECT_NOUNS}.get(level, {})
    verb = _VERBS.get(request.method)
    return f"{verb}{level.capitalize()}{nouns[name]}" if verb and name in nouns else ""


def _copying(operation: str) -> str:
    return {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(operation, operation)
