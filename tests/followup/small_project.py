"""A dbt project of a seed, two models and a test, for tests of what a build does whatever its models are.

Parsing and building it takes a tenth of what the warehouse's own project takes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from followup.build import building, snapshot
from ingest.settings import ROOT

_PROJECT = """
name: followup
version: "1.0.0"
config-version: 2
profile: followup
vars: {inputs_folder: null}
models:
  followup:
    core: {+schema: core, +materialized: table}
    marts: {+schema: marts, +materialized: table}
seeds: {followup: {+schema: seeds, +column_types: {version: integer}}}
"""
_DESCRIBED = """
version: 2
models:
  - name: mart_versions
    description: How many versions there are.
    columns:
      - {name: version, data_type: integer, description: The version., data_tests: [not_null]}
      - {name: submissions, data_type: integer, description: How many have it.}
"""
_FILES = {
    "dbt_project.yml": _PROJECT,
    "seeds/versions.csv": "version\n1\n2\n3\n",
    "models/core/fct_submission.sql": (
        "select submission_id, version from read_parquet('{{ var(\"inputs_folder\") }}/submissions.parquet')"
    ),
    "models/marts/mart_versions.sql": (
        "select version, count(submission_id)::int as submissions "
        "from {{ ref('versions') }} left join {{ ref('fct_submission') }} using (version) group by version"
    ),
    "models/marts/mart_versions.yml": _DESCRIBED,
}


def write_project(folder: Path, **tests: str) -> Path:
    """Write the project, with tests of the marts besides its own: name to SQL."""
    for name, text in {**_FILES, **{f"tests/{test}.sql": sql for test, sql in tests.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("profiles.yml", "macros/generate_schema_name.sql"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "dbt_project" / name, folder / name)
    return folder


def use_project(monkeypatch: pytest.MonkeyPatch, project: Path, parsed: Path) -> None:
    """Let builds take this project, and store it parsed in a folder that no other test reads."""
    monkeypatch.setattr(building, "PROJECT", project)
    monkeypatch.setattr(snapshot, "PROJECT", project)
    monkeypatch.setenv("FOLLOWUP_PARSED", str(parsed))
