"""How much slower the local S3 is than the disk: upload_file and download_file against shutil's copy in the same run.

Takes: --megabytes (512), --rounds (3, the best counts), --folder (where to work), --json FILE. Prints the seconds,
their ratio to the copy's, and the server's peak memory: it has a process of its own, and its memory must stay flat.

    python benchmarks/s3.py --json s3.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from werkzeug.serving import WSGIRequestHandler, make_server

from pipelines.local.s3.application import s3_application
from pipelines.local.store import ObjectStore

_MIB = 1 << 20


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Nothing: stdout is the benchmark's."""


def serve(root: Path) -> None:
    """The server's process: prints its port and peak memory, serves until told to stop, prints the peak again."""
    server = make_server("127.0.0.1", 0, s3_application(ObjectStore(root)), threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, _peak(), flush=True)
    sys.stdin.read()
    print(_peak(), flush=True)


def _peak() -> float:
    """MiB; Linux counts in KiB, macOS in bytes."""
    unit = _MIB if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(folder: Path, megabytes: int, rounds: int) -> dict[str, Any]:
    """Seconds of each transfer, their ratio to the copy, and the server's memory in MiB."""
    source = folder / "source"
    piece = os.urandom(_MIB)
    with source.open("wb") as file:
        for _ in range(megabytes):
            file.write(piece)
    command = [sys.executable, __file__, "--serve", str(folder / "s3")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101 (it is a pipe)
        port, before = server.stdout.readline().split()
        client = _client(int(port))
        client.create_bucket(Bucket="data")
        copied, target = folder / "copy", folder / "target"
        seconds = {
            "copy": _best(rounds, lambda: shutil.copyfile(source, copied)),
            "upload": _best(rounds, lambda: client.upload_file(str(source), "data", "big")),
            "download": _best(rounds, lambda: client.download_file("data", "big", str(target))),
        }
        if target.stat().st_size != source.stat().st_size:
            raise SystemExit("the download is not the upload")
        after = server.communicate()[0]
    ratios = {name: round(seconds[name] / seconds["copy"], 2) for name in ("upload", "download")}
    memory = {"before": round(float(before)), "peak": round(float(after))}
    return {"megabytes": megabytes, "seconds": seconds, "ratio_to_copy": ratios, "server_mib": memory}


def _client(port: int) -> Any:
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys)


def _best(rounds: int, act: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        act()
        times.append(time.perf_counter() - begin)
    return round(min(times), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to work (default: the system's temporary folder)"
    )
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--serve", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(Path(folder), options.megabytes, options.rounds)
    for name, seconds in result["seconds"].items():
        rate = options.megabytes / seconds
        ratio = result["ratio_to_copy"].get(name, 1)
        print(f"{name:9} {seconds:8.3f} s {rate:8.0f} MiB/s   {ratio:5} times the copy")
    print(f"server    {result['server_mib']['before']} MiB before, {result['server_mib']['peak']} MiB at its peak")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
