"""Refusals in S3's words: an error code, a message that says what and how to mend it, and its HTTP status."""

from __future__ import annotations

from errno import EACCES, EDQUOT, EFBIG, ENAMETOOLONG, ENOSPC, EPERM, EROFS
from pathlib import Path

from pipelines.errors import LocalError

STATUS = {
    "AccessDenied": 403,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "InsufficientStorage": 507,  # not S3's: AWS has no full disk. botocore does not retry it, as it would a 500
    "InternalError": 500,
    "InvalidPartNumber": 416,
    "InvalidRange": 416,
    "KeyConflict": 409,  # not S3's: only plain files cannot hold both "a" and "a/b"
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "PreconditionFailed": 412,
}


class StoreError(LocalError):
    """A refusal: `code` is S3's error code, `what` and `fix` make its message; 400 where STATUS says nothing."""

    def __init__(self, code: str, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
        self.status = STATUS.get(code, 400)

    @property
    def message(self) -> str:
        """One line for the XML: what, and the fix."""
        fix = self.problems[0].fix
        return f"{self.what}; fix: {fix}" if fix else self.what


def missing_key(bucket: str, key: str) -> StoreError:
    """NoSuchKey, in the words of both the store and the listing."""
    fix = f"see what is there: aws s3 ls s3://{bucket}/"
    if "//" in key:
        once = "/".join(filter(None, key.split("/")))
        fix = f"two slashes are another key than one: look there, too: aws s3 ls s3://{bucket}/{once}"
    return StoreError("NoSuchKey", f"there is no object {key}", where=f"s3://{bucket}/{key}", fix=fix)


def disk_refusal(error: OSError, where: str, root: Path) -> StoreError:
    """What the file system said, with the edit that mends it."""
    reason = error.strerror or str(error)
    match error.errno:
        case code if code in (ENOSPC, EDQUOT, EFBIG):
            fix = f"free space on the disk that holds {root}, then write again; nothing was stored"
            return StoreError("InsufficientStorage", f"no room to store it: {reason}", where=where, fix=fix)
        case code if code in (EACCES, EPERM, EROFS):
            what = f"the store may not touch {error.filename or root}: {reason}"
            fix = f"let your user write there: chmod -R u+rwX {root}"
            return StoreError("AccessDenied", what, where=where, fix=fix)
        case code if code == ENAMETOOLONG:
            what = f"the key is too long for a file below {root}: {reason}"
            return StoreError("KeyTooLongError", what, where=where, fix="shorten the key")
    what = f"the disk refused {error.filename or root}: {reason}"
    fix = f"look at {root}: its disk, and whether another program changed its folders"
    return StoreError("InternalError", what, where=where, fix=fix)
