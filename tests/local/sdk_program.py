"""What a user of the SageMaker SDK writes: define, upsert twice, start, wait, list. Prints what came of it as JSON."""

import json
import sys

from sagemaker.core.processing import Processor
from sagemaker.core.telemetry import telemetry_logging
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

ROLE = "arn:aws:iam::123456789012:role/pipelines"


def main(name: str) -> None:
    telemetry_logging._send_telemetry_request = lambda *_args, **_options: None  # it would leave the machine
    session = PipelineSession(default_bucket="data")
    word = ParameterString(name="Word", default_value="hello")
    processor = Processor(
        role=ROLE,
        image_uri="unknown:1",
        instance_count=1,
        instance_type="ml.t3.medium",
        entrypoint=["python3", "-c", "import sys; sys.exit(sys.argv[1] != 'bye')"],
        sagemaker_session=session,
    )
    step = ProcessingStep(name="Say", step_args=processor.run(arguments=[word]))
    pipeline = Pipeline(name=name, parameters=[word], steps=[step], sagemaker_session=session)
    pipeline.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "a"}])
    pipeline.upsert(role_arn=ROLE, tags=[{"Key": "stage", "Value": "b"}])
    execution = pipeline.start(parameters={"Word": "bye"})
    execution.wait(delay=1, max_attempts=120)
    steps = [[item["StepName"], item["StepStatus"], list(item["Metadata"])] for item in execution.list_steps()]
    status = execution.describe()["PipelineExecutionStatus"]
    sys.stdout.write(json.dumps({"arn": execution.arn, "status": status, "steps": steps}))


if __name__ == "__main__":
    main(sys.argv[1])
