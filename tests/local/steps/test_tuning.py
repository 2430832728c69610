"""Tuning jobs and steps: real training jobs, compared by what they print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines.local.settings import ImageSettings, Settings, write
from tests.local.local_aws import BUCKET, PRELUDE, ROLE, LocalAws, eventually, fail, fresh, get

Json = dict[str, Any]
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/trained:1"
WARM = {"ParentHyperParameterTuningJobs": [{}], "WarmStartType": "TransferLearning"}
TRAIN = """
values = json.loads((ML / "input/config/hyperparameters.json").read_text())
x = float(values["x"])
print("values", json.dumps(values), flush=True)
if values.get("slow"):
    time.sleep(600)
if values.get("fails_above") and x > float(values["fails_above"]):
    sys.exit(9)
(ML / "model/x.txt").write_text(values["x"])
if not values.get("silent"):
    print(f"score={x * x}", flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def _trained(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An image whose program trains."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.py").write_text(PRELUDE + TRAIN)
    (folder / "Dockerfile").write_text(
        'FROM python:3\nCOPY train.py /opt/program/train.py\nENTRYPOINT ["python3", "/opt/program/train.py"]\n'
    )
    write(aws.home, Settings(images={URI: ImageSettings(build=folder)}))
    yield
    write(aws.home, Settings())


def job(values: Any = ("1", "2", "3"), *, goal: str = "Maximize", fixed: Json | None = None, **config: Any) -> Json:
    """The arguments of a tuning job: a grid over x, unless the configuration says otherwise."""
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": goal, "MetricName": "score"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": list(values)}]},
            **config,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": fixed or {},
            "AlgorithmSpecification": {
                "TrainingImage": URI,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.e+-]+)"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


def start(aws: LocalAws, arguments: Json) -> str:
    aws.put("tuned/.here", "")
    name = fresh()
    aws.sagemaker.create_hyper_parameter_tuning_job(HyperParameterTuningJobName=name, **arguments)
    return name


def described(aws: LocalAws, name: str) -> Json:
    return dict(aws.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))


def ended(aws: LocalAws, name: str) -> Json:
    finished = ("Completed", "Failed", "Stopped")
    return dict(
        eventually(lambda: (it := described(aws, name))["HyperParameterTuningJobStatus"] in finished and it, name)
    )


def trials(aws: LocalAws, name: str, **more: Any) -> list[Json]:
    listed = aws.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name, **more)
    return list(listed["TrainingJobSummaries"])


def test_a_grid_trains_every_combination_and_names_the_best(aws: LocalAws) -> None:
    found = ended(aws, name := start(aws, job(fixed={"kept": "1"})))
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {"x": "3"}
    best = found["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert (best["MetricName"], best["Value"], best["Type"]) == ("score", 9.0, "Maximize")
    assert found["TrainingJobStatusCounters"]["Completed"] == found["ObjectiveStatusCounters"]["Succeeded"] == 3
    by_value = trials(aws, name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [trial["TunedHyperParameters"]["x"] for trial in by_value] == ["3", "2", "1"]
    trained = aws.sagemaker.describe_training_job(TrainingJobName=by_value[0]["TrainingJobName"])
    assert trained["FinalMetricDataList"][0]["Value"] == 9.0
    assert trained["HyperParameters"] == {"kept": "1", "x": "3", "_tuning_objective_metric": "score"}
    assert aws.get(trained["ModelArtifacts"]["S3ModelArtifacts"])


def test_random_draws_as_often_as_it_may_and_the_same_each_time(aws: LocalAws) -> None:
    config = {
        "Strategy": "Random",
        "RandomSeed": 5,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "4"}]},
    }
    runs = [start(aws, job(goal="Minimize", **config)) for _ in range(2)]
    first, second = (ended(aws, name) for name in runs)
    assert first["TrainingJobStatusCounters"]["Completed"] == 3
    assert first["BestTrainingJob"]["TunedHyperParameters"] == second["BestTrainingJob"]["TunedHyperParameters"]
    values = [trial["TunedHyperParameters"]["x"] for trial in trials(aws, runs[0])]
    assert values == [trial["TunedHyperParameters"]["x"] for trial in trials(aws, runs[1])]
    assert first["BestTrainingJob"]["TunedHyperParameters"]["x"] == min(values, key=float)


