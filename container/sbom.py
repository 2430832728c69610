"""The image's software bill of materials: `pip inspect` on stdin → CycloneDX 1.5 JSON on stdout.

Runs while the image is built; standard library only. A component is an installed distribution, with its package URL and
licence as its own metadata says.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def bill_of_materials(inspected: dict[str, Any]) -> dict[str, Any]:
    """The bill of materials of pip's report; no times and no serial number, so that equal images have equal ones."""
    installed = sorted((item["metadata"] for item in inspected["installed"]), key=lambda item: item["name"].lower())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "processing"}},
        "components": [component(metadata) for metadata in installed],
    }


def component(metadata: dict[str, Any]) -> dict[str, Any]:
    name, version = metadata["name"], metadata["version"]
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    found: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    licence = metadata.get("license_expression") or metadata.get("license")
    if licence:
        found["licenses"] = [{"license": {"name": licence.splitlines()[0][:100]}}]
    return found


if __name__ == "__main__":
    json.dump(bill_of_materials(json.load(sys.stdin)), sys.stdout, indent=1)
