"""Building: unchanged is left alone, what fails leaves the last good marts, and figures match the files."""

from __future__ import annotations

import csv
import io
import os
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest
from city import DISTRICTS, Place, draw, settle

from followup.build import building, snapshot
from followup.build.building import BuildFailed, build
from ingest.settings import Settings
from publish.catalogue.manifest import load_manifest, manifest_file
from publish.gate.passing import check_marts, pass_gate


def settings(place: Place) -> Settings:
    return Settings.model_validate(
        {"home": place.home, "keys": place.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Place:
    place = settle(tmp_path_factory.mktemp("place") / "p", files)
    place.followup("run", "--inbox", str(place.inbox))
    return place


def funnel(place: Place) -> tuple[object, ...]:
    with duckdb.connect(str(place.home / "warehouse.duckdb"), read_only=True) as warehouse:
        row = warehouse.execute(
            "select sum(cases) from marts.mart_case_flow where district_code = 'stockholm' "
            "and district_basis = 'as_submitted' and cohort_basis = 'inkommen' and reporting_quarter = '2018Q1' "
            "and columns(['reason_code', 'reason_side', 'source_code', 'referral_type', 'intervention_code', "
            "'intervention_category', 'history', 'sex', 'age_band', 'socioeconomic']) = 'alla'"
        ).fetchone()
    assert row is not None
    return row


def test_city_total_is_the_number_of_cases_that_the_files_hold(built: Place, files: Path) -> None:
    """Counted in the files by hand: rows received in the quarter."""
    received = 0
    for district in DISTRICTS:
        raw = (files / district / f"{district}_arenden_2018Q1.csv").read_bytes()
        text = raw.decode("utf-8-sig") if raw.startswith(b"\xef\xbb\xbf") else raw.decode("cp1252")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(";,\t", key=text.splitlines()[0].count))
        head = [h.lower() for h in next(reader)]
        at = next(i for i, h in enumerate(head) if "inkom" in h)
        for row in reader:
            digits = row[at].replace("/", ".").split(".")
            day = date(*map(int, reversed(digits))) if len(digits) == 3 else date.fromisoformat(row[at])
            received += date(2018, 1, 1) <= day <= date(2018, 3, 31)
    assert received > 20
    assert funnel(built) == (received,)


def test_second_build_changes_nothing_and_force_builds_again(built: Place) -> None:
    assert build(settings(built)).status == "unchanged"
    again = build(settings(built), force=True)
    assert again.status == "built" and {node.kind for node in again.nodes} >= {"model", "test", "seed"}
    assert not any(node.kind == "unit_test" for node in again.nodes)


def test_a_warehouse_has_its_manifest_and_gets_it_back_when_it_is_lost(built: Place) -> None:
    stored = load_manifest(settings(built))
    with duckdb.connect(str(built.home / "warehouse.duckdb"), read_only=True) as warehouse:
        columns = warehouse.execute(
            "select table_name, column_name from duckdb_columns() where schema_name in ('core', 'marts')"
        ).fetchall()
    assert {(table.name, column.name) for table in stored.tables for column in table.columns} == set(columns)
    manifest_file(settings(built)).unlink()
    assert build(settings(built)).status == "built"
    assert load_manifest(settings(built)) == stored


def test_marts_of_the_small_city_pass_the_gate_and_the_districts_that_sent_nothing_are_named(built: Place) -> None:
    found = pass_gate(settings(built))
    assert {(finding.severity, finding.reporting_quarter) for finding in found} <= {("warning", "2018Q1")}
    assert not any("norrmalm" in finding.message for finding in found)
    assert check_marts(settings(built)) == found


def test_failing_test_fails_the_build_and_leaves_the_last_good_marts(
    built: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, manifest = funnel(built), manifest_file(settings(built)).read_bytes()
    project = tmp_path / "dbt_project"
    shutil.copytree(building.PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "tests" / "assert_never.sql").write_text("select 1 as wrong from {{ ref('mart_case_flow') }} limit 1\n")
    monkeypatch.setattr(building, "PROJECT", project)
    monkeypatch.setattr(snapshot, "PROJECT", project)
    with pytest.raises(BuildFailed, match="assert_never"):
        build(settings(built))
    assert funnel(built) == before
    assert manifest_file(settings(built)).read_bytes() == manifest
    assert not (built.home / "warehouse.next.duckdb").exists()
    failed = built.ledger().last_build("failed")
    assert failed is not None and failed.detail == "assert_never"
    log = (built.home / "build" / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "ERROR MainThread:   Got 1 result, configured to fail if != 0" in log and " DEBUG " not in log


def test_damaged_rows_fail_the_build_and_doctor_says_so(tmp_path: Path, files: Path) -> None:
    place = settle(tmp_path / "p", files)
    place.followup("run", "--inbox", str(place.inbox))
    before = funnel(place)
    damaged = next(place.home.glob("validated/arenden/*/*/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    place.followup("build", "--force", expect=3)
    assert funnel(place) == before
    assert "missing or changed" in place.followup("doctor", expect=3)


def test_a_parsed_project_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    place = settle(tmp_path / "p", draw(tmp_path))
    place.followup("receive", "--inbox", str(place.inbox))
    folder = Path(os.environ["FOLLOWUP_PARSED"])
    folder.mkdir(exist_ok=True)
    place.followup("build")
    described = load_manifest(settings(place))
    for kind in ("msgpack", "json"):
        (stored,) = folder.glob(f"*.{kind}")
        stored.write_bytes(stored.read_bytes()[:1000])
        assert "Built in" in place.followup("build", "--force")
        assert stored.stat().st_size > 1000
        assert load_manifest(settings(place)) == described


def test_a_project_that_has_moved_is_parsed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = settle(tmp_path / "p", draw(tmp_path))
    place.followup("receive", "--inbox", str(place.inbox))
    before = tmp_path / "before" / "dbt_project"
    shutil.copytree(snapshot.PROJECT, before, ignore=shutil.ignore_patterns("target", "logs"))
    with monkeypatch.context() as there:
        there.setattr(building, "PROJECT", before)
        assert build(settings(place)).status == "built"
    shutil.rmtree(before)
    assert build(settings(place), force=True).status == "built"
