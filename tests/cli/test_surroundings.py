"""What surrounds a command: the caller's AWS settings, AWS without credentials, and what a command imports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.cli import reference

_IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::222222222222:user/u</Arn><UserId>U</UserId><Account>222222222222</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
_REFUSAL = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message>
</Error></ErrorResponse>"""


@pytest.fixture
def sts():
    """STS on 127.0.0.1: answers as it is told, and keeps what was asked of it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            body = server.answer[1].encode()
            self.send_response(server.answer[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answer = [], (200, _IDENTITY)
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret"}
COMMANDS = [["deploy", "--yes"], ["deploy", "--yes", "--start"], ["start"], ["status"], ["logs"], ["stop"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_aws_without_credentials_says_how_to_get_them(project, pipelines, monkeypatch, words):
    for name in (*CREDENTIALS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    done = pipelines(*words, "--env", "dev")
    assert (done.code, done.out) == (3, "")
    where = "environment dev (111111111111, eu-central-1)"
    what = "cannot ask whose the credentials are: Unable to locate credentials"
    assert done.err == f"error: {where}: {what}\n  fix: sign in (aws sso login), or set AWS_PROFILE\n"
    assert project.is_untouched


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_credentials_of_another_account_are_refused_before_anything_else(project, sts, words):
    done = project.command(*words, "--env", "dev", AWS_ENDPOINT_URL=sts.url, **CREDENTIALS)
    assert (done.code, done.out) == (3, "")
    assert "your credentials belong to account 222222222222, the environment to 111111111111" in done.err
    assert "fix: choose the profile of that account (AWS_PROFILE), or another --env" in done.err
    assert ["GetCallerIdentity" in asked for asked in sts.asked] == [True]
    assert project.is_untouched


def test_expired_credentials_say_how_to_sign_in(project, sts):
    sts.answer = (403, _REFUSAL)
    done = project.command("deploy", "--yes", "--env", "dev", "--json", AWS_ENDPOINT_URL=sts.url, **CREDENTIALS)
    assert done.code == 3
    (problem,) = json.loads(done.out)["problems"]
    assert "ExpiredToken: The security token included in the request is expired" in problem["what"]
    assert problem["fix"] == "sign in again (aws sso login), then repeat the command"
    assert "Traceback" not in done.err


def test_profile_that_does_not_exist_is_named(project):
    done = project.command("deploy", "--yes", "--env", "dev", AWS_PROFILE="nobody")
    assert done.code == 3
    assert "The config profile (nobody) could not be found" in done.err
    assert "fix: correct AWS_PROFILE" in done.err


def test_local_commands_use_nothing_of_the_callers_aws_settings(deployed, tmp_path):
    (tmp_path / ".aws").mkdir()
    used = tmp_path / "used"
    (tmp_path / ".aws" / "config").write_text(
        f"[default]\nregion = ap-south-1\ncredential_process = touch {used}\nendpoint_url = http://127.0.0.1:9\n"
        "retry_mode = nonsense\ns3 =\n  addressing_style = virtual\n  use_accelerate_endpoint = true\n"
    )
    hostile = {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / ".aws" / "config"),
        "AWS_PROFILE": "no-such-profile",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_REGION": "ap-south-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "nonsense",
        "AWS_DEFAULTS_MODE": "nonsense",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    done = deployed.command("run", "--json", **hostile)
    assert done.code == 0, done.err
    arn = json.loads(done.out)["arn"]
    assert arn.startswith("arn:aws:sagemaker:us-east-1:123456789012:pipeline/tiny/execution/")
    assert deployed.command("status", "--execution", arn, "--json", **hostile).out == done.out
    assert not used.exists()


_IMPORTS = """
import sys
from pipelines.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as exit:
    code = exit.code
print(code, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
HEAVY = {"sagemaker", "moto", "pandas", "numpy", "werkzeug", "duckdb", "torch"}


def _imports(*words: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", _IMPORTS, *words], capture_output=True, text=True, timeout=300)
    code, *names = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(names)


def test_help_imports_nothing_that_takes_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["--help"], ["run", "--help"]):
        assert not _imports(*words) & (HEAVY | {"boto3", "botocore", "yaml", "rich", "jsonschema"})
    assert not list(tmp_path.iterdir())


def test_status_imports_neither_the_sdk_nor_the_local_sagemaker(deployed):
    assert deployed.command("run").code == 0
    assert not _imports("status") & HEAVY
    assert not _imports("logs") & HEAVY


def test_commands_on_a_cached_compile_import_no_sdk_and_no_client(project):
    for command in ("compile", "validate", "graph"):
        assert not _imports(command) & (HEAVY | {"boto3"}), command
    assert project.is_untouched


def test_version_is_the_packages():
    from importlib.metadata import version

    done = subprocess.run([sys.executable, "-m", "pipelines", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pipelines {version('pipelines')}\n"


def test_reference_page_is_up_to_date():
    assert reference.FILE.read_text(encoding="utf-8") == reference.page(), "python -m pipelines.cli.reference"


def test_reference_page_does_not_depend_on_the_terminal(monkeypatch):
    page = reference.page()
    monkeypatch.setenv("COLUMNS", "40")
    assert reference.page() == page


def test_local_says_where_it_serves_and_stops(tmp_path, make_project):
    project = make_project(tmp_path / "project")
    detached = project.command("local", "--detach")
    assert detached.code == 0
    endpoint, exports = detached.out.splitlines()
    assert exports.startswith(f"export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION=us-east-1 ")
    facts = json.loads(project.command("local", "--detach", "--json").out)
    assert facts["endpoint"] == endpoint
    assert facts["environment"]["AWS_ENDPOINT_URL"] == endpoint
    second = project.command("local")
    assert second.code == 3
    assert "a local SageMaker runs already" in second.err
    assert "fix: use it, or stop it: pipelines local --stop" in second.err
    project.edit("steps:\n", "steps: [\n")  # what is wrong with the spec is no reason to let it run
    assert project.command("local", "--stop").out == "stopped\n"
    assert project.command("local", "--stop").out == "the local SageMaker does not run\n"
    assert json.loads(project.command("local", "--stop", "--json").out) == {"stopped": False}


def test_local_in_the_foreground_ends_by_ctrl_c(tmp_path, make_project):
    project = make_project(tmp_path / "project")
    process = project.popen("local")
    endpoint, exports = process.stdout.readline().strip(), process.stdout.readline()
    assert endpoint.startswith("http://127.0.0.1:")
    assert exports.startswith(f"export AWS_ENDPOINT_URL={endpoint} ")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=300) == ("", "")
    assert process.returncode == 0
    assert not project.home.server.exists()
    assert project.home.database.exists()