def test_a_trial_that_fails_does_not_end_the_search_but_none_that_succeeds_does(aws: LocalAws) -> None:
    some, none = start(aws, job(fixed={"fails_above": "2"})), start(aws, job(["7"], fixed={"fails_above": "2"}))
    found = ended(aws, some)
    assert (found["HyperParameterTuningJobStatus"], found["BestTrainingJob"]["TunedHyperParameters"]) == (
        "Completed",
        {"x": "2"},
    )
    assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert [trial["TunedHyperParameters"]["x"] for trial in trials(aws, some, StatusEquals="Failed")] == ["3"]
    lost = ended(aws, none)
    assert lost["HyperParameterTuningJobStatus"] == "Failed"
    assert lost["FailureReason"].startswith("ClientError: no training job gave the objective metric; the first: Algor")


def test_a_trial_without_the_metric_has_no_objective(aws: LocalAws) -> None:
    found = ended(aws, start(aws, job(["1"], fixed={"silent": "1"})))
    assert found["FailureReason"].endswith(
        "ClientError: no objective metric score was found in the job's log; its Regex is 'score=([0-9.e+-]+)'"
    )
    assert found["ObjectiveStatusCounters"]["Failed"] == 1


def test_a_target_that_is_reached_ends_the_search(aws: LocalAws) -> None:
    criteria = {"TargetObjectiveMetricValue": 4.0}
    limits = {"MaxParallelTrainingJobs": 1}
    found = ended(aws, start(aws, job(TuningJobCompletionCriteria=criteria, ResourceLimits=limits)))
    assert (found["HyperParameterTuningJobStatus"], found["TrainingJobStatusCounters"]["Completed"]) == ("Completed", 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WarmStartConfig": WARM}, "not executed locally: WarmStartConfig"),
        ({"TrainingJobDefinition": None}, "ClientError: a tuning job needs a TrainingJobDefinition"),
    ],
)
def test_what_is_not_searched_here_is_refused_before_anything_trains(aws: LocalAws, change: Json, said: str) -> None:
    arguments = {name: value for name, value in {**job(), **change}.items() if value is not None}
    found = ended(aws, name := start(aws, arguments))
    assert said in found["FailureReason"]
    assert trials(aws, name) == []


def test_a_stop_ends_the_trials(aws: LocalAws) -> None:
    name = start(aws, job(fixed={"slow": "1"}))
    running = eventually(lambda: len(found := trials(aws, name)) == 2 and found, "the first trials")
    eventually(lambda: any(aws.log(trial["TrainingJobName"], "Training") for trial in running), "a beginning")
    aws.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    found = ended(aws, name)
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"] == {
        "Completed": 0,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 2,
    }


def test_jobs_are_listed_and_a_missing_one_is_not_found(aws: LocalAws) -> None:
    name = start(aws, job(["1"]))
    ended(aws, name)
    (summary,) = aws.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=name)["HyperParameterTuningJobSummaries"]
    assert (summary["Strategy"], summary["TrainingJobStatusCounters"]["Completed"]) == ("Grid", 1)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        trials(aws, "nobody")


def test_a_step_gives_the_best_model_to_those_after_it(aws: LocalAws) -> None:
    """As the SDK's `get_top_model_s3_uri(top_k, bucket, prefix)` writes it."""
    aws.put("tuned/.here", "")
    names = [get(f"Steps.Tune.TrainingJobSummaries[{place}].TrainingJobName") for place in (0, 1)]
    uris = [
        {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/tuned", name, "output/model.tar.gz"]}} for name in names
    ]
    last = {"Std:Join": {"On": " ", "Values": [*uris, get("Steps.Tune.BestTrainingJob.TrainingJobName")]}}
    done = aws.run([{"Name": "Tune", "Type": "Tuning", "Arguments": job()}, fail(message=last)])
    first, second, best = done.steps["Stop"]["FailureReason"].split()
    assert (best in first, best in second) == (True, False)
    assert aws.get(first)
    arn = done.steps["Tune"]["Metadata"]["TuningJob"]["Arn"]
    assert ":hyper-parameter-tuning-job/" in arn
    assert len(arn.rpartition("/")[2]) <= 32
    assert json.dumps(described(aws, arn.rpartition("/")[2]), default=str)
