"""Calls one function of a Python file; run by `function.py` as `python invoke.py FILE FUNCTION EVENT RESULT`.

Imports nothing but the standard library, because it runs outside the package. EVENT is a JSON file; RESULT becomes one:
{"result": …} or {"error": "TYPE: MESSAGE"}. The traceback goes to the log.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


class Context:
    """What a handler may ask of its invocation; there is nothing behind it but names."""

    def __init__(self, name: str) -> None:
        self.function_name = name
        self.function_version = "$LATEST"
        self.aws_request_id = "local"


def call(file: Path, function: str, event: Any) -> dict[str, Any]:
    """Import the file, call the function."""
    try:
        sys.path.insert(0, str(file.parent))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file.name} is no Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
        result = getattr(module, function)(event, Context(function))
        json.dumps(result)
    except BaseException as error:  # noqa: BLE001 -- also SystemExit: whatever it is, the step is told
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"result": result}


def main(file: str, function: str, event: str, result: str) -> None:
    """See the module."""
    answer = call(Path(file), function, json.loads(Path(event).read_text(encoding="utf-8")))
    aside = Path(f"{result}.part")
    aside.write_text(json.dumps(answer), encoding="utf-8")
    os.replace(aside, result)  # noqa: PTH105 -- in one go


if __name__ == "__main__":
    main(*sys.argv[1:])
