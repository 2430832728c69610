"""What clients changed in moto's services, kept so that the next server can do it again.

In: calls that moto carried out. Out: the calls to carry out again, oldest first. `EFFECTS` names the operations that
are kept and what each does to which resource: the journal is as long as there are resources, however often they change.

- CREATE: the resource is there, and is this. A later one replaces it, in its place: what came after may need it.
- SET: one aspect of the resource is this. A later one of the same aspect takes its place at the end.
- CLEAR: that aspect is gone.
- REMOVE: the resource is gone, and all below it.
- ADD: kept for ever, as long as the resource is there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.local.call import Call, json_call
from pipelines.local.database import Database

Json = dict[str, Any]

JOURNAL: Final = "journal"
CREATE, SET, CLEAR, REMOVE, ADD = "create", "set", "clear", "remove", "add"
_READS: Final = ("Describe", "List", "Get", "Search", "BatchDescribe", "Query")
_KEYS: Final = re.compile(r"TagKeys|tagKeys|.*(?:^|\.)TagKeys?(?:\..*)?|.*\.Key|Ids")
_APPROVAL: Final = {"ModelPackageArn", "ModelApprovalStatus", "ApprovalDescription"}


@dataclass(frozen=True)
class Effect:
    """What an operation does: `resource` and `aspect` are templates over the members of its request.

    Two more members are known: `{keys}`, of tags or targets, and `{names}`, of attributes. `overrides` names an aspect
    that a CREATE says anew.
    """

    verb: str
    resource: str
    aspect: str = ""
    overrides: str = ""


@dataclass(frozen=True)
class Entry:
    """One call that is kept, when it was carried out, and the seed of the identifiers that moto made up for it."""

    call: Call
    seed: int
    time: float


_TAGS: Final = "tags {keys}"
EFFECTS: Final[Mapping[str, Mapping[str, Effect]]] = {
    "scheduler": {
        "CreateScheduleGroup": Effect(CREATE, "{Name}"),
        "DeleteScheduleGroup": Effect(REMOVE, "{Name}"),
        "CreateSchedule": Effect(CREATE, "{GroupName}/{Name}"),
        "UpdateSchedule": Effect(SET, "{GroupName}/{Name}", "update"),
        "DeleteSchedule": Effect(REMOVE, "{GroupName}/{Name}"),
        "TagResource": Effect(SET, "{ResourceArn}", _TAGS),
        "UntagResource": Effect(SET, "{ResourceArn}", _TAGS),
    },
    "events": {
        "CreateEventBus": Effect(CREATE, "{Name}"),
        "DeleteEventBus": Effect(REMOVE, "{Name}"),
        "PutRule": Effect(CREATE, "{EventBusName}/{Name}", overrides="state"),
        "DeleteRule": Effect(REMOVE, "{EventBusName}/{Name}"),
        "EnableRule": Effect(SET, "{EventBusName}/{Name}", "state"),
        "DisableRule": Effect(SET, "{EventBusName}/{Name}", "state"),
        "PutTargets": Effect(SET, "{EventBusName}/{Rule}", "targets {keys}"),
        "RemoveTargets": Effect(SET, "{EventBusName}/{Rule}", "targets {keys}"),
    },
    "sns": {
        "CreateTopic": Effect(CREATE, "{Name}"),
        "DeleteTopic": Effect(REMOVE, "{TopicArn}"),
        "SetTopicAttributes": Effect(SET, "{TopicArn}", "attribute {AttributeName}"),
        "Subscribe": Effect(CREATE, "{SubscriptionArn}"),
        "Unsubscribe": Effect(REMOVE, "{SubscriptionArn}"),
        "SetSubscriptionAttributes": Effect(SET, "{SubscriptionArn}", "attribute {AttributeName}"),
        "TagResource": Effect(SET, "{ResourceArn}", _TAGS),
        "UntagResource": Effect(SET, "{ResourceArn}", _TAGS),
    },
    "sqs": {
        "CreateQueue": Effect(CREATE, "{QueueName}"),
        "DeleteQueue": Effect(REMOVE, "{QueueUrl}"),
        "SetQueueAttributes": Effect(SET, "{QueueUrl}", "attributes {names}"),
        "TagQueue": Effect(SET, "{QueueUrl}", _TAGS),
        "UntagQueue": Effect(SET, "{QueueUrl}", _TAGS),
    },
    "ecr": {
        "CreateRepository": Effect(CREATE, "{repositoryName}"),
        "DeleteRepository": Effect(REMOVE, "{repositoryName}"),
        "PutLifecyclePolicy": Effect(SET, "{repositoryName}", "lifecycle"),
        "DeleteLifecyclePolicy": Effect(CLEAR, "{repositoryName}", "lifecycle"),
        "SetRepositoryPolicy": Effect(SET, "{repositoryName}", "policy"),
        "DeleteRepositoryPolicy": Effect(CLEAR, "{repositoryName}", "policy"),
        "PutImageTagMutability": Effect(SET, "{repositoryName}", "mutability"),
        "PutImageScanningConfiguration": Effect(SET, "{repositoryName}", "scanning"),
        "TagResource": Effect(SET, "{resourceArn}", _TAGS),
        "UntagResource": Effect(SET, "{resourceArn}", _TAGS),
    },
    "iam": {
        "CreateRole": Effect(CREATE, "role/{RoleName}"),
        "DeleteRole": Effect(REMOVE, "role/{RoleName}"),
        "UpdateRole": Effect(SET, "role/{RoleName}", "update"),
        "UpdateAssumeRolePolicy": Effect(SET, "role/{RoleName}", "trust"),
        "PutRolePolicy": Effect(SET, "role/{RoleName}", "policy {PolicyName}"),
        "DeleteRolePolicy": Effect(CLEAR, "role/{RoleName}", "policy {PolicyName}"),
        "AttachRolePolicy": Effect(SET, "role/{RoleName}", "attached {PolicyArn}"),
        "DetachRolePolicy": Effect(CLEAR, "role/{RoleName}", "attached {PolicyArn}"),
        "TagRole": Effect(SET, "role/{RoleName}", _TAGS),
        "UntagRole": Effect(SET, "role/{RoleName}", _TAGS),
        "CreatePolicy": Effect(CREATE, "policy/{PolicyName}"),
        "DeletePolicy": Effect(REMOVE, "policy/{PolicyName}"),
    },
    "sagemaker": {
        "AddTags": Effect(SET, "{ResourceArn}", _TAGS),
        "DeleteTags": Effect(SET, "{ResourceArn}", _TAGS),
    },
}


class Journal:
    """The journal of a database; one object at a time writes it."""

    def __init__(self, database: Database, region: str) -> None:
        self._database = database
        self._region = region
        self._numbers = {_key(row): row["number"] for row in database.list(JOURNAL)}
        self._services = self._of_what()

    def remember(self, entry: Entry, answer: str) -> None:
        """Keep a call that changed something. Raises `LocalError` when it cannot be written."""
        effect = effect_of(entry.call)
        if effect:
            members = _members(entry.call, answer)
            resource = f"{entry.call.service}/{entry.call.region}/{effect.resource.format_map(members)}"
            self._apply(effect, resource, effect.aspect.format_map(members), entry)
            self._services = self._of_what()

    def has(self, service: str) -> bool:
        """Whether anything of a service is kept."""
        return service in self._services

    def _of_what(self) -> frozenset[str]:
        return frozenset(key.partition("/")[0] for key in self._numbers)

    def entries(self) -> Iterator[Entry]:
        """All that is kept, in the order in which it is to be done again."""
        for row in reversed(self._database.list(JOURNAL)):
            if "call" in row:
                yield Entry(Call(**row["call"]), row["seed"], row["time"])
            else:  # as it was written before other services were kept
                yield Entry(json_call("sagemaker", self._region, row["operation"], row["request"]), 0, 0)

    def _apply(self, effect: Effect, resource: str, aspect: str, entry: Entry) -> None:
        key = f"{resource}#{aspect}"
        match effect.verb:
            case "remove":
                below = (f"{resource}#", f"{resource}/")
                self._delete([key for key in self._numbers if key.startswith(below)])
            case "clear":
                self._delete([key])
            case "create":
                self._put(key, self._numbers.get(key), entry, f"{resource}#{effect.overrides}")
            case "add":
                self._put(f"{key} {entry.seed}", None, entry)
            case _:
                self._put(key, None, entry)

    def _put(self, key: str, number: int | None, entry: Entry, overridden: str = "") -> None:
        if number is None:
            number = max(self._numbers.values(), default=-1) + 1
        row = {"number": number, "key": key, "seed": entry.seed, "time": entry.time, "call": entry.call.to_json()}
        with self._database.transaction():
            self._database.put(JOURNAL, key, row, place=number)
            if overridden in self._numbers and overridden != key:
                self._delete([overridden])
        self._numbers[key] = number

    def _delete(self, keys: list[str]) -> None:
        with self._database.transaction():
            for key in keys:
                self._database.delete(JOURNAL, key)
        for key in keys:
            self._numbers.pop(key, None)


def effect_of(call: Call) -> Effect | None:
    """What a call does to what, or None when it is not kept."""
    named = EFFECTS.get(call.service, {}).get(call.operation)
    if named is None and call.service == "sagemaker" and not call.operation.startswith(_READS):
        return _registry_effect(call)
    return named


def _registry_effect(call: Call) -> Effect:
    """SageMaker's operations are named after their resources; what has another name is kept for ever."""
    request, noun = call.request(), re.sub(r"^(?:Create|Delete)", "", call.operation)
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", noun).lower()
    if call.operation == "CreateModelPackage" and request.get("ModelPackageGroupName"):
        return Effect(ADD, "model-package-group/{ModelPackageGroupName}")
    if call.operation == "UpdateModelPackage":
        return Effect(SET if request.keys() <= _APPROVAL else ADD, "{ModelPackageArn}", "approval {names}")
    if call.operation.startswith(("Create", "Delete")) and f"{noun}Name" in request:
        return Effect(CREATE if call.operation.startswith("Create") else REMOVE, f"{kind}/{{{noun}Name}}")
    return Effect(ADD, "other")


