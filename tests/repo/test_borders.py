"""The declared import borders hold, and a breach of each is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BREACHES = {
    "upwards": ("ingest/quarters.py", "import followup"),
    "publish_knows_followup": ("publish/__init__.py", "import followup"),
    "airflow_outside_dags": ("followup/__init__.py", "import airflow"),
    "great_expectations_outside_checks": ("ingest/quarters.py", "import great_expectations"),
    "portal_knows_dags": ("portal/__init__.py", "import dags"),
    "web_framework_outside_portal": ("followup/__init__.py", "import fastapi"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """The packages and the contracts, to break."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("ingest", "publish", "synthetic", "followup", "portal", "dags"):
        shutil.copytree(root / name, tmp_path / name, ignore=ignore)
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_borders_hold(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_breach_is_noticed(copy: Path, breach: str) -> None:
    name, line = BREACHES[breach]
    path = copy / name
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
