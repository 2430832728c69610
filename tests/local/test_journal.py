"""The journal of moto's services: what a server forgets, the next one does again; and it does not grow for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.local.call import Call, form_call, json_call
from pipelines.local.database import Database
from pipelines.local.journal import JOURNAL
from pipelines.local.moto import Moto, MotoError
from tests.local.local_aws import REGION

Json = dict[str, Any]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
TRUST = '{"Version": "2012-10-17", "Statement": []}'
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


class Servers:
    """A home's moto, one after the other."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.start()

    def start(self) -> None:
        """Begin with what is kept, and nothing else."""
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()
        self.database = Database(self.file)
        self.moto = Moto(self.database, REGION, lambda: NOW)

    def restart(self) -> None:
        self.database.close()
        self.start()

    def kept(self) -> list[str]:
        """The operations of the journal, in order."""
        return [row["call"]["operation"] for row in reversed(self.database.list(JOURNAL))]

    def json(self, service: str, operation: str, **request: Any) -> Json:
        return self.moto.call(json_call(service, REGION, operation, request))

    def form(self, service: str, operation: str, **request: str) -> Json:
        return self.moto.call(form_call(service, REGION, operation, request))

    def schedule(self, method: str, path: str, body: str = "", query: str = "") -> Json:
        verb = {"POST": "Create", "PUT": "Update", "DELETE": "Delete", "GET": "Get"}[method]
        noun = "ScheduleGroup" if "groups" in path else "Schedule"
        return self.moto.call(Call("scheduler", REGION, verb + noun, method, path, query, body=body))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    found = Servers(tmp_path / "state.sqlite3")
    yield found
    found.database.close()


RULE = {"Name": "failed", "EventPattern": '{"source": ["aws.sagemaker"]}'}
QUEUE = f"https://sqs.{REGION}.amazonaws.com/123456789012/alerts"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:alerts"


def test_what_is_put_again_replaces_what_was(servers: Servers) -> None:
    for text in ("one", "two", "three"):
        servers.json("events", "PutRule", **RULE, Description=text)
        servers.json("events", "PutTargets", Rule="failed", Targets=[{"Id": "to", "Arn": TOPIC, "Input": f'"{text}"'}])
    assert servers.kept() == ["PutRule", "PutTargets"]
    servers.restart()
    assert servers.json("events", "DescribeRule", Name="failed")["Description"] == "three"
    assert servers.json("events", "ListTargetsByRule", Rule="failed")["Targets"][0]["Input"] == '"three"'


def test_what_is_deleted_leaves_nothing(servers: Servers) -> None:
    servers.json("events", "PutRule", **RULE)
    servers.json("events", "PutTargets", Rule="failed", Targets=[{"Id": "to", "Arn": TOPIC}])
    servers.json("events", "RemoveTargets", Rule="failed", Ids=["to"])
    servers.json("events", "DeleteRule", Name="failed")
    servers.json("sqs", "CreateQueue", QueueName="alerts")
    servers.json("sqs", "SetQueueAttributes", QueueUrl=QUEUE, Attributes={"VisibilityTimeout": "5"})
    servers.json("sqs", "DeleteQueue", QueueUrl=QUEUE)
    servers.form("sns", "CreateTopic", Name="alerts")
    servers.form("sns", "Subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:q")
    servers.form("sns", "DeleteTopic", TopicArn=TOPIC)
    servers.form("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    servers.form("iam", "PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=POLICY)
    servers.form("iam", "DeleteRolePolicy", RoleName="r", PolicyName="p")
    servers.form("iam", "DeleteRole", RoleName="r")
    servers.json("ecr", "CreateRepository", repositoryName="team/image")
    servers.json("ecr", "DeleteRepository", repositoryName="team/image")
    servers.json("sagemaker", "CreateModel", ModelName="M", ExecutionRoleArn=TOPIC)
    servers.json("sagemaker", "DeleteModel", ModelName="M")
    servers.schedule("POST", "/schedule-groups/nights", "{}")
    servers.schedule("POST", "/schedules/one", schedule(GroupName="nights"))
    servers.schedule("DELETE", "/schedule-groups/nights")
    assert servers.kept() == []


