"""What counts of a step for the cache (CONTRACT.md 1.9; the guide's "default cache key attributes by step type").

A step in; those of its arguments, and of the keys beside them, that make its cache key. Nothing else of a step does:
neither instances nor role, outputs, network or stopping condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.definition import Step, parse_duration
from pipelines.definition import step_types as types
from pipelines.errors import DefinitionError

_PROCESSING: Final = ("AppSpecification", "Environment", "ProcessingInputs")
_CHECK: Final = (
    *_PROCESSING,
    *("CheckType", "ModelPackageGroupName", "SkipCheck", "FailOnViolation", "RegisterNewBaseline"),
    *("SuppliedBaselineStatistics", "SuppliedBaselineConstraints", "ModelName"),
)
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    types.PROCESSING: _PROCESSING,
    types.TRAINING: (
        *("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "Environment"),
        *("HyperParameters", "InputDataConfig"),
    ),
    types.TUNING: ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
    types.AUTO_ML: ("AutoMLJobConfig", "AutoMLJobObjective", "InputDataConfig", "ProblemType"),
    types.TRANSFORM: ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    types.QUALITY_CHECK: _CHECK,
    types.CLARIFY_CHECK: _CHECK,
    types.EMR: ("ClusterId", "StepConfig"),
}
TRAINING_JOB_DEFINITION: Final = (
    *("AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters", "TuningObjective"),
)


def key_attributes(step: Step) -> dict[str, Any]:
    """The part of a step that makes its cache key, unresolved."""
    given = {**step.raw, **step.arguments}
    found = {name: given[name] for name in ATTRIBUTES[step.type] if name in given}
    inner = found.get("TrainingJobDefinition")
    if isinstance(inner, dict):
        found["TrainingJobDefinition"] = {name: inner[name] for name in TRAINING_JOB_DEFINITION if name in inner}
    return found


def is_cached(step: Step) -> bool:
    """Whether the service looks for an earlier result of the step."""
    cache = step.cache
    if step.type not in ATTRIBUTES or cache is None or not cache.enabled or cache.expire_after is None:
        return False
    try:
        parse_duration(cache.expire_after)
    except DefinitionError:
        return False
    return True
