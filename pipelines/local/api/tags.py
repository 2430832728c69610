"""Tags of pipelines and jobs; the tags of everything else are moto's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.local.api.protocol import Json, Operation, not_found, page
from pipelines.local.database import Database

_TAGS = "tags"
_OURS = re.compile(r"arn:[^:]+:sagemaker:[^:]*:[^:]*:(pipeline|processing-job|training-job)/([^/]+)")


@dataclass(frozen=True)
class TagApi:
    """Operations on tags; `other` answers for resources that are not ours."""

    database: Database
    other: Callable[[str, Json], Json]

    def operations(self) -> dict[str, Operation]:
        return {"ListTags": self.list, "AddTags": self.add, "DeleteTags": self.delete}

    def list(self, request: Json) -> Json:
        arn = self._ours(request)
        if arn is None:
            return self.other("ListTags", request)
        return page(_as_list(read_tags(self.database, arn)), request, "Tags")

    def add(self, request: Json) -> Json:
        arn = self._ours(request)
        if arn is None:
            return self.other("AddTags", request)
        with self.database.transaction():
            write_tags(self.database, arn, read_tags(self.database, arn) | _as_dict(request["Tags"]))
            return {"Tags": _as_list(read_tags(self.database, arn))}

    def delete(self, request: Json) -> Json:
        arn = self._ours(request)
        if arn is None:
            return self.other("DeleteTags", request)
        with self.database.transaction():
            tags = read_tags(self.database, arn)
            write_tags(self.database, arn, {key: tags[key] for key in tags if key not in request["TagKeys"]})
        return {}

    def _ours(self, request: Json) -> str | None:
        """The ARN of a resource of ours that exists; None for one that is not ours. Raises `ApiError`."""
        arn = str(request["ResourceArn"])
        match = _OURS.fullmatch(arn)
        if not match:
            return None
        if self.database.get(match[1], match[2].lower()) is None:
            raise not_found(f"Requested resource not found: {arn}")
        return arn


def read_tags(database: Database, arn: str) -> dict[str, str]:
    """The tags of a resource."""
    return database.get(_TAGS, arn.lower()) or {}


def write_tags(database: Database, arn: str, tags: dict[str, str]) -> None:
    """Replace the tags of a resource."""
    database.put(_TAGS, arn.lower(), dict(tags))


def tag(database: Database, arn: str, request: Json) -> None:
    """Give a new resource the tags of the request that creates it."""
    write_tags(database, arn, _as_dict(request.get("Tags") or []))


def _as_dict(tags: list[Json]) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in tags}


def _as_list(tags: dict[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
