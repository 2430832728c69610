"""What the types alone cannot say of a spec: kinds of steps, references, branches, limits that depend on one another.

Takes a `Pipeline` and its `Source`; raises `SpecError` with every problem. Nothing here looks at the file system or at
an environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipelines.nearest import suggestion
from pipelines.spec.expressions import (
    EnvironmentValue,
    ExecutionValue,
    Model,
    Output,
    Parameter,
    Reference,
    Report,
    Template,
)
from pipelines.spec.links import references, waits_for
from pipelines.spec.model import (
    BUILT_IN,
    KINDS,
    ConditionStep,
    Duration,
    Input,
    JobDefaults,
    Pipeline,
    Processing,
    Register,
    Step,
    Training,
)
from pipelines.spec.operations import check_operations
from pipelines.spec.parameters import check_parameters
from pipelines.spec.source import Problems, Source, ValuePath

MAX_ARGUMENT = 256  # characters of an entrypoint item, an argument or an environment value (CONTRACT.md section 2)
MAX_PROCESSING_SECONDS = 9 * 86400


def check_meaning(pipeline: Pipeline, source: Source) -> None:
    """Raises `SpecError` with every mistake of meaning, in the order of the file."""
    problems = Problems(source)
    check_parameters(pipeline, problems)
    check_operations(pipeline, problems)
    checker = _Checker(pipeline, problems)
    checker.shared()
    for name, step in pipeline.steps.items():
        checker.step(name, step)
    checker.branches()
    if not problems:
        checker.cycles()
    problems.raise_any()


class _Checker:
    """Looks at one part after the other, noting problems."""

    def __init__(self, pipeline: Pipeline, problems: Problems) -> None:
        self.pipeline = pipeline
        self.refuse = problems.add

    def shared(self) -> None:
        """What all steps have: defaults and the image. A step's result there would make each step wait for it."""
        defaults = self.pipeline.defaults
        for key, value in (("image", self.pipeline.image), ("defaults", defaults)):
            for path, reference in references(value, (key,)):
                if isinstance(reference, Parameter | EnvironmentValue | ExecutionValue):
                    self.reference(path, reference)
                else:
                    self.refuse(path, f"{key} cannot refer to a step", "refer to it in the steps that need it")
        self.job(("defaults", "processing"), defaults.processing)
        self.job(("defaults", "training"), defaults.training)

    def step(self, name: str, step: Step) -> None:
        path: ValuePath = ("steps", name)
        given = [kind for kind in KINDS if getattr(step, kind) is not None]
        if len(given) != 1:
            what = "names no kind" if not given else f"is both {' and '.join(given)}"
            self.refuse(path, f"step {name!r} {what}", f"give it exactly one of {', '.join(KINDS)}", key=True)
            return
        for place, reference in references(step, path):
            self.reference(place, reference)
        for index, other in enumerate(step.depends_on):
            self.depends_on((*path, "depends_on", index), other)
        self.body((*path, step.kind), step)

    def body(self, path: ValuePath, step: Step) -> None:
        body = step.body
        if isinstance(body, Processing | Training | Register) and body.image is None and self.pipeline.image is None:
            fix = "add `image: { build: container, repository: NAME }` at the top, or an image's URI"
            self.refuse(path, "there is no image, neither here nor for the whole pipeline", fix, key=True)
        if isinstance(body, Processing | Training):
            self.job(path, body)
            for key, value in body.inputs.items():
                self.input((*path, "inputs", key), value, is_channel=isinstance(body, Training))
        if isinstance(body, Processing):
            self.processing(path, body)
        if isinstance(body, Training) and body.spot:
            self.spot((*path, "spot", "max_wait"), body, body.spot.max_wait)
        if isinstance(body, ConditionStep):
            for place, reference in references(body.if_, (*path, "if")):
                if isinstance(reference, Report) and not reference.path:
                    fix = f"name the value: steps.{reference.step}.reports.{reference.report}.path.to.the.value"
                    self.refuse(place, f"the report {reference.report!r} as a whole cannot be compared", fix)

    def depends_on(self, path: ValuePath, name: str) -> None:
        other = self.pipeline.steps.get(name)
        if other is None:
            self.refuse(path, f"there is no step {name!r}", suggestion(name, self.pipeline.steps))
        elif other.fail is not None:
            self.refuse(path, f"step {name!r} ends the execution: nothing can wait for it", "remove the dependency")

    def reference(self, path: ValuePath, reference: Reference) -> None:
        match reference:
            case Parameter(name) if name not in self.pipeline.parameters:
                fix = suggestion(name, self.pipeline.parameters, otherwise="declare it under `parameters:`")
                self.refuse(path, f"there is no parameter {name!r}", fix)
            case Output(step, output):
                self.part(path, step, "output", output)
            case Report(step, report, _):
                self.part(path, step, "report", report)
            case Model(step):
                self.part(path, step, "model", "")

    def part(self, path: ValuePath, step_name: str, part: str, name: str) -> None:
        step = self.pipeline.steps.get(step_name)
        if step is None:
            self.refuse(path, f"there is no step {step_name!r}", suggestion(step_name, self.pipeline.steps))
            return
        wanted = step.training if part == "model" else step.processing
        if wanted is None:
            kind = "training" if part == "model" else "processing"
            self.refuse(path, f"step {step_name!r} has no {part}s", f"refer to a {kind} step")
        elif isinstance(wanted, Processing):
            known: Iterable[str] = wanted.outputs if part == "output" else wanted.reports
            if name not in known:
                fix = suggestion(name, known, otherwise=f"add it to the `{part}s:` of {step_name!r}")
                self.refuse(path, f"step {step_name!r} has no {part} {name!r}", fix)

    def processing(self, path: ValuePath, body: Processing) -> None:
        for name, report in body.reports.items():
            output, _, file = report.partition("/")
            if output not in body.outputs or not file:
                fix = f"write OUTPUT/path/of/file.json, where OUTPUT is one of: {', '.join(body.outputs)}"
                self.refuse((*path, "reports", name), f"{report!r} names no file of an output", fix)
        if isinstance(body.outputs, tuple):
            for index, name in enumerate(body.outputs):
                if name in body.outputs[:index]:
                    self.refuse((*path, "outputs", index), f"the output {name!r} stands here twice", "remove one")
        if body.max_runtime and body.max_runtime.seconds > MAX_PROCESSING_SECONDS:
            self.refuse((*path, "max_runtime"), "a processing job runs for 9 days at most", "write 9d or less")

    def spot(self, path: ValuePath, body: Training, wait: Duration) -> None:
        defaults = self.pipeline.defaults
        known = (job.max_runtime for job in (body, defaults.training, defaults.processing, BUILT_IN))
        runtime = next(time for time in known if time is not None)
        if wait.seconds < runtime.seconds:
            what = f"{wait.text} is less than the job may run: max_runtime is {runtime.text}"
            self.refuse(path, what, f"write {runtime.text} or more, or a shorter max_runtime")

    def input(self, path: ValuePath, value: Template | Input, *, is_channel: bool) -> None:
        if is_channel and isinstance(value, Input) and value.path is not None:
            fix = f"remove it: the channel lies at /opt/ml/input/data/{path[-1]}"
            self.refuse((*path, "path"), "a training channel has no path of its own", fix)
        template = value.source if isinstance(value, Input) else value
        first = template.parts[0] if template.parts else ""
        if isinstance(first, EnvironmentValue) or (
            isinstance(first, str) and template.literal is None and first[:5] != "s3://"
        ):
            self.refuse(
                path,
                "an input with a reference in it must begin with s3://",
                "write s3://…, as in s3://${{ env.bucket }}/raw/",
            )

    def job(self, path: ValuePath, job: JobDefaults) -> None:
        """What defaults, processing and training steps have in common."""
        texts: list[tuple[ValuePath, Any]] = [((*path, "environment", key), v) for key, v in job.environment.items()]
        if isinstance(job, Processing):
            texts += [((*path, "entrypoint", index), item) for index, item in enumerate(job.entrypoint)]
            texts += [((*path, "arguments", index), item) for index, item in enumerate(job.arguments)]
        for place, value in texts:
            length = len(value.literal or "") if isinstance(value, Template) else 0
            if length > MAX_ARGUMENT:
                what = f"{length} characters; SageMaker takes {MAX_ARGUMENT}"
                self.refuse(place, what, "put the value into a file and make it an input")
        for key in ("instance_count", "volume_gb"):
            self.count((*path, key), getattr(job, key))
        if isinstance(job.cache, Duration) and job.cache.seconds % 60:
            fix = f"write {job.cache.seconds // 60 + 1}m"
            self.refuse((*path, "cache"), "a cache's age is counted in whole minutes", fix)

    def count(self, path: ValuePath, value: Template | int | None) -> None:
        if isinstance(value, Template):
            only = value.only
            declared = self.pipeline.parameters.get(only.name) if isinstance(only, Parameter) else None
            unknown = isinstance(only, Parameter) and declared is None  # told already
            if not unknown and (declared is None or declared.type != "Integer"):
                self.refuse(path, f"{path[-1]} takes a whole number", "write one, or refer to an Integer parameter")

    def branches(self) -> None:
        chosen: dict[str, str] = {}
        for name, step in self.pipeline.steps.items():
            if not isinstance(step.condition, ConditionStep):
                continue
            for key, names in (("then", step.condition.then), ("else", step.condition.else_)):
                for index, child in enumerate(names):
                    self.branch_child(("steps", name, "condition", key, index), name, child, chosen)

    def branch_child(self, path: ValuePath, condition: str, child: str, chosen: dict[str, str]) -> None:
        if child not in self.pipeline.steps:
            self.refuse(path, f"there is no step {child!r}", suggestion(child, self.pipeline.steps))
        elif child in chosen:
            what = f"step {child!r} is already in a branch of {chosen[child]!r}"
            self.refuse(path, what, "a step can be in one branch only: make a second step of it")
        elif child == condition:
            self.refuse(path, f"step {child!r} cannot be in its own branch", "remove it from the branch")
        else:
            chosen[child] = condition

    def cycles(self) -> None:
        try:
            TopologicalSorter(waits_for(self.pipeline)).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            what = f"steps wait for each other: {' → '.join(circle)}"
            self.refuse(("steps", circle[0]), what, "remove one of these references", key=True)
