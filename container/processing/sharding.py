"""Jobs of several instances: which host this is, what share of an input it has, and which steps may run so.

In: /opt/ml/config/resourceconfig.json and processingjobconfig.json (CONTRACT.md section 3.2). Out: `Hosts`; refusals.
Statistics need all rows, so fitting runs on one instance, or on Spark. A transform needs one row at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing.contract import Paths
from processing.errors import Problem, SettingError

_SPARK = "run spark_features.py by a PySparkProcessor (docs/how-to/features-on-spark.md)"


@dataclass(frozen=True)
class Hosts:
    """The hosts of the job in a stable order, and which of them this is."""

    index: int = 0
    count: int = 1

    @classmethod
    def read(cls, paths: Paths) -> Hosts:
        """From resourceconfig.json; one host where there is none."""
        document = _json(paths.root / "config" / "resourceconfig.json")
        hosts = sorted(document.get("hosts", []), key=_host_order)
        current = document.get("current_host")
        if not hosts:
            return cls()
        if current not in hosts:
            what = f"'current_host' is {current!r}, which is not one of the hosts {hosts}"
            raise SettingError([Problem("resourceconfig.json", what, "see what wrote the file")])
        return cls(hosts.index(current), len(hosts))

    def share(self, files: list[Path]) -> list[Path]:
        """This host's files of a list that all hosts have: every n-th."""
        return files[self.index :: self.count]


def _host_order(name: str) -> tuple[int, str]:
    """algo-10 after algo-9."""
    digits = name.rpartition("-")[2]
    return (int(digits) if digits.isdigit() else 0, name)


def sharded_inputs(paths: Paths) -> frozenset[str]:
    """The inputs that the service shared out among the instances."""
    document = _json(paths.root / "config" / "processingjobconfig.json")
    return frozenset(
        str(item.get("InputName", ""))
        for item in document.get("ProcessingInputs") or []
        if (item.get("S3Input") or {}).get("S3DataDistributionType") == "ShardedByS3Key"
    )


def refuse_several(paths: Paths) -> None:
    """Fitting on one of several instances would give each its own statistics."""
    count = Hosts.read(paths).count
    if count > 1:
        what = f"the job has {count} instances, but 'features' fits on one: each would fit statistics of its own"
        raise SettingError([Problem("instance_count", what, f"set instance_count to 1, or {_SPARK}")])


def refuse_sharded(paths: Paths, why: str) -> None:
    """An input of which this instance has only a part."""
    sharded = sorted(sharded_inputs(paths))
    if sharded and Hosts.read(paths).count > 1:
        what = f"the input '{sharded[0]}' is ShardedByS3Key: {why}"
        raise SettingError([Problem("processing inputs", what, "set s3_data_distribution_type to FullyReplicated")])


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SettingError([Problem(str(path), f"not JSON: {error}", "see what wrote the file")]) from error
    return document if isinstance(document, dict) else {}
