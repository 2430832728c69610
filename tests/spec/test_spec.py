"""What a spec says: environments, size, and what loading it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import SpecError

SPEC = """
name: demo
image: i
parameters:
  Data: { type: String, default: "s3://${{ env.bucket }}/${{ env.prefix }}/${{ env.name }}" }
  Size: { type: String, default: "${{ env.name }}", enum: [local, dev] }
  Rate: { type: Float, default: 1 }
  Open: { type: Integer }
steps: { A: { fail: x } }
environments:
  dev:
    account: "111111111111"
    region: eu-central-1
    role: arn:aws:iam::111111111111:role/pipelines
    bucket: team-dev
    prefix: team/demo
    tags: { team: demo }
    parameters: { Rate: 0.5, Open: 3 }
  half: { region: eu-central-1 }
  prod:
    account: "222222222222"
    region: eu-central-1
    role: arn:aws:iam::222222222222:role/pipelines
    bucket: team-prod
"""


def refusal(spec, environment: str) -> str:
    with pytest.raises(SpecError) as caught:
        spec.target(environment)
    return str(caught.value)


def test_local_needs_no_entry(read):
    target = read(SPEC).target()
    assert target.is_local
    assert (target.account, target.region, target.bucket) == ("123456789012", "us-east-1", "pipelines-local")
    assert target.role == "arn:aws:iam::123456789012:role/pipelines-local"
    assert target.prefix == "demo"
    assert target.parameters == {"Data": "s3://pipelines-local/demo/local", "Size": "local", "Rate": 1.0}
    assert isinstance(target.parameters["Rate"], float)


def test_an_environment_overrides_defaults(read):
    target = read(SPEC).target("dev")
    assert not target.is_local
    assert target.prefix == "team/demo"
    assert target.tags == {"team": "demo"}
    assert target.parameters == {"Data": "s3://team-dev/team/demo/dev", "Size": "dev", "Rate": 0.5, "Open": 3}


def test_unknown_environment_names_the_nearest_one(read):
    expected = "pipeline.yaml:11:3: there is no environment 'pord'\n  fix: did you mean 'prod'?"
    assert refusal(read(SPEC), "pord") == expected


def test_unknown_environment_names_all_when_none_is_near(read):
    assert refusal(read(SPEC), "xyz").endswith("\n  fix: use --env with one of: local, dev, half, prod")


def test_everything_missing_of_an_environment_is_named(read):
    expected = [
        f"pipeline.yaml:19:3: {key!r} is missing\n  fix: add `{key}:` to environment half"
        for key in ("account", "role", "bucket")
    ]
    assert refusal(read(SPEC), "half") == "\n".join(expected)


def test_a_default_from_the_environment_must_be_in_the_enum(read):
    expected = (
        "pipeline.yaml:6:34: 'prod' is not in the parameter's enum (environment prod)\n  fix: use one of: local, dev"
    )
    assert refusal(read(SPEC), "prod") == expected


def test_a_spec_of_two_thousand_steps_loads(read):
    step = (
        "  Step{n}:\n    processing:\n      entrypoint: [python3, -m, program, '${{{{ parameters.N }}}}']\n"
        "      environment: {{STAGE: a, N: 3}}\n"
        "      inputs: {{previous: '${{{{ steps.Step{before}.outputs.out }}}}'}}\n"
        "      outputs: [out, other]\n      reports: {{m: out/m.json}}\n"
    )
    head = "name: big\nimage: i\nparameters: {N: {type: Integer, default: 1}}\nsteps:\n"
    first = "  Step0: {processing: {outputs: [out]}}\n"
    text = head + first + "".join(step.format(n=n, before=n - 1) for n in range(1, 2000))
    spec = read(text)
    assert len(spec.pipeline.steps) == 2000


def test_loading_imports_neither_sdk_nor_boto3_nor_what_the_tests_use(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(SPEC)
    program = (
        "import sys, pathlib, pipelines.compile, pipelines.spec\n"
        "pipelines.spec.load(pathlib.Path('pipeline.yaml')).target('dev')\n"
        "print(sorted({'sagemaker', 'boto3', 'botocore', 'pydantic', 'jsonschema'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    environment = {"PYTHONPATH": root, "PATH": ""}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
