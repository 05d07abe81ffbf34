"""What the project is made of: every component is in the bill of materials, under a licence that is allowed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parent / "cyclonedx"


@pytest.fixture(scope="module")
def tools(root: Path) -> Any:
    """The folder's modules, as its scripts import each other."""
    sys.path.insert(0, str(root / "tools" / "supply_chain"))
    yield importlib.import_module
    sys.path.remove(str(root / "tools" / "supply_chain"))
    for name in ("components", "licences", "sbom", "audit"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def licensed(tools: Any) -> list[Any]:
    return tools("licences").licensed_components()


@pytest.fixture(scope="module")
def document(tools: Any, licensed: list[Any]) -> dict[str, Any]:
    return tools("sbom").bill_of_materials(licensed)


def test_every_component_has_a_licence_that_is_allowed(tools: Any, licensed: list[Any]) -> None:
    wrong = {f"{one.component.kind}:{one.component.name}": one.wrong for one in licensed if one.wrong}
    assert wrong == {}, "read its sources, and state it in tools/supply_chain/licences.yml"
    assert tools("licences").unused_statements() == []


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("GPL-9.0", False),
        ("MIT OR GPL-9.0", True),
        ("MIT AND GPL-9.0", False),
        ("(MIT OR GPL-9.0) AND ISC", True),
        ("MIT OR GPL-9.0 AND ISC", True),
        ("LGPL-3.0-or-later WITH openssl-exception", True),
        ("MIT WITH openssl-exception", False),
        ("", False),
        ("MIT OR", False),
        ("MIT ISC", False),
        ("(MIT", False),
        ("MIT; do what you like", False),
        ("UNKNOWN", False),
    ],
)
def test_licence_is_read_as_an_expression(tools: Any, expression: str, is_allowed: bool) -> None:
    allowed = set(tools("components").declared_licences()["allowed"])
    assert (tools("licences")._why_refused(expression, allowed) == "") is is_allowed


def test_bill_of_materials_is_cyclonedx(document: dict[str, Any]) -> None:
    loaded = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")}
    base = "http://cyclonedx.org/schema/"
    registry = Registry().with_resources((base + name, Resource.from_contents(one)) for name, one in loaded.items())
    schema = loaded["bom-1.6.SNAPSHOT.schema.json"]
    found = [error.message[:200] for error in Draft7Validator(schema, registry=registry).iter_errors(document)]
    assert found == []
    broken = {**document, "specVersion": 1.6}
    assert list(Draft7Validator(schema, registry=registry).iter_errors(broken))


def test_bill_names_every_locked_package_with_its_hashes(root: Path, document: dict[str, Any]) -> None:
    purls = {one["purl"]: one for one in document["components"]}
    locked = [line for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines() if "==" in line]
    assert sum(purl.startswith("pkg:pypi/") for purl in purls) == sum(line[0].isalnum() for line in locked)
    hashes = sum(line["name"] == "lock:SHA-256" for one in purls.values() for line in one["properties"])
    assert hashes == (root / "requirements.txt").read_text(encoding="utf-8").count("--hash=sha256:")
    assert "pkg:npm/htmx.org@4.0.1" in purls and "pkg:npm/%40fkui/theme-default@6.59.0" in purls
    assert {"nginx", "postgresql", "redis-server", "chromium", "make"} <= {
        one["name"] for one in purls.values() if one["purl"].startswith("pkg:deb/")
    }
    assert any(one["type"] == "container" and one["name"] == "python" for one in purls.values())


def test_every_component_is_reached_from_the_project(document: dict[str, Any]) -> None:
    wants = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    reached, waiting = set(), [document["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += wants[ref]
    assert sorted({one["bom-ref"] for one in document["components"]} - reached) == []


def test_same_components_give_the_same_bill(tools: Any, licensed: list[Any], document: dict[str, Any]) -> None:
    assert tools("sbom").bill_of_materials(licensed) == document


def test_audit_says_when_its_service_is_not_reached(root: Path, tmp_path: Path) -> None:
    """Here nothing answers: this Python has no pip-audit."""
    script = root / "tools" / "supply_chain" / "audit.py"
    done = subprocess.run(
        [sys.executable, str(script), str(root / "requirements.txt"), "pypi", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "nothing was looked at" in done.stderr and "Traceback" not in done.stderr


def test_audit_names_vulnerable_packages_and_those_that_were_passed_over(tools: Any) -> None:
    """A package that the service does not know is not one without vulnerabilities."""
    report = tools("audit").report
    good = {"name": "six", "version": "1.17.0", "vulns": []}
    bad = {"name": "pip", "version": "21.0", "vulns": [{"id": "PYSEC-2021-437", "fix_versions": ["21.1"]}]}
    unknown = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}
    assert report([good]) == (["1 packages, 0 to look at"], 0)
    lines, code = report([good, bad, unknown])
    assert code == 1 and "pip 21.0: PYSEC-2021-437, mended in 21.1" in lines
    assert any(line.startswith("ours: not looked at") for line in lines)
