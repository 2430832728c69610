"""Parameters of a spec: whether their values fit, and what they are in an environment.

Takes declarations and the values that a spec gives; notes problems, or gives plain values.
"""

from __future__ import annotations

from typing import Any

from pipelines.nearest import suggestion
from pipelines.spec.expressions import EnvironmentValue, Template
from pipelines.spec.kinds import found
from pipelines.spec.links import references
from pipelines.spec.model import Parameter, Pipeline
from pipelines.spec.source import Problems, ValuePath

_EXAMPLES = {
    "String": "a text",
    "Integer": "a whole number, without quotes",
    "Float": "a number, without quotes",
    "Boolean": "true or false, without quotes",
}


def check_parameters(pipeline: Pipeline, problems: Problems) -> None:
    """Note what is wrong with declared parameters and with the environments' values of them."""
    for name, declared in pipeline.parameters.items():
        path: ValuePath = ("parameters", name)
        if declared.enum and declared.type != "String":
            problems.add((*path, "enum"), "only String parameters take an enum", "remove it, or make the type String")
        elif declared.default is not None:
            check_value((*path, "default"), declared, declared.default, problems)
    for environment_name, environment in pipeline.environments.items():
        for name, value in environment.parameters.items():
            path = ("environments", environment_name, "parameters", name)
            if name in pipeline.parameters:
                check_value(path, pipeline.parameters[name], value, problems)
            else:
                fix = suggestion(name, pipeline.parameters, otherwise="declare it under `parameters:`")
                problems.add(path, f"there is no parameter {name!r}", fix, key=True)


def check_value(path: ValuePath, declared: Parameter, value: Any, problems: Problems) -> None:
    """Note why a value of a spec, which may refer to the environment, does not fit a parameter."""
    if any(not isinstance(reference, EnvironmentValue) for _, reference in references(value)):
        problems.add(path, "a parameter's value can refer to env only", "use ${{ env.… }}, or write the value itself")
        return
    known = value.literal if isinstance(value, Template) and value.literal is not None else value
    fault = value_fault(declared, known)
    if fault:
        problems.add(path, *fault)


def value_fault(declared: Parameter, value: Any) -> tuple[str, str] | None:
    """Why a value does not fit a parameter, and the mend; a `Template` is a text that is not known yet."""
    fits = {
        "String": isinstance(value, str | Template),
        "Boolean": isinstance(value, bool),
        "Integer": type(value) is int,
        "Float": type(value) in (int, float),
    }[declared.type]
    if not fits:
        article = "an" if declared.type == "Integer" else "a"
        shown = "a text" if isinstance(value, Template) else found(value)
        fix = "put it in quotes" if declared.type == "String" else f"write {_EXAMPLES[declared.type]}"
        return f"{article} {declared.type} parameter cannot be {shown}", fix
    if value == "":  # CONTRACT.md section 1.4
        return "the service refuses an empty text as a parameter's value", "write a text, or remove the default"
    if declared.enum and isinstance(value, str) and value not in declared.enum:
        return f"{value!r} is not in the parameter's enum", suggestion(value, declared.enum)
    return None
