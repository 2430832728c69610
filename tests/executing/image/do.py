"""The stand-in of every step's program: `do.py WORD …`, each word and what follows it done in order.

copy FROM TO       files below FROM (of /opt/ml/processing), into TO; their paths are kept
write TO TEXT      a file
say TEXT           a line of the log
message TEXT       the exit message
list TO            what lies below /opt/ml/processing/input, as a file of lines
host TO            this host's name and all hosts, as a file of a line, named after the host
touch-input        write into every input
sleep SECONDS
exit CODE
train              hyperparameters and channels, as /opt/ml/model/model.json
serve              answer /invocations with what is sent, in capitals
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import time
from pathlib import Path

ML = Path(os.environ.get("OPT_ML", "/opt/ml"))
HERE = ML / "processing"


def copy(source: str, target: str) -> None:
    for file in sorted(path for path in (HERE / source).rglob("*") if path.is_file()):
        into = HERE / target / file.relative_to(HERE / source)
        into.parent.mkdir(parents=True, exist_ok=True)
        into.write_bytes(file.read_bytes())


def write(target: str, text: str) -> None:
    file = HERE / target
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def message(text: str) -> None:
    (ML / "output").mkdir(parents=True, exist_ok=True)
    (ML / "output/message").write_text(text)


def read(pipe: str, target: str) -> None:
    write(target, (HERE / pipe).read_text())


def list_(target: str) -> None:
    files = sorted(
        path.relative_to(HERE / "input").as_posix() for path in (HERE / "input").rglob("*") if path.is_file()
    )
    write(target, "".join(f"{file}\n" for file in files))


def host(target: str) -> None:
    hosts = json.loads((ML / "config/resourceconfig.json").read_text())
    write(f"{target}/{hosts['current_host']}", f"{hosts['current_host']} of {' '.join(hosts['hosts'])}\n")


def touch_input() -> None:
    for file in [path for path in (HERE / "input").rglob("*") if path.is_file()]:
        file.write_text("written over\n")


def train() -> None:
    config = ML / "input/config"
    channels = sorted(path.name for path in (ML / "input/data").iterdir())
    learned = {"hyperparameters": json.loads((config / "hyperparameters.json").read_text()), "channels": channels}
    (ML / "model").mkdir(parents=True, exist_ok=True)
    (ML / "model/model.json").write_text(json.dumps(learned, sort_keys=True))
    say(f"loss: {learned['hyperparameters'].get('depth', 0)}")


class Capitals(http.server.BaseHTTPRequestHandler):
    """The server of a model: every request is answered in capitals."""

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).upper())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Capitals).serve_forever()  # noqa: S104 -- a container's own


WORDS = {
    "copy": (copy, 2),
    "write": (write, 2),
    "say": (say, 1),
    "message": (message, 1),
    "read": (read, 2),
    "list": (list_, 1),
    "host": (host, 1),
    "touch-input": (touch_input, 0),
    "sleep": (lambda seconds: time.sleep(float(seconds)), 1),
    "exit": (lambda code: sys.exit(int(code)), 1),
    "train": (train, 0),
    "serve": (serve, 0),
}


def main(words: list[str]) -> None:
    while words:
        done, count = WORDS[words[0]]
        done(*words[1 : 1 + count])
        words = words[1 + count :]


if __name__ == "__main__":
    # The first process of a container has no default for it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    main(sys.argv[1:])
