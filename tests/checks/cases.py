"""One case per check: a definition that breaks it and nothing else, its valid twin, the finding's place and mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.checks.documents import (
    GONE,
    IMAGE,
    Json,
    call,
    changed,
    document,
    endpoint_config,
    equals,
    fail,
    gate,
    get,
    join,
    loop,
    looped,
    output,
    own_uri,
    parameter,
    processing,
    register,
    source,
    training,
)


@dataclass(frozen=True)
class Case:
    """`bad` gives exactly one finding, of `check`, at `where`, with `fix`; `good` gives none."""

    check: str
    bad: Json
    good: Json
    where: str
    fix: str
    names: tuple[str | None, str | None] = (None, None)  # the pipeline's name with bad and with good

    @property
    def id(self) -> str:
        return f"{self.check} at {self.where or 'the document'}"


A: Final = "Steps[0].Arguments"
B: Final = "Steps[1].Arguments"
INPUT: Final = "Arguments.ProcessingInputs.0.S3Input"
OUTPUT: Final = "Arguments.ProcessingOutputConfig.Outputs.0"
REPORT: Final = {"PropertyFileName": "metrics", "OutputName": "report", "FilePath": "m.json"}
TRAIN_URI: Final = "ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"
KEPT: Final = {"CheckpointConfig": {"S3Uri": own_uri("Train", "checkpoints")}}
PLAIN: Final = document(processing())


def prep(path: str, new: Any) -> Json:
    """The one processing step, changed at a place."""
    return document(changed(processing(), path, new))


def reading(path: str, **more: Any) -> Json:
    """A step, and a training step that reads a property of it."""
    return document(processing(**more), training(uri=get(f"Steps.Prep.{path}")))


def enveloped(**more: Any) -> Json:
    return document(processing(**more))


def with_parameter(item: Json, path: str, value: Any = None) -> Json:
    """One parameter, read at a place of the processing step."""
    return document(changed(processing(), path, value or get(f"Parameters.{item['Name']}")), parameters=[item])


def environment(key: str, value: Any) -> Json:
    return prep("Arguments.Environment", {key: value})


def cached(image: str = IMAGE, **cache: Any) -> Json:
    step = processing(CacheConfig={"Enabled": True, **cache})
    return document(changed(step, "Arguments.AppSpecification.ImageUri", image))


def trained(wait: int | None = None, *, spot: bool = False, cache: bool = False, **arguments: Any) -> Json:
    """A training step with further arguments."""
    envelope = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}} if cache else {}
    step = changed(training(**envelope), "Arguments.OutputDataConfig.S3OutputPath", own_uri("Train"))
    step["Arguments"] |= arguments | ({"EnableManagedSpotTraining": True} if spot else {})
    step["Arguments"]["StoppingCondition"] |= {} if wait is None else {"MaxWaitTimeInSeconds": wait}
    return document(step)


def tuned(**arguments: Any) -> Json:
    """A tuning step whose training jobs have further arguments."""
    job = trained(3600, spot=True)["Steps"][0]["Arguments"] | arguments
    ranges = {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 1}}
    given = {"HyperParameterTuningJobConfig": ranges, "TrainingJobDefinitions": [job]}
    return document({"Name": "Tune", "Type": "Tuning", "Arguments": given})


def retried(step: Json | None = None, *types: str, **limits: Any) -> Json:
    policy = {"ExceptionType": list(types or ("Step.THROTTLING",)), **limits}
    return document({**(step or processing()), "RetryPolicies": [policy]})


def metrics(uri: Any) -> Json:
    """A registered model whose metrics are the report of a processing step."""
    source_of = {"ContentType": "application/json", "S3Uri": uri}
    path = "Arguments.ModelMetrics.ModelQuality.Statistics"
    return document(processing(PropertyFiles=[REPORT]), changed(register(DependsOn=["Prep"]), path, source_of))


def two_inputs(first: Json, second: Json) -> Json:
    return prep("Arguments.ProcessingInputs", [first, second])


def two_outputs(first: Json, second: Json) -> Json:
    return prep("Arguments.ProcessingOutputConfig.Outputs", [first, second])


def branches(*, together: bool) -> Json:
    """A gate with a step that waits for another one: of its own branch, or of the other."""
    first, second = processing("First"), processing("Second", DependsOn=["First"])
    both = [first, second] if together else [first]
    return document(gate(equals(), then=both, otherwise=() if together else [second]))


def looping(*body: Any, **arguments: Any) -> Json:
    return document(loop(*body, **arguments))


def report_of(step: str, key: str) -> Json:
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{key}"), "Path": "auc"}}


_DOCUMENT = (
    Case("definition-version", {**PLAIN, "Version": "2021-01-01"}, PLAIN, "Version", 'write "2020-12-01"'),
    Case(
        "definition-size",
        {**PLAIN, "Metadata": {"x": "y" * 1_048_576}},
        {**PLAIN, "Metadata": {"x": "y" * 1_000_000}},
        "",
        "write it without blanks, or split the pipeline in two",
    ),
    Case(
        "pipeline-name", PLAIN, PLAIN, "", 'rename it, for example "flight-delays"', ("flight delays_", "flight-delays")
    ),
    Case("pipeline-name-length", PLAIN, PLAIN, "", "shorten it to 82 characters", ("p" * 83, "p" * 82)),
    Case(
        "experiment-name",
        {**PLAIN, "PipelineExperimentConfig": {"ExperimentName": "a b", "TrialName": "t"}},
        {**PLAIN, "PipelineExperimentConfig": {"ExperimentName": get("Execution.PipelineName"), "TrialName": "t"}},
        "PipelineExperimentConfig.ExperimentName",
        "write a value that matches [a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}",
    ),
)
_PARAMETERS = (
    Case(
        "parameter-name",
        with_parameter(parameter("in put"), f"{INPUT}.S3Uri"),
        with_parameter(parameter("in-put"), f"{INPUT}.S3Uri"),
        "Parameters[0].Name",
        'rename it, for example "in-put"',
    ),
    Case(
        "parameter-type",
        with_parameter(parameter("Input", "Strng"), f"{INPUT}.S3Uri"),
        with_parameter(parameter("Input", "String"), f"{INPUT}.S3Uri"),
        "Parameters[0].Type",
        'write "String"',
    ),
    Case(
        "parameter-default",
        with_parameter(parameter("Count", "Integer", "1"), "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
        with_parameter(parameter("Count", "Integer", 1), "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
        "Parameters[0].DefaultValue",
        "write a default such as 3, or change the type",
    ),
    Case(
        "parameter-default",
        with_parameter(parameter("Mode", "String", "c", EnumValues=["a", "b"]), "Arguments.Environment.MODE"),
        with_parameter(parameter("Mode", "String", "b", EnumValues=["a", "b"]), "Arguments.Environment.MODE"),
        "Parameters[0].DefaultValue",
        "use one of a, b",
    ),
    Case(
        "parameter-enum",
        with_parameter(parameter("Mode", EnumValues=[str(n) for n in range(17)]), "Arguments.Environment.MODE"),
        with_parameter(parameter("Mode", EnumValues=[str(n) for n in range(16)]), "Arguments.Environment.MODE"),
        "Parameters[0].EnumValues",
        "keep 16 of them, or remove EnumValues",
    ),
    Case(
        "parameter-enum",
        with_parameter(
            parameter("Count", "Integer", EnumValues=[1, 2]),
            "Arguments.ProcessingResources.ClusterConfig.InstanceCount",
        ),
        with_parameter(parameter("Count", "Integer"), "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
        "Parameters[0].EnumValues",
        "remove EnumValues, or make the parameter a String",
    ),
    Case(
        "parameter-fit",
        with_parameter(
            parameter("Type", default="ml.m5.xlrage"), "Arguments.ProcessingResources.ClusterConfig.InstanceType"
        ),
        with_parameter(
            parameter("Type", default="ml.m5.large"), "Arguments.ProcessingResources.ClusterConfig.InstanceType"
        ),
        f"{A}.ProcessingResources.ClusterConfig.InstanceType",
        'write "ml.m5.xlarge" there',
    ),
    Case(
        "parameter-fit",
        with_parameter(
            parameter("Text", default="x" * 250),
            "Arguments.Environment.TEXT",
            join("=", "prefix", get("Parameters.Text")),
        ),
        with_parameter(
            parameter("Text", default="x" * 249),
            "Arguments.Environment.TEXT",
            join("=", "prefix", get("Parameters.Text")),
        ),
        f"{A}.Environment['TEXT']",
        "keep at most 256 characters there",
    ),
    Case(
        "parameter-unused",
        {**PLAIN, "Parameters": [parameter("Idle")]},
        with_parameter(parameter("Idle"), f"{INPUT}.S3Uri"),
        "Parameters[0]",
        'use {"Get": "Parameters.Idle"} in a step, or remove it',
    ),
)
_STEPS = (
    Case(
        "step-name",
        document(processing("Feature Engineering")),
        document(processing("Feature-Engineering")),
        "Steps[0].Name",
        'rename it, for example "Feature-Engineering"',
    ),
    Case(
        "step-text",
        enveloped(DisplayName="x" * 257),
        enveloped(DisplayName="x" * 256),
        "Steps[0].DisplayName",
        "shorten it to 256 characters",
    ),
    Case(
        "step-type",
        document({"Name": "A", "Type": "Procesing", "Arguments": {}}),
        document({"Name": "A", "Type": "AthenaQuery", "Arguments": {}}),
        "Steps[0].Type",
        'write "Processing"',
    ),
    Case(
        "step-key",
        enveloped(RetryPolicy=[]),
        enveloped(RetryPolicies=[]),
        "Steps[0]",
        'write "RetryPolicies"',
    ),
    Case(
        "step-needs",
        document(changed(call(), "FunctionArn", GONE)),
        document(call()),
        "Steps[0].FunctionArn",
        'add "FunctionArn"',
    ),
    Case(
        "step-needs",
        document({"Name": "Q", "Type": "QualityCheck", "Arguments": {}, "CheckType": "DATA"}),
        document({"Name": "Q", "Type": "QualityCheck", "Arguments": {}, "CheckType": "DATA_QUALITY"}),
        "Steps[0].CheckType",
        'write "DATA_QUALITY"',
    ),
    Case(
        "step-inputs",
        document(call(items=[1, 2])),
        document(call(items="[1, 2]")),
        f"{A}.items",
        "write it as JSON text",
    ),
    Case(
        "output-parameters",
        document(call("Call", *((f"o{n}", "String") for n in range(51)))),
        document(call("Call", *((f"o{n}", "String") for n in range(50)))),
        "Steps[0].OutputParameters",
        "keep 50, or return one as JSON text",
    ),
    Case(
        "output-parameters",
        document(call("Call", ("a", "String"), ("a", "String"))),
        document(call("Call", ("a", "String"), ("b", "String"))),
        "Steps[0].OutputParameters[1].OutputName",
        "rename one of them",
    ),
    Case(
        "fail-message",
        document(fail(7)),
        document(fail(join("", "a", 7))),
        f"{A}.ErrorMessage",
        'write "ErrorMessage": "…"',
    ),
    Case(
        "fixed-name",
        document(endpoint_config("flights")),
        document(endpoint_config(join("-", "flights", get("Execution.PipelineExecutionId")))),
        f"{A}.EndpointConfigName",
        'put {"Get": "Execution.PipelineExecutionId"} into the name, by Std:Join',
    ),
)
_REFERENCES = (
    Case(
        "unknown-step",
        enveloped(DependsOn=["Prepp"]),
        document(processing(), training(DependsOn=["Prep"])),
        "Steps[0].DependsOn[0]",
        'write "Prep"',
    ),
    Case(
        "unknown-step",
        document(processing(), training(uri=get("Steps.Perp.X"))),
        reading(TRAIN_URI),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        'write "Prep"',
    ),
    Case(
        "unknown-step",
        document(
            processing(), {"Name": "Tidy", "Type": "Cleanup", "Arguments": {"Resources": {"S3": [{"StepName": "Pep"}]}}}
        ),
        document(
            processing(),
            {"Name": "Tidy", "Type": "Cleanup", "Arguments": {"Resources": {"S3": [{"StepName": "Prep"}]}}},
        ),
        f"{B}.Resources.S3[0].StepName",
        'write "Prep"',
    ),
    Case(
        "unknown-parameter",
        with_parameter(
            parameter("Mode"), "Arguments.Environment", {"A": get("Parameters.Mode"), "B": get("Parameters.Moode")}
        ),
        with_parameter(parameter("Mode"), "Arguments.Environment", {"A": get("Parameters.Mode"), "B": "b"}),
        f"{A}.Environment['B']",
        'write "Mode"',
    ),
    Case(
        "unknown-property-file",
        document(processing(PropertyFiles=[REPORT]), gate(equals(report_of("Prep", "metric")))),
        document(processing(PropertyFiles=[REPORT]), gate(equals(report_of("Prep", "metrics")))),
        f"{B}.Conditions[0].LeftValue",
        'write "metrics"',
    ),
    Case(
        "unknown-variable",
        environment("ID", get("Execution.ExecutionId")),
        environment("ID", get("Execution.PipelineExecutionId")),
        f"{A}.Environment['ID']",
        'write "PipelineExecutionId"',
    ),
    Case(
        "unknown-variable",
        environment("ID", get("Pipeline.Name")),
        environment("ID", get("Execution.PipelineName")),
        f"{A}.Environment['ID']",
        "start it with Parameters., Execution., Steps. or PipelineExperimentConfig.",
    ),
    Case(
        "unknown-variable",
        environment("ID", get("PipelineExperimentConfig.Trial")),
        environment("ID", get("PipelineExperimentConfig.TrialName")),
        f"{A}.Environment['ID']",
        'write "PipelineExperimentConfig.TrialName"',
    ),
    Case(
        "unknown-function",
        environment("A", {"Std:Jion": {"On": "", "Values": ["a"]}}),
        environment("A", join("", "a")),
        f"{A}.Environment['A']",
        'write "Std:Join"',
    ),
    Case(
        "unknown-property",
        reading("ProcessingOutputConfig.Outputs['trian'].S3Output.S3Uri"),
        reading(TRAIN_URI),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        "write ['train']",
    ),
    Case(
        "unknown-property",
        document(training(), training("Again", get("Steps.Train.ModelArtifact.S3ModelArtifacts"))),
        document(training(), training("Again", get("Steps.Train.ModelArtifacts.S3ModelArtifacts"))),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        'write "ModelArtifacts"',
    ),
    Case(
        "unknown-property",
        document(training(), training("Again", get("Steps.Train.ModelArtifacts"))),
        document(training(), training("Again", get("Steps.Train.ModelArtifacts.S3ModelArtifacts"))),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        "name one of the values inside it",
    ),
    Case(
        "property-position",
        reading("ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"),
        reading(TRAIN_URI),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        "write the name in place of the position, as in ['name']",
    ),
    Case(
        "property-file-outside",
        document(processing(PropertyFiles=[REPORT]), gate(equals(get("Steps.Prep.PropertyFiles.metrics")))),
        document(processing(PropertyFiles=[REPORT]), gate(equals(report_of("Prep", "metrics")))),
        f"{B}.Conditions[0].LeftValue",
        'write {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prep.PropertyFiles.metrics"}, "Path": "…"}}',
    ),
    Case(
        "property-file-output",
        enveloped(PropertyFiles=[{**REPORT, "OutputName": "reports"}]),
        enveloped(PropertyFiles=[REPORT]),
        "Steps[0].PropertyFiles[0].OutputName",
        'write "report"',
    ),
    Case(
        "property-file-step",
        document(training(PropertyFiles=[REPORT])),
        enveloped(PropertyFiles=[REPORT]),
        "Steps[0].PropertyFiles",
        'remove PropertyFiles; read other documents by {"Std:JsonGet": {"S3Uri": …}}',
    ),
    Case(
        "property-file-name",
        enveloped(PropertyFiles=[REPORT, REPORT]),
        enveloped(PropertyFiles=[REPORT, {**REPORT, "PropertyFileName": "other"}]),
        "Steps[0].PropertyFiles[1]",
        "rename one of them",
    ),
    Case(
        "fail-step-read",
        document(fail(), processing(DependsOn=["Stop"])),
        document(fail(), processing()),
        "Steps[1].DependsOn[0]",
        'remove "Stop" from DependsOn',
    ),
    Case(
        "fail-step-read",
        document(fail(), training(uri=get("Steps.Stop.ErrorMessage"))),
        document(fail(), training()),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        "remove the reference",
    ),
    Case(
        "job-name-elsewhere",
        document(fail(get("Execution.ProcessingJobName"))),
        environment("JOB", get("Execution.ProcessingJobName")),
        f"{A}.ErrorMessage",
        "use it in a ClarifyCheck or Processing or QualityCheck step only",
    ),
    Case(
        "expression-place",
        prep("Arguments.AppSpecification.ContainerArguments", get("Execution.PipelineName")),
        prep("Arguments.AppSpecification.ContainerArguments", [get("Execution.PipelineName")]),
        f"{A}.AppSpecification.ContainerArguments",
        "write a list, with expressions in the places of its values",
    ),
    Case(
        "expression-type",
        with_parameter(parameter("Rows", "Integer", 3), "Arguments.Environment.ROWS"),
        with_parameter(parameter("Rows", "Integer", 3), "Arguments.Environment.ROWS", join("", get("Parameters.Rows"))),
        f"{A}.Environment['ROWS']",
        'write {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Rows"}]}}',
    ),
    Case(
        "expression-type",
        with_parameter(parameter("Count", "String", "1"), "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
        with_parameter(parameter("Count", "Integer", 1), "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
        f"{A}.ProcessingResources.ClusterConfig.InstanceCount",
        "declare the parameter Count as Integer",
    ),
    Case(
        "expression-type",
        prep("Arguments.ProcessingResources.ClusterConfig.InstanceCount", join("", 1)),
        PLAIN,
        f"{A}.ProcessingResources.ClusterConfig.InstanceCount",
        "put an Integer there; there is no cast from String",
    ),
    Case(
        "expression-type",
        document(training(), training("Again", get("Steps.Train.ResourceConfig.InstanceCount"))),
        document(training(), training("Again", get("Steps.Train.OutputDataConfig.S3OutputPath"))),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        'write {"Std:Join": {"On": "", "Values": [{"Get": "Steps.Train.ResourceConfig.InstanceCount"}]}}',
    ),
)
_ORDER = (
    Case(
        "cycle",
        document(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])),
        document(processing("A", DependsOn=["B"]), processing("B")),
        "Steps[0]",
        'remove one of these dependencies, for example what makes "A" wait for "B"',
    ),
    Case(
        "cycle",
        document(loop(looped() | {"DependsOn": ["After"]}), processing("After", DependsOn=["Loop"])),
        document(loop(looped() | {"DependsOn": ["Before"]}), processing("Before")),
        "Steps[0]",
        'remove one of these dependencies, for example what makes "Loop" wait for "After"',
    ),
    Case(
        "dependency-trigger",
        document(processing(), training(DependsOn=[{"Step": "Prep", "Trigger": "Fail"}])),
        document(processing(), training(DependsOn=[{"Step": "Prep", "Trigger": "Failed"}])),
        "Steps[1].DependsOn[0]",
        'write "Failed"',
    ),
    Case(
        "dependency-trigger",
        document(processing(), training(DependsOn=["Prep", {"Step": "Prep", "Trigger": "Failed"}])),
        document(processing(), training(DependsOn=[{"Step": "Prep", "Trigger": "Any"}])),
        "Steps[1].DependsOn[1]",
        'keep one entry for "Prep"',
    ),
    Case(
        "opposite-branch",
        branches(together=False),
        branches(together=True),
        "Steps[0].Arguments.ElseSteps[0]",
        'move both into one branch, or make "Second" wait for "Gate" only',
    ),
    Case(
        "condition-form",
        document(gate({**equals(), "Type": "Equal"})),
        document(gate(equals())),
        f"{A}.Conditions[0].Type",
        'write "Equals"',
    ),
    Case(
        "condition-form",
        document(gate({"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1}})),
        document(gate({"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": [1]}})),
        f"{A}.Conditions[0].Condition.Values",
        'add "Values"',
    ),
    Case(
        "condition-form",
        document(gate({"Type": "Or", "Conditions": [equals(), equals([1])]})),
        document(gate({"Type": "Or", "Conditions": [equals(), equals(1)]})),
        f"{A}.Conditions[0].Conditions[1].LeftValue",
        "compare one of the values inside it",
    ),
    Case(
        "condition-types",
        document(gate(equals(get("Parameters.Min"), 0.5)), parameters=[parameter("Min", "String", "0.5")]),
        document(gate(equals(get("Parameters.Min"), 0.5)), parameters=[parameter("Min", "Float", 0.5)]),
        f"{A}.Conditions[0]",
        "make both Float",
    ),
    Case(
        "loop-form",
        looping(looped(), MaxConcurrency=51),
        looping(looped(), MaxConcurrency=50),
        f"{A}.MaxConcurrency",
        'write "MaxConcurrency": 10',
    ),
    Case(
        "loop-form",
        looping(looped(), IterableItems=[]),
        looping(looped(), IterableItems=["a"]),
        f"{A}.IterableItems",
        "write an expression that gives a JSON list, or a list of 1 to 100 values",
    ),
    Case(
        "loop-form",
        looping(),
        looping(looped()),
        f"{A}.ForEachBody",
        "put at least one step there",
    ),
    Case(
        "loop-form",
        looping(looped(), Selector={"Pick": "MaxBy", "Field": get("Parameters.X")}) | {"Parameters": [parameter("X")]},
        looping(looped(), Selector={"Pick": "MaxBy", "Field": get("IterationOutput.Each.ExitMessage")}),
        f"{A}.Selector.Field",
        'write {"Get": "IterationOutput.Each.Property"}',
    ),
    Case(
        "loop-body",
        looping(looped(), fail()),
        looping(looped()),
        f"{A}.ForEachBody[1]",
        'move "Stop" out of the loop',
    ),
    Case(
        "loop-name",
        document(loop(looped()), processing("Each-1")),
        document(loop(looped()), processing("Each-one")),
        "Steps[1].Name",
        "rename one of the two steps",
    ),
    Case(
        "loop-dependency",
        document(loop(looped()), processing("After") | {"DependsOn": ["Each"]}),
        document(loop(looped()), processing("After") | {"DependsOn": ["Loop"]}),
        "Steps[1].DependsOn[0]",
        'make it wait for "Loop", and read Steps.Loop.IterationOutputs[0].Each',
    ),
    Case(
        "loop-dependency",
        looping(looped() | {"DependsOn": ["Loop"]}),
        looping(looped(), looped("Next") | {"DependsOn": ["Each"]}),
        f"{A}.ForEachBody[0].DependsOn[0]",
        "remove the dependency or the reference",
    ),
    Case(
        "loop-scope",
        environment("ITEM", get("ForEach.CurrentItem")),
        looping(changed(looped(), "Arguments.Environment", {"ITEM": get("ForEach.CurrentItem")})),
        f"{A}.Environment['ITEM']",
        "move the step into a ForEachBody",
    ),
    Case(
        "loop-scope",
        document(loop(looped()), fail(get("IterationOutput.Each.ExitMessage"))),
        document(loop(looped()), fail(get("Steps.Loop.IterationOutputs[0].Each.ExitMessage"))),
        f"{B}.ErrorMessage",
        'write "Steps.LoopName.IterationOutputs[0].Each.ExitMessage"',
    ),
    Case(
        "loop-read",
        document(loop(looped()), fail(get("Steps.Each.ExitMessage"))),
        looping(looped(), changed(looped("Next"), "Arguments.Environment", {"A": get("Steps.Each.ExitMessage")})),
        f"{B}.ErrorMessage",
        'write "Steps.Loop.IterationOutputs[0].Each.ExitMessage"',
    ),
)
_ARGUMENTS = (
    Case(
        "argument-unknown",
        prep("Arguments.StopingCondition", {"MaxRuntimeInSeconds": 60}),
        PLAIN,
        f"{A}.StopingCondition",
        'write "StoppingCondition"',
    ),
    Case(
        "argument-missing",
        prep("Arguments.ProcessingResources.ClusterConfig.VolumeSizeInGB", GONE),
        PLAIN,
        f"{A}.ProcessingResources.ClusterConfig.VolumeSizeInGB",
        'add "VolumeSizeInGB"',
    ),
    Case("argument-type", environment("ROWS", 5), environment("ROWS", "5"), f"{A}.Environment['ROWS']", 'write "5"'),
    Case(
        "argument-type",
        prep("Arguments.ProcessingInputs", {"raw": 1}),
        PLAIN,
        f"{A}.ProcessingInputs",
        "write […]",
    ),
    Case(
        "argument-value",
        prep("Arguments.ProcessingResources.ClusterConfig.InstanceType", "ml.m5.xlrage"),
        prep("Arguments.ProcessingResources.ClusterConfig.InstanceType", "ml.m5.xlarge"),
        f"{A}.ProcessingResources.ClusterConfig.InstanceType",
        'write "ml.m5.xlarge"',
    ),
    Case(
        "argument-value",
        prep(f"{INPUT}.S3InputMode", "FastFile"),
        prep(f"{INPUT}.S3InputMode", "File"),
        f"{A}.ProcessingInputs[0].S3Input.S3InputMode",
        'write "File"',
    ),
    Case(
        "argument-pattern",
        prep(f"{INPUT}.S3Uri", "bucket/raw"),
        prep(f"{INPUT}.S3Uri", "s3://bucket/raw"),
        f"{A}.ProcessingInputs[0].S3Input.S3Uri",
        "write s3://bucket/key",
    ),
    Case(
        "argument-pattern",
        environment("MY-KEY", "x"),
        environment("MY_KEY", "x"),
        f"{A}.Environment['MY-KEY']",
        "rename the key: write a value that matches [a-zA-Z_][a-zA-Z0-9_]*",
    ),
    Case(
        "argument-size",
        prep("Arguments.AppSpecification.ContainerArguments", ["x" * 257]),
        prep("Arguments.AppSpecification.ContainerArguments", ["x" * 256]),
        f"{A}.AppSpecification.ContainerArguments[0]",
        "keep at most 256 characters",
    ),
    Case(
        "argument-size",
        prep("Arguments.AppSpecification.ContainerArguments", []),
        PLAIN,
        f"{A}.AppSpecification.ContainerArguments",
        "give it 1 or more, or leave it out",
    ),
    Case(
        "argument-size",
        prep("Arguments.ProcessingInputs", [source(f"i{n}", f"s3://bucket/{n}/") for n in range(11)]),
        prep("Arguments.ProcessingInputs", [source(f"i{n}", f"s3://bucket/{n}/") for n in range(10)]),
        f"{A}.ProcessingInputs",
        "keep at most 10 entries",
    ),
    Case(
        "argument-size",
        prep("Arguments.ProcessingOutputConfig.Outputs", [output("Prep", f"o{n}") for n in range(11)]),
        prep("Arguments.ProcessingOutputConfig.Outputs", [output("Prep", f"o{n}") for n in range(10)]),
        f"{A}.ProcessingOutputConfig.Outputs",
        "keep at most 10 entries",
    ),
    Case(
        "argument-range",
        prep("Arguments.ProcessingResources.ClusterConfig.InstanceCount", 101),
        prep("Arguments.ProcessingResources.ClusterConfig.InstanceCount", 100),
        f"{A}.ProcessingResources.ClusterConfig.InstanceCount",
        "write a whole number from 1 to 100",
    ),
    Case(
        "exactly-one",
        prep("Arguments.ProcessingInputs.0", {"InputName": "raw"}),
        PLAIN,
        f"{A}.ProcessingInputs[0]",
        "add one of S3Input, DatasetDefinition",
    ),
    Case(
        "exactly-one",
        document(changed(training(), "Arguments.AlgorithmSpecification.AlgorithmName", "xgboost")),
        document(training()),
        f"{A}.AlgorithmSpecification",
        "keep one of TrainingImage, AlgorithmName",
    ),
    Case(
        "versioned-package",
        document(changed(register(), "Arguments.Tags", [{"Key": "team", "Value": "a"}])),
        document(register()),
        f"{A}.Tags",
        "remove Tags, or put them on the group",
    ),
    Case(
        "repeated-name",
        two_inputs(source("a"), {**source("b"), "InputName": "a"}),
        two_inputs(source("a"), source("b")),
        f"{A}.ProcessingInputs[1].InputName",
        "rename one of them",
    ),
    Case(
        "repeated-name",
        two_outputs(output("Prep", "a"), {**output("Prep", "b"), "OutputName": "a"}),
        two_outputs(output("Prep", "a"), output("Prep", "b")),
        f"{A}.ProcessingOutputConfig.Outputs[1].OutputName",
        "rename one of them",
    ),
    Case(
        "local-path",
        prep(f"{INPUT}.LocalPath", "/data/raw"),
        prep(f"{INPUT}.LocalPath", "/opt/ml/processing/raw"),
        f"{A}.ProcessingInputs[0].S3Input.LocalPath",
        'write "/opt/ml/processing/raw"',
    ),
    Case(
        "local-path",
        prep(f"{INPUT}.LocalPath", GONE),
        document(
            changed(changed(processing(), f"{INPUT}.LocalPath", GONE), "Arguments.ProcessingInputs.0.AppManaged", True)
        ),
        f"{A}.ProcessingInputs[0].S3Input.LocalPath",
        'write "LocalPath": "/opt/ml/processing/input/raw"',
    ),
    Case(
        "repeated-local-path",
        two_inputs(source("a"), source("b", LocalPath="/opt/ml/processing/input/a/")),
        two_inputs(source("a"), source("b")),
        f"{A}.ProcessingInputs[1].S3Input.LocalPath",
        "give each its own, for example /opt/ml/processing/input/a/b",
    ),
    Case(
        "nested-local-path",
        two_outputs(output("Prep", "a"), output("Prep", "b", LocalPath="/opt/ml/processing/output/a/b")),
        two_outputs(output("Prep", "a"), output("Prep", "b", LocalPath="/opt/ml/processing/output/ab")),
        f"{A}.ProcessingOutputConfig.Outputs[1].S3Output.LocalPath",
        "put the two folders beside one another",
    ),
    Case(
        "gzip-needs-pipe",
        prep(f"{INPUT}.S3CompressionType", "Gzip"),
        prep("Arguments.ProcessingInputs.0", source("raw", S3CompressionType="Gzip", S3InputMode="Pipe")),
        f"{A}.ProcessingInputs[0].S3Input.S3CompressionType",
        'write "None" and decompress in the container, or use "Pipe"',
    ),
    Case(
        "feature-store-output",
        prep(OUTPUT, {"OutputName": "fs", "FeatureStoreOutput": {"FeatureGroupName": "g"}}),
        prep(OUTPUT, {"OutputName": "fs", "FeatureStoreOutput": {"FeatureGroupName": "g"}, "AppManaged": True}),
        f"{A}.ProcessingOutputConfig.Outputs[0].AppManaged",
        'write "AppManaged": true',
    ),
    Case(
        "spot-wait",
        trained(3599, spot=True, **KEPT),
        trained(3600, spot=True, **KEPT),
        f"{A}.StoppingCondition.MaxWaitTimeInSeconds",
        "write 3600 or more: the time waited for instances, and the time the job may run",
    ),
    Case(
        "spot-wait",
        trained(spot=True, **KEPT),
        trained(),
        f"{A}.StoppingCondition.MaxWaitTimeInSeconds",
        "write 3600 or more",
    ),
    Case(
        "spot-wait",
        changed(trained(3600, spot=True, **KEPT), "Steps.0.Arguments.StoppingCondition.MaxRuntimeInSeconds", GONE),
        changed(trained(86400, spot=True, **KEPT), "Steps.0.Arguments.StoppingCondition.MaxRuntimeInSeconds", GONE),
        f"{A}.StoppingCondition.MaxWaitTimeInSeconds",
        "write 86400 or more: the time waited for instances, and the time the job may run",
    ),
    Case(
        "spot-wait",
        trained(7200),
        trained(7200, spot=True, **KEPT),
        f"{A}.StoppingCondition.MaxWaitTimeInSeconds",
        'remove it, or write "EnableManagedSpotTraining": true',
    ),
    Case(
        "spot-checkpoints",
        trained(7200, spot=True),
        trained(7200, spot=True, **KEPT),
        f"{A}.EnableManagedSpotTraining",
        'keep them: "CheckpointConfig": {"S3Uri": …} (`checkpoints: true` in pipeline.yaml)',
    ),
    Case(
        "spot-checkpoints",
        tuned(),
        tuned(**KEPT),
        f"{A}.TrainingJobDefinitions[0].EnableManagedSpotTraining",
        'keep them: "CheckpointConfig": {"S3Uri": …} (`checkpoints: true` in pipeline.yaml)',
    ),
)
_REPEATS = (
    Case(
        "cache-expiry",
        cached(ExpireAfter="30 days"),
        cached(ExpireAfter="30d"),
        "Steps[0].CacheConfig.ExpireAfter",
        "write years, months, weeks and days, then T with hours and minutes: P30D, PT1H, P4DT12H",
    ),
    Case(
        "cache-without-expiry",
        cached(),
        cached(ExpireAfter="P30D"),
        "Steps[0].CacheConfig",
        'add "ExpireAfter": "P30D"',
    ),
    Case(
        "cache-months",
        cached(ExpireAfter="P30M"),
        cached(ExpireAfter="PT30M"),
        "Steps[0].CacheConfig.ExpireAfter",
        'write "PT30M" for minutes, or "P900D" to say that months are meant',
    ),
    Case(
        "cache-image",
        cached("registry/flights:latest", ExpireAfter="P1D"),
        cached("registry/flights@sha256:" + "0" * 64, ExpireAfter="P1D"),
        f"{A}.AppSpecification.ImageUri",
        "name the image by digest (@sha256:…) or by a tag of its content",
    ),
    Case(
        "cache-execution",
        changed(
            cached(ExpireAfter="P1D"), "Steps.0.Arguments.Environment", {"RUN": get("Execution.PipelineExecutionId")}
        ),
        changed(cached(ExpireAfter="P1D"), "Steps.0.Arguments.Environment", {"RUN": get("Execution.PipelineName")}),
        f"{A}.Environment['RUN']",
        "write what stays the same there, or remove CacheConfig",
    ),
    Case(
        "cache-execution",
        trained(cache=True, CheckpointConfig={"S3Uri": own_uri("Train")}),
        trained(cache=True, CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"}),
        f"{A}.CheckpointConfig.S3Uri",
        "write what stays the same there, or remove CacheConfig",
    ),
    Case(
        "cache-unsupported",
        document(register(CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})),
        document(register(CacheConfig={"Enabled": False, "ExpireAfter": "P1D"})),
        "Steps[0].CacheConfig",
        "remove CacheConfig",
    ),
    Case(
        "retry-limit",
        retried(MaxAttempts=3, ExpireAfterMin=60),
        retried(MaxAttempts=3),
        "Steps[0].RetryPolicies[0]",
        "remove one of them",
    ),
    Case(
        "retry-limit",
        retried(BackoffRate=-1),
        retried(BackoffRate=0),
        "Steps[0].RetryPolicies[0].BackoffRate",
        "write 2, which doubles the wait each time",
    ),
    Case(
        "retry-limit",
        retried(MaxAttempts=21),
        retried(MaxAttempts=20),
        "Steps[0].RetryPolicies[0].MaxAttempts",
        "write 20",
    ),
    Case(
        "retry-exception",
        retried(None, "Step.SERVICE_FALT"),
        retried(None, "Step.SERVICE_FAULT"),
        "Steps[0].RetryPolicies[0].ExceptionType[0]",
        'write "Step.SERVICE_FAULT"',
    ),
    Case(
        "retry-unsupported",
        retried(register(), "SageMaker.CAPACITY_ERROR"),
        retried(register(), "Step.THROTTLING"),
        "Steps[0].RetryPolicies[0]",
        "keep Step.SERVICE_FAULT and Step.THROTTLING only",
    ),
)
_DATA = (
    Case(
        "static-output",
        prep(f"{OUTPUT}.S3Output.S3Uri", "s3://bucket/train"),
        prep(f"{OUTPUT}.S3Output.S3Uri", join("/", "s3://bucket", get("Execution.StartDateTime"), "train")),
        f"{A}.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
        'put {"Get": "Execution.PipelineExecutionId"} into the URI, by Std:Join',
    ),
    Case(
        "static-output",
        with_parameter(
            parameter("Out", default="s3://bucket/out"),
            f"{OUTPUT}.S3Output.S3Uri",
            join("/", "s3://b", get("Parameters.Out")),
        ),
        with_parameter(parameter("Out"), f"{OUTPUT}.S3Output.S3Uri", join("/", "s3://b", get("Parameters.Out"))),
        f"{A}.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
        'put {"Get": "Execution.PipelineExecutionId"} into the URI, by Std:Join',
    ),
    Case(
        "loop-output",
        looping(changed(looped(), f"{OUTPUT}.S3Output.S3Uri", own_uri("Each", "train"))),
        looping(changed(looped(), f"{OUTPUT}.S3Output.S3Uri", own_uri(get("Execution.ProcessingJobName"), "train"))),
        f"{A}.ForEachBody[0].Arguments.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
        'put {"Get": "ForEach.CurrentItem"} or {"Get": "Execution.ProcessingJobName"} into the URI',
    ),
    Case(
        "shared-output",
        two_outputs(output("Prep", "a"), output("Prep", "b", S3Uri=own_uri("Prep", "a/"))),
        two_outputs(output("Prep", "a"), output("Prep", "b", S3Uri=own_uri("Prep", "a", "b"))),
        f"{A}.ProcessingOutputConfig.Outputs[1].S3Output.S3Uri",
        "end each URI with the name of its output",
    ),
    Case(
        "unordered-read",
        document(processing(), training(uri=own_uri("Prep", "train", "part-0.csv"))),
        document(processing(), training(uri=own_uri("Prep", "train", "part-0.csv"), DependsOn=["Prep"])),
        f"{B}.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
        'read it by reference, or add "Prep" to DependsOn of "Train"',
    ),
    Case(
        "missing-slash",
        metrics(join("", get("Steps.Prep.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"), "m.json")),
        metrics(join("/", get("Steps.Prep.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"), "m.json")),
        f"{B}.ModelMetrics.ModelQuality.Statistics.S3Uri",
        'join them with "On": "/", or begin with "/m.json"',
    ),
    Case(
        "missing-slash",
        metrics(own_uri("Prep", "reportm.json")),
        metrics(own_uri("Prep", "report", "m.json")),
        f"{B}.ModelMetrics.ModelQuality.Statistics.S3Uri",
        'put a slash before "m.json"',
    ),
    Case(
        "secret-literal",
        environment("DB_PASSWORD", "hunter2"),
        environment("DB_PASSWORD_ARN", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db"),
        f"{A}.Environment['DB_PASSWORD']",
        "keep it in Secrets Manager, pass its ARN, and let the container read it; then change the secret",
    ),
    Case(
        "secret-literal",
        prep("Arguments.AppSpecification.ContainerArguments", ["AKIA" + "A" * 16]),
        prep("Arguments.AppSpecification.ContainerArguments", ["AKIA"]),
        f"{A}.AppSpecification.ContainerArguments[0]",
        "remove it: the job has a role; revoke the key",
    ),
)
CASES: Final = (*_DOCUMENT, *_PARAMETERS, *_STEPS, *_REFERENCES, *_ORDER, *_ARGUMENTS, *_REPEATS, *_DATA)
