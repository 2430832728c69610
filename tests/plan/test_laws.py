"""Laws of plans, over random states: empty after applying, convergent from anywhere, in an order that never dangles."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.definition import parse
from pipelines.plan import Desired, dump, exit_code, fingerprint, load, plan, remaining, render
from pipelines.plan.marks import schedule_description
from pipelines.schedule import Schedule
from pipelines.spec import Notification
from tests.plan.definitions import BUCKET, chain, define, fail, image, parameter, processing, upload, wanted
from tests.plan.world import World
from tests.work import lines_run

names = st.sampled_from(["A", "B", "C"])
steps = st.builds(
    lambda name, instance, cache, arguments: processing(
        name, instance_type=instance, cache=cache, arguments=arguments, outputs={"out": None}
    ),
    names,
    st.sampled_from(["ml.m5.xlarge", "ml.m5.4xlarge"]),
    st.sampled_from([None, "P30D"]),
    st.lists(st.sampled_from(["--a", "--b"]), min_size=1, max_size=3),
)
definitions = st.builds(
    lambda found, defaults: define(*found, parameters=defaults),
    st.lists(steps, unique_by=lambda step: step["Name"], max_size=3),
    st.sampled_from([(), (parameter("P", default="x"),), (parameter("P", default="y"), parameter("N", "Integer", 3))]),
)
schedules = st.builds(
    lambda name, expression, enabled, parameters, window: Schedule(
        name, expression, "role", enabled=enabled, parameters=parameters, window_minutes=window
    ),
    st.sampled_from(["nightly", "often", "once"]),
    st.sampled_from(["cron(0 3 * * ? *)", "rate(1 day)", "at(2030-01-01T00:00:00)"]),
    st.booleans(),
    st.dictionaries(st.sampled_from(["P", "N"]), st.sampled_from(["1", "2"])),
    st.sampled_from([0, 15]),
)
notifications = st.builds(
    Notification,
    st.sampled_from(["failures", "ends"]),
    st.sampled_from(["arn:aws:sns:eu-central-1:111111111111:ops", "arn:aws:sqs:eu-central-1:111111111111:q.fifo"]),
    st.sampled_from([("Failed",), ("Failed", "Succeeded")]),
)


def by_name(items: list[Any]) -> dict[str, Any]:
    return {item.name: item for item in items}


desires = st.builds(
    wanted,
    definitions,
    description=st.sampled_from(["", "a pipeline", "two\nlines"]),
    role=st.sampled_from(["arn:aws:iam::111111111111:role/a", "arn:aws:iam::111111111111:role/b"]),
    parallelism=st.sampled_from([None, 2, 5]),
    tags=st.dictionaries(st.sampled_from(["team", "cost", "sagemaker:x"]), st.sampled_from(["x", "y"])),
    uploads=st.lists(st.sampled_from([upload("a"), upload("b"), upload("c")]), max_size=3).map(tuple),
    images=st.lists(st.sampled_from([image("src-1"), image("src-2")]), max_size=2).map(tuple),
    schedules=st.lists(schedules, max_size=3).map(by_name),
    notifications=st.lists(notifications, max_size=2).map(by_name),
    makes_bucket=st.booleans(),
)


def world_of(deployed: list[Desired]) -> World:
    """A world in which these were deployed, one after the other."""
    world = World()
    for desired in deployed:
        world.deploy(desired)
    return world


past = st.lists(desires, max_size=2)
LAWS = settings(max_examples=60, deadline=None)


@LAWS
@given(past, desires)
def test_a_plan_of_what_was_deployed_is_empty(before: list[Desired], desired: Desired) -> None:
    world = world_of(before)
    world.deploy(desired)
    again = world.plan(desired)
    assert again.actions == ()
    assert exit_code(again) == 0
    assert again.facts.drift == ()
    assert again.changes == ()


@LAWS
@given(past, desires, st.data())
def test_an_interrupted_deployment_converges_from_any_action_on(
    before: list[Desired], desired: Desired, data: st.DataObject
) -> None:
    world, other = world_of(before), world_of(before)
    first = world.plan(desired)
    done = data.draw(st.integers(0, len(first.actions)))
    world.execute(first, first.actions[:done])
    world.deploy(desired)
    other.deploy(desired)
    assert fingerprint(world.live(desired)) == fingerprint(other.live(desired))
    assert world.plan(desired).actions == ()


@LAWS
@given(past, desires, desires, st.data())
def test_a_change_of_mind_after_an_interruption_converges(
    before: list[Desired], desired: Desired, other: Desired, data: st.DataObject
) -> None:
    world = world_of(before)
    first = world.plan(other)
    world.execute(first, first.actions[: data.draw(st.integers(0, len(first.actions)))])
    assert world.plan(desired).facts.drift == ()  # what our own deployments left is never called drift
    world.deploy(desired)
    assert world.plan(desired).actions == ()


@LAWS
@given(past, desires)
def test_a_saved_plan_goes_on_where_it_was_interrupted(before: list[Desired], desired: Desired) -> None:
    world = world_of(before)
    made = load(dump(world.plan(desired)), where="plan.json")
    for index, action in enumerate(made.actions):
        assert fingerprint(world.live(desired)) == made.fingerprints[index]
        assert remaining(made, world.live(desired)) == made.actions[index:]
        world.carry_out(action, made)
    assert fingerprint(world.live(desired)) == made.fingerprints[-1]
    assert remaining(made, world.live(desired)) == ()


@LAWS
@given(past, desires)
def test_a_plan_read_from_its_file_is_the_plan(before: list[Desired], desired: Desired) -> None:
    made = world_of(before).plan(desired)
    assert load(dump(made), where="plan.json") == made
    assert dump(load(dump(made), where="plan.json")) == dump(made)


def turned(value: Any) -> Any:
    """The same JSON with its objects the other way round."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@LAWS