def test_a_repository_is_not_below_another(servers: Servers) -> None:
    servers.json("ecr", "CreateRepository", repositoryName="team")
    servers.json("ecr", "CreateRepository", repositoryName="team/image")
    servers.json("ecr", "DeleteRepository", repositoryName="team")
    servers.restart()
    found = servers.json("ecr", "DescribeRepositories")["repositories"]
    assert [item["repositoryName"] for item in found] == ["team/image"]


def test_identifiers_that_moto_made_up_are_the_same_again(servers: Servers) -> None:
    servers.form("sns", "CreateTopic", Name="alerts")
    queue = f"arn:aws:sqs:{REGION}:123456789012:q"
    servers.json("sqs", "CreateQueue", QueueName="q")
    servers.form("sns", "Subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=queue)
    before = subscriptions()
    servers.restart()
    servers.moto.sagemaker("ListModels", {})
    assert subscriptions() == before
    (arn,) = before
    servers.form("sns", "Unsubscribe", SubscriptionArn=arn)
    assert servers.kept() == ["CreateTopic", "CreateQueue"]


def subscriptions() -> list[str]:
    from moto.sns.models import sns_backends

    return list(sns_backends["123456789012"][REGION].subscriptions)


def test_messages_are_not_kept(servers: Servers) -> None:
    servers.json("sqs", "CreateQueue", QueueName="alerts")
    servers.moto.send_message(QUEUE, "hello")
    assert servers.kept() == ["CreateQueue"]
    servers.restart()
    assert "Messages" not in servers.json("sqs", "ReceiveMessage", QueueUrl=QUEUE)


def test_what_moto_refuses_is_not_kept(servers: Servers) -> None:
    with pytest.raises(MotoError, match="ResourceNotFoundException"):
        servers.json("events", "PutTargets", Rule="nobody", Targets=[{"Id": "to", "Arn": TOPIC}])
    assert servers.kept() == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (json_call("sqs", REGION, "CreateQueue", {"QueueName": "q"}), b'{"__type": "InternalFailure", "message": "'),
        (form_call("sns", REGION, "CreateTopic", {"Name": "t"}), b"<Code>InternalFailure</Code><Message>"),
    ],
    ids=["json", "form"],
)
def test_what_cannot_be_kept_is_refused_in_the_protocol_of_the_request(
    servers: Servers, call: Call, told: bytes
) -> None:
    servers.database.close()
    answered: list[str] = []
    body = b"".join(servers.moto(call.environ(), lambda line, _headers: answered.append(line)))
    assert answered == ["400 Bad Request"]
    assert told in body
    assert b"the state cannot be read or written" in body
    assert b"free disk space" in body


def test_versions_of_a_model_package_are_counted_as_before(servers: Servers) -> None:
    servers.json("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="g")
    arns = [
        servers.json("sagemaker", "CreateModelPackage", ModelPackageGroupName="g")["ModelPackageArn"] for _ in range(3)
    ]
    for status in ("Rejected", "Approved"):
        servers.json("sagemaker", "UpdateModelPackage", ModelPackageArn=arns[1], ModelApprovalStatus=status)
    assert servers.kept().count("UpdateModelPackage") == 1
    servers.restart()
    listed = servers.json("sagemaker", "ListModelPackages", ModelPackageGroupName="g")["ModelPackageSummaryList"]
    assert sorted(item["ModelPackageArn"] for item in listed) == arns
    second = servers.json("sagemaker", "DescribeModelPackage", ModelPackageName=arns[1])
    assert second["ModelApprovalStatus"] == "Approved"


def schedule(**more: Any) -> str:
    value = {
        "ScheduleExpression": "rate(5 minutes)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:sagemaker:eu-central-1:123456789012:pipeline/p", "RoleArn": "r"},
        **more,
    }
    return json.dumps(value)


