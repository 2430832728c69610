#!/usr/bin/env python3
"""`smspark-submit` of AWS's Spark image → `spark-submit`, with one machine as the whole cluster.

Runs inside a job, in the job's Python. Options of smspark-submit that mean nothing here are dropped; folders of
--jars, --py-files and --files become the files in them; the user's spark-defaults are passed on. Needs Java.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

DROPPED = ("--local-spark-event-logs-dir", "--spark-event-logs-s3-uri")
FILES = ("--jars", "--py-files", "--files")
CONFIGURATION = Path("/opt/ml/processing/input/conf/configuration.json")
RESOURCES = Path("/opt/ml/config/resourceconfig.json")
MESSAGE = Path("/opt/ml/output/message")


def options(words: list[str]) -> Iterator[str]:
    """spark-submit's words of smspark-submit's. From the first word that is no option on, all are the program's."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name in (*DROPPED, *FILES):
            value = value if equals else (rest.pop(0) if rest else "")
            if name in FILES:
                yield from (name, ",".join(listed(value)))
        elif name in ("-v", "--verbose", "--supervise"):
            yield name
        else:
            yield name + equals + value
            if not equals and rest:
                yield rest.pop(0)
    yield from rest


def listed(value: str) -> Iterator[str]:
    """A comma-separated list with the files of its folders in their place."""
    for part in value.split(","):
        path = Path(part)
        yield from (str(file) for file in sorted(path.iterdir())) if path.is_dir() else (part,)


def defaults() -> Iterator[str]:
    """The properties of the user's spark-defaults; the rest of such a file configures a cluster."""
    if not CONFIGURATION.is_file():
        return
    content = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    for entry in content if isinstance(content, list) else [content]:
        kind = entry.get("Classification")
        if kind != "spark-defaults":
            print(f"pipelines: configuration of {kind!r} has no effect here", flush=True)
        for name, value in entry.get("Properties", {}).items() if kind == "spark-defaults" else ():
            yield from ("--conf", f"{name}={value}")


def is_first() -> bool:
    """Whether this container is the first of its job's."""
    if not RESOURCES.is_file():
        return True
    resources = json.loads(RESOURCES.read_text(encoding="utf-8"))
    return bool(resources["current_host"] == sorted(resources["hosts"])[0])


def main() -> None:
    if not is_first():
        print("pipelines: Spark runs on the first host, with all there is to do", flush=True)
        return
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        text = (
            "Spark needs Java, which is not on this machine: install Java 17, or run the real image (--runner docker)"
        )
        MESSAGE.parent.mkdir(parents=True, exist_ok=True)
        MESSAGE.write_text(text, encoding="utf-8")
        sys.exit(text)
    words = ["spark-submit", "--master", "local[*]", *defaults(), *options(sys.argv[1:])]
    os.execvp(words[0], words)  # noqa: S606 -- no shell


if __name__ == "__main__":
    main()
