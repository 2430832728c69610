"""Which attributes of a step count for the cache (CONTRACT.md 1.9; the guide's "default cache key attributes").

Each is found in a step's Arguments or beside them. Nothing else of a step counts: neither instances nor role, outputs,
network or stopping condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.definition import step_types as types
from pipelines.definition.expressions import ExecutionReference, Reference

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
# Of a tuning job's TrainingJobDefinition only these count.
TRAINING_JOB_DEFINITION: Final = (
    *("AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters", "TuningObjective"),
)
_SAME: Final = ("PipelineName", "PipelineArn")


def differs(reference: Reference) -> bool:
    """Whether it stands for something else in each execution, so that a key with it in is never met again."""
    return isinstance(reference, ExecutionReference) and reference.variable not in _SAME