def test_a_schedule_keeps_the_time_of_its_creation_and_a_start_that_is_past(servers: Servers) -> None:
    start = NOW.timestamp()  # as a client sends it
    body = schedule(ScheduleExpression="cron(0 3 * * ? *)", StartDate=start, ActionAfterCompletion="DELETE")
    servers.schedule("POST", "/schedules/nightly", body)
    for state in ("DISABLED", "ENABLED", "DISABLED"):
        servers.schedule("PUT", "/schedules/nightly", schedule(State=state, StartDate=start))
    assert servers.kept() == ["CreateSchedule", "UpdateSchedule"]
    with_past(servers, "CreateSchedule")
    servers.restart()
    found = servers.schedule("GET", "/schedules/nightly")
    assert (found["State"], found["CreationDate"]) == ("DISABLED", NOW.timestamp())
    assert found["ActionAfterCompletion"] == "DELETE"
    assert found["StartDate"] == start


def with_past(servers: Servers, operation: str) -> None:
    """Time goes by: what the journal has of an operation began long ago."""
    row = next(row for row in servers.database.list(JOURNAL) if row["call"]["operation"] == operation)
    row["call"]["body"] = row["call"]["body"].replace(str(NOW.timestamp()), "946684800")
    servers.database.put(JOURNAL, row["key"], row, place=row["number"])


# By many histories: the state after a restart is the state before it

names = st.sampled_from(["a", "b"])
ids = st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2, unique=True)
texts = st.sampled_from(["1", "2"])


Change = Callable[[Servers], Json]


def json_change(service: str, operation: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.fixed_dictionaries(members).map(lambda found: lambda to: to.json(service, operation, **found))


def schedule_change(method: str, **members: st.SearchStrategy[str]) -> st.SearchStrategy[Change]:
    bodies = st.fixed_dictionaries(members).map(lambda found: schedule(**found))
    return st.builds(lambda name, body: lambda to: to.schedule(method, f"/schedules/{name}", body), names, bodies)


urls = names.map(lambda name: QUEUE.replace("alerts", name))
targets = st.builds(lambda listed, text: [{"Id": item, "Arn": TOPIC, "Input": text} for item in listed], ids, texts)
patterns, states = st.just(RULE["EventPattern"]), st.sampled_from(["ENABLED", "DISABLED"])
changes = st.one_of(
    json_change("events", "PutRule", Name=names, EventPattern=patterns, Description=texts, State=states),
    json_change("events", "DisableRule", Name=names),
    json_change("events", "EnableRule", Name=names),
    json_change("events", "DeleteRule", Name=names),
    json_change("events", "PutTargets", Rule=names, Targets=targets),
    json_change("events", "RemoveTargets", Rule=names, Ids=ids),
    json_change("sqs", "CreateQueue", QueueName=names),
    json_change("sqs", "DeleteQueue", QueueUrl=urls),
    json_change("sqs", "TagQueue", QueueUrl=urls, Tags=st.builds(dict.fromkeys, ids, texts)),
    json_change("sqs", "UntagQueue", QueueUrl=urls, TagKeys=ids),
    schedule_change("POST"),
    schedule_change("PUT", Description=texts),
    schedule_change("DELETE"),
)


def state_of(servers: Servers) -> Json:
    """What is there, without what no client can see."""
    rules = servers.json("events", "ListRules")["Rules"]
    queues = servers.json("sqs", "ListQueues").get("QueueUrls", [])
    schedules = servers.moto.call(Call("scheduler", REGION, "ListSchedules", "GET", "/schedules"))["Schedules"]
    found = {
        item["Name"]: (
            item["Description"],
            item["State"],
            servers.json("events", "ListTargetsByRule", Rule=item["Name"])["Targets"],
        )
        for item in rules
    }
    return {
        "rules": {name: (text, state, sorted(map(str, targets))) for name, (text, state, targets) in found.items()},
        "queues": {url: servers.json("sqs", "ListQueueTags", QueueUrl=url).get("Tags") for url in sorted(queues)},
        "schedules": sorted((item["Name"], item["Description"] or "") for item in schedules),
    }


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(changes, max_size=25))
def test_a_restart_changes_nothing(servers: Servers, history: list[Change]) -> None:
    servers.database.delete_children(JOURNAL, "")
    servers.restart()
    for change in history:
        try:
            change(servers)
        except MotoError:
            continue
    before = state_of(servers)
    servers.restart()
    assert state_of(servers) == before
    assert len(servers.kept()) <= 2 * (1 + 1 + 3) + 2 * (1 + 3) + 2 * 2  # rules, queues, schedules