def _key(row: Json) -> str:
    return str(row.get("key", f"{row['number']:09d}"))


def _members(call: Call, answer: str) -> Mapping[str, str]:
    request = call.request()
    named = {name: _NAMED.get(call.service, str)(value) for name, value in request.items() if isinstance(value, str)}
    members = defaultdict(str, named)
    members["keys"] = " ".join(_keys(request))
    members["names"] = " ".join(sorted(request.get("Attributes") or request))
    match call.service:
        case "scheduler":
            members["GroupName"] = str(request.get("GroupName") or request.get("groupName") or "default")
        case "events":
            members["EventBusName"] = members["EventBusName"] or "default"
        case "iam":
            members["PolicyName"] = members["PolicyName"] or members["PolicyArn"].rpartition("/")[2]
        case "sns" if call.operation == "Subscribe":
            found = re.search(r"<SubscriptionArn>([^<]*)</SubscriptionArn>", answer)
            members["SubscriptionArn"] = _topic(found[1]) if found else ""
    return members


# What ARNs and URLs name, and names as they are: the same resource has one name, whichever way it is said.


def _after_slash(name: str) -> str:
    return name.split(":", 5)[-1].partition("/")[2] if name.startswith("arn:") else name


def _topic(name: str) -> str:
    """TOPIC, and TOPIC/SUBSCRIPTION below it."""
    return name.split(":", 5)[-1].replace(":", "/") if name.startswith("arn:") else name


