"""Plans and what is deployed by them: `plan`, `rollback`, `promote` and `schedules`, the two ways to deploy."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.errors import Mend, UsageError

if TYPE_CHECKING:
    from pipelines.compile import Compiled
    from pipelines.deploy import Deployment, Site
    from pipelines.plan import Live, LivePipeline, LiveSchedule, Plan, Record
    from pipelines.schedule import Schedule

FINE = 0
_STARTS = 5  # of each schedule, that are shown


def compiled(project: Project, terminal: Terminal) -> Compiled:
    """The definition for the environment; says so when it takes long."""
    with terminal.busy("compiling with the SageMaker SDK: some seconds, the first time …"):
        return project.compiled


def plan(given: argparse.Namespace, terminal: Terminal) -> int:
    """Show what a deployment would change, and keep it in a file if asked."""
    from pipelines.deploy import make_plan
    from pipelines.plan import exit_code

    project = Project.of(given)
    compiled(project, terminal)
    made, _ = make_plan(project.desired, project.site(terminal.note))
    _show(made, project, terminal, given.output)
    return exit_code(made) if given.detailed_exitcode else FINE


def _show(made: Plan, project: Project, terminal: Terminal, output: Path | None) -> None:
    """A plan is what the command was asked for."""
    from pipelines.plan import dump, render, to_json

    if output:
        _write(output, dump(made))
    if terminal.json:
        terminal.document(to_json(made))
    else:
        terminal.result("\n".join(render(made, str(project.file))))
    if output and made.actions:
        terminal.note(f"apply it: {project.command(f'deploy {shlex.quote(str(output))}')}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"the plan cannot be written: {error.strerror}"
        raise UsageError(what, where=str(file), fix="name a file in a folder that you can write to") from error


def read_plan(file: Path, project: Project) -> Plan:
    """A saved plan, of this pipeline and this environment. Raises `UsageError`."""
    from pipelines.plan import load

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        fix = Mend("make it", f"plan -o {shlex.quote(str(file))}")
        raise UsageError(f"the plan cannot be read: {reason}", where=str(file), fix=fix) from error
    made, target = load(text, where=str(file)), project.target
    if made.environment != target.name:
        fix = Mend("name its environment", f"deploy {shlex.quote(str(file))} --env {made.environment}")
        raise UsageError(f"it is a plan for environment {made.environment}", where=str(file), fix=fix)
    here = (project.pipeline, target.account, target.region, target.bucket)
    there = (made.pipeline, made.account, made.region, made.needs.bucket)
    if here != there:
        what = f"it is a plan for {', '.join(there)}; {project.file} says {', '.join(here)}"
        raise UsageError(what, where=str(file), fix=Mend("make it again", f"plan -o {shlex.quote(str(file))}"))
    return made


def deploy_files(project: Project, terminal: Terminal, *, yes: bool = False) -> Deployment:
    """Plan what pipeline.yaml says, ask, and carry it out."""
    from pipelines.deploy import apply, make_plan

    _refuse_nobody(project, terminal, yes=yes)
    compiled(project, terminal)
    site = project.site(terminal.note)
    made, live = make_plan(project.desired, site)
    if project.target.is_local:
        for line in (*(f"drift: {drift}" for drift in made.facts.drift), *made.facts.notes):
            terminal.note(f"note: {line}")
        return apply(made, site, live)
    return _carry_out(made, live, site, project, terminal, yes=yes)


def _refuse_nobody(project: Project, terminal: Terminal, *, yes: bool) -> None:
    """Before anything is read: a real environment is changed after a yes only."""
    if yes or project.target.is_local or terminal.is_interactive:
        return
    what = "it is asked for a yes before anything is changed, and here is no terminal to ask on"
    fix = f"add --yes; or review a plan ({project.command('plan -o FILE')}): {project.command('deploy FILE')}"
    raise UsageError(what, where=f"environment {project.environment}", fix=fix)


def _carry_out(
    made: Plan, live: Live, site: Site, project: Project, terminal: Terminal, *, yes: bool = False, source: str = ""
) -> Deployment:
    """Show a plan and ask before it is carried out; the local environment is nobody's to ask for."""
    from pipelines.deploy import apply
    from pipelines.plan import render

    terminal.note("\n".join(render(made, source or str(project.file))))
    if yes or project.target.is_local or not made.actions:
        return apply(made, site, live)
    if not terminal.confirm(f"Do that in environment {project.environment} (account {project.target.account})?"):
        fix = "repeat the command, and answer y"
        raise UsageError("nothing was changed", where=f"environment {project.environment}", fix=fix)
    return apply(made, site)  # the answer took its time: it looks again


