"""The zip that spark-submit takes as --py-files: this program and PyYAML, its one dependency; the same bytes each time.

In: a path. Out: the zip. Spark's image needs nothing of ours installed: no DuckDB, no PyYAML.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

PROGRAM = "spark_features.py"
_TIME = (1980, 1, 1, 0, 0, 0)


def write_bundle(target: Path) -> None:
    """Write the zip, with the program file beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in sorted(_modules()):
            bundle.writestr(zipfile.ZipInfo(name, _TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    (target.parent / PROGRAM).write_bytes(Path(__file__).with_name("submit.py").read_bytes())


def _modules() -> Iterator[tuple[str, Path]]:
    """Names within the zip; of PyYAML the pure part (it works without its C extension)."""
    for package in (Path(__file__).parents[1], Path(str(yaml.__file__)).parent):
        for path in package.rglob("*.py"):
            yield f"{package.name}/{path.relative_to(package).as_posix()}", path
