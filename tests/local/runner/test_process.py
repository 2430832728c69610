"""Containers as processes: what a job finds, what it cannot see, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.local.runner.image import Image, read_image
from pipelines.local.runner.sandbox import addresses, launch_command, plain_order, probe

if TYPE_CHECKING:
    from tests.local.runner.conftest import Job, Jobs

Eventually = Callable[..., bool]

COPY_INPUT = """
from pathlib import Path
from typing import TYPE_CHECKING
for file in Path("/opt/ml/processing/input").iterdir():
    Path("/opt/ml/processing/output", file.name).write_text(file.read_text().upper())
"""


def alive(marker: str) -> list[int]:
    """The processes of this machine whose command line holds the marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def launcher(job: Job) -> int:
    """The launcher of a job: the child of ours whose child runs it."""
    return int(job.container._launcher.pid)  # type: ignore[attr-defined]


# --- what a job finds --------------------------------------------------------------------------------------------


def test_programs_that_hard_code_opt_ml_run_in_parallel_and_see_only_their_own(jobs: Jobs) -> None:
    before = os.path.lexists("/opt/ml")
    started = [
        jobs("python3", "-c", COPY_INPUT, files={f"processing/input/{name}": f"data of {name}"}) for name in "abcd"
    ]
    assert [job.end() for job in started] == [0, 0, 0, 0]
    for job, name in zip(started, "abcd", strict=True):
        outputs = {file.name: file.read_text() for file in (job.opt_ml / "processing" / "output").iterdir()}
        assert outputs == {name: f"DATA OF {name.upper()}"}
    assert os.path.lexists("/opt/ml") == before


