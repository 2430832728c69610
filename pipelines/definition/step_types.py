"""The step types of schema 2020-12-01 (CONTRACT.md 1.3) and the triggers of a dependency (1.8), as AWS spells them."""

from __future__ import annotations

from typing import Final

PROCESSING: Final = "Processing"
TRAINING: Final = "Training"
TUNING: Final = "Tuning"
TRANSFORM: Final = "Transform"
AUTO_ML: Final = "AutoML"
MODEL: Final = "Model"
REGISTER_MODEL: Final = "RegisterModel"
CONDITION: Final = "Condition"
FAIL: Final = "Fail"
LAMBDA: Final = "Lambda"
CALLBACK: Final = "Callback"
QUALITY_CHECK: Final = "QualityCheck"
CLARIFY_CHECK: Final = "ClarifyCheck"
EMR: Final = "EMR"
EMR_SERVERLESS: Final = "EMRServerless"
ENDPOINT_CONFIG: Final = "EndpointConfig"
ENDPOINT: Final = "Endpoint"
INFERENCE_COMPONENT: Final = "InferenceComponent"
LINEAGE: Final = "Lineage"
JOB: Final = "Job"
CLEANUP: Final = "Cleanup"
FOR_EACH: Final = "ForEach"

KNOWN_TYPES: Final = frozenset(
    {
        *(PROCESSING, TRAINING, TUNING, TRANSFORM, AUTO_ML, MODEL, REGISTER_MODEL, CONDITION, FAIL, LAMBDA, CALLBACK),
        *(QUALITY_CHECK, CLARIFY_CHECK, EMR, EMR_SERVERLESS, ENDPOINT_CONFIG, ENDPOINT, INFERENCE_COMPONENT, LINEAGE),
        *(JOB, CLEANUP, FOR_EACH),
    }
)

COMPLETED: Final = "Completed"
FAILED: Final = "Failed"
STOPPED: Final = "Stopped"
ANY: Final = "Any"
TRIGGERS: Final = frozenset({COMPLETED, FAILED, STOPPED, ANY})

IF_STEPS: Final = "IfSteps"
ELSE_STEPS: Final = "ElseSteps"
FOR_EACH_BODY: Final = "ForEachBody"

# Keys of Arguments that hold steps of their own; every other key belongs to the step itself.
NESTED_KEYS: Final[dict[str, tuple[str, ...]]] = {CONDITION: (IF_STEPS, ELSE_STEPS), FOR_EACH: (FOR_EACH_BODY,)}
