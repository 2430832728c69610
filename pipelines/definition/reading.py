"""Definition text → Definition. Strict about what cannot be read, tolerant of keys and kinds it does not know.

`parse` stops at the first thing that makes the document unreadable, a DefinitionError with the path to it. What is
readable but wrong (unknown steps, cycles, types that do not fit) is for `graph`, `unknown` and the checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pipelines.definition.document import digest, read_document
from pipelines.definition.envelope import read_cache, read_dependencies, read_property_files, read_retry_policies
from pipelines.definition.expressions import located_references
from pipelines.definition.fields import key_of, optional_list, optional_text, required_text
from pipelines.definition.model import Definition, Parameter, Parent, Step, flatten
from pipelines.definition.step_types import ELSE_STEPS, FOR_EACH_BODY, IF_STEPS, NESTED_KEYS
from pipelines.errors import DefinitionError


def parse(text: str, *, where: str = "definition") -> Definition:
    """The typed definition in `text`; `where` (a file name, say) opens the place of every error."""
    document = read_document(text, where=where)
    try:
        return _definition(text, document)
    except DefinitionError as error:
        problem = error.problems[0]
        place = f"{where}: {problem.where}" if problem.where else where
        raise DefinitionError(problem.what, where=place, fix=problem.fix) from error


def _definition(text: str, document: dict[str, Any]) -> Definition:
    if "Steps" not in document:
        raise DefinitionError("Steps is missing", fix='add "Steps": […] with the steps of the pipeline')
    if not isinstance(document["Steps"], list):
        raise DefinitionError("Steps is not a list", where="Steps", fix='write "Steps": […]')
    outside = {key: value for key, value in document.items() if key not in {"Steps", "Parameters"}}
    definition = Definition(
        parameters=_parameters(document),
        steps=_steps(document, "Steps", "", None),
        document=document,
        digest=digest(document),
        text=text,
        references=tuple(located_references(outside)),
    )
    _refuse_repeated_names(definition)
    return definition


def _parameters(document: dict[str, Any]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=required_text(raw, "Name", where),
            type=optional_text(raw, "Type", where) or "String",
            default=raw.get("DefaultValue"),
            has_default=raw.get("DefaultValue") is not None,
            enum=tuple(value for _, value in optional_list(raw, "EnumValues", where)),
        )
        for where, raw in optional_list(document, "Parameters", "", of_objects=True)
    )


def _steps(holder: dict[str, Any], key: str, where: str, parent: Parent | None) -> tuple[Step, ...]:
    found = (_step(raw, at) for at, raw in optional_list(holder, key, where, of_objects=True))
    return tuple(replace(step, parent=parent) for step in found)


def _step(raw: dict[str, Any], where: str) -> Step:
    name = required_text(raw, "Name", where)
    kind = required_text(raw, "Type", where)
    arguments = raw.get("Arguments", {})
    inside = key_of(where, "Arguments")
    if not isinstance(arguments, dict):
        raise DefinitionError(f'Arguments of step "{name}" is not an object', where=inside, fix="write {…}")
    nested = {key: _steps(arguments, key, inside, Parent(name, key)) for key in NESTED_KEYS.get(kind, ())}
    own = {**raw, "Arguments": {key: value for key, value in arguments.items() if key not in nested}}
    return Step(
        name=name,
        type=kind,
        arguments=arguments,
        depends_on=read_dependencies(raw, where),
        property_files=read_property_files(raw, where),
        cache=read_cache(raw, where),
        retry_policies=read_retry_policies(raw, where),
        display_name=optional_text(raw, "DisplayName", where),
        description=optional_text(raw, "Description", where),
        if_steps=nested.get(IF_STEPS, ()),
        else_steps=nested.get(ELSE_STEPS, ()),
        body=nested.get(FOR_EACH_BODY, ()),
        where=where,
        references=tuple(located_references(own, where)),
        raw=raw,
    )


def _refuse_repeated_names(definition: Definition) -> None:
    _refuse_repeated("steps", ((step.name, step.where) for step in flatten(definition.steps)))
    _refuse_repeated(
        "parameters", ((item.name, f"Parameters[{index}]") for index, item in enumerate(definition.parameters))
    )


def _refuse_repeated(what: str, names: Iterable[tuple[str, str]]) -> None:
    first: dict[str, str] = {}
    for name, where in names:
        if name in first:
            raise DefinitionError(
                f'two {what} are named "{name}": {first[name]} and {where}',
                where=where,
                fix="rename one of them; names are unique over the whole document, branches and loops included",
            )
        first[name] = where
