"""Runs processing steps by the SDK's own local mode, a peer of the local SageMaker: JSON on stdin → JSON on stdout.

    {"steps": [{"name", "image", "entrypoint": […], "arguments": […], "environment": {…},
                "inputs": {path in the container: folder}, "outputs": {path in the container: folder}}, …]}
    → {"seconds": …, "status": …, "reason": …}

A process of its own, since the SDK changes its process's logging and warnings. It needs Docker Compose, and
AWS_DEFAULT_REGION and some credentials in the environment, which it never uses: every folder is named by a file:// URI.

Version 3 of the SDK ships two local pipeline sessions: one captures the steps and cannot start them, the other starts
them and cannot capture. Here the first builds, and the second runs.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
import warnings
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/benchmark"


def main() -> None:
    given = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):  # the SDK prints what containers print
        found = run(given["steps"])
    json.dump(found, sys.stdout)


def run(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The steps as one pipeline, each after the one before, as local mode runs them anyway."""
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.core.workflow.pipeline_context import LocalPipelineSession as Capturing
    from sagemaker.mlops.local import LocalPipelineSession as Starting
    from sagemaker.mlops.workflow.pipeline import Pipeline

    # It would send account ids and error texts elsewhere.
    telemetry_logging._send_telemetry_request = lambda *_arguments, **_options: None
    capturing, starting = Capturing(), Starting()
    made = [_step(item, capturing) for item in steps]
    for before, after in itertools.pairwise(made):
        after.add_depends_on([before])
    pipeline = Pipeline(name="local-mode", steps=made, sagemaker_session=capturing)
    starting.create_pipeline(pipeline, "a peer")
    begun = time.perf_counter()
    execution = starting.start_pipeline_execution(PipelineName="local-mode")
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "status": str(execution.status), "reason": execution.failure_reason}


def _step(given: dict[str, Any], session: Any) -> Any:
    from sagemaker.core import shapes
    from sagemaker.core.processing import Processor
    from sagemaker.core.workflow.functions import Join
    from sagemaker.mlops.workflow.steps import ProcessingStep

    processor = Processor(
        role=ROLE,
        image_uri=given["image"],
        entrypoint=given["entrypoint"],
        instance_count=1,
        instance_type="local",
        env=given.get("environment"),
        sagemaker_session=session,
    )
    inputs = [
        shapes.ProcessingInput(
            input_name=f"input-{number}",
            s3_input=shapes.ProcessingS3Input(
                # A plain file:// text would be uploaded to S3; what is worked out at run time is left alone.
                s3_uri=Join(on="", values=[f"file://{folder}"]),
                local_path=path,
                s3_data_type="S3Prefix",
                s3_input_mode="File",
            ),
        )
        for number, (path, folder) in enumerate(given.get("inputs", {}).items())
    ]
    outputs = [
        shapes.ProcessingOutput(
            output_name=f"output-{number}",
            s3_output=shapes.ProcessingS3Output(s3_uri=f"file://{folder}", local_path=path, s3_upload_mode="EndOfJob"),
        )
        for number, (path, folder) in enumerate(given.get("outputs", {}).items())
    ]
    request = processor.run(inputs=inputs, outputs=outputs, arguments=given.get("arguments") or None)
    return ProcessingStep(name=given["name"], step_args=request)


if __name__ == "__main__":
    main()
