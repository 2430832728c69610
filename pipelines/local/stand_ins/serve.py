#!/usr/bin/env python3
"""`serve` of AWS's framework images: the web server of a model, by SageMaker's inference contract, on port 8080.

Runs inside a job, in the job's Python. Where SAGEMAKER_PROGRAM names a script, its functions answer (`serve_script`),
else the algorithm of the image, where it is here (`serve_xgboost`). Either is loaded from beside this program, and its
`load()` gives what answers: `invoke(body, content type, accept)` and `parameters()` give status, content type and body;
`limit` is the largest body that it takes. One request is answered at a time, as by one worker of the images. What the
script raises goes to the log with its traceback, and its last line to the client, with status 500.
"""

from __future__ import annotations

import http.server
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Protocol

HERE = Path(__file__).resolve().parent
SCRIPT, ALGORITHM = "serve-script", "serve-algorithm"  # beside this one in the image; the second not in every image
TEXT = "text/plain; charset=utf-8"
Answer = tuple[int, str, bytes]


class Refusal(SystemExit):
    """The model cannot be served; the text says why, in the log."""


class Application(Protocol):
    """What answers."""

    limit: int | None

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer: ...

    def parameters(self) -> Answer | None: ...


def beside(name: str) -> ModuleType:
    """The program of that name in this one's folder, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(HERE / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec  # noqa: S101 -- a source file has one
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def load() -> Application:
    """What answers for this model. Raises `Refusal`, or whatever the user's script raises."""
    sys.dont_write_bytecode = True  # the folder of the programs is the image's
    if os.environ.get("SAGEMAKER_MULTI_MODEL"):
        raise Refusal("SAGEMAKER_MULTI_MODEL: several models behind one server are not here; run the real image")
    if os.environ.get("SAGEMAKER_PROGRAM"):
        found: Application = beside(SCRIPT).load(beside("train"))
    elif (HERE / ALGORITHM).is_file():
        found = beside(ALGORITHM).load()
    else:
        raise Refusal(
            "SAGEMAKER_PROGRAM names no script, and the image has no algorithm that serves a model without one: give "
            "the model the variables SAGEMAKER_PROGRAM (a script with model_fn) and SAGEMAKER_SUBMIT_DIRECTORY (where "
            "it lies, as /opt/ml/model/code for code/ of model.tar.gz)"
        )
    return found


def answer(application: Application, body: bytes, content_type: str, accept: str) -> Answer:
    """The answer to a request: the application's, or 413 or 500."""
    if application.limit is not None and len(body) > application.limit:
        what = f"{len(body)} bytes are more than the {application.limit} that the server takes"
        return 413, TEXT, f"{what}: give the model the variable MAX_CONTENT_LENGTH, or send less at once\n".encode()
    try:
        return application.invoke(body, content_type, accept)
    except Exception as error:  # noqa: BLE001 -- the user's code may raise anything
        traceback.print_exc()
        return 500, TEXT, f"{type(error).__name__}: {error}\n".encode(errors="replace")


class Server(http.server.ThreadingHTTPServer):
    """Of this machine alone: who asks comes through the job's own network."""

    daemon_threads = True

    def __init__(self, application: Application, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.application = application
        self.turn = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    """The paths of the contract."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        match self.path:
            case "/ping":
                self.send((200, TEXT, b"\n"))
            case "/execution-parameters":
                self.send(self.server.application.parameters() or (404, TEXT, b"not served\n"))
            case _:
                self.send((404, TEXT, b"not served\n"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            self.send((404, TEXT, b"not served\n"))
            return
        with self.server.turn:
            given = self.headers.get("Content-Type") or "", self.headers.get("Accept") or ""
            found = answer(self.server.application, body, *given)
        if found[0] != 200:
            print(f"POST /invocations: {found[0]} {found[2].decode(errors='replace').strip()}", flush=True)
        self.send(found)

    def send(self, found: Answer) -> None:
        status, content_type, body = found
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Requests that were answered are no news."""


def main() -> None:
    # The first process of a container has no default for it; what runs is not waited for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    server = Server(load(), int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080))
    server.serve_forever()


if __name__ == "__main__":
    main()