def test_the_job_has_the_images_variables_and_the_requests_and_nothing_of_the_caller(
    either_jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/secret")
    image = Image(environment={"A": "image", "B": "image", "PATH": "/opt/x/bin:/usr/bin"})
    job = either_jobs("/usr/bin/env", image=image, environment={"B": "request"})
    assert job.end() == 0
    variables = dict(line.split("=", 1) for line in job.text().splitlines() if not line.startswith("pipelines: "))
    assert set(variables) - {"OPT_ML"} == {"A", "B", "PATH", "HOME", "TMPDIR", "LANG"}
    assert (variables["A"], variables["B"]) == ("image", "request")
    first, rest = variables["PATH"].split(":", 1)
    assert first.startswith(str(either_jobs.home))
    assert rest == "/opt/x/bin:/usr/bin"


def test_the_images_files_stand_where_copy_puts_them_and_may_be_changed(
    either_jobs: Jobs, folder: Callable[..., Path]
) -> None:
    text = (
        "FROM b\nWORKDIR /opt/program\nENV PYTHONPATH=/opt/program\nCOPY main.py .\nCOPY lib /srv/lib\n"
        'ENTRYPOINT ["/usr/local/bin/python3", "/opt/program/main.py", "/srv/lib"]'
    )
    main = (
        "import os, sys, pathlib; print(os.getcwd().endswith('/opt/program'), os.listdir(sys.argv[1]));"
        "pathlib.Path('new').write_text('x'); pathlib.Path(__file__).write_text('changed')"
    )
    context = folder(text, **{"main.py": main, "lib__data.txt": "1"})
    image = read_image(context)
    job = either_jobs(*image.entrypoint, image=image)
    assert job.end() == 0
    assert "True ['data.txt']" in job.text()
    assert (context / "main.py").read_text() == main
    assert not (context / "new").exists()


def test_image_files_stand_beside_the_systems_own_and_beside_opt_ml(jobs: Jobs, folder: Callable[..., Path]) -> None:
    text = (
        "FROM b\nWORKDIR /usr/src/app\nCOPY run /usr/local/bin/greet\nCOPY run /etc/greet.conf\n"
        "COPY run /opt/ml/code/train\nCOPY run /tmp/greet\nCOPY run /home/app/greet"
    )
    image = read_image(folder(text, run="#!/bin/sh\necho hello $PWD\n"))
    assert image.folder is not None
    (image.folder / "run").chmod(0o755)
    script = (
        "greet && /tmp/greet && /home/app/greet && sh /opt/ml/code/train && ls /usr/bin/env /etc/passwd "
        "&& touch x && echo kept > /opt/ml/output/message && cat /etc/greet.conf | head -1"
    )
    job = jobs("sh", "-c", script, image=image)
    assert job.end() == 0, job.text()
    assert job.text().count("hello /usr/src/app") == 4
    assert (job.opt_ml / "output" / "message").read_text() == "kept\n"


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """Files that a job is to find below its /opt/ml; skipped where there are no overlays."""
    if not probe(tmp_path).overlay:
        pytest.skip("this file system takes no overlay")
    folder = tmp_path / "a:b, c\\d" / "staged"
    (folder / "processing/input/deep").mkdir(parents=True)
    for name in ("kept", "changed", "removed", "moved", "deep/x:y,z"):
        (folder / "processing/input" / name).write_text(name)
    return folder


def test_staged_files_are_found_and_what_a_job_does_to_them_stays_with_the_job(jobs: Jobs, staged: Path) -> None:
    script = (
        "cd /opt/ml/processing/input && cat kept deep/x:y,z own && rm removed && echo more >> changed "
        "&& chmod 0 kept && ls && cp changed ../output/"
    )
    program = "import os, sys; os.rename('/opt/ml/processing/input/moved', '/opt/ml/processing/output/moved')"
    more = {"staged": staged, "files": {"processing/input/own": "own"}}
    job = jobs("sh", "-c", f'{script} && python3 -c "{program}"', **more)
    assert job.end() == 0, job.text()
    assert job.text() == "keptdeep/x:y,zownchanged\ndeep\nkept\nmoved\nown\n"
    below = {path.name: path.read_text() for path in staged.rglob("*") if path.is_file()}
    assert below == {
        "kept": "kept",
        "changed": "changed",
        "removed": "removed",
        "moved": "moved",
        "x:y,z": "deep/x:y,z",
    }
    assert (staged / "processing/input/kept").stat().st_mode & 0o777 != 0
    outputs = {path.name: path.read_text() for path in (job.opt_ml / "processing/output").iterdir()}
    assert outputs == {"changed": "changedmore\n", "moved": "moved"}


def test_files_may_be_staged_in_some_folders_only(jobs: Jobs, staged: Path) -> None:
    script = "ls -R /opt/ml/processing; cat /opt/ml/processing/pipe"
    files = {"processing/own": "x"}
    job = jobs(
        "sh", "-c", script.replace("pipe", "own"), staged=staged, staged_at=("processing/input/deep",), files=files
    )
    assert job.end() == 0
    assert "x:y,z" in job.text()
    assert "kept" not in job.text()


SERVE = (
    "import socket; s = socket.create_server(('algo-2', 8080)); print('up', flush=True); s.accept()[0].send(b'hello')"
)
CALL = "import socket; print(socket.create_connection(('algo-2', 8080)).recv(5), socket.gethostbyname('algo-1'))"


def with_pip(jobs: Jobs) -> Path:
    """The environment that the jobs share, which has a pip now."""
    assert jobs("true").end() == 0
    (environment,) = (path for path in (jobs.home / "environments").iterdir() if path.is_dir())
    (environment / "bin/pip").write_text("#!/bin/sh\n")
    return environment


@pytest.mark.usefixtures("staged")
def test_what_a_job_installs_is_its_own(jobs: Jobs) -> None:
    environment = with_pip(jobs)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    install = f'echo "NAME = 1" > "$(python3 -c "{where}")/own.py" && rm "$(dirname "$(command -v python3)")/pip"'
    first = jobs("sh", "-c", f"{install} && python3 -c 'import own; print(own.NAME)'; command -v pip")
    assert (first.end(), first.text().splitlines()[0]) == (0, "1"), first.text()
    assert str(environment) not in first.text()
    second = jobs("python3", "-c", "import own")
    assert second.end() == 1
    assert "No module named 'own'" in second.text()
    assert (environment / "bin/pip").exists()


def test_the_hosts_of_a_job_find_one_another_by_name(jobs: Jobs) -> None:
    more = {"hosts": ("algo-1", "algo-2"), "group": "one"}
    other = jobs("python3", "-c", SERVE, host="algo-2", **{**more, "group": "another"})
    server = jobs("python3", "-c", SERVE, host="algo-2", **more)
    assert server.waits_for("up")
    assert other.waits_for("up")
    client = jobs("python3", "-c", CALL, host="algo-1", **more)
    assert client.end() == 0, client.text()
    assert client.text().startswith("b'hello' 127.")
    assert server.end() == 0


def test_each_host_has_a_loopback_address_of_its_own_and_two_jobs_have_others() -> None:
    hosts = [f"algo-{number}" for number in range(1, 101)]
    found = [addresses(f"job {number}", hosts) for number in range(3)]
    assert len({address for each in found for address in each.values()}) == 300
    assert all(ip_address(address).is_loopback for each in found for address in each.values())
    assert "127.0.0.1" not in found[0].values()


# --- what a job cannot see ---------------------------------------------------------------------------------------


def test_the_callers_home_projects_and_temporary_files_are_not_shown(jobs: Jobs, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    checkout = Path(__file__)
    script = (
        f"cat {secret} {checkout} {Path.home() / '.bashrc'} {Path.home() / '.profile'}; ls -A /home /run /mnt; id -u"
    )
    job = jobs("sh", "-c", script)
    assert job.end() == 0
    assert job.text().count("No such file or directory") == 4
    assert job.text().splitlines()[-1] == "0"


def test_the_machine_is_read_only_and_its_disks_and_switches_are_out_of_reach(jobs: Jobs) -> None:
    script = (
        "for f in /usr/x /etc/x /sys/x; do touch $f && echo WROTE $f; done; "
        "for f in /proc/sysrq-trigger /proc/sys/kernel/hostname; do (echo x > $f) && echo WROTE $f; done; "
        "ls /dev; mount -t tmpfs none /mnt 2>/dev/null; mknod /tmp/disk b 8 0 && echo MADE; true"
    )
    job = jobs("sh", "-c", script)
    assert job.end() == 0
    assert "WROTE" not in job.text()
    assert "MADE" not in job.text()
    assert not {"kmsg", "mem", "sda", "vda", "nvme0n1"} & set(job.text().split())


def test_what_is_mounted_read_only_cannot_be_mounted_otherwise(jobs: Jobs) -> None:
    remount = "mount -o remount,bind,rw $d && echo REMOUNTED $d"
    script = (
        f"for d in /usr /etc /sys /proc/sys; do {remount}; done; umount /etc && echo UNMOUNTED; "
        f"unshare --user --keep-caps --mount sh -c 'echo nested; d=/usr; {remount}'; chown 7:7 /tmp && echo chowned"
    )
    job = jobs("sh", "-c", script)
    assert job.end() in (0, 1)  # nobody is mapped to no other user
    assert "nested\n" not in job.text()
    assert "MOUNTED" not in job.text()


def test_a_job_is_process_1_and_sees_no_other(jobs: Jobs) -> None:
    job = jobs("sh", "-c", "echo $$; ls -d /proc/[0-9]* | wc -l")
    assert job.end() == 0
    own, seen = job.text().split()
    assert own == "1"
    assert int(seen) < 5


NETWORK = """
import socket
print(sorted(line.split(':')[0].strip() for line in open('/proc/self/net/dev') if ':' in line))
server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname()); print('loopback works')
try: socket.create_connection(('127.0.0.1', %d), 60); print('reached')
except OSError: print('refused')
"""


def test_without_network_there_is_a_loopback_of_its_own_and_nothing_else(jobs: Jobs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = NETWORK % server.getsockname()[1]
        cut, open_ = jobs("python3", "-c", script, network=False), jobs("python3", "-c", script)
        assert (cut.end(), open_.end()) == (0, 0)
    assert cut.text() == "['lo']\nloopback works\nrefused\n"
    assert open_.text().endswith("loopback works\nreached\n")


# --- how a job ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("sh", "-c", "exit 0"), 0, ""),
        (("sh", "-c", "exit 7"), 7, ""),
        (("python3", "-c", "raise SystemExit('bad')"), 1, "bad"),
        (("no-such-program", "x"), 127, "pipelines: the program 'no-such-program' (or the interpreter that its"),
        (("/etc/passwd",), 126, "pipelines: the program '/etc/passwd' cannot be executed: Permission denied"),
    ],
)
def test_exit_codes_are_those_of_docker(either_jobs: Jobs, command: tuple[str, ...], code: int, said: str) -> None:
    job = either_jobs(*command)
    assert job.end() == code
    assert said in job.text()


def test_a_signal_is_128_more(either_jobs: Jobs) -> None:
    crash = "import ctypes; ctypes.string_at(0)"
    job = either_jobs("python3", "-c", crash)
    assert job.end() == 128 + signal.SIGSEGV


HANDLER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'asked to stop\\n'), sys.exit(5)))
print('ready', flush=True)
time.sleep(600)
"""


def test_stop_asks_the_first_process_and_its_exit_code_counts(either_jobs: Jobs) -> None:
    job = either_jobs("python3", "-c", HANDLER)
    assert job.waits_for("ready")
    assert job.container.wait(0.01) is None
    job.container.stop(600)
    assert job.end() == 5
    assert "asked to stop" in job.text()
    job.container.stop(1)  # of no effect once it has ended


def test_a_stop_that_comes_together_with_the_order_is_heard(tmp_path: Path) -> None:
    order = plain_order(("sleep", "600"), {"PATH": os.defpath}, tmp_path)
    words = launch_command()
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True) as launcher:
        assert launcher.stdin
        launcher.stdin.write(f"{order}\nstop 600\n".encode())
        launcher.stdin.flush()
        assert launcher.wait(180) == 128 + signal.SIGTERM


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A launcher that gives programs as long as they like to begin to listen: this machine may be slow."""
    *words, file = launch_command()
    text, seconds = Path(file).read_text(), "_UNHEARD_SECONDS, _LOOK_SECONDS = 2.0,"
    assert seconds in text
    (tmp_path / "launcher.py").write_text(text.replace(seconds, seconds.replace("2.0", "600.0")))
    command = [*words, str(tmp_path / "launcher.py")]
    monkeypatch.setattr("pipelines.local.runner.launchers.launch_command", lambda: command)