def deploy_plan(made: Plan, project: Project, terminal: Terminal) -> Deployment:
    """Carry a saved plan out, exactly or not at all."""
    from pipelines.deploy import apply

    return apply(made, project.site(terminal.note))


def rollback(given: argparse.Namespace, terminal: Terminal) -> int:
    """Deploy an earlier version of the pipeline, with what was deployed with it."""
    from pipelines.definition import parse
    from pipelines.deploy import make_plan
    from pipelines.plan import Version, rolled_back

    project = Project.of(given)
    _refuse_nobody(project, terminal, yes=given.yes)
    name, site = project.pipeline, project.site(terminal.note)
    live = _live(project, site)
    number = _version(project, given.version, live.pipeline)
    definition = parse(project.gateway.pipeline_definition(name, number), where=f"version {number} of {name}")
    version = Version(number, definition, _record(project, definition.digest))
    again = project.command(f"rollback {number}")
    terminal.note(f"back to version {number}; if it is interrupted, go on with: {again}")
    if version.record is None:
        terminal.note(f"note: no deployment of version {number} is on record: its definition alone comes back")
    made, live = make_plan(rolled_back(name, project.target, version, live), site)
    deployed = _carry_out(made, live, site, project, terminal, yes=given.yes, source=f"version {number}")
    _told(deployed, terminal, version=number)
    return FINE


def _told(deployed: Deployment, terminal: Terminal, **more: Any) -> None:
    if terminal.json:
        terminal.document({"pipeline": deployed.pipeline_arn, "action": deployed.action, **more})
    else:
        terminal.result(deployed.pipeline_arn)


def promote(given: argparse.Namespace, terminal: Terminal) -> int:
    """Deploy to an environment exactly what another one runs, its images copied; or keep the plan of it in a file."""
    from pipelines.deploy import make_plan
    from pipelines.plan import needs, promoted, read_live

    base = Project.of(given)
    source = replace(base, environment=given.source, profile=given.source_profile or "")
    project = replace(base, environment=given.to)
    _refuse_no_promotion(source, project)
    if not given.output:
        _refuse_nobody(project, terminal, yes=given.yes)
    compiled(source, terminal)
    compiled(project, terminal)
    there = read_live(source.site(terminal.note).remote(source.pipeline), needs(source.desired))
    record = _record(source, there.pipeline.digest) if there.pipeline else None
    site = project.site(terminal.note, source)
    made, live = make_plan(promoted(project.desired, source.environment, record, there), site)
    if given.output:
        _show(made, project, terminal, given.output)
        return FINE
    deployed = _carry_out(made, live, site, project, terminal, yes=given.yes)
    _told(deployed, terminal, promoted=project.neutral)
    return FINE


def _refuse_no_promotion(source: Project, project: Project) -> None:
    for one in (source, project):
        if one.target.is_local:
            fix = Mend("deploy from the files", f"deploy{project.target.option}")
            raise UsageError("the local environment has no registry to copy images of", where="promote", fix=fix)
    if source.environment == project.environment:
        raise UsageError("it is one environment", where="promote", fix=Mend("name two", "promote dev prod"))


