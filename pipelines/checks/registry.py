"""Every check there is, by topic, in the order of the reference page."""

from __future__ import annotations

from typing import Final

import pipelines.checks.caching as caching
import pipelines.checks.conditions as conditions
import pipelines.checks.dependencies as dependencies
import pipelines.checks.document as document
import pipelines.checks.envelope as envelope
import pipelines.checks.exactly_one as exactly_one
import pipelines.checks.loops as loops
import pipelines.checks.outputs as outputs
import pipelines.checks.parameters as parameters
import pipelines.checks.processing as processing
import pipelines.checks.property_files as property_files
import pipelines.checks.property_paths as property_paths
import pipelines.checks.readers as readers
import pipelines.checks.references as references
import pipelines.checks.retries as retries
import pipelines.checks.secrets as secrets
import pipelines.checks.shapes as shapes
import pipelines.checks.spot as spot
import pipelines.checks.step_forms as step_forms
import pipelines.checks.value_types as value_types
from pipelines.checks.finding import ERROR, WARNING, Check
from pipelines.service_model import ENUM, PATTERN, RANGE, REQUIRED, SIZE, TYPE, UNION, UNKNOWN

_DOCUMENT: Final = (
    Check("definition-version", ERROR, "Version is 2020-12-01", "CONTRACT 1.1", document.version),
    Check("definition-size", ERROR, "The text fits into CreatePipeline", "CONTRACT 2", document.size),
    Check("pipeline-name", ERROR, "The pipeline's name follows the pattern", "CONTRACT 2", document.name),
    Check(
        "pipeline-name-length",
        WARNING,
        "The pipeline's name has at most the 82 characters that CreatePipeline takes in practice",
        "CONTRACT 2",
        document.name_length,
    ),
    Check(
        "experiment-name",
        ERROR,
        "Names of experiment and trial follow the pattern",
        "CONTRACT 1.1",
        document.experiment,
    ),
)
_PARAMETERS: Final = (
    Check("parameter-name", ERROR, "A parameter's name follows the pattern", "CONTRACT 2", parameters.names),
    Check(
        "parameter-type", ERROR, "A parameter is String, Integer, Float or Boolean", "CONTRACT 1.4", parameters.types
    ),
    Check(
        "parameter-default",
        ERROR,
        "A default has its parameter's type and is among the EnumValues",
        "CONTRACT 1.4",
        parameters.defaults,
    ),
    Check("parameter-enum", ERROR, "EnumValues: at most 16 texts, of a String only", "CONTRACT 1.4", parameters.enums),
    Check(
        "parameter-fit",
        WARNING,
        "Defaults and EnumValues fit the arguments they flow into",
        "CONTRACT 6",
        value_types.unfit_parameters,
    ),
    Check("parameter-unused", WARNING, "Every parameter is read by something", "CONTRACT 1.4", parameters.unused),
)
_STEPS: Final = (
    Check("step-name", ERROR, "A step's name follows the pattern", "CONTRACT 2", envelope.names),
    Check("step-text", ERROR, "DisplayName and Description are short enough", "CONTRACT 2", envelope.texts),
    Check("step-type", WARNING, "A step's type is a known one", "CONTRACT 1.3", envelope.types),
    Check("step-key", WARNING, "No key of a step is misspelt", "CONTRACT 1.2", envelope.keys),
    Check("step-needs", ERROR, "A step has the keys that its type needs", "CONTRACT 1.3", step_forms.keys),
    Check(
        "step-inputs",
        ERROR,
        "Inputs of Lambda, Callback and EMR steps have the right form",
        "CONTRACT 1.3",
        step_forms.inputs,
    ),
    Check(
        "output-parameters",
        ERROR,
        "OutputParameters: at most 50, each name once",
        "CONTRACT 2",
        step_forms.output_parameters,
    ),
    Check(
        "fail-message",
        ERROR,
        "ErrorMessage is a text of at most 3072 characters",
        "CONTRACT 1.10",
        step_forms.fail_messages,
    ),
    Check(
        "fixed-name",
        WARNING,
        "An endpoint configuration's name differs between executions",
        "PAINS, below the table",
        step_forms.fixed_names,
    ),
)
_REFERENCES: Final = (
    Check("unknown-step", ERROR, "Every step that is named exists", "CONTRACT 1.8", references.unknown_steps),
    Check(
        "unknown-parameter",
        ERROR,
        "Every parameter that is read is declared",
        "CONTRACT 1.4",
        references.unknown("parameter"),
    ),
    Check(
        "unknown-property-file",
        ERROR,
        "Every property file that is read is declared",
        "CONTRACT 1.5",
        references.unknown("property file"),
    ),
    Check(
        "unknown-variable", ERROR, "Every variable that is read exists", "CONTRACT 1.5", references.unknown_variables
    ),
    Check(
        "unknown-function", WARNING, "Every Std: function is a known one", "CONTRACT 1.5", references.unknown_functions
    ),
    Check(
        "unknown-property",
        ERROR,
        "Every path into a step leads to a single value",
        "CONTRACT 1.6",
        property_paths.unknown,
    ),
    Check(
        "property-position",
        WARNING,
        "Lists that the service keys by name are read by name",
        "CONTRACT 1.6",
        property_paths.positional,
    ),
    Check(
        "property-file-outside",
        ERROR,
        "A property file is read by Std:JsonGet only",
        "CONTRACT 1.5",
        references.stray_property_files,
    ),
    Check(
        "property-file-output",
        ERROR,
        "A property file lies on an output of its step",
        "CONTRACT 1.5",
        property_files.outputs,
    ),
    Check(
        "property-file-step",
        ERROR,
        "Only Processing steps have property files",
        "CONTRACT 1.5",
        property_files.step_types,
    ),
    Check(
        "property-file-name",
        ERROR,
        "The property files of a step have different names",
        "CONTRACT 1.2",
        property_files.names,
    ),
    Check("fail-step-read", ERROR, "Nothing waits for a Fail step or reads it", "CONTRACT 1.8", references.fail_steps),
    Check(
        "job-name-elsewhere",
        WARNING,
        "ProcessingJobName and TrainingJobName stand in steps that launch such a job",
        "CONTRACT 1.5",
        references.job_names,
    ),
    Check(
        "expression-place",
        ERROR,
        "Expressions stand for single values only",
        "CONTRACT 1.5",
        shapes.misplaced_expressions,
    ),
    Check(
        "expression-type",
        ERROR,
        "Expressions have the type that their place takes",
        "CONTRACT 1.5",
        value_types.misfits,
    ),
)
_ORDER: Final = (
    Check("cycle", ERROR, "No step waits for itself by way of others", "CONTRACT 1.8", dependencies.cycles),
    Check(
        "dependency-trigger",
        ERROR,
        "Triggers are known, and one per step waited for",
        "CONTRACT 1.8",
        dependencies.triggers,
    ),
    Check(
        "opposite-branch",
        WARNING,
        "No step waits for one of the other branch",
        "CONTRACT 1.7",
        dependencies.opposite_branches,
    ),
    Check("condition-form", ERROR, "Conditions have a known type and its keys", "CONTRACT 1.7", conditions.forms),
    Check("condition-types", WARNING, "A condition compares values of one type", "CONTRACT 1.7", conditions.types),
    Check(
        "loop-form",
        ERROR,
        "A ForEach has items, concurrency, body and a Selector that fits",
        "CONTRACT 1.8",
        loops.forms,
    ),
    Check("loop-body", ERROR, "A ForEach body holds no Condition, Fail or ForEach", "CONTRACT 1.8", loops.bodies),
    Check("loop-name", ERROR, "No step is named like the run of a step in a loop", "CONTRACT 1.8", loops.names),
    Check(
        "loop-dependency",
        ERROR,
        "Nothing outside waits for a step of a loop, nor such a step for its own loop",
        "CONTRACT 1.8",
        loops.waits,
    ),
    Check(
        "loop-scope",
        ERROR,
        "CurrentItem and IterationOutput stand where they have a value",
        "CONTRACT 1.8",
        references.loop_scope,
    ),
    Check(
        "loop-read",
        ERROR,
        "A step of a loop is read from outside through the loop",
        "CONTRACT 1.8",
        loops.outside_reads,
    ),
)
_ARGUMENTS: Final = (
    Check(
        "argument-unknown",
        ERROR,
        "The request has every argument that is given",
        "CONTRACT 1.3",
        shapes.broken(UNKNOWN),
    ),
    Check("argument-missing", ERROR, "Every required argument is given", "CONTRACT 1.3", shapes.broken(REQUIRED)),
    Check("argument-type", ERROR, "Arguments are of the request's types", "CONTRACT 1.3", shapes.broken(TYPE, UNION)),
    Check(
        "argument-value",
        ERROR,
        "Arguments with an enumeration have one of its values",
        "CONTRACT 2",
        shapes.broken(ENUM),
    ),
    Check("argument-pattern", ERROR, "Arguments follow the request's patterns", "CONTRACT 2", shapes.broken(PATTERN)),
    Check(
        "argument-size",
        ERROR,
        "Texts, lists and maps are not too long or short: 256 characters, 10 inputs …",
        "CONTRACT 2",
        shapes.broken(SIZE),
    ),
    Check("argument-range", ERROR, "Numbers lie in the request's range", "CONTRACT 2", shapes.broken(RANGE)),
    Check(
        "exactly-one",
        ERROR,
        "Of arguments that exclude one another exactly one is given",
        "CONTRACT 1.3, 3.3, 3.4",
        exactly_one.choices,
    ),
    Check(
        "versioned-package",
        ERROR,
        "A model package in a group has no name or tags of its own",
        "CONTRACT 5",
        exactly_one.versioned_packages,
    ),
    Check(
        "repeated-name",
        ERROR,
        "Inputs, outputs and channels of a step have different names",
        "CONTRACT 3.3",
        processing.repeated_names,
    ),
    Check("local-path", ERROR, "A LocalPath lies below /opt/ml/processing", "CONTRACT 3.2", processing.local_paths),
    Check(
        "repeated-local-path",
        ERROR,
        "No two inputs, and no two outputs, have one LocalPath",
        "CONTRACT 3.2",
        processing.repeated_local_paths,
    ),
    Check(
        "nested-local-path", WARNING, "No LocalPath lies inside another", "CONTRACT 3.2", processing.nested_local_paths
    ),
    Check("gzip-needs-pipe", ERROR, "Gzip inputs use Pipe mode", "CONTRACT 3.3", processing.gzip_needs_pipe),
    Check(
        "feature-store-output",
        ERROR,
        "FeatureStoreOutput comes with AppManaged",
        "CONTRACT 3.4",
        processing.feature_store_outputs,
    ),
    Check(
        "spot-wait",
        ERROR,
        "MaxWaitTimeInSeconds: with managed spot training, at least MaxRuntimeInSeconds; without it, none",
        "CONTRACT 2",
        spot.waits,
    ),
    Check(
        "spot-checkpoints", WARNING, "Managed spot training keeps checkpoints", "CONTRACT 2", spot.without_checkpoints
    ),
)
_REPEATS: Final = (
    Check("cache-expiry", ERROR, "ExpireAfter is a duration", "CONTRACT 1.9", caching.expiry),
    Check(
        "cache-without-expiry", WARNING, "A cache that is on has an ExpireAfter", "CONTRACT 1.9", caching.without_expiry
    ),
    Check(
        "cache-months",
        WARNING,
        "ExpireAfter does not say months for minutes: P30M is thirty months",
        "CONTRACT 1.9",
        caching.months,
    ),
    Check(
        "cache-image",
        WARNING,
        "A cached step's image has a digest or a tag that does not move",
        "PAINS 4",
        caching.images,
    ),
    Check(
        "cache-execution",
        WARNING,
        "A cached step's key holds nothing that differs in each execution",
        "CONTRACT 1.9",
        caching.moving_keys,
    ),
    Check(
        "cache-unsupported", WARNING, "Only steps that can be cached have a cache", "CONTRACT 1.3", caching.unsupported
    ),
    Check(
        "retry-limit",
        ERROR,
        "Retry policies stay within their limits, with MaxAttempts or ExpireAfterMin",
        "CONTRACT 1.9",
        retries.limits,
    ),
    Check("retry-exception", ERROR, "Retry policies name known exceptions", "CONTRACT 1.9", retries.exceptions),
    Check(
        "retry-unsupported",
        WARNING,
        "Only steps that can be retried have retry policies",
        "CONTRACT 1.9",
        retries.unsupported,
    ),
)
_DATA: Final = (
    Check("static-output", WARNING, "Executions write to different S3 prefixes", "PAINS 9", outputs.static),
    Check(
        "loop-output",
        WARNING,
        "The runs of a loop write to different S3 prefixes",
        "CONTRACT 1.8",
        outputs.loop_outputs,
    ),
    Check("shared-output", WARNING, "Two outputs have two S3 prefixes", "PAINS, below the table", outputs.shared),
    Check(
        "unordered-read",
        WARNING,
        "A step that reads what another writes waits for it",
        "PAINS, below the table",
        readers.unordered,
    ),
    Check(
        "missing-slash",
        WARNING,
        "An output's URI and a file's name have a slash between them",
        "PAINS, below the table",
        readers.missing_slashes,
    ),
    Check("secret-literal", WARNING, "No secret stands in the definition", "PAINS, below the table", secrets.literals),
)
TOPICS: Final[dict[str, tuple[Check, ...]]] = {
    "The document": _DOCUMENT,
    "Parameters": _PARAMETERS,
    "Steps": _STEPS,
    "References": _REFERENCES,
    "Order, conditions, loops": _ORDER,
    "Arguments": _ARGUMENTS,
    "Caches and retries": _REPEATS,
    "Data and secrets": _DATA,
}
CHECKS: Final[tuple[Check, ...]] = tuple(check for checks in TOPICS.values() for check in checks)
