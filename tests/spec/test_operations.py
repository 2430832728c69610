"""What schedules, notifications and experiments of a spec become in an environment; the neutral target."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from pipelines.errors import SpecError
from pipelines.schedule import Schedule
from pipelines.spec import Notification

SPEC = """
name: demo
image: i
parameters:
  Day: { type: String }
  Rate: { type: Float, default: 0.5 }
  Deep: { type: Boolean, default: false }
  Count: { type: Integer, default: 1 }
  Where: { type: String, default: "s3://${{ env.bucket }}/" }
steps: { A: { fail: x } }
environments:
  dev:
    account: "111111111111"
    region: eu-central-1
    role: arn:aws:iam::111111111111:role/pipelines
    bucket: team-dev
    parameters: { Rate: 0.25 }
    experiment: { name: "${{ env.name }}-demo", trial: "${{ execution.id }}" }
    schedules:
      nightly:
        cron: "0  3 * * ? *"
        timezone: Europe/Berlin
        window: 15m
        parameters: { Day: <aws.scheduler.scheduled-time>, Rate: 1, Deep: true, Count: 3, Where: "${{ env.bucket }}" }
        dead_letter_queue: arn:aws:sqs:eu-central-1:111111111111:lost
        retry: { attempts: 3, max_age: 1h }
        start: 2026-07-01T00:00:00
        end: 2026-12-01T00:00:00
        enabled: false
        role: arn:aws:iam::111111111111:role/scheduler
      often: { rate: 15 minutes, parameters: { Day: x } }
      once: { at: 2030-01-31T08:00:00, parameters: { Day: x } }
    notifications:
      failures: { to: "arn:aws:sns:eu-central-1:111111111111:ops" }
      hook:
        to: arn:aws:events:eu-central-1:111111111111:api-destination/hook/1f2e
        on: [Succeeded, Failed]
        role: arn:aws:iam::111111111111:role/hooks
"""
ROLE = "arn:aws:iam::111111111111:role/pipelines"


def test_a_schedule_with_nothing_left_open(read):
    assert read(SPEC).target("dev").schedules["nightly"] == Schedule(
        name="nightly",
        expression="cron(0 3 * * ? *)",
        role="arn:aws:iam::111111111111:role/scheduler",
        timezone="Europe/Berlin",
        window_minutes=15,
        parameters={
            "Day": "<aws.scheduler.scheduled-time>",
            "Rate": "1.0",
            "Deep": "true",
            "Count": "3",
            "Where": "team-dev",
        },
        dead_letter_queue="arn:aws:sqs:eu-central-1:111111111111:lost",
        attempts=3,
        max_age_seconds=3600,
        start="2026-06-30T22:00:00Z",
        end="2026-11-30T23:00:00Z",
        enabled=False,
    )


def test_what_a_schedule_does_not_say_is_the_services_own(read):
    schedules = read(SPEC).target("dev").schedules
    assert schedules["often"] == Schedule("often", "rate(15 minutes)", ROLE, parameters={"Day": "x"})
    assert schedules["once"] == Schedule("once", "at(2030-01-31T08:00:00)", ROLE, parameters={"Day": "x"})
    assert (schedules["often"].attempts, schedules["often"].max_age_seconds) == (185, 86400)


def test_notifications(read):
    assert read(SPEC).target("dev").notifications == {
        "failures": Notification("failures", "arn:aws:sns:eu-central-1:111111111111:ops"),
        "hook": Notification(
            "hook",
            "arn:aws:events:eu-central-1:111111111111:api-destination/hook/1f2e",
            on=("Failed", "Succeeded"),
            role="arn:aws:iam::111111111111:role/hooks",
        ),
    }


def test_an_experiment_may_be_named_left_to_the_service_or_switched_off(read):
    spec = read(SPEC)
    experiment = spec.target("dev").experiment
    assert experiment
    assert [str(part) for part in experiment.name.parts][1:] == ["-demo"]
    assert spec.target("local").experiment is None
    off = read("name: p\nsteps: {A: {fail: x}}\nenvironments: {local: {experiment: false}}\n")
    assert off.target().experiment is False


def test_a_schedules_value_from_the_environment_must_be_in_the_enum(read):
    text = """
name: p
parameters: { Size: { type: String, default: dev, enum: [dev, prod] } }
steps: { A: { fail: x } }
environments:
  local: { schedules: { s: { rate: 1 day, parameters: { Size: "${{ env.name }}" } } } }
"""
    with pytest.raises(SpecError) as caught:
        read(text).target()
    assert str(caught.value) == (
        "pipeline.yaml:6:63: 'local' is not in the parameter's enum (environment local)\n  fix: use one of: dev, prod"
    )


def test_the_neutral_target_has_nothing_of_any_environment(read):
    spec = read(SPEC)
    neutral = spec.neutral_target()
    assert neutral.parameters == {"Rate": 0.5, "Deep": False, "Count": 1}
    assert (neutral.schedules, neutral.notifications, neutral.data, neutral.tags) == ({}, {}, {}, {})
    places = {neutral.account, neutral.region, neutral.role, neutral.bucket, neutral.prefix, neutral.name}
    for name in ("dev", "local"):
        assert not places & {spec.target(name).account, spec.target(name).bucket, spec.target(name).prefix, name}
    assert spec.neutral_target() == read(SPEC.replace("team-dev", "other").replace("0.25", "0.75")).neutral_target()


def test_a_target_is_plain_enough_to_be_hashed(read):
    import json

    assert json.loads(json.dumps(asdict(read(SPEC).target("dev"))))["schedules"]["often"]["attempts"] == 185