@pytest.mark.usefixtures("patient")
def test_a_stop_that_comes_before_the_program_listens_waits_until_it_does(jobs: Jobs) -> None:
    job = jobs("python3", "-c", f"import time; time.sleep(0.3); {HANDLER.strip()}")
    job.container.stop(600)
    assert job.end() == 5
    assert "asked to stop" in job.text()


def test_a_program_that_does_not_listen_is_killed_before_its_grace_is_over(jobs: Jobs) -> None:
    job = jobs("sleep", "6000")
    job.container.stop(5000)
    assert job.end() == 137
    assert "pipelines: the job did not end in time after SIGTERM and is killed" in job.text()


STUBBORN = "trap '' TERM; sleep 1234.{n} & setsid sleep 1234.{n} & echo ready; while :; do sleep 1234.{n}; done"


def test_a_job_that_ignores_sigterm_is_killed_with_all_its_descendants(
    either_jobs: Jobs, eventually: Eventually
) -> None:
    marker = f"1234.{os.getpid()}1"
    job = either_jobs("sh", "-c", STUBBORN.format(n=f"{os.getpid()}1"))
    assert job.waits_for("ready")
    assert eventually(lambda: len(alive(f"sleep\0{marker}")) >= 3)
    job.container.stop(0.2)
    assert job.end() == 137
    assert alive(f"sleep\0{marker}") == []
    assert "pipelines: the job did not end in time after SIGTERM and is killed" in job.text()


