"""A container of an engine whose program serves: reached by `connect`, as one of the process runner is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.local.jobs.serving import PORT, ModelServer
from pipelines.local.runner.docker import DockerRunner, Engine
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import ContainerRequest

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).upper())
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def test_a_served_model_is_asked_in_its_container(engine: Engine, base_image: str, tmp_path: Path):
    (tmp_path / "ml").mkdir()
    words = ("python3", "-c", SERVER)
    request = ContainerRequest(
        Image(opaque=True), words, {}, tmp_path / "ml", tmp_path / "log", reference=base_image, port=PORT
    )
    container = DockerRunner(engine, tmp_path, print).start(request)
    server = ModelServer(container.connect, lambda: "" if container.wait(0) is None else "it ended", 300)
    try:
        server.wait()
        assert server.invoke(b"a,b", "text/csv", "").body == b"A,B"
    finally:
        container.stop(0)
        assert container.wait(300) is not None
    with pytest.raises(OSError):
        container.connect()
