"""What an S3 input names: its objects in order, and where each lies below the input's folder.

Takes the members of a request (CONTRACT.md section 3.3), gives `Item`s; of the data it reads manifests only. Neither a
key nor an entry of a manifest can name a place outside of the bucket or of the input's folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.local.jobs.parse import split_uri
from pipelines.local.s3.names import key_problem
from pipelines.local.store import ObjectStore, StoreError

PREFIX, MANIFEST = "S3Prefix", "ManifestFile"
_LARGEST_MANIFEST = 64 << 20


class InputError(Exception):
    """The input cannot be brought; the text says why."""


class NothingThereError(InputError):
    """No object's key begins with the URI's."""


@dataclass(frozen=True)
class Source:
    """An S3 input as a request has it; `seed` shuffles the objects of a pipe, anew in each epoch."""

    uri: str
    data_type: str = PREFIX
    sharded: bool = False
    pipe: bool = False
    gzip: bool = False
    seed: int | None = None


@dataclass(frozen=True)
class Item:
    """An object, and its path below the input's folder."""

    bucket: str
    key: str
    path: str


def list_items(store: ObjectStore, source: Source) -> list[Item]:
    """All objects of an input. Raises `InputError`, `BadUriError` or `StoreError`."""
    bucket, key = split_uri(source.uri)
    try:
        if source.data_type == MANIFEST:
            found = list(_of_manifest(store, source.uri, _read_json(store, bucket, key, source.uri)))
        else:
            found = [
                Item(bucket, stored.key, relative_key(stored.key, key))
                for stored in store.objects(bucket, key)
                if not stored.key.endswith("/")
            ]
    except StoreError as error:
        if error.code == "NoSuchBucket":
            raise NothingThereError(f"there is no bucket {bucket}") from error
        raise
    if not found:
        hint = "; two slashes are another key than one" if "//" in key else ""
        raise NothingThereError(f"No S3 objects found under S3 URL {source.uri}{hint}")
    if not source.pipe:
        _refuse_two_at_one_path(found)
    return found


def shard(items: Sequence[Item], host: int, hosts: int) -> list[Item]:
    """The share of one host, counted from 0: every n-th object in the order of the keys. It may be empty."""
    return list(items[host::hosts])


def relative_key(key: str, prefix: str) -> str:
    """Where an object lies below the folder: an object named whole by its file name, others by the path below."""
    return _path(key[len(prefix) + 1 if key.startswith(f"{prefix}/") else prefix.rfind("/") + 1 :])


def _path(key: str) -> str:
    """A key as a path: there is nothing between two slashes of it."""
    return "/".join(filter(None, key.split("/"))) if "//" in key or key.startswith("/") else key


def _refuse_two_at_one_path(items: Sequence[Item]) -> None:
    there: dict[str, Item] = {}
    for item in items:
        other = there.setdefault(item.path, item)
        if (other.bucket, other.key) != (item.bucket, item.key):
            both = f"s3://{other.bucket}/{other.key} and s3://{item.bucket}/{item.key}"
            what = f"{both} are one path as files, {item.path}: // is / there"
            raise InputError(f"{what}; delete one of them, or name a prefix that has only one")


def _of_manifest(store: ObjectStore, uri: str, content: Any) -> Iterator[Item]:
    """`[{"prefix": "s3://…"}, "rest of a key", …]`, or without a prefix `["s3://BUCKET/KEY", …]`."""
    if not isinstance(content, list):
        raise InputError(f'the manifest {uri} is no list: write [{{"prefix": "s3://BUCKET/…"}}, "KEY", …]')
    first, *others = content or [None]
    prefix = first.get("prefix") if isinstance(first, dict) else None
    for entry in others if prefix is not None else content:
        if not isinstance(entry, str) or not isinstance(prefix, str | None):
            raise InputError(f"the manifest {uri} holds {json.dumps(entry)[:100]}, which is no text")
        bucket, key = split_uri(f"{prefix or ''}{entry}")
        path = _path(entry if prefix is not None else key)
        if key_problem(path) or key.endswith("/"):
            raise InputError(f"the manifest {uri} names {entry[:100]!r}, which is no path of an object")
        if store.find(bucket, key) is None:
            raise NothingThereError(f"the manifest {uri} names s3://{bucket}/{key}, and there is no such object")
        yield Item(bucket, key, path)


def _read_json(store: ObjectStore, bucket: str, key: str, uri: str) -> Any:
    try:
        stored, _, stream = store.open(bucket, key)
    except StoreError as error:
        if error.code == "NoSuchKey":
            raise NothingThereError(f"there is no manifest {uri}") from error
        raise
    with stream:
        if stored.size > _LARGEST_MANIFEST:
            raise InputError(f"the manifest {uri} has {stored.size} bytes, more than {_LARGEST_MANIFEST}: divide it")
        try:
            return json.loads(stream.read())
        except ValueError as error:
            raise InputError(f"the manifest {uri} is no JSON: {error}") from error