@given(past, desires)
def test_the_order_of_dictionaries_changes_nothing(before: list[Desired], desired: Desired) -> None:
    world = world_of(before)
    text = json.dumps(turned(json.loads(desired.definition.text)))
    other = replace(
        desired,
        definition=parse(text),
        **{key: turned(getattr(desired, key)) for key in ("tags", "schedules", "notifications")},
    )
    live = world.live(desired)
    mirrored = replace(live, **{key: turned(getattr(live, key)) for key in ("tags", "schedules", "notifications")})
    one, two = plan(desired, live), plan(other, mirrored)
    assert replace(two, definition=one.definition) == one
    assert render(one) == render(two)


@LAWS
@given(past, desires)
def test_what_changes_is_told(before: list[Desired], desired: Desired) -> None:
    made = world_of(before).plan(desired)
    kinds = {"WriteRecord", "MakeBucket"}
    told = {type(action).__name__ for action in made.actions} - kinds
    assert bool(made.changes) == bool(told)
    lines = render(made)
    assert ("Nothing to do: what is there is what pipeline.yaml says." in lines) == (made.actions == ())


def test_a_plan_of_twice_the_steps_is_twice_the_work() -> None:
    def work(steps: int) -> int:
        world = World()
        world.images[image().uri] = ""
        world.deploy(wanted(chain(steps, "ml.m5.xlarge")))
        desired = wanted(chain(steps, "ml.m5.4xlarge"))
        live = world.live(desired)
        made = plan(desired, live)
        assert len(made.changes) == steps - 1
        assert len(made.facts.caches) == steps
        return lines_run(lambda: plan(desired, live))

    assert work(300) < 2.1 * work(150)


def test_a_bucket_is_made_before_anything_is_put_into_it() -> None:
    world = World()
    world.buckets.clear()
    made = world.deploy(wanted(define(fail("End")), uploads=(upload("a"),), makes_bucket=True))
    assert [type(action).__name__ for action in made.actions] == [
        "MakeBucket",
        "UploadFile",
        "WriteRecord",
        "CreatePipeline",
    ]
    assert world.buckets == {BUCKET}


def test_marks_are_of_the_whole_value() -> None:
    schedule = Schedule("s", "rate(1 day)", "role")
    assert schedule_description("p", schedule) != schedule_description("p", replace(schedule, enabled=False))
