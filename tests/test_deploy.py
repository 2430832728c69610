"""Deployment: what is done, in which order, and what is not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.aws import MAX_INLINE_DEFINITION
from pipelines.compile import Compiled, ImageSource, Upload
from pipelines.context import read_context
from pipelines.definition import parse
from pipelines.deploy import Site, apply, make_plan, wanted
from pipelines.errors import AwsError, LocalError, UsageError
from pipelines.roles import trust_statement
from pipelines.schedule import Schedule
from pipelines.service_model import request_faults
from pipelines.spec import Notification, Pipeline, Target

DEV = Target("dev", "111111111111", "eu-central-1", "arn:aws:iam::111111111111:role/pipelines", "bucket-dev", "tiny")
LOCAL = Target("local", "123456789012", "us-east-1", "arn:aws:iam::123456789012:role/local", "bucket", "tiny")
STEP = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "so"}}


class FakeGateway:
    """One account in memory; records what was done to it."""

    def __init__(self, target: Target, account: str = "111111111111") -> None:
        self.target = target
        self.its_account = account
        self.done: list[str] = []
        self.objects: dict[tuple[str, str], str] = {}
        self.texts: dict[tuple[str, str], bytes] = {}
        self.pipelines: dict[str, dict] = {}
        self.images: dict[str, str] = {}
        self.requests: list[tuple[str, dict]] = []
        self.tags_of: dict[str, dict[str, str]] = {}
        self.schedule_requests: dict[str, dict] = {}
        self.rules_of: dict[str, tuple[dict, dict]] = {}

    def account(self) -> str:
        return self.its_account

    def role_trust(self, _arn: str) -> dict:
        return {"Statement": [trust_statement("scheduler.amazonaws.com")]}

    def denied_actions(self, _role: str, _actions: list[str], _resource: str) -> list[str]:
        return []

    def ensure_bucket(self) -> None:
        self.done.append("bucket")

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        return self.objects.get((bucket, key)) == sha256

    def upload(self, file: Path, bucket: str, key: str, sha256: str) -> None:
        self.done.append(f"upload {file.name}")
        self.objects[bucket, key] = sha256

    def write_object(self, bucket: str, key: str, data: bytes) -> None:
        self.done.append(f"write {key.split('/')[1]}")
        self.texts[bucket, key] = data
        self.objects[bucket, key] = hashlib.sha256(data).hexdigest()

    def has_bucket(self, _bucket: str) -> bool:
        return not self.target.is_local or "bucket" in self.done

    def tags(self, arn: str) -> dict[str, str]:
        return self.tags_of[arn]

    def add_tags(self, arn: str, tags: dict[str, str]) -> None:
        self.done.append("tag")
        self.tags_of[arn] |= tags

    def delete_tags(self, arn: str, keys: tuple[str, ...]) -> None:
        self.done.append("untag")
        for key in keys:
            del self.tags_of[arn][key]

    def schedules(self, _group: str, prefix: str = "") -> list[dict]:
        return [item for name, item in self.schedule_requests.items() if name.startswith(prefix)]

    def schedule(self, _group: str, name: str) -> dict | None:
        return self.schedule_requests.get(name)

    def put_schedule(self, request: dict) -> None:
        assert request_faults("scheduler", "CreateSchedule", {"ClientToken": "t" * 32, **request}) == []
        self.done.append("schedule")
        self.schedule_requests[request["Name"]] = request

    def delete_schedule(self, _group: str, name: str) -> None:
        self.done.append("unschedule")
        del self.schedule_requests[name]

    def rules(self, prefix: str) -> list[dict]:
        return [item for name, (item, _) in self.rules_of.items() if name.startswith(prefix)]

    def rule_targets(self, rule: str) -> list[dict]:
        return self.rules_of[rule][1]["Targets"]

    def put_rule(self, rule: dict, targets: dict) -> None:
        self.done.append("rule")
        self.rules_of[rule["Name"]] = (rule, targets)

    def delete_rule(self, name: str) -> None:
        self.done.append("unrule")
        del self.rules_of[name]

    def executions(self, _name: str) -> list[dict]:
        return []

    def read_object(self, bucket: str, key: str) -> bytes:
        if (bucket, key) not in self.texts:
            raise AwsError("no such key", code="NoSuchKey")
        return self.texts[bucket, key]

    def pipeline(self, name: str) -> dict | None:
        return self.pipelines.get(name)

    def create_pipeline(self, name: str, **request: object) -> str:
        self._refuse_faults("CreatePipeline", name, request)
        if name in self.pipelines:
            raise AwsError("ValidationException: Pipeline names must be unique within an AWS account and region")
        return self._keep("create", name, request)

    def update_pipeline(self, name: str, **request: object) -> str:
        self._refuse_faults("UpdatePipeline", name, request)
        return self._keep("update", name, request)

    def _refuse_faults(self, operation: str, name: str, request: dict) -> None:
        token = {"ClientRequestToken": "t" * 32} if operation == "CreatePipeline" else {}  # botocore fills it in
        assert request_faults("sagemaker", operation, {"PipelineName": name, **token, **request}) == []

    def _keep(self, action: str, name: str, request: dict) -> str:
        self.done.append(action)
        self.requests.append((action, request))
        location = request.pop("PipelineDefinitionS3Location", None)
        if location:
            request["PipelineDefinition"] = self.texts[location["Bucket"], location["ObjectKey"]].decode()
        arn = f"arn:aws:sagemaker:eu-central-1:111111111111:pipeline/{name}"
        self.tags_of.setdefault(arn, {item["Key"]: item["Value"] for item in request.get("Tags", ())})
        self.pipelines[name] = {**self.pipelines.get(name, {}), **request, "PipelineArn": arn}
        return arn


class FakeImages:
    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def digest(self, uri: str) -> str | None:
        return self.gateway.images.get(uri)

    def has_repository(self, _uri: str) -> bool:
        return True

    def build(self, _image: ImageSource, uri: str, _report) -> None:
        self.gateway.images[uri] = "sha256:built"
        self.gateway.done.append(f"push {uri}")

    def copy(self, source: str, uri: str, _report) -> None:
        self.gateway.images[uri] = source.partition("@")[2]
        self.gateway.done.append(f"copy {source}")


def definition(*steps: dict) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)})


@pytest.fixture
def compiled(tmp_path) -> Compiled:
    (tmp_path / "recipe.yaml").write_text("columns: []")
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text("FROM scratch")
    (file,) = read_context(tmp_path, "recipe.yaml").files
    image = ImageSource("tiny", read_context(tmp_path, "image"))
    upload = Upload(file, "bucket-dev", "tiny/assets/recipe.yaml")
    return Compiled(parse(definition(STEP)), DEV, (upload,), (image,))


def pipeline(**values: object) -> Pipeline:
    return Pipeline(name="tiny", steps={}, **values)


def site(compiled: Compiled, gateway: FakeGateway, said: list[str] | None = None, images: object = None) -> Site:
    report = said.append if said is not None else lambda _: None
    (upload,) = compiled.uploads
    return Site(gateway, images or FakeImages(gateway), upload.file.source.parent, report, lambda _: None)


def carry_out(compiled: Compiled, gateway: FakeGateway, said: list[str] | None = None, images=None, **values: object):
    here = site(compiled, gateway, said, images)
    made, live = make_plan(wanted(compiled, "", pipeline(**values), here.folder), here)
    return apply(made, here, live)


IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/tiny:src-"


def test_pipeline_comes_last_after_what_it_points_at(compiled):
    gateway, said = FakeGateway(DEV), []
    deployed = carry_out(compiled, gateway, said)
    upload, image, record, create = gateway.done
    assert (upload, image[: len(IMAGE) + 5]) == ("upload recipe.yaml", f"push {IMAGE}")
    assert (record, create) == ("write deployments", "create")
    assert deployed.action == "created"
    assert deployed.uploaded == ("s3://bucket-dev/tiny/assets/recipe.yaml",)
    assert said[0] == "upload recipe.yaml to s3://bucket-dev/tiny/assets/recipe.yaml"
    assert said[-1] == "pipeline tiny: created"


def test_second_deployment_changes_nothing(compiled):
    gateway = FakeGateway(DEV)
    first = carry_out(compiled, gateway)
    gateway.done.clear()
    again = carry_out(compiled, gateway)
    assert (again.action, again.uploaded, again.pipeline_arn) == ("unchanged", (), first.pipeline_arn)
    assert gateway.done == []


def test_definition_that_comes_back_as_another_text_of_the_same_json_is_unchanged(compiled):
    gateway = FakeGateway(DEV)
    carry_out(compiled, gateway)
    live = gateway.pipelines["tiny"]
    live["PipelineDefinition"] = json.dumps(json.loads(live["PipelineDefinition"]), indent=4, sort_keys=True)
    assert carry_out(compiled, gateway).action == "unchanged"
    live["PipelineDefinition"] = definition({**STEP, "Arguments": {"ErrorMessage": 1}})
    one = replace(compiled, definition=parse(definition({**STEP, "Arguments": {"ErrorMessage": True}})))
    assert carry_out(one, gateway).action == "updated"  # 1 and true are equal in Python, not in JSON


CHANGES = {
    "definition": ({}, lambda compiled: replace(compiled, definition=parse(definition({**STEP, "Name": "End"})))),
    "role": ({}, lambda compiled: replace(compiled, target=replace(DEV, role="arn:aws:iam::111111111111:role/other"))),
    "description": ({"description": "Other."}, lambda compiled: compiled),
    "no description": ({"description": None}, lambda compiled: compiled),
    "parallelism": ({"description": "One.", "max_parallel_steps": 3}, lambda compiled: compiled),
}


@pytest.mark.parametrize(("values", "change"), CHANGES.values(), ids=CHANGES)
def test_what_differs_is_updated_once(compiled, values, change):
    gateway = FakeGateway(DEV)
    carry_out(compiled, gateway, description="One.")
    values = {"description": "One.", **values}
    assert carry_out(change(compiled), gateway, **values).action == "updated"
    assert carry_out(change(compiled), gateway, **values).action == "unchanged"


def test_pipeline_that_another_created_meanwhile_is_left_as_it_is(compiled):
    gateway = FakeGateway(DEV)
    carry_out(compiled, gateway)
    # It was not there when we looked: for the plan, before the first change, and right before it was made.
    answers = iter([None, None, None])
    gateway.pipeline = lambda name: next(answers, gateway.pipelines[name])
    with pytest.raises(UsageError) as caught:
        carry_out(compiled, gateway)
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("environment dev", "somebody else created tiny meanwhile")
    assert problem.fix == "see what differs, and deploy again: pipelines plan --env dev"
    assert gateway.done.count("update") == 0


def test_other_refusals_of_a_creation_are_not_taken_for_that(compiled):
    gateway = FakeGateway(DEV)

    def refuse(*_: object, **__: object) -> str:
        raise AwsError("AccessDeniedException: no")

    gateway.create_pipeline = refuse
    with pytest.raises(AwsError, match="AccessDeniedException"):
        carry_out(compiled, gateway)
    assert "update" not in gateway.done


def test_tags_are_given_when_it_is_created_and_never_to_an_update(compiled):
    tagged = replace(compiled, target=replace(DEV, tags={"team": "delays"}))
    gateway = FakeGateway(DEV)
    carry_out(tagged, gateway)
    carry_out(tagged, gateway, description="Other.")
    (_, created), (_, updated) = gateway.requests
    assert created["Tags"] == [{"Key": "team", "Value": "delays"}]
    assert "Tags" not in updated


def test_large_definition_goes_by_s3_under_its_digest(compiled):
    steps = [{**STEP, "Name": f"Stop{number}", "Arguments": {"ErrorMessage": "é" * 500}} for number in range(120)]
    text = json.dumps(json.loads(definition(*steps)), ensure_ascii=False)
    large = replace(compiled, definition=parse(text))
    assert len(text) < MAX_INLINE_DEFINITION < len(text.encode())  # bytes count, not characters
    gateway = FakeGateway(DEV)
    assert carry_out(large, gateway).action == "created"
    assert gateway.done[-2:] == ["write definitions", "create"]
    key = f"tiny/definitions/{large.definition.digest}.json"
    assert gateway.texts["bucket-dev", key] == text.encode()
    assert carry_out(large, gateway).action == "unchanged"
    assert carry_out(compiled, gateway).action == "updated"


def test_credentials_of_another_account_are_refused_before_anything_is_uploaded(compiled):
    gateway = FakeGateway(DEV, account="222222222222")
    with pytest.raises(AwsError) as caught:
        carry_out(compiled, gateway)
    (problem,) = caught.value.problems
    assert problem.where == "environment dev"
    assert problem.what == "your credentials belong to account 222222222222, the environment to 111111111111"
    assert problem.fix == "choose the profile of that account (AWS_PROFILE), or another --env"
    assert gateway.done == []


def test_local_environment_gets_its_bucket_and_no_question_of_account(compiled):
    gateway = FakeGateway(LOCAL, account="")
    carry_out(replace(compiled, target=LOCAL), gateway)
    assert gateway.done[0] == "bucket"
    assert gateway.done[-1] == "create"


def test_image_that_cannot_be_built_leaves_the_pipeline_as_it_is(compiled):
    gateway = FakeGateway(DEV)
    images = FakeImages(gateway)
    images.build = lambda *_: (_ for _ in ()).throw(LocalError("no engine"))
    with pytest.raises(LocalError):
        carry_out(compiled, gateway, images=images)
    assert gateway.done == ["upload recipe.yaml"]


def test_image_that_is_there_is_neither_built_nor_pushed(compiled):
    gateway, said = FakeGateway(DEV), []
    gateway.images = {compiled.images[0].uri(DEV.account, DEV.region): "sha256:there"}
    carry_out(compiled, gateway, said)
    assert gateway.done == ["upload recipe.yaml", "write deployments", "create"]
    assert not any("build" in line for line in said)


def test_record_has_the_digest_of_what_was_pushed(compiled):
    gateway = FakeGateway(DEV)
    carry_out(compiled, gateway)
    (text,) = gateway.texts.values()
    assert [image["digest"] for image in json.loads(text)["images"]] == ["sha256:built"]


def test_deployment_that_broke_off_goes_on_where_it_ended(compiled):
    gateway = FakeGateway(DEV)
    keep, gateway.create_pipeline = gateway.create_pipeline, lambda *_, **__: (_ for _ in ()).throw(AwsError("gone"))
    with pytest.raises(AwsError):
        carry_out(compiled, gateway)
    gateway.create_pipeline = keep
    gateway.done.clear()
    assert carry_out(compiled, gateway).uploaded == ()
    assert gateway.done[-1] == "create"


NIGHTLY = Schedule("nightly", "cron(0 6 * * ? *)", DEV.role, parameters={"MinAuc": "0.9"})
FAILURES = Notification("failures", "arn:aws:sns:eu-central-1:111111111111:ops")


def test_what_belongs_to_the_pipeline_follows_it_and_is_pruned_last(compiled):
    around = {"schedules": {"nightly": NIGHTLY}, "notifications": {"failures": FAILURES}, "tags": {"team": "x"}}
    gateway = FakeGateway(DEV)
    carry_out(compiled, gateway)
    gateway.done.clear()
    carry_out(replace(compiled, target=replace(DEV, **around)), gateway)
    assert gateway.done == ["write deployments", "schedule", "rule", "tag"]
    (request,) = gateway.schedule_requests.values()
    assert request["Target"]["Arn"] == gateway.pipelines["tiny"]["PipelineArn"]
    gateway.done.clear()
    carry_out(compiled, gateway)
    assert gateway.done == ["write deployments", "unschedule", "unrule", "untag"]


def test_saved_plan_is_refused_when_the_pipeline_has_moved_before_or_while_it_is_applied(compiled):
    gateway = FakeGateway(DEV)
    here = site(compiled, gateway)
    made, _ = make_plan(wanted(compiled, "", pipeline(), here.folder), here)
    ensure = here.images.build

    def meanwhile(*arguments: object) -> None:
        ensure(*arguments)
        gateway.create_pipeline("tiny", PipelineDefinition=definition(STEP), RoleArn=DEV.role)

    here.images.build = meanwhile
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            apply(made, here)
        (problem,) = caught.value.problems
        assert problem.what == "tiny has changed since the plan was made"
        assert problem.fix == "make the plan again: pipelines plan -o FILE --env dev"
    assert gateway.done.count("create") == 1  # somebody else's
    assert "update" not in gateway.done


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("recipe.yaml", "the file has changed since the plan was made"),
        ("image/Dockerfile", "the image's folder has changed since the plan was made"),
    ],
)
def test_saved_plan_is_refused_when_a_file_is_not_the_one_that_was_planned(compiled, file, what):
    gateway = FakeGateway(DEV)
    here = site(compiled, gateway)
    made, _ = make_plan(wanted(compiled, "", pipeline(), here.folder), here)
    (here.folder / file).write_text("FROM other")
    with pytest.raises(UsageError) as caught:
        apply(made, here)
    assert caught.value.what == what
    assert "create" not in gateway.done


def test_what_somebody_changed_during_a_deployment_is_told(compiled):
    gateway, waited = FakeGateway(DEV), []
    here = replace(site(compiled, gateway), sleep=waited.append)
    made, live = make_plan(wanted(compiled, "", pipeline(), here.folder), here)
    keep = gateway.create_pipeline

    def create(name: str, **request: object) -> str:
        arn = keep(name, **request)
        gateway.pipelines[name]["RoleArn"] = "arn:aws:iam::111111111111:role/other"
        return arn

    gateway.create_pipeline = create
    with pytest.raises(AwsError) as caught:
        apply(made, here, live)
    (problem,) = caught.value.problems
    assert problem.what == "what is there now is not what was deployed: someone else changed it meanwhile"
    assert problem.fix == "see what differs: pipelines plan --env dev"
    assert waited == [1.0, 2.0, 4.0]


def test_tags_that_aws_adds_are_no_alarm(compiled):
    gateway = FakeGateway(DEV)
    keep = gateway.create_pipeline

    def create(name: str, **request: object) -> str:
        arn = keep(name, **request)
        gateway.tags_of[arn]["sagemaker:domain-arn"] = "d"
        return arn

    gateway.create_pipeline = create
    assert carry_out(compiled, gateway).action == "created"
    assert carry_out(compiled, gateway).done == ()


def test_bucket_that_is_not_there_is_told_before_anything_is_planned(compiled):
    gateway = FakeGateway(DEV)
    gateway.has_bucket = lambda _bucket: False
    with pytest.raises(AwsError) as caught:
        carry_out(compiled, gateway)
    assert caught.value.what == "there is no bucket bucket-dev"
    assert caught.value.problems[0].fix == "create the bucket, or correct `bucket:` of environment dev"


def test_schedule_whose_role_cannot_start_the_pipeline_is_refused_before_anything_is_changed(compiled):
    gateway = FakeGateway(DEV)
    gateway.denied_actions = lambda _role, actions, _resource: actions
    scheduled = replace(compiled, target=replace(DEV, schedules={"nightly": NIGHTLY}))
    with pytest.raises(UsageError, match="the role may not start the pipeline"):
        carry_out(scheduled, gateway)
    assert gateway.done == []
    local = FakeGateway(LOCAL, account="")
    local.denied_actions = gateway.denied_actions
    carry_out(replace(scheduled, target=replace(LOCAL, schedules={"nightly": NIGHTLY})), local)
    assert "schedule" in local.done
