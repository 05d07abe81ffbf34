"""The dbt project with another organisation's tables in it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from followup.build.project_copy import flag_levels, project_of_organisation
from followup.build.snapshot import PROJECT, project_digest
from ingest.organisation import FILE, OWN
from ingest.settings import ORGANISATION
from synthetic.country.writing import write_country

FEW = 25


@pytest.fixture
def country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_country(tmp_path / "inbox", FEW)
    monkeypatch.setenv(ORGANISATION, str(folder))
    return folder


def test_the_projects_own_organisation_needs_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ORGANISATION, raising=False)
    assert project_of_organisation(PROJECT, tmp_path / "parsed") == PROJECT
    assert not (tmp_path / "parsed").exists()


def test_another_ones_tables_are_copied_and_never_read_where_they_are(country: Path, tmp_path: Path) -> None:
    """dbt writes a seed's SQL over a file that is outside its project."""
    before = {path.name: path.read_bytes() for path in country.iterdir()}
    copy = project_of_organisation(PROJECT, tmp_path / "parsed")
    assert copy.parent == tmp_path / "parsed"
    assert {path.name for path in (copy / "organisation").iterdir()} == {FILE, *(f"{name}.csv" for name in OWN)}
    for name, content in before.items():
        assert (copy / "organisation" / name).read_bytes() == content
    models = {path.relative_to(PROJECT) for path in (PROJECT / "models").rglob("*.sql")}
    assert {path.relative_to(copy) for path in (copy / "models").rglob("*.sql")} == models
    assert project_of_organisation(PROJECT, tmp_path / "parsed") == copy, "it is found again"


def test_a_change_makes_a_new_copy_and_removes_the_old(country: Path, tmp_path: Path) -> None:
    old, fingerprint = project_of_organisation(PROJECT, tmp_path / "parsed"), project_digest()
    (tmp_path / "parsed" / "project-of-a-killed-build.0a1b2c3d.new").mkdir()
    declared = (country / FILE).read_text(encoding="utf-8")
    (country / FILE).write_text(declared.replace("Det påhittade riket", "Det nya riket"), encoding="utf-8")
    assert project_digest() != fingerprint
    new = project_of_organisation(PROJECT, tmp_path / "parsed")
    assert new != old
    assert list((tmp_path / "parsed").iterdir()) == [new]


def test_limits_of_flags_go_as_far_as_there_are_units(country: Path, tmp_path: Path) -> None:
    own = (PROJECT / "seeds" / "flag_levels.csv").read_bytes()
    assert flag_levels(4) == flag_levels(20) == own
    assert flag_levels(FEW).startswith(own)
    with (project_of_organisation(PROJECT, tmp_path) / "seeds" / "flag_levels.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {int(row["districts"]) for row in rows} == set(range(4, FEW + 1))
    assert [int(row["place"]) for row in rows if row["districts"] == str(FEW)] == list(range(1, FEW + 1))
