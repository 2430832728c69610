"""The program of every feature: writes what it was given into each output.

Its arguments, its inputs' files and its environment's `FEATURE_…` variables become `given.json`; `metrics.json` holds
numbers for conditions. `--exit N` makes it end with that code.
"""

import json
import os
import sys
from pathlib import Path

PROCESSING = Path("/opt/ml/processing")


def main(arguments: list[str]) -> int:
    inputs = sorted(path for path in (PROCESSING / "input").rglob("*") if path.is_file())
    given = {
        "arguments": arguments,
        "environment": {key: value for key, value in sorted(os.environ.items()) if key.startswith("FEATURE_")},
        "inputs": {str(path.relative_to(PROCESSING / "input")): path.stat().st_size for path in inputs},
    }
    folders = [path for path in sorted((PROCESSING / "output").glob("*")) if path.is_dir()]
    if not (PROCESSING / "output").is_dir():  # a training job
        folders = [Path("/opt/ml/model")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "given.json").write_text(json.dumps(given, indent=1))
        (folder / "metrics.json").write_text(
            json.dumps({"auc": {"value": 0.75}, "rows": 1000, "name": "good", "ok": True})
        )
    return int(arguments[arguments.index("--exit") + 1]) if "--exit" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
