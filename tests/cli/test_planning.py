"""The life of a deployment: plan, deploy, change, a saved plan, a stale one, schedules added and pruned."""

from __future__ import annotations

import io
import json
import re
import sys
from types import SimpleNamespace

import pytest

from pipelines.cli.planning import _carry_out
from pipelines.cli.terminal import Terminal
from pipelines.errors import UsageError
from tests.plan.definitions import wanted
from tests.plan.world import World

LOCAL = """\
  local:
    schedules:
      nightly: { cron: "0 6 * * ? *", timezone: Europe/Berlin, parameters: { MinMean: 2 } }
    notifications:
      failures: { to: "arn:aws:sns:us-east-1:123456789012:ops" }
    tags: { team: delays }
"""


def test_life_of_a_deployment(project, pipelines):
    assert pipelines("plan", "--detailed-exitcode").code == 2
    assert pipelines("plan").code == 0
    assert pipelines("deploy").code == 0
    nothing = pipelines("plan", "--detailed-exitcode")
    assert (nothing.code, "Nothing to do" in nothing.out) == (0, True)

    # A change, seen in pipeline.yaml's words and kept.
    project.edit("  local:\n", LOCAL)
    saved = pipelines("plan", "-o", "plan.json", "--detailed-exitcode")
    assert saved.code == 2
    assert "+ schedule nightly\n    cron: 0 6 * * ? *\n    timezone: Europe/Berlin" in saved.out
    assert "+ notification failures" in saved.out
    assert "apply it: pipelines deploy plan.json" in saved.err
    (project.folder / "other.json").write_text((project.folder / "plan.json").read_text())
    applied = pipelines("deploy", "plan.json")
    assert (applied.code, "create schedule nightly" in applied.err) == (0, True)
    assert pipelines("plan", "--detailed-exitcode").code == 0
    again = pipelines("deploy", "plan.json")
    assert (again.code, again.err) == (0, "pipeline tiny: unchanged\n")
    assert pipelines("local", "--stop").code == 0  # the next server knows all of it
    assert pipelines("plan", "--detailed-exitcode").code == 0

    listed = json.loads(pipelines("schedules", "--json").out)["schedules"]
    assert [(item["name"], item["state"], len(item["next"])) for item in listed] == [("nightly", "deployed", 5)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT06:00\+0[12]:00", start) for start in listed[0]["next"])

    # What is no longer in pipeline.yaml is pruned; the plan of before is stale then.
    project.edit(LOCAL, "  local:\n")
    pruned = pipelines("deploy")
    for line in ("delete schedule nightly", "delete notification failures", "remove tags team"):
        assert line in pruned.err
    assert pipelines("schedules").out == "no schedules in environment local\n"
    project.edit("  local:\n", LOCAL.replace("0 6", "0 7"))
    assert pipelines("deploy").code == 0
    stale = pipelines("deploy", "other.json")
    assert stale.code == 2
    assert "tiny has changed since the plan was made" in stale.err
    assert "fix: make the plan again: pipelines plan -o FILE" in stale.err
    assert pipelines("plan", "--detailed-exitcode").code == 0  # it did nothing


def test_rollback_brings_a_version_back_with_what_was_deployed_with_it(project, pipelines):
    assert pipelines("rollback").code == 2  # nothing is deployed
    project.edit("  local:\n", LOCAL)
    assert pipelines("deploy").code == 0
    assert "there is no earlier version" in pipelines("rollback").err
    project.edit(LOCAL, "  local:\n    experiment: { name: other }\n")
    assert pipelines("deploy").code == 0
    assert pipelines("schedules").out == "no schedules in environment local\n"

    back = pipelines("rollback", "--json")
    assert back.code == 0, back.err
    assert (back.code, json.loads(back.out)["version"]) == (0, 1)
    assert "create schedule nightly" in back.err
    assert "back to version 1; if it is interrupted, go on with: pipelines rollback 1\n" in back.err
    assert "nightly" in pipelines("schedules").out
    project.edit("  local:\n    experiment: { name: other }\n", LOCAL)
    assert pipelines("plan", "--detailed-exitcode").code == 0
    assert "there is no earlier version" in pipelines("rollback").err  # never to what was just undone
    unknown = pipelines("rollback", "9")
    assert (unknown.code, "there is no version 9 of tiny" in unknown.err) == (2, True)
    assert "fix: name one of 1, 2" in unknown.err


def test_a_file_that_is_no_plan_is_refused_before_anything(project, pipelines):
    missing = pipelines("deploy", "plan.json")
    assert (missing.code, "fix: make it: pipelines plan -o plan.json" in missing.err) == (2, True)
    (project.folder / "plan.json").write_text("{}")
    assert pipelines("deploy", "plan.json").code == 2
    assert project.is_untouched


def test_a_mistake_is_not_taken_for_changes(project, pipelines):
    assert pipelines("plan", "--env", "nowhere").code == 2
    assert pipelines("plan", "--env", "nowhere", "--detailed-exitcode").code == 1
    assert pipelines("plan", "--detailed-exitcode", "--no-such").code == 1


def test_a_real_environment_is_changed_after_a_yes_only(project, pipelines):
    for words in (("deploy",), ("rollback",)):
        refused = pipelines(*words, "--env", "dev")
        assert refused.code == 2
        assert (
            "environment dev: it is asked for a yes before anything is changed, and here is no terminal" in refused.err
        )
        assert "fix: add --yes; or review a plan (pipelines plan -o FILE --env dev)" in refused.err
    # With a yes, the next thing is whose the credentials are.
    assert pipelines("deploy", "--env", "dev", "--yes").code == 3
    assert project.is_untouched


def test_a_promotion_is_from_one_real_environment_to_another(project, pipelines):
    for words, what in {
        ("local", "dev"): "the local environment has no registry to copy images of",
        ("dev", "dev"): "it is one environment",
        ("dev", "prod"): "there is no environment 'prod'",
    }.items():
        refused = pipelines("promote", *words)
        assert refused.code == 2
        assert what in refused.err, refused.err
    assert project.is_untouched


@pytest.mark.parametrize(
    ("typed", "expected"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(monkeypatch, capsys, typed, expected):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert Terminal().confirm("Do that?") is expected
    assert capsys.readouterr() == ("", "Do that? [y/N]\n")


def test_what_is_answered_with_no_is_shown_and_not_done(monkeypatch, capsys):
    asked = []
    terminal = Terminal()
    monkeypatch.setattr(terminal, "confirm", lambda question: asked.append(question), raising=True)
    target = SimpleNamespace(is_local=False, account="111111111111")
    here = SimpleNamespace(environment="dev", target=target, file="pipeline.yaml")
    world = World()
    made = world.plan(wanted())
    with pytest.raises(UsageError, match="nothing was changed"):
        _carry_out(made, world.live(wanted()), None, here, terminal)
    assert asked == ["Do that in environment dev (account 111111111111)?"]
    assert "create pipeline demo" in capsys.readouterr().err
    assert world.pipelines == {}
