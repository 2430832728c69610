"""QualityCheck and ClarifyCheck steps with a container of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.local.local_aws import BUCKET, IMAGE, ROLE, LocalAws, fail, fresh, get

Json = dict[str, Any]
BASELINE = """
folder = ML / "processing/output/check"
(folder / "statistics.json").write_text("{}")
(folder / "constraints.json").write_text("{}")
"""
VIOLATIONS = """
(folder / "constraint_violations.json").write_text(json.dumps({"violations": [{"feature_name": "delay"}]}))
"""


def check(aws: LocalAws, code: str, **more: Any) -> tuple[Json, str]:
    """A data quality step that runs a program, and where its output goes."""
    uri = f"s3://{BUCKET}/checks/{fresh()}"
    step = {"Name": "Check", "Type": "QualityCheck", "Arguments": aws.job(code, outputs={"check": uri})}
    settings = {"CheckType": "DATA_QUALITY", "SkipCheck": False, "FailOnViolation": True, "RegisterNewBaseline": False}
    return {**step, **settings, "SuppliedBaselineStatistics": None, "SuppliedBaselineConstraints": None, **more}, uri


def test_the_calculated_baseline_is_the_property(aws: LocalAws) -> None:
    step, uri = check(aws, BASELINE, SkipCheck=True, RegisterNewBaseline=True)
    names = ("CalculatedBaselineConstraints", "BaselineUsedForDriftCheckStatistics")
    values = [get(f"Steps.Check.{name}") for name in names]
    ended = aws.run([step, fail(message={"Std:Join": {"On": " ", "Values": values}})])
    assert ended.steps["Stop"]["FailureReason"] == f"{uri}/constraints.json {uri}/statistics.json"
    metadata = ended.steps["Check"]["Metadata"]["QualityCheck"]
    assert metadata["CheckType"] == "DATA_QUALITY"
    assert metadata["CalculatedBaselineStatistics"] == f"{uri}/statistics.json"
    assert ":processing-job/" in metadata["CheckJobArn"]


def test_violations_that_the_container_found_fail_the_step(aws: LocalAws) -> None:
    supplied = {"SuppliedBaselineConstraints": "s3://data/older/constraints.json"}
    strict, uri = check(aws, BASELINE + VIOLATIONS, **supplied)
    lenient, _ = check(aws, BASELINE + VIOLATIONS, **supplied, FailOnViolation=False)
    ended = aws.run([strict])
    report = f"{uri}/constraint_violations.json"
    assert ended.steps["Check"]["FailureReason"] == (
        f"ClientError: DATA_QUALITY: 1 violation of the baseline, see {report}"
    )
    assert ended.steps["Check"]["Metadata"]["QualityCheck"]["ViolationReport"] == report
    assert aws.run([lenient]).status == "Succeeded"


def test_a_check_that_nobody_made_is_no_success(aws: LocalAws) -> None:
    without, _ = check(aws, BASELINE)
    assert aws.run([without]).steps["Check"]["FailureReason"] == (
        "ClientError: DATA_QUALITY: there is no baseline to check against; supply one, or set SkipCheck"
    )
    unmade, _ = check(aws, BASELINE, SuppliedBaselineConstraints="s3://data/older/constraints.json")
    assert aws.run([unmade]).steps["Check"]["FailureReason"] == (
        "not executed locally: the DATA_QUALITY check itself, as the container wrote no constraint_violations.json; "
        "fix: set SkipCheck, as by a parameter of the local environment"
    )


def test_the_baseline_is_that_of_the_last_approved_model(aws: LocalAws) -> None:
    group = fresh()
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    served, leaf = {"SupportedContentTypes": [], "SupportedResponseMIMETypes": []}, {"ContentType": "text/json"}
    for number, status in ((1, "Approved"), (2, "Rejected")):
        aws.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus=status,
            InferenceSpecification={**served, "Containers": [{"Image": IMAGE}]},
            DriftCheckBaselines={"ModelDataQuality": {"Constraints": {**leaf, "S3Uri": f"s3://data/{number}"}}},
        )
    step, _ = check(aws, BASELINE + VIOLATIONS, FailOnViolation=False, ModelPackageGroupName=group)
    used = get("Steps.Check.BaselineUsedForDriftCheckConstraints")
    assert aws.run([step, fail(message=used)]).steps["Stop"]["FailureReason"] == "s3://data/1"


def test_a_container_that_fails_fails_the_step(aws: LocalAws) -> None:
    step, _ = check(aws, "sys.exit(4)", SkipCheck=True)
    ended = aws.run([step])
    assert ended.steps["Check"]["FailureReason"].endswith("exit code: 4")
    assert ended.steps["Check"]["Metadata"]["QualityCheck"]["CheckJobArn"]


def test_an_image_of_which_nothing_is_known_fails_or_has_a_stub(aws: LocalAws, configure: Callable[..., None]) -> None:
    arguments = {"AppSpecification": {"ImageUri": "1.dkr.ecr.x.amazonaws.com/clarify:1"}, "RoleArn": ROLE}
    step = {"Name": "Bias", "Type": "ClarifyCheck", "Arguments": arguments, "CheckType": "DATA_BIAS"}
    reason = aws.run([step]).steps["Bias"]["FailureReason"]
    assert reason.startswith(
        "not executed locally: ClarifyCheck: nothing is known of the image 1.dkr.ecr.x.amazonaws.com/clarify:1, and "
        "the step names no entrypoint; fix: add to pipeline.yaml, under environments: local: images:, the line "
    )
    assert reason.endswith(", or give it a stub result: environments: local: stubs: Bias")
    configure(stubs={"Bias": {"CalculatedBaselineConstraints": "s3://data/analysis.json"}})
    assert aws.run([step]).status == "Succeeded"