def _live(project: Project, site: Site) -> Live:
    from pipelines.plan import Needs, read_live

    name = project.pipeline
    return read_live(site.remote(name), Needs(name, project.target.bucket))


def _version(project: Project, given: int | None, live: LivePipeline | None) -> int:
    """The version that is meant: the one that is named and there, or the one before the current.

    What a rollback brought back counts as the version that it came from.
    """
    from pipelines.plan import earlier

    name, where = project.pipeline, f"environment {project.environment}"
    if live is None:
        raise project.not_deployed()
    there = sorted(int(item["PipelineVersionId"]) for item in project.gateway.pipeline_versions(name))
    if given is None:
        before = earlier(there, _record(project, live.digest))
        if before is None:
            others = f"; or name one of {', '.join(map(str, there[-10:]))}" if len(there) > 1 else ""
            fix = f"correct {project.file}, and deploy it{others}"
            raise UsageError("there is no earlier version", where=where, fix=fix)
        return before
    if given not in there:
        fix = f"name one of {', '.join(map(str, there[-10:]))}"
        raise UsageError(f"there is no version {given} of {name}", where=where, fix=fix)
    return given


def _record(project: Project, digest: str) -> Record | None:
    from pipelines.plan import read_record, record_key

    bucket, key = project.target.bucket, record_key(project.target.prefix, digest)
    text = project.site(lambda _: None).remote(project.pipeline).record(bucket, key)
    return read_record(text, where=f"s3://{bucket}/{key}", option=project.target.option) if text else None


def schedules(given: argparse.Namespace, terminal: Terminal) -> int:
    """List the schedules of pipeline.yaml and those that are deployed, with their next starts."""
    project = Project.of(given)
    wanted = project.target.schedules
    name = project.pipeline
    there = project.site(terminal.note).remote(name).schedules(name)
    names = sorted(wanted.keys() | there.keys())
    found = [
        _described(wanted.get(key), there.get(key), _created(project, there.get(key)), project.file) for key in names
    ]
    if terminal.json:
        terminal.document({"schedules": found})
        return FINE
    for item in found:
        terminal.result(f"{item['name']}  {item['expression']} {item['timezone']}  {item['state']}")
        for start in item["next"]:
            terminal.result(f"  {start}")
    if not found:
        terminal.result(f"no schedules in environment {project.environment}")
    return FINE


def _created(project: Project, there: LiveSchedule | None) -> datetime | None:
    """When a rate began to count; nothing else needs it."""
    from pipelines.plan.requests import GROUP
    from pipelines.schedule import aws_name

    if there is None or not there.value.expression.startswith("rate"):
        return None
    answer = project.gateway.schedule(GROUP, aws_name(project.pipeline, there.value.name)) or {}
    return answer.get("CreationDate")


def _described(
    wanted: Schedule | None, there: LiveSchedule | None, created: datetime | None, file: Path
) -> dict[str, Any]:
    """What fires is what is deployed; of what is not deployed, what would."""
    from pipelines.schedule import next_starts, time_zone

    schedule = there.value if there else wanted
    assert schedule is not None  # noqa: S101 -- it is in one of the two
    zone = time_zone(schedule.timezone)
    starts = next_starts(schedule, datetime.now(UTC), _STARTS, created)
    return {
        "name": schedule.name,
        "expression": schedule.expression,
        "timezone": schedule.timezone,
        "enabled": schedule.enabled,
        "state": _state(wanted, there, file),
        "next": [start.astimezone(zone).isoformat(timespec="minutes") for start in starts],
    }


def _state(wanted: Schedule | None, there: LiveSchedule | None, file: Path) -> str:
    if there is None:
        return "not deployed"
    if wanted is None:
        return f"deployed, and no longer in {file}"
    if wanted != there.value:
        return f"deployed, and differs from {file}"
    return "deployed" if wanted.enabled else "deployed, disabled"
