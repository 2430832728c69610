"""What the types alone cannot say of a spec: kinds of steps, references, branches, parameters, cycles.

Takes a `Pipeline` and its `Source`; gives problems. Nothing here looks at the file system or at an environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipelines.errors import Problem
from pipelines.nearest import suggestion
from pipelines.spec.expressions import (
    AllOf,
    AnyOf,
    Comparison,
    EnvironmentValue,
    In,
    Model,
    Not,
    Output,
    Parameter,
    Reference,
    Report,
    Template,
    condition_references,
)
from pipelines.spec.model import KINDS, ConditionStep, Pipeline, Processing, Step, Training
from pipelines.spec.model import Parameter as Declared
from pipelines.spec.reader import found, key_of
from pipelines.spec.source import Source, ValuePath

MAX_ARGUMENT = 256  # characters of an entrypoint item, an argument or an environment value (CONTRACT.md section 2)


def problems(pipeline: Pipeline, source: Source) -> list[Problem]:
    """Every mistake of meaning, in the order of the file's parts."""
    checker = _Checker(pipeline, source)
    checker.parameters()
    for name, step in pipeline.steps.items():
        checker.step(name, step)
    checker.branches()
    checker.environments()
    if not checker.problems:
        checker.cycles()
    return checker.problems


def references(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Reference]]:
    """All references in a value of the spec, each with the path of the text that holds it."""
    if isinstance(value, Template):
        yield from ((path, reference) for reference in value.references)
    elif isinstance(value, (Comparison, In, Not, AllOf, AnyOf)):
        yield from ((path, reference) for reference in condition_references(value))
    elif is_dataclass(value):
        for field in fields(value):
            yield from references(getattr(value, field.name), (*path, key_of(field.name)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))


def upstream(pipeline: Pipeline, step: Step) -> Iterator[str]:
    """The steps that must end before `step` can start."""
    yield from step.depends_on
    for _, reference in references(step):
        if isinstance(reference, (Output, Model, Report)) and reference.step in pipeline.steps:
            yield reference.step


def literal_fault(declared: Declared, value: Any) -> str:
    """Why a literal does not fit a parameter's type; empty when it does (CONTRACT.md section 1.4)."""
    text = value.literal if isinstance(value, Template) else None
    fits = {
        "String": isinstance(value, Template),
        "Boolean": isinstance(value, bool),
        "Integer": isinstance(value, int) and not isinstance(value, bool),
        "Float": isinstance(value, (int, float)) and not isinstance(value, bool),
    }[declared.type]
    if not fits:
        shown = found(text if isinstance(value, Template) else value)
        return f"a {declared.type} parameter cannot be {shown}"
    if declared.type == "String" and text == "":
        return "the service refuses an empty text as a parameter's value"
    if declared.enum and text is not None and text not in declared.enum:
        return f"{text!r} is not in the parameter's enum"
    return ""


