"""Compiles projects in a process of its own, with the network cut, and reports what came of it and what was left.

`python compile_all.py '{"report": FILE, "projects": [[NAME, PIPELINE_YAML, ENVIRONMENT], …]}'`
"""

import json
import logging
import os
import socket
import sys
import threading
import warnings
from pathlib import Path

attempts: list[str] = []
started: list[str] = []


def cut(*arguments: object, **_options: object) -> None:
    attempts.append(repr(arguments))
    raise OSError("the network is cut")


socket.socket.connect = cut
socket.socket.connect_ex = cut
socket.create_connection = cut
socket.getaddrinfo = cut

start_thread = threading.Thread.start


def note_thread(thread: threading.Thread) -> None:
    started.append(thread.name)
    start_thread(thread)


threading.Thread.start = note_thread
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)

from pipelines.compile import compile_spec, sdk  # noqa: E402
from pipelines.errors import CompileError  # noqa: E402
from pipelines.spec import load  # noqa: E402


def state() -> dict[str, object]:
    root = logging.getLogger()
    return {
        "environment": dict(os.environ),
        "handlers": [repr(handler) for handler in root.handlers],
        "level": root.level,
        "disabled": root.manager.disable,
        "filters": [repr(entry) for entry in warnings.filters],
        "showwarning": repr(warnings.showwarning),
        "excepthook": repr(sys.excepthook),
        "folder": str(Path.cwd()),
    }


def replaced() -> dict[str, str]:
    """Where the functions come from that the door replaces."""
    from sagemaker.core import _studio
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.mlops.workflow import steps

    found = (telemetry_logging._send_telemetry_request, _studio._find_config, steps.LocalSagemakerClient)
    return {function.__name__: function.__module__ for function in found}


def broken_off() -> dict[str, str]:
    """An error inside of the door; gives what was replaced until then."""
    inside = {}
    try:
        with sdk.loaded("eu-west-1", "bucket"):
            os.environ["AWS_PROFILE"] = "changed inside"
            inside = replaced()
            raise LookupError
    except LookupError:
        return inside


def refused() -> str:
    """What the user reads when the SDK refuses a step."""
    from pipelines.compile import steps

    steps.Builder._repeats = lambda *_: 1 / 0  # stands for any refusal of the SDK
    try:
        compile_spec(load(Path(orders["projects"][0][1])))
    except CompileError as error:
        return str(error)
    return ""


orders = json.loads(sys.argv[1])
before = state()
was_imported = "sagemaker" in sys.modules
definitions, imported = {}, {}
for name, file, environment in orders["projects"]:
    known = set(sys.modules)
    definitions[name] = compile_spec(load(Path(file)), environment).definition.text
    imported[name] = len(set(sys.modules) - known)
after = state()
inside = broken_off()
report = {
    "definitions": definitions,
    "imported": imported,
    "before": before,
    "after": after,
    "after_error": state(),
    "imported_before": was_imported,
    "network": attempts,
    "threads": started,
    "inside": inside,
    "outside": replaced(),
    "refusal": refused(),
}
Path(orders["report"]).write_text(json.dumps(report), encoding="utf-8")
