"""Faults, generated: each call of a deployment fails once in each way, and the command is repeated.

The calls are recorded, not listed; the gateway, the planner and the deployment are the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from pipelines.compile import Compiled, ImageSource, Upload
from pipelines.context import read_context
from pipelines.definition import parse
from pipelines.deploy import Deployment, Site, apply, make_plan, wanted
from pipelines.errors import AwsError, PipelinesError, UsageError
from pipelines.images import EcrImages
from pipelines.plan import (
    Desired,
    Version,
    dump,
    load,
    needs,
    promoted,
    read_live,
    read_record,
    record_key,
    rolled_back,
)
from pipelines.schedule import Schedule
from pipelines.spec import Notification, Pipeline, Target
from tests.plan.account import Account, Fault, Killed, MemoryEngine, MemoryGateway
from tests.plan.definitions import document, fail

ROLE = "arn:aws:iam::111111111111:role/pipelines"
DEV = Target("dev", "111111111111", "eu-central-1", ROLE, "bucket-dev", "tiny")
TOPIC = "arn:aws:sns:eu-central-1:111111111111:"


def refused(code: str) -> Callable[[str], BaseException]:
    return lambda call: ClientError({"Error": {"Code": code, "Message": "so"}}, call)


FAULTS = (
    Fault("throttled", refused("ThrottlingException")),
    Fault("broken", refused("InternalFailure")),
    Fault("out of time before", lambda _: ConnectTimeoutError(endpoint_url="u")),
    Fault("out of time after", lambda _: ReadTimeoutError(endpoint_url="u"), after=True),
    Fault("killed before", lambda _: Killed()),
    Fault("killed after", lambda _: Killed(), after=True),
)


@dataclass(frozen=True)
class Project:
    """A project's folder with one file and one image, and what its pipeline.yaml asks for."""

    folder: Path
    message: str
    pipeline: Pipeline
    target: Target

    @cached_property
    def wanted(self) -> Desired:
        (file,) = read_context(self.folder, "recipe.yaml").files
        upload = Upload(file, self.target.bucket, f"tiny/assets/{file.sha256[:32]}/recipe.yaml")
        image = ImageSource("tiny", read_context(self.folder, "image"))
        definition = parse(json.dumps(document(fail("Stop", self.message))))
        return wanted(Compiled(definition, self.target, (upload,), (image,)), "", self.pipeline, self.folder)

    def site(self, account: Account) -> Site:
        """A deployment's place; what is copied is copied from the account's own source, by its token."""
        want = self.wanted
        objects = {(upload.bucket, upload.key) for upload in want.uploads}
        account.needed[want.definition.digest] = (objects, {(image.repository, image.tag) for image in want.images})
        gateway = MemoryGateway(self.target, account)
        source = account.copied_from and MemoryGateway(DEV, account.copied_from)
        images = EcrImages(gateway, lambda: MemoryEngine(account), lambda _: source or gateway)
        return Site(gateway, images, self.folder, lambda _: None, lambda _: None)

    def deploy(self, account: Account) -> Deployment:
        """As the command does it."""
        site = self.site(account)
        made, live = make_plan(self.wanted, site)
        return apply(made, site, live)


def roll_back(project: Project, account: Account) -> Deployment:
    """As `pipelines rollback 1` does it."""
    site = project.site(account)
    gateway, remote = site.gateway, site.remote("tiny")
    definition = parse(gateway.pipeline_definition("tiny", 1))
    text = remote.record(DEV.bucket, record_key("tiny", definition.digest))
    record = read_record(text, where="record") if text else None
    live = make_plan(project.wanted, site)[1]
    made, live = make_plan(rolled_back("tiny", DEV, Version(1, definition, record), live), site)
    return apply(made, site, live)


def promote(dev: Project, prod: Project, account: Account) -> Deployment:
    """As `pipelines promote dev prod` does it."""
    assert account.copied_from is not None
    remote = dev.site(account.copied_from).remote("tiny")
    there = read_live(remote, needs(dev.wanted))
    record = read_record(there.record, where="record") if there.record else None
    site = prod.site(account)
    made, live = make_plan(promoted(prod.wanted, "dev", record, there), site)
    return apply(made, site, live)


def project(folder: Path, text: str, message: str, pipeline: Pipeline, target: Target) -> Project:
    (folder / "image").mkdir(parents=True)
    (folder / "image" / "Dockerfile").write_text(f"FROM scratch\n# {text}\n")
    (folder / "recipe.yaml").write_text(text)
    return Project(folder, message, pipeline, target)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Project:
    around = {
        "schedules": {name: Schedule(name, "cron(0 6 * * ? *)", ROLE) for name in ("kept", "changed", "pruned")},
        "notifications": {name: Notification(name, TOPIC + "one") for name in ("kept", "changed", "pruned")},
        "tags": {"kept": "x", "changed": "1", "pruned": "y"},
    }
    pipeline = Pipeline(name="tiny", steps={}, description="One.", max_parallel_steps=3)
    return project(tmp_path_factory.mktemp("first"), "one", "one", pipeline, replace(DEV, **around))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Project:
    around = {
        "schedules": {
            "kept": Schedule("kept", "cron(0 6 * * ? *)", ROLE),
            "changed": Schedule("changed", "rate(1 day)", ROLE, parameters={"P": "2"}),
            "added": Schedule("added", "rate(2 days)", ROLE),
        },
        "notifications": {
            "kept": Notification("kept", TOPIC + "one"),
            "changed": Notification("changed", TOPIC + "two", ("Failed", "Stopped")),
            "added": Notification("added", TOPIC + "one"),
        },
        "tags": {"kept": "x", "changed": "2", "added": "z"},
    }
    pipeline = Pipeline(name="tiny", steps={}, description="Two.")
    return project(tmp_path_factory.mktemp("second"), "two", "two", pipeline, replace(DEV, **around))


