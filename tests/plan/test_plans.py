"""Plans for people and for files: drift, facts, refusals, rollback, promotion."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipelines.definition import parse
from pipelines.errors import UsageError
from pipelines.plan import (
    DeleteSchedule,
    Desired,
    EnsureImage,
    LivePipeline,
    PutSchedule,
    Running,
    UpdatePipeline,
    Version,
    WriteRecord,
    dump,
    earlier,
    exit_code,
    load,
    promoted,
    read_record,
    record_key,
    remaining,
    render,
    rolled_back,
    to_json,
)
from pipelines.schedule import Schedule
from pipelines.spec import Notification, Target
from tests.plan.definitions import REGISTRY, ROLE, define, fail, image, parameter, processing, upload, wanted
from tests.plan.world import ARN, World, digest_of

NIGHTLY = Schedule("nightly", "cron(0 3 * * ? *)", ROLE, timezone="Europe/Berlin")
TOPIC = "arn:aws:sns:eu-central-1:111111111111:ops"
ONE = define(processing("A", arguments=["--rows", "1"], cache="P30D"), parameters=(parameter("P", default="x"),))
TWO = define(processing("A", arguments=["--rows", "2"], cache="P30D"), fail("B"))
TARGET = Target("dev", "111111111111", "eu-central-1", ROLE, "team-dev", "demo")


def first(definition: Any = ONE, **more: Any) -> Desired:
    return wanted(
        definition,
        description="It does.",
        uploads=(upload("a.txt"),),
        images=(image(),),
        schedules={"nightly": NIGHTLY},
        notifications={"failures": Notification("failures", TOPIC)},
        tags={"team": "demo"},
        **more,
    )


def refusal(action: Any) -> tuple[str, str, str]:
    with pytest.raises(UsageError) as caught:
        action()
    problem = caught.value.problems[0]
    return problem.where, problem.what, problem.fix


# For people


def test_a_first_plan_names_everything_once() -> None:
    assert render(World().plan(first())) == [
        "demo in dev (account 111111111111, eu-central-1)",
        "",
        "+ pipeline demo",
        f"    role: {ROLE}",
        "    description: It does.",
        "+ parameter P (String)",
        "+ step A (Processing)",
        "+ schedule nightly",
        "    cron: 0 3 * * ? *",
        "    timezone: Europe/Berlin",
        "    retry.attempts: 185",
        "    retry.max_age: 86400s",
        "    enabled: true",
        f"    role: {ROLE}",
        "+ notification failures",
        "    on: [Failed]",
        f"    to: {TOPIC}",
        "+ tag team",
        "    value: demo",
        "",
        "To do, in this order:",
        f"  upload a.txt to {upload('a.txt').uri}",
        f"  build container and push it as {image().uri}",
        f"  write the record of the deployment to s3://team-dev/{record_key('demo', ONE.digest)}",
        "  create pipeline demo",
        "  create schedule nightly",
        "  create notification failures",
    ]


def test_a_repository_that_the_deployment_creates_is_a_note() -> None:
    world = World()
    world.repositories.clear()
    two = replace(first(), images=(image(), image("src-2")))
    note = "repository demo is not there: it is created, its tags immutable, its images scanned when pushed"
    assert world.plan(two).facts.notes == (note,)
    assert f"Note: {note}" in render(world.plan(two))
    world.images[image().uri] = "sha256:1"
    assert world.plan(first()).facts.notes == ()


def test_where_nothing_is_to_do_its_source_is_named() -> None:
    world = World()
    world.deploy(first())
    made = world.plan(first())
    assert render(made, "flights.json")[-1] == "Nothing to do: what is there is what flights.json says."


def test_a_change_is_told_field_by_field_with_caches_and_running_executions() -> None:
    world = World()
    world.deploy(first())
    world.executions = (Running(f"{ARN}demo/execution/abc", "Executing"),)
    made = world.plan(replace(first(TWO), schedules={"often": Schedule("often", "rate(1 day)", ROLE)}, tags={}))
    assert exit_code(made) == 2
    assert render(made) == [
        "demo in dev (account 111111111111, eu-central-1)",
        "",
        "- parameter P",
        "~ step A",
        "    ~ arguments[1]: 1 → 2",
        "+ step B (Fail)",
        "    fail: it failed",
        "- schedule nightly",
        "+ schedule often",
        "    rate: 1 day",
        "    timezone: UTC",
        "    retry.attempts: 185",
        "    retry.max_age: 86400s",
        "    enabled: true",
        f"    role: {ROLE}",
        "- tag team",
        "",
        "Caches",
        "  A runs again: arguments[1] changes from 1 to 2",
        "",
        "Running executions keep the definition that they started with",
        f"  {ARN}demo/execution/abc (Executing)",
        "",
        "Unchanged: 1 notification, 1 uploaded file",
        "",
        "To do, in this order:",
        f"  write the record of the deployment to s3://team-dev/{record_key('demo', TWO.digest)}",
        "  update pipeline demo",
        "  create schedule often",
        "  delete schedule nightly",
        "  remove tags team",
    ]


def test_a_plan_of_nothing_says_so_and_exits_with_0() -> None:
    world = World()
    world.deploy(first())
    made = world.plan(first())
    assert exit_code(made) == 0
    assert render(made) == [
        "demo in dev (account 111111111111, eu-central-1)",
        "",
        "Unchanged: the pipeline and its definition, 1 schedule, 1 notification, 1 uploaded file",
        "",
        "Nothing to do: what is there is what pipeline.yaml says.",
    ]


def test_many_uploads_are_counted() -> None:
    lines = render(World().plan(wanted(uploads=tuple(upload(f"f{number}") for number in range(9)))))
    assert "  upload 9 files" in lines
    assert not [line for line in lines if "f3" in line]


def test_what_the_user_writes_of_a_description_is_what_is_shown() -> None:
    world = World()
    world.deploy(first())
    description = world.pipelines["demo"].description
    assert description.startswith("It does. [deployed by pipelines: ")
    assert world.pipelines["demo"].own_description == "It does."


# Drift


def drift_after(spoil: Any) -> tuple[str, ...]:
    world = World()
    world.deploy(first(parallelism=3))
    spoil(world)
    made = world.plan(first(parallelism=3))
    world.execute(made, made.actions)
    assert world.plan(first(parallelism=3)).actions == ()
    return made.facts.drift


def with_pipeline(world: World, **more: Any) -> None:
    world.pipelines["demo"] = replace(world.pipelines["demo"], **more)


SPOILED = [
    ({"definition": TWO.text}, "definition"),
    ({"role": "arn:other"}, "role"),
    ({"parallelism": 9}, "max_parallel_steps"),
]


@pytest.mark.parametrize(("more", "part"), SPOILED, ids=[part for _, part in SPOILED])
def test_a_pipeline_changed_by_hand_is_drift_and_is_put_back(more: dict[str, Any], part: str) -> None:
    found = drift_after(lambda world: with_pipeline(world, **more))
    assert found == (f"the pipeline's {part} was changed since the last deployment",)


def test_a_definition_that_nobody_can_read_is_drift_and_is_put_back() -> None:
    found = drift_after(lambda world: with_pipeline(world, definition="not JSON"))
    assert found == ("the pipeline's definition was changed since the last deployment",)


def test_a_schedule_changed_by_hand_is_drift() -> None:
    def spoil(world: World) -> None:
        world.schedule_requests["demo.nightly"]["State"] = "DISABLED"

    assert drift_after(spoil) == ("schedule nightly was changed since the last deployment",)


def test_a_rule_switched_off_by_hand_is_drift() -> None:
    def spoil(world: World) -> None:
        world.rules["demo.failures"]["State"] = "DISABLED"

    assert drift_after(spoil) == ("notification failures was changed since the last deployment",)


def test_a_schedule_made_by_hand_under_our_names_is_pruned_and_told() -> None:
    def spoil(world: World) -> None:
        request = json.loads(json.dumps(world.schedule_requests["demo.nightly"]))
        world.schedule_requests["demo.extra"] = {**request, "Name": "demo.extra", "Description": "mine"}

    assert drift_after(spoil) == ("schedule extra was made by hand",)


def test_a_schedule_that_went_missing_is_made_again() -> None:
    world = World()
    world.deploy(first())
    del world.schedule_requests["demo.nightly"]
    assert world.plan(first()).actions == (PutSchedule("demo", NIGHTLY, is_new=True),)


def test_schedules_of_others_are_named_and_left_alone() -> None:
    world = World()
    world.deploy(first())
    other = {**world.schedule_requests["demo.nightly"], "Name": "mine"}
    world.schedule_requests["mine"] = other
    made = world.plan(replace(first(), schedules={}))
    assert made.facts.notes == (
        "schedule mine starts this pipeline too, and was not deployed with it: it is left alone",
    )
    assert made.actions[-1] == DeleteSchedule("demo", "nightly")
    world.execute(made, made.actions)
    assert world.schedule_requests == {"mine": other}


def test_tags_of_aws_are_left_alone() -> None:
    world = World()
    world.deploy(first())
    world.tags_of["demo"] |= {"sagemaker:domain-arn": "x", "aws:cloudformation:stack-name": "y"}
    assert world.plan(first()).actions == ()


def test_a_pipeline_of_somebody_else_is_taken_over() -> None:
    world = World()
    world.deploy(first())
    with_pipeline(world, description="It does.")
    made = world.plan(first())
    assert made.facts.notes == ("the pipeline was not deployed by this command before: it is taken over",)
    assert [type(action) for action in made.actions] == [UpdatePipeline]
    assert "    ~ deployment record: none → this one" in render(made)


def test_a_limit_that_nobody_names_any_more_is_raised_until_it_holds_nothing_up() -> None:
    world = World()
    world.deploy(first(parallelism=3))
    made = world.deploy(first())
    assert made.facts.notes == ("max_parallel_steps is 55, as good as none: SageMaker cannot take a limit away",)
    assert [type(action) for action in made.actions] == [WriteRecord, UpdatePipeline]
    assert "    ~ max_parallel_steps: 3 → 55" in render(made)
    assert world.pipelines["demo"].parallelism == 55
    assert world.plan(first()).actions == ()
    many = world.plan(first(define(*[fail(f"F{number}") for number in range(60)])))
    assert "    ~ max_parallel_steps: 55 → 60" in render(many)
    assert world.plan(first(parallelism=2)).actions[-1].parallelism == 2  # type: ignore[union-attr]


# Saved plans


def test_a_saved_plan_is_refused_when_somebody_else_deployed() -> None:
    world = World()
    made = load(dump(world.plan(first())), where="plan.json")
    world.deploy(first(TWO))
    assert refusal(lambda: remaining(made, world.live(first()))) == (
        "environment dev",
        "demo has changed since the plan was made",
        "make the plan again: pipelines plan -o FILE --env dev",
    )


def test_a_saved_plan_is_refused_when_what_it_relied_on_is_gone() -> None:
    world = World()
    world.deploy(first())
    made = world.plan(first(TWO))
    world.objects.pop(("team-dev", upload("a.txt").key))
    _, what, fix = refusal(lambda: remaining(made, world.live(first(TWO))))
    assert what == f"{upload('a.txt').uri} was there when the plan was made, and is gone"
    assert fix == "make the plan again: pipelines plan -o FILE --env dev"
    world.deploy(first())
    world.images.clear()
    assert refusal(lambda: remaining(made, world.live(first(TWO))))[1].startswith(f"{image().uri} was there")


def test_what_a_saved_plan_uploaded_is_uploaded_again_when_it_is_gone() -> None:
    world = World()
    made = world.plan(first())
    world.execute(made, made.actions[:4])
    world.objects.pop(("team-dev", upload("a.txt").key))
    assert remaining(made, world.live(first())) == (made.actions[0], *made.actions[4:])


def test_running_executions_do_not_make_a_plan_stale() -> None:
    world = World()
    world.deploy(first())
    made = world.plan(first(TWO))
    world.executions = (Running("arn", "Executing"),)
    assert remaining(made, world.live(first(TWO))) == made.actions


SAVED = to_json(World().plan(first()))
AGAIN = "make the plan again: pipelines plan -o FILE"


def spoiled(path: str, value: Any) -> str:
    document = json.loads(json.dumps(SAVED))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    holder = document
    for part in parents:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(document)


FOREIGN = "it would send to or fetch from what is not its account's"
MALFORMED = [
    ("{", "it cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ("[]", "it has no format number"),
    ("{}", "it has no format number"),
    (spoiled("format", True), "it has no format number"),
    (spoiled("format", 2), "it has format 2; this version reads format 1"),
    (spoiled("actions", {}), "actions: expected a list, found {}"),
    (spoiled("actions.0.is", "Explode"), "actions[0]: 'Explode' is none of MakeBucket, UploadFile"),
    (spoiled("actions.0.upload.path", 1), "actions[0].upload.path: expected a text, found 1"),
    (spoiled("actions.0.upload.path", None), "actions[0].upload: 'path' is missing"),
    (spoiled("actions.0.upload.more", 1), "actions[0].upload: 'more' is unknown"),
    (spoiled("actions.4.is_new", 1), "actions[4].is_new: expected true or false, found 1" ),
    (spoiled("more", 1), "'more' is unknown"),
    (spoiled("environment", None), "'environment' is missing"),
    (spoiled("changes.0.symbol", "*"), "changes[0].symbol: '*' is not one of +, ~, -"),
    (spoiled("fingerprints", []), "it has not one fingerprint for each action"),
    (spoiled("actions.0.upload.bucket", "theirs"), f"{FOREIGN}: s3://theirs/"),
    *((spoiled("actions.1.image.uri", uri), f"{FOREIGN}: {uri}") for uri in (
        "registry.example.com/demo:src-1", REGISTRY.replace("dkr.ecr", "dkr.example") + "/demo:src-1",
        "999999999999" + REGISTRY[12:] + "/demo:src-1")),
    (spoiled("actions.1.image.copy_from", "registry.example.com/x:1"), f"{FOREIGN}: registry.example.com/x:1"),
    (spoiled("definition", TWO.text), "its definition is not the one that its actions name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what"), MALFORMED, ids=[what for _, what in MALFORMED])
def test_a_file_that_is_no_plan_is_refused_with_the_place(text: str, what: str) -> None:
    where, found, fix = refusal(lambda: load(text, where="plan.json"))
    assert (where, fix) == ("plan.json", AGAIN)
    assert found.startswith(what)


# Rollback


def test_a_rollback_brings_a_version_back_with_what_was_deployed_with_it() -> None:
    world = World()
    world.deploy(first())
    later = replace(
        first(TWO), schedules={}, tags={}, description="other", images=(image("src-2"),), uploads=(upload("b.txt"),)
    )
    world.deploy(later)
    version = world.versions["demo"][0]
    definition = parse(version.definition)
    text = world.texts["team-dev", record_key("demo", definition.digest)]
    back = rolled_back("demo", TARGET, Version(1, definition, read_record(text, where="record")), world.live(later))
    made = world.deploy(back)
    assert [type(action).__name__ for action in made.actions] == [
        "WriteRecord",
        "UpdatePipeline",
        "PutSchedule",
        "TagPipeline",
    ]
    assert world.plan(first()).actions == ()


def roll_back(world: World, number: int | None = None) -> int | None:
    """As the command does it; gives the version that it went back to."""

    def record(definition: Any) -> Any:
        text = world.texts.get(("team-dev", record_key("demo", definition.digest)))
        return read_record(text, where="record") if text else None

    versions = world.versions["demo"]
    found = number or earlier(range(1, len(versions) + 1), record(parse(versions[-1].definition)))
    if found is not None:
        definition = parse(versions[found - 1].definition)
        version = Version(found, definition, record(definition))
        world.deploy(rolled_back("demo", TARGET, version, world.live(first())))
    return found


def test_rolling_back_again_goes_further_back_and_never_to_what_was_just_undone() -> None:
    world = World()
    three = define(fail("Three"))
    for definition in (ONE, TWO, three):
        world.deploy(first(definition))
    assert [roll_back(world), roll_back(world), roll_back(world)] == [2, 1, None]
    assert parse(world.pipelines["demo"].definition).digest == ONE.digest
    # What is deployed from the files is a version of its own again.
    world.deploy(first(three))
    assert roll_back(world) == 5
    assert parse(world.pipelines["demo"].definition).digest == ONE.digest
    assert roll_back(world) is None
    assert roll_back(world, 2) == 2
    assert roll_back(world) == 1


def test_deploying_what_is_there_does_not_make_a_rollback_forget_where_it_is() -> None:
    world = World()
    for definition in (ONE, TWO):
        world.deploy(first(definition))
    assert roll_back(world) == 1
    world.deploy(first(ONE, parallelism=2))
    assert roll_back(world) is None
    world.deploy(first(TWO))
    world.deploy(first(ONE))
    assert roll_back(world) == 4


def test_an_image_that_is_another_one_under_its_tag_is_told() -> None:
    world = World()
    world.deploy(first())
    was, world.images[image().uri] = world.images[image().uri], "sha256:other"
    made = world.plan(first())
    told = f"image {image().uri} is not the one that was deployed: it was {was}, and is sha256:other now"
    assert made.facts.notes == (told,)
    assert refusal(lambda: promote(world, first().neutral))[1] == told


def test_a_record_has_the_digests_of_images_that_were_pushed_after_it_was_planned() -> None:
    world = World()
    made = world.deploy(first())
    (record,) = [action for action in made.actions if isinstance(action, WriteRecord)]
    assert read_record(record.text, where="record").images[0].digest == ""
    written = read_record(world.texts[record.bucket, record.key], where="record")
    assert written.images[0].digest == digest_of(image().uri)
    assert remaining(made, world.live(first())) == ()


def test_a_rollback_to_a_version_without_a_record_is_of_its_definition_alone() -> None:
    world = World()
    world.deploy(first())
    back = rolled_back("demo", TARGET, Version(1, TWO, None), world.live(first()))
    made = world.plan(back)
    assert [type(action).__name__ for action in made.actions] == ["WriteRecord", "UpdatePipeline"]


def test_a_rollback_to_an_image_that_is_gone_is_refused() -> None:
    world = World()
    world.deploy(first())
    text = world.texts["team-dev", record_key("demo", ONE.digest)]
    back = rolled_back("demo", TARGET, Version(1, ONE, read_record(text, where="record")), world.live(first()))
    fix = "check out the commit of that deployment, then: pipelines deploy --env dev"
    world.images.clear()
    expected = (image().uri, "the image that this definition runs is no longer there", fix)
    assert refusal(lambda: world.plan(back)) == expected
    world.objects.clear()
    expected = (upload("a.txt").uri, "the object that this definition reads is no longer there", fix)
    assert refusal(lambda: world.plan(back)) == expected


def test_a_rollback_without_a_pipeline_is_refused() -> None:
    assert refusal(lambda: rolled_back("demo", TARGET, Version(1, ONE, None), World().live(first()))) == (
        "environment dev",
        "there is no pipeline demo",
        "deploy it: pipelines deploy --env dev",
    )


def test_a_rollback_with_another_definitions_record_is_refused() -> None:
    world = World()
    world.deploy(first())
    record = read_record(world.texts["team-dev", record_key("demo", ONE.digest)], where="record")
    assert refusal(lambda: rolled_back("demo", TARGET, Version(1, TWO, record), world.live(first()))) == (
        "environment dev",
        "the record of the deployment is of another definition",
        "deploy the version from its commit instead",
    )


def test_a_damaged_record_is_refused() -> None:
    assert refusal(lambda: read_record('{"format": 1}', where="s3://b/k")) == (
        "s3://b/k",
        "'pipeline' is missing",
        "deploy from the files instead: pipelines deploy",
    )


# Promotion


def next_one(neutral: str = "n") -> Desired:
    registry = REGISTRY.replace("1111", "2222")
    moved = replace(image(), uri=image().uri.replace(REGISTRY, registry))
    return replace(first(neutral=neutral), environment="prod", account="222222222222", images=(moved,))


def promote(world: World, neutral: str = "n") -> Desired:
    live = world.live(first())
    text = world.texts.get(("team-dev", record_key("demo", live.pipeline.digest if live.pipeline else "")))
    record = read_record(text, where="record") if text else None
    return promoted(next_one(neutral), "dev", record, live)


def test_a_promotion_copies_the_images_that_the_first_environment_runs() -> None:
    dev, prod = World(), World()
    dev.deploy(first(neutral="n"))
    made = prod.deploy(promote(dev))
    (copied,) = [action.image for action in made.actions if isinstance(action, EnsureImage)]
    assert copied.copy_from == f"{REGISTRY}/demo@{digest_of(image().uri)}"
    assert copied.uri != image().uri
    assert f"  copy image {copied.copy_from} to {copied.uri}" in render(made)
    assert prod.plan(next_one()).actions == ()


def test_a_promotion_of_other_files_is_refused() -> None:
    world = World()
    world.deploy(first(neutral="n" * 20))
    where, what, fix = refusal(lambda: promote(world, "m" * 20))
    assert where == "environment dev"
    assert what == "it runs another definition (nnnnnnnnnnnn) than the files here make (mmmmmmmmmmmm)"
    assert fix == ("check out the commit that it runs, or deploy this one there first: pipelines deploy --env dev")


def test_a_promotion_of_what_was_never_deployed_is_refused() -> None:
    expected = (
        "environment dev",
        "demo was not deployed there by this command",
        "deploy it there first: pipelines deploy --env dev",
    )
    assert refusal(lambda: promote(World())) == expected


def test_a_promotion_of_what_was_changed_by_hand_is_refused() -> None:
    world = World()
    world.deploy(first(neutral="n"))
    world.deploy(first(TWO, neutral="n"))
    with_pipeline(world, definition=ONE.text)  # back to the other definition, whose record is there, but by hand
    assert refusal(lambda: promote(world)) == (
        "environment dev",
        "the pipeline's definition was changed since the last deployment",
        "see what changed, and deploy it there again: pipelines plan --env dev",
    )


def test_a_live_definition_reads_the_same_in_any_form() -> None:
    one, two = (
        LivePipeline("arn", ONE.text, "role"),
        LivePipeline("arn", json.dumps(json.loads(ONE.text), indent=8), "role"),
    )
    assert one.digest == two.digest == ONE.digest