def _queue(name: str) -> str:
    return name.rpartition("/")[2] if name.startswith(("http://", "https://")) else name


def _repository(name: str) -> str:
    """A repository lies below no other, whatever their names."""
    return _after_slash(name).replace("/", ":")


def _registered(name: str) -> str:
    """KIND/NAME of an ARN; the versions of a model package lie below its group."""
    plain = name.split(":", 5)[-1] if name.startswith("arn:") else name
    version = re.fullmatch(r"model-package/([^/]+)/([0-9]+)", plain)
    if version:
        return f"model-package-group/{version[1]}/{version[2]}".lower()
    return plain.removeprefix("model-package-group/").lower()


_NAMED: Final[Mapping[str, Callable[[str], str]]] = {
    "scheduler": _after_slash,
    "events": _after_slash,
    "sns": _topic,
    "sqs": _queue,
    "ecr": _repository,
    "sagemaker": _registered,
}


def _keys(request: Json) -> list[str]:
    found: list[str] = []
    for name, value in request.items():
        if _KEYS.fullmatch(name):
            found.extend(value if isinstance(value, list) else [str(value)])
        elif name in ("Targets", "Tags", "tags") and isinstance(value, list):
            found.extend(str(item.get("Id") or item.get("Key") or item.get("key")) for item in value)
        elif name in ("Tags", "tags") and isinstance(value, dict):
            found.extend(value)
    return sorted(found)
