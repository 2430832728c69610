"""Aliases of a pipeline's versions (CONTRACT.md 1.11): a pipeline's record in, its aliases or a new record out.

A record keeps them as `aliases`: alias → version. Where the service's behaviour is not documented: an alias that
another version has is refused with ConflictException, one that is to be removed and is not there with ResourceNotFound.
"""

from __future__ import annotations

from collections.abc import Collection

from pipelines.local.api.protocol import ApiError, Json, invalid, not_found

_MOST = 10  # of one version


def aliases_of(record: Json, version: int) -> list[str]:
    """The aliases of a version, in the order in which it got them."""
    return [alias for alias, found in record.get("aliases", {}).items() if found == version]


def version_of(record: Json, alias: str) -> int:
    """The version that has an alias. Raises `ApiError` (ResourceNotFound)."""
    version = record.get("aliases", {}).get(alias)
    if version is None:
        raise not_found(f"Pipeline {record['PipelineName']} has no version with the alias {alias}")
    return int(version)


def with_aliases(record: Json, version: int, add: Collection[str], remove: Collection[str] = ()) -> Json:
    """The record whose version has these aliases more, and those less. Raises `ApiError`."""
    both = sorted({*add} & {*remove})
    if both:
        raise invalid(f"PipelineVersionAliasOperations adds and removes the alias {both[0]}")
    kept = dict(record.get("aliases", {}))
    for alias in remove:
        if kept.pop(alias, None) != version:
            raise not_found(f"Version {version} of pipeline {record['PipelineName']} has no alias {alias}")
    for alias in add:
        _check_new(kept, version, alias)
        kept[alias] = version
    changed = {**record, "aliases": kept}
    if len(aliases_of(changed, version)) > _MOST:
        raise invalid(f"A version has at most {_MOST} aliases; version {version} would have more")
    return changed


def _check_new(kept: Json, version: int, alias: str) -> None:
    if alias.isdigit():
        raise invalid(f"The alias {alias} consists of digits only; it could be a PipelineVersionId")
    other = kept.get(alias, version)
    if other != version:
        fix = "remove it there first with UpdatePipelineVersion"
        raise ApiError("ConflictException", f"The alias {alias} belongs to version {other}: {fix}")