class _Checker:
    def __init__(self, pipeline: Pipeline, source: Source) -> None:
        self.pipeline = pipeline
        self.source = source
        self.problems: list[Problem] = []

    def refuse(self, path: ValuePath, what: str, fix: str, *, key: bool = False) -> None:
        where = self.source.where_key(path) if key else self.source.where(path)
        self.problems.append(Problem(where, what, fix))

    def parameters(self) -> None:
        for name, declared in self.pipeline.parameters.items():
            path = ("parameters", name)
            if declared.enum and declared.type != "String":
                self.refuse(
                    (*path, "enum"), "only String parameters take an enum", "remove it, or make the type String"
                )
            elif declared.default is not None:
                self.literal((*path, "default"), declared, declared.default)

    def literal(self, path: ValuePath, declared: Declared, value: Any) -> None:
        fault = literal_fault(declared, value)
        if fault:
            allowed = f"one of {', '.join(declared.enum)}" if declared.enum else f"a {declared.type}"
            self.refuse(path, fault, f"write {allowed}")
        for _, reference in references(value):
            if not isinstance(reference, EnvironmentValue):
                self.refuse(path, "a parameter's value can refer to env only", "use ${{ env.… }} or a literal")

    def step(self, name: str, step: Step) -> None:
        path: ValuePath = ("steps", name)
        given = [kind for kind in KINDS if getattr(step, kind) is not None]
        if len(given) != 1:
            what = "names no kind" if not given else f"is both {' and '.join(given)}"
            fix = f"give it exactly one of {', '.join(KINDS)}"
            self.refuse(path, f"step {name!r} {what}", fix, key=True)
            return
        for place, reference in references(step, path):
            self.reference(place, reference)
        for index, other in enumerate(step.depends_on):
            self.depends_on((*path, "depends_on", index), other)
        if isinstance(step.body, Processing):
            self.processing((*path, "processing"), step.body)
        if isinstance(step.body, (Processing, Training)):
            self.job((*path, step.kind), step.body)

    def depends_on(self, path: ValuePath, name: str) -> None:
        other = self.pipeline.steps.get(name)
        if other is None:
            self.refuse(path, f"there is no step {name!r}", suggestion(name, self.pipeline.steps))
        elif other.fail is not None:
            self.refuse(path, f"step {name!r} ends the execution: nothing can wait for it", "remove the dependency")

    def reference(self, path: ValuePath, reference: Reference) -> None:
        match reference:
            case Parameter(name) if name not in self.pipeline.parameters:
                fix = suggestion(name, self.pipeline.parameters)
                self.refuse(path, f"there is no parameter {name!r}", f"{fix} Or declare it under `parameters:`")
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
                fix = suggestion(name, known)
                self.refuse(path, f"step {step_name!r} has no {part} {name!r}", f"{fix} Or add it to its `{part}s:`")

    def processing(self, path: ValuePath, body: Processing) -> None:
        for name, report in body.reports.items():
            output, _, file = report.partition("/")
            if output not in body.outputs or not file:
                fix = f"write OUTPUT/path/of/file.json, where OUTPUT is one of: {', '.join(body.outputs)}"
                self.refuse((*path, "reports", name), f"{report!r} names no file of an output", fix)
        if isinstance(body.outputs, tuple) and len(set(body.outputs)) < len(body.outputs):
            self.refuse((*path, "outputs"), "an output stands here twice", "remove one of the two")

    def job(self, path: ValuePath, body: Processing | Training) -> None:
        texts: list[tuple[ValuePath, Any]] = [((*path, "environment", key), v) for key, v in body.environment.items()]
        if isinstance(body, Processing):
            texts += [((*path, "entrypoint", index), item) for index, item in enumerate(body.entrypoint)]
            texts += [((*path, "arguments", index), item) for index, item in enumerate(body.arguments)]
        for place, value in texts:
            if isinstance(value, Template) and len(value.literal or "") > MAX_ARGUMENT:
                what = f"{len(value.literal or '')} characters; SageMaker takes {MAX_ARGUMENT}"
                self.refuse(place, what, "put the value into a file and make it an input")
        self.count(path, body)

    def count(self, path: ValuePath, body: Processing | Training) -> None:
        for key in ("instance_count", "volume_gb"):
            value = getattr(body, key)
            if not isinstance(value, Template):
                continue
            only = value.only
            declared = self.pipeline.parameters.get(only.name) if isinstance(only, Parameter) else None
            if declared is None or declared.type != "Integer":
                self.refuse((*path, key), f"{key} takes a whole number", "write one, or refer to an Integer parameter")

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

    def environments(self) -> None:
        for environment_name, environment in self.pipeline.environments.items():
            for name, value in environment.parameters.items():
                path = ("environments", environment_name, "parameters", name)
                declared = self.pipeline.parameters.get(name)
                if declared is None:
                    fix = suggestion(name, self.pipeline.parameters)
                    self.refuse(path, f"there is no parameter {name!r}", fix, key=True)
                else:
                    self.literal(path, declared, value)

    def cycles(self) -> None:
        graph = {name: set(upstream(self.pipeline, step)) for name, step in self.pipeline.steps.items()}
        for name, step in self.pipeline.steps.items():
            if step.condition is not None:
                for child in (*step.condition.then, *step.condition.else_):
                    graph[child].add(name)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            path = ("steps", error.args[1][-1])
            self.refuse(path, f"steps wait for each other: {circle}", "remove one of these references", key=True)
