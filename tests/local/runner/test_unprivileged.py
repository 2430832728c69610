"""The same runner as a user without any right: the user namespace alone carries it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

SYSTEM_PYTHON = Path("/usr/bin/python3")
NOBODY = 65534
REPOSITORY = Path(__file__).parents[3]

PROGRAM = """
import sys
from pathlib import Path
from pipelines.local.runner.image import bare_image
from pipelines.local.runner.process import ContainerRequest, ProcessRunner
from pipelines.local.runner.sandbox import probe
home = Path(sys.argv[1])
if not probe().private:
    sys.exit('refused: ' + probe().reason)
(home / 'ml').mkdir()
(home / 'staged').mkdir()
(home / 'staged/below').write_text('staged')
script = "id -u; cat /etc/shadow; touch /usr/x; ls -A /home; echo done > /opt/ml/message; " \\
    "touch /root/mine /tmp/mine; grep -c : /proc/self/net/dev; python3 -c 'import sys; print(sys.prefix)'; " \\
    "cat /opt/ml/below; echo mine > /opt/ml/below"
runner = ProcessRunner(home / 'environments', print)
staged = home / 'staged' if runner.overlays(home) else None
request = ContainerRequest(
    bare_image(), ('sh', '-c', script), {}, home / 'ml', home / 'log', network=False, staged=staged
)
print(runner.start(request).wait(180))
print((home / 'staged/below').read_text(), *home.glob('.ml-*'), *home.glob('.pipelines-*'))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of nobody's; those of pytest are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="pipelines-nobody-"))
    os.chown(path, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user; the other tests prove the rest")
@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="nobody needs an interpreter outside of root's home")
def test_a_user_without_rights_gets_the_same_private_root(home: Path) -> None:
    packages = Path(uv.__file__).parents[1]
    try:
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", PROGRAM, str(home)],
            user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=300,
            env={"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": f"{REPOSITORY}:{packages}",
                 "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except PermissionError:
        pytest.skip("this checkout cannot be read by nobody")
    if "refused: " in done.stderr:
        pytest.skip(done.stderr.strip())
    if "ModuleNotFoundError" in done.stderr or sys.version_info[:2] < (3, 11):
        pytest.skip(f"nobody cannot import the package: {done.stderr.splitlines()[-1]}")
    assert done.stdout == "0\nstaged\n", done.stderr
    lines = [line.split(" ", 1)[1] for line in (home / "log").read_text().splitlines()]
    assert lines[0] == "0"
    assert lines[1] == "cat: /etc/shadow: Permission denied"
    assert "Read-only file system" in lines[2] or "Permission denied" in lines[2]
    assert lines[3] == "1"  # the loopback is the only network
    assert lines[4].startswith(str(home / "environments"))
    assert (home / "ml" / "message").stat().st_uid == NOBODY
    if len(lines) > 5 and lines[5] == "staged":  # an overlay works for nobody as well
        assert (home / "ml" / "below").read_text() == "mine\n"


PROBE = "from pipelines.local.runner.sandbox import probe; print(probe())"


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs util-linux")
def test_a_machine_that_refuses_namespaces_says_why_and_what_to_do() -> None:
    refusing = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", refusing, "sh", sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=300)
    if not done.stdout:
        pytest.skip(done.stderr.strip())
    assert done.stdout.startswith("Isolation(private=False, reason='this machine refuses user namespaces (")
    assert "unshare: No space left on device" in done.stdout
    assert "fix='allow them (sysctl user.max_user_namespaces; in Docker: --privileged)" in done.stdout