def test_what_a_job_leaves_running_ends_with_it(either_jobs: Jobs) -> None:
    marker = f"4321.{os.getpid()}"
    job = either_jobs("sh", "-c", f"setsid sleep {marker} & exit 0")
    assert job.end() == 0
    assert alive(f"sleep\0{marker}") == []


def test_a_killed_launcher_takes_the_job_and_its_children_along(either_jobs: Jobs, eventually: Eventually) -> None:
    marker = f"1111.{os.getpid()}"
    job = either_jobs("sh", "-c", f"sleep {marker} & sh -c 'sleep {marker}; :' & echo ready; wait")
    assert job.waits_for("ready")
    assert eventually(lambda: len(alive(f"sleep\0{marker}")) == 2)
    os.kill(launcher(job), signal.SIGKILL)
    assert job.end() == 137
    assert eventually(lambda: alive(f"sleep\0{marker}") == [])


def test_sigterm_to_the_launcher_reaches_the_job(either_jobs: Jobs) -> None:
    job = either_jobs("python3", "-c", HANDLER)
    assert job.waits_for("ready")
    os.kill(launcher(job), signal.SIGTERM)
    assert job.end() == 5


SERVER = """
import sys, time
from pathlib import Path
from typing import TYPE_CHECKING
from pipelines.local.runner.image import bare_image
from pipelines.local.runner.process import ContainerRequest, ProcessRunner
from pipelines.local.runner.launcher import _listens
from pipelines.local.runner.sandbox import Isolation
home, isolation = Path(sys.argv[1]), Isolation(False, 'test', 'test') if sys.argv[3] == 'plain' else None
(home / 'ml').mkdir()
request = ContainerRequest(bare_image(), ('sh', '-c', f'setsid sleep {sys.argv[2]} & sleep {sys.argv[2]}'), {}, home / 'ml', home / 'log')
ProcessRunner(home / 'environments', lambda _: None, isolation).start(request)
time.sleep(600)
"""  # noqa: E501


