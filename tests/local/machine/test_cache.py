"""The step cache: what counts, what is a hit, and why there was none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.definition.model import Cache
from pipelines.local.machine import (
    CacheAnswered,
    CacheEntry,
    LookUpCache,
    cache_key,
    explain,
    from_json,
    look_up,
    to_json,
    why_missed,
    why_not_enabled,
)
from pipelines.local.machine.cache import key_digest
from tests.local.machine.simulation import START, Simulation, at, context, flow_of, get, loop, step

EARLIER = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/flights/execution/EARLIER00000"
DAY = timedelta(days=1)


def cached(name: str, *depends_on: Any, expire_after: str | None = "P1D", enabled: Any = True, **rest: Any) -> Any:
    config = {"Enabled": enabled, **({"ExpireAfter": expire_after} if expire_after else {})}
    return {**step(name, *depends_on, **rest), "CacheConfig": config}


def arguments(*words: str, role: str = "r") -> dict[str, Any]:
    specification = {"ImageUri": "i@sha256:1", "ContainerArguments": ["--a", *words]}
    return {"AppSpecification": specification, "RoleArn": role, "ProcessingOutputConfig": {"Outputs": []}}


def entry(name: str = "A", age: timedelta = timedelta(hours=1), status: str = "Succeeded", *words: str) -> CacheEntry:
    key = cache_key("Processing", arguments(*words))
    given = {"ProcessingJobName": "old"}
    return CacheEntry("flights", name, EARLIER, status, START - age, key_digest(key), key, given, {"ProcessingJob": {}})


def asked(*steps: Any, **rest: Any) -> Simulation:
    """An execution that has asked the cache for A."""
    return Simulation(flow_of(*(steps or (cached("A", **arguments()),)), caching=True, **rest)).start()


def test_the_cache_is_asked_before_a_launch_and_a_hit_is_the_old_result() -> None:
    execution = asked(cached("A", **arguments()), step("B", "A", job=get("Steps.A.ProcessingJobName")))
    digest = key_digest(cache_key("Processing", arguments()))
    assert execution.commands == (LookUpCache("A", "flights", digest, START - DAY),)
    assert execution.step("A").status == "Starting"
    execution.answer("A", entry())
    hit = execution.step("A")
    assert (hit.status, hit.cache_hit, hit.start, hit.end) == ("Succeeded", EARLIER, at(0), at(1))
    assert (hit.properties, hit.metadata) == ({"ProcessingJobName": "old"}, {"ProcessingJob": {}})
    assert execution.launches[0].arguments == {"job": "old"}
    assert execution.kept == [], "a hit is no new result"


def test_a_miss_is_explained_and_launched_and_its_result_kept() -> None:
    execution = asked(cached("A", **arguments("x")))
    execution.answer("A", entry())
    assert execution.launched == ["A"]
    assert execution.step("A").cache_miss == (
        f'key changed since {EARLIER}: AppSpecification.ContainerArguments[1] was added: "x"'
    )
    execution.succeed("A", ProcessingJobName="new")
    (kept,) = execution.kept
    assert kept == replace(
        entry("A", timedelta(), "Succeeded", "x"),
        execution_arn=execution.context.execution_arn,
        end=at(2),
        properties={"ProcessingJobName": "new"},
        metadata={},
    )
    assert CacheEntry.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert execution.step("A").cache_key is None


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "never run: no earlier result of this step is kept"),
        ([entry(age=2 * DAY)], f"expired since 2024-04-30T12:34:56+00:00: the result is of {EARLIER}"),
        (
            [entry("A", DAY / 2, "Failed")],
            f"source did not succeed: with the same key the step ended Failed in {EARLIER}",
        ),
        (
            [entry("A", DAY / 2, "Succeeded", "--b")],
            f'key changed since {EARLIER}: AppSpecification.ContainerArguments[1] was removed: "--b"',
        ),
    ],
)
def test_every_miss_has_its_reason(entries: list[CacheEntry], why: str) -> None:
    execution = asked().answer("A", *entries)
    assert execution.launched == ["A"]
    assert execution.step("A").cache_miss == why


@pytest.mark.parametrize(
    ("cache", "kind", "why"),
    [
        (None, "Processing", "not enabled: the step has no CacheConfig"),
        (Cache(False, "P1D"), "Processing", "not enabled: CacheConfig.Enabled is not true"),
        (Cache(True), "Processing", "not enabled: CacheConfig has no ExpireAfter"),
        (Cache(True, "soon"), "Processing", 'not enabled: CacheConfig.ExpireAfter: "soon" is not a duration'),
        (Cache(True, "P1D"), "Lambda", "not enabled: steps of type Lambda are not cached"),
        (Cache(True, "P1D"), "Training", None),
    ],
)
def test_a_step_that_is_not_looked_up_has_a_reason_too(cache: Cache | None, kind: str, why: str | None) -> None:
    assert why_not_enabled(cache, kind) == why
    expected = why or "never run: no earlier result of this step is kept"
    assert why_missed(cache, kind, {}, None, START) == expected
    config = {} if cache is None else {"CacheConfig": {"Enabled": cache.enabled, "ExpireAfter": cache.expire_after}}
    execution = Simulation(flow_of({**step("A", kind=kind), **config}, caching=True)).start()
    assert execution.launched == ([] if why is None else ["A"])


def test_without_an_executor_that_caches_nothing_is_asked_or_kept() -> None:
    execution = Simulation(flow_of(cached("A", **arguments()))).start()
    assert execution.launched == ["A"]
    assert execution.succeed("A").kept == []


@pytest.mark.parametrize(
    ("kind", "given", "key"),
    [
        (
            "Processing",
            {**arguments(), "Environment": {"K": "v"}, "ProcessingInputs": [], "ProcessingResources": {}},
            {"AppSpecification": arguments()["AppSpecification"], "Environment": {"K": "v"}, "ProcessingInputs": []},
        ),
        (
            "Training",
            {"HyperParameters": {"a": "1"}, "RoleArn": "r", "OutputDataConfig": {}, "InputDataConfig": []},
            {"HyperParameters": {"a": "1"}, "InputDataConfig": []},
        ),
        ("Transform", {"ModelName": "m", "TransformOutput": {}}, {"ModelName": "m"}),
        (
            "EMR",
            {"ClusterId": "j-1", "StepConfig": {}, "ExecutionRoleArn": "r"},
            {"ClusterId": "j-1", "StepConfig": {}},
        ),
        (
            "Tuning",
            {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "r", "OutputDataConfig": {}}},
            {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}}},
        ),
    ],
)
def test_the_key_holds_what_the_guide_names(kind: str, given: dict[str, Any], key: dict[str, Any]) -> None:
    assert cache_key(kind, given) == key


def test_settings_of_a_check_step_count() -> None:
    assert cache_key("QualityCheck", {"RoleArn": "r"}, {"SkipCheck": False}) == {"SkipCheck": False}


def test_values_count_as_resolved() -> None:
    flow = flow_of(cached("A", **arguments(get("Parameters.P"))), caching=True)  # type: ignore[arg-type]
    same = [Simulation(flow, context(P=value)).start().look_ups[0].digest for value in ("x", "y", "x")]
    assert same[0] == same[2] != same[1]
    assert same[0] == key_digest(cache_key("Processing", arguments("x")))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"a": 1}, {"a": 1}, "nothing changed"),
        ({"a": {"b": ["x", "y"]}}, {"a": {"b": ["x", "z"]}}, 'a.b[1] changed from "y" to "z"'),
        ({"Environment": {}}, {"Environment": {"A.1": "v"}}, "Environment['A.1'] was added: \"v\""),
        ({"a": True}, {"a": 1}, "a changed from true to 1"),
        ({"a": 1, "b": 2}, {"b": 3}, "b changed from 2 to 3; a was removed: 1"),
        (
            {"ProcessingInputs": [{"InputName": "a", "S3Input": {"S3Uri": "s3://1"}}, {"InputName": "b"}]},
            {"ProcessingInputs": [{"InputName": "b"}, {"InputName": "a", "S3Input": {"S3Uri": "s3://2"}}]},
            'ProcessingInputs.a.S3Input.S3Uri changed from "s3://1" to "s3://2"',
        ),
        (
            {"P": [{"InputName": "a"}, {"InputName": "b"}]},
            {"P": [{"InputName": "b"}, {"InputName": "a"}]},
            "P changed its order from a, b to b, a",
        ),
        ({"a": "x" * 300}, {"a": ""}, f'a changed from "{"x" * 198}… to ""'),
    ],
)
def test_every_difference_is_named_by_its_path(old: Any, new: Any, text: str) -> None:
    assert explain(old, new) == text


def test_the_newest_match_wins_and_else_the_nearest_is_shown() -> None:
    same, older = entry(age=DAY / 4), entry(age=DAY / 2)
    failed, other = entry("A", DAY / 8, "Failed"), entry("A", DAY / 16, "Succeeded", "z")
    digest, oldest = same.digest, START - DAY
    assert look_up([older, other, same, failed], digest, oldest) == (same, None)
    assert look_up([other, failed], digest, oldest) == (None, failed)
    assert look_up([other], same.key, oldest) == (None, other)
    assert look_up([], digest, oldest) == (None, None)


def test_an_answer_that_is_no_hit_is_a_miss_whoever_gave_it() -> None:
    for wrong in (entry("B"), replace(entry(), pipeline="other"), entry(age=2 * DAY), entry("A", DAY, "Failed")):
        execution = asked()
        execution.send(lambda now, wrong=wrong: CacheAnswered(now, "A", wrong))  # type: ignore[misc]
        assert execution.launched == ["A"]
        assert execution.step("A").cache_hit is None


def test_an_answer_nobody_waits_for_changes_nothing() -> None:
    execution = asked().answer("A")
    before = execution.state
    assert execution.send(lambda now: CacheAnswered(now, "A", entry())).state is before


def test_a_stop_or_failure_ends_a_step_that_waits_for_the_cache() -> None:
    assert asked().stop().state.status == "Stopped"
    execution = asked(cached("A", **arguments()), step("B")).fail("B")
    assert execution.statuses() == {"A": "Stopped", "B": "Failed"}
    assert execution.send(lambda now: CacheAnswered(now, "A", entry())).commands == ()


def test_a_retry_does_not_ask_again() -> None:
    execution = asked().answer("A").fault("A", "Step.THROTTLING")
    assert execution.wait_until(at(60)).launched == ["A"]
    assert execution.succeed("A").step("A").status == "Succeeded"


def test_documents_read_for_the_key_are_not_read_again() -> None:
    word: Any = {"Std:JsonGet": {"S3Uri": "s3://b/x", "Path": "v"}}
    execution = asked(cached("A", **arguments(word)))
    execution.read("A", "s3://b/x", '{"v": "w"}').answer("A")
    assert execution.launches[0].arguments == arguments("w")


def test_the_children_of_a_loop_are_looked_up_by_their_own_names() -> None:
    body = cached("Body", **arguments(get("ForEach.CurrentItem")))  # type: ignore[arg-type]
    execution = asked(loop("Loop", items=["p", "q"], body=[body]))
    assert [command.step for command in execution.look_ups] == ["Body-0", "Body-1"]
    execution.answer("Body-0", entry("Body-0", DAY / 2, "Succeeded", "p"))
    assert execution.step("Body-0").cache_hit == EARLIER


def test_a_step_that_waits_for_the_cache_survives_json() -> None:
    execution = asked()
    question = execution.look_ups[0]
    execution.state = from_json(json.loads(json.dumps(to_json(execution.state))))
    hit, _ = look_up([entry()], question.digest, question.oldest)
    assert execution.send(lambda now: CacheAnswered(now, "A", hit)).step("A").cache_hit == EARLIER


def test_a_window_longer_than_time_itself_never_expires() -> None:
    execution = asked(cached("A", expire_after="9999Y", **arguments()))
    assert execution.answer("A", entry(age=365 * 100 * DAY)).step("A").cache_hit == EARLIER


WORDS = st.lists(st.sampled_from(["a", "b"]), max_size=2)


@given(
    WORDS,
    st.lists(
        st.tuples(
            WORDS, st.integers(0, 48), st.sampled_from(["Succeeded", "Succeeded", "Failed"]), st.sampled_from("AB")
        )
    ),
)
def test_a_hit_is_an_equal_key_of_the_same_step_that_succeeded_inside_the_window(words: Any, runs: Any) -> None:
    entries = [entry(name, timedelta(hours=hours), status, *was) for was, hours, status, name in runs]
    # The answer comes a second later: what is 24 hours old then is out of the window.
    fitting = [
        item
        for item, (was, hours, status, name) in zip(entries, runs, strict=True)
        if was == words and status == "Succeeded" and name == "A" and hours < 24
    ]
    mine = [item for item in entries if item.step == "A"]
    execution = asked(cached("A", **arguments(*words))).answer("A", *mine)
    step_state = execution.step("A")
    assert (step_state.cache_hit is not None) == bool(fitting)
    assert (step_state.cache_miss is None) == bool(fitting)
    assert execution.launched == ([] if fitting else ["A"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=3), JSON), st.dictionaries(st.text(max_size=3), JSON))
def test_two_keys_differ_exactly_when_a_difference_is_named(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert (explain(old, new) == "nothing changed") == (key_digest(old) == key_digest(new))
    assert explain(old, old) == "nothing changed"
