"""Schedules of EventBridge Scheduler and rules of EventBridge."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.aws.errors import refused
from pipelines.aws.session import Json, Session
from pipelines.errors import AwsError


class Events(Session):
    """Schedules by group, and the rules of the default bus."""

    def schedules(self, group: str, prefix: str = "") -> Iterator[Json]:
        """The summaries of a group's schedules whose names begin with `prefix`."""
        request = {"GroupName": group, **({"NamePrefix": prefix} if prefix else {})}
        return self._items("scheduler", "list_schedules", "Schedules", f"list the schedules of {group}", **request)

    def schedule(self, group: str, name: str) -> Json | None:
        """GetSchedule's answer, or None when there is no such schedule."""
        try:
            with self._translated(f"read schedule {name}"):
                return dict(self._client("scheduler").get_schedule(GroupName=group, Name=name))
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise

    def put_schedule(self, request: Json) -> None:
        """Create a schedule, or replace all of it."""
        name, client = request["Name"], self._client("scheduler")
        is_there = self.schedule(request["GroupName"], name) is not None
        with self._translated(f"{'change' if is_there else 'create'} schedule {name}"):
            (client.update_schedule if is_there else client.create_schedule)(**request)

    def delete_schedule(self, group: str, name: str) -> None:
        """Delete a schedule; one that is gone is fine."""
        with self._unless_gone(f"delete schedule {name}"):
            self._client("scheduler").delete_schedule(GroupName=group, Name=name)

    def rules(self, prefix: str) -> Iterator[Json]:
        """The rules of the default bus whose names begin with `prefix`."""
        return self._items("events", "list_rules", "Rules", f"list the rules {prefix}*", NamePrefix=prefix)

    def rule_targets(self, rule: str) -> list[Json]:
        """What a rule sends to; nothing when it is gone."""
        with self._unless_gone(f"list the targets of rule {rule}"):
            return list(self._items("events", "list_targets_by_rule", "Targets", f"read rule {rule}", Rule=rule))
        return []

    def put_rule(self, rule: Json, targets: Json) -> None:
        """Create a rule or replace all of it: its targets become these and no others."""
        name = rule["Name"]
        with self._translated(f"write rule {name}"):
            self._client("events").put_rule(**rule)
        kept = {target["Id"] for target in targets["Targets"]}
        self._remove_targets(name, [item["Id"] for item in self.rule_targets(name) if item["Id"] not in kept])
        with self._translated(f"write the target of rule {name}"):
            answer = self._client("events").put_targets(**targets)
        self._refuse_failed(answer, f"write the target of rule {name}")

    def delete_rule(self, name: str) -> None:
        """Delete a rule and, before it, its targets; one that is gone is fine."""
        self._remove_targets(name, [target["Id"] for target in self.rule_targets(name)])
        with self._unless_gone(f"delete rule {name}"):
            self._client("events").delete_rule(Name=name)

    def _remove_targets(self, rule: str, ids: list[str]) -> None:
        if not ids:
            return
        with self._unless_gone(f"remove the targets of rule {rule}"):
            answer = self._client("events").remove_targets(Rule=rule, Ids=ids)
            self._refuse_failed(answer, f"remove the targets of rule {rule}")

    def _refuse_failed(self, answer: Json, action: str) -> None:
        """EventBridge answers 200 also where it did not do it."""
        for entry in answer.get("FailedEntries") or ():
            code, what = entry.get("ErrorCode", ""), entry.get("ErrorMessage", "")
            raise refused(action, f"{code}: {what}", self.target, code=code)