@pytest.mark.parametrize("mode", ["jobs", "plain_jobs"])
def test_a_killed_server_takes_its_jobs_along(
    mode: str, request: pytest.FixtureRequest, tmp_path: Path, eventually: Eventually
) -> None:
    request.getfixturevalue(mode)  # skips where namespaces are refused
    marker = f"2222.{os.getpid()}"
    kind = "plain" if mode == "plain_jobs" else "private"
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path), marker, kind])
    try:
        assert eventually(lambda: len(alive(f"sleep\0{marker}")) == 2)
    finally:
        server.kill()
        server.wait()
    assert eventually(lambda: alive(f"sleep\0{marker}") == [])


def test_nothing_is_left_beside_opt_ml(either_jobs: Jobs) -> None:
    job = either_jobs("sh", "-c", "mkdir $TMPDIR/d && touch $TMPDIR/d/f && chmod 0 $TMPDIR/d")
    assert job.end() == 0
    assert sorted(path.name for path in job.opt_ml.parent.iterdir()) == ["log", "ml"]


# --- without namespaces ------------------------------------------------------------------------------------------


def test_without_namespaces_opt_ml_is_in_a_variable_and_the_log_says_so(plain_jobs: Jobs) -> None:
    script = "test -e /opt/ml || echo none; cat $OPT_ML/processing/input/a; cat $0; echo; pwd"
    files = {"processing/input/a": "data\n"}
    job = plain_jobs("sh", "-c", script, "/opt/ml/processing/input/a", files=files, image=Image(workdir="/w"))
    assert job.end() == 0
    first, *rest = job.text().splitlines()
    assert first == (
        f"pipelines: no private /opt/ml here: the test refuses namespaces. OPT_ML={job.opt_ml} is set instead; "
        "a program that hard-codes /opt/ml does not find its data. fix: run another test"
    )
    assert [line for line in rest if line != "none"][:2] == ["data", "data"]
    assert rest[-1].endswith("/files/w")


def test_without_namespaces_pip_installs_beside_the_environment(plain_jobs: Jobs) -> None:
    with_pip(plain_jobs)
    install = 'mkdir "$PIP_TARGET" && echo "NAME = 1" > "$PIP_TARGET/own.py"'
    job = plain_jobs("sh", "-c", f"{install} && python3 -c 'import own; print(own.NAME)'")
    assert job.end() == 0, job.text()
    assert job.text().splitlines()[-1] == "1"
    assert plain_jobs("python3", "-c", "import own").end() == 1


def test_without_namespaces_a_job_that_wants_no_network_is_told(plain_jobs: Jobs) -> None:
    job = plain_jobs("true", network=False)
    assert job.end() == 0
    assert "The network is not cut off, though the job asks for it." in job.text()
