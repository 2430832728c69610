"""The steps of the test project: `program.py TASK …`. FAIL is `no`, a reason to fail with, or `deaf` to SIGTERM."""

import json
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(os.environ.get("OPT_ML", "/opt/ml"))
IN, OUT = ROOT / "processing/input", ROOT / "processing/output"


def features(fail: str, seconds: str) -> None:
    if fail == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(30):
        print(f"line {number}", flush=True)  # noqa: T201
    time.sleep(float(seconds))
    if fail != "no":
        (ROOT / "output").mkdir(exist_ok=True)
        (ROOT / "output/message").write_text(fail)
        sys.exit(3)
    rows = [float(line) for file in sorted((IN / "raw").iterdir()) for line in file.read_text().split()]
    (OUT / "rows/rows.json").write_text(json.dumps(rows))


def evaluate() -> None:
    rows = json.loads((IN / "rows/rows.json").read_text())
    mean = sum(rows) / len(rows)
    metrics = {"regression_metrics": {"mean": {"value": mean}}}
    (OUT / "evaluation/evaluation.json").write_text(json.dumps(metrics))
    (OUT / "evaluation/report.html").write_text(f"<p>{mean}</p>")
    print(f"mean {mean}")  # noqa: T201


# A container's first process ignores SIGTERM unless it says otherwise, and would be waited for.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
{"features": features, "evaluate": evaluate}[sys.argv[1]](*sys.argv[2:])