def empty() -> Account:
    return Account("111111111111", buckets={DEV.bucket})


@dataclass(frozen=True)
class Case:
    """What is there before, and the command."""

    name: str
    before: Account
    command: Callable[[Account], Any]


@pytest.fixture(scope="module", params=["creation", "update", "rollback", "saved plan", "promotion"])
def case(request: pytest.FixtureRequest, first: Project, second: Project) -> Case:
    before, name = empty(), request.param
    if name == "creation":
        return Case(name, before, first.deploy)
    first.deploy(before)
    if name == "promotion":
        return promotion(first, before)
    if name == "update":
        return Case(name, before, second.deploy)
    if name == "rollback":
        second.deploy(before)
        return Case(name, before, lambda account: roll_back(second, account))
    saved = load(dump(make_plan(second.wanted, second.site(before))[0]), where="plan.json")
    return Case(name, before, lambda account: apply(saved, second.site(account)))


def promotion(dev: Project, deployed: Account) -> Case:
    there = replace(dev.target, name="prod", account="222222222222", bucket="bucket-prod")
    prod = replace(dev, target=there)
    account = Account("222222222222", buckets={"bucket-prod"}, copied_from=deployed)
    return Case("promotion", account, lambda account: promote(dev, prod, account))


def test_a_promoted_image_is_copied_and_never_built(first: Project) -> None:
    dev = empty()
    first.deploy(dev)
    case = promotion(first, dev)
    case.command(case.before)
    assert {"engine.pull", "engine.tag", "engine.push"} <= set(case.before.calls)
    assert "engine.build" not in case.before.calls
    assert case.before.images == dev.images


def faults(name: str, at: int) -> tuple[Fault, ...]:
    """All of them for an update, which makes every kind of call; otherwise by turns, one before and one after."""
    before, after = ([fault for fault in FAULTS if fault.after is late] for late in (False, True))
    return FAULTS if name == "update" else (before[at % len(before)], after[at % len(after)])


def test_whatever_fails_once_the_repeated_command_comes_to_the_same_end(case: Case) -> None:
    undisturbed = case.before.copy()
    case.command(undisturbed)
    assert len(undisturbed.calls) > 40
    for at, call in enumerate(undisturbed.calls):
        for fault in faults(case.name, at):
            account = case.before.copy()
            account.fail(at, fault)
            with suppress(PipelinesError, Killed):
                case.command(account)
            told = f"{fault.name}: call {at}, {call}"
            assert {"tiny.kept", "tiny.changed"} & case.before.schedules.keys() <= account.schedules.keys(), told
            account.meddle = None
            case.command(account)
            assert account.state() == undisturbed.state(), told


def test_each_fault_is_told_as_an_error_of_ours(case: Case) -> None:
    """Nothing that fails is passed over; a push that fails is one that somebody else may have made."""
    undisturbed = case.before.copy()
    case.command(undisturbed)
    for at, call in enumerate(undisturbed.calls):
        if call in ("engine.context", "engine.push"):
            continue
        account = case.before.copy()
        account.fail(at, FAULTS[0])
        with pytest.raises(PipelinesError) as caught:
            case.command(account)
        assert all(problem.fix for problem in caught.value.problems), call


def test_of_two_who_deploy_at_once_none_is_left_with_a_mixture_untold(first: Project, second: Project) -> None:
    """Somebody else's whole deployment at each moment of ours: we are told, or what is there is whole."""
    before = empty()
    first.deploy(before)
    third = replace(first, message="three")
    ours, theirs = before.copy(), before.copy()
    second.deploy(ours)
    third.deploy(theirs)
    parts = ("pipelines", "schedules", "rules", "targets", "tags")
    refused = 0
    for at in range(len(ours.calls)):
        account = before.copy()
        account.meddle = meanwhile(at, account, third)
        try:
            second.deploy(account)
        except UsageError as error:  # before anything of theirs was touched
            refused += 1
            told = "tiny has changed since the plan was made"
            assert (error.what, bool(error.problems[0].fix)) == (told, True)  # noqa: PT017
            assert all(account.state()[part] == theirs.state()[part] for part in parts), at
        except AwsError:
            continue
        else:
            # They came before we looked, or we overwrote what they did, or they came when we were done.
            assert all(account.state()[part] in (ours.state()[part], theirs.state()[part]) for part in parts), at
    assert refused > 10


def meanwhile(at: int, account: Account, other: Project) -> Callable[[int, Callable[[], Any]], Any]:
    """The other's deployment, right before that call."""

    def meddle(index: int, act: Callable[[], Any]) -> Any:
        if index == at:
            account.meddle = None
            other.deploy(account)
        return act()

    return meddle
