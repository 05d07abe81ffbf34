"""The software bill of materials: CycloneDX 1.6 as JSON, the same bytes for the same components.

`python tools/supply_chain/sbom.py build/sbom.cdx.json`
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components import ROOT, Component
from licences import Licensed, licensed_components

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_TYPES = {"pypi": "library", "npm": "library", "deb": "application", "docker": "container"}
_SIMPLE = frozenset(" ()")


def bill_of_materials(found: Sequence[Licensed]) -> dict[str, Any]:
    """The document for these components."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    document = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [_component(one) for one in found],
        "dependencies": _dependencies([one.component for one in found], own),
    }
    name = json.dumps(document, sort_keys=True)
    return {**document, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}"}


def _component(one: Licensed) -> dict[str, Any]:
    found = one.component
    is_simple = not _SIMPLE & set(one.expression) and not one.expression.startswith("LicenseRef-")
    licence = {"license": {"id": one.expression}} if is_simple else {"expression": one.expression}
    # A locked package has a hash for each of its files, of which an installation takes one.
    files = [{"name": f"lock:{algorithm}", "value": digest} for algorithm, digest in found.hashes]
    return {
        "type": "container"
        if found.kind == "docker"
        else "library"
        if found.kind in ("pypi", "npm")
        else "application",
        "bom-ref": found.purl,
        "name": found.name,
        **({"version": found.version} if found.version else {}),
        "purl": found.purl,
        **({"licenses": [licence]} if one.expression else {}),
        "properties": [{"name": "named_in", "value": found.named_in}, *files],
    }


def _dependencies(found: Sequence[Component], own: str) -> list[dict[str, Any]]:
    """Who depends on whom: locks say it; all else is the project's own."""
    wants: dict[str, list[str]] = {own: [], **{one.purl: [] for one in found}}
    by_name = {(one.kind, one.name): one.purl for one in found}
    for one in found:
        for name in one.wanted_by:
            wants[own if not name else by_name[one.kind, name]].append(one.purl)
    return [{"ref": ref, "dependsOn": sorted(set(named))} for ref, named in wants.items()]


def main(arguments: Sequence[str]) -> int:
    """Write the document where the first argument says."""
    path = Path(arguments[0])
    found = licensed_components()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(bill_of_materials(found), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {len(found)} components")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
