"""Building: unchanged is left alone, what fails leaves the last good marts, and figures match the files."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import duckdb
import pytest
from city import DISTRICTS, Place, built_city, drawn_files, received_city
from small_project import use_project, write_project

from followup.build.building import BuildFailed, build
from ingest.failures import StorageFailure
from ingest.settings import Settings
from publish.catalogue.manifest import load_manifest, manifest_file
from publish.gate.passing import check_marts, pass_gate


def settings(place: Place) -> Settings:
    return Settings.model_validate(
        {"home": place.home, "keys": place.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return built_city().copy(tmp_path_factory.mktemp("built") / "p")


@pytest.fixture
def received(tmp_path: Path) -> Place:
    return received_city().copy(tmp_path / "p")


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


def test_city_total_is_the_number_of_cases_that_the_files_hold(built: Place) -> None:
    """Counted in the files by hand: rows received in the quarter."""
    received = 0
    for district in DISTRICTS:
        raw = (drawn_files() / district / f"{district}_arenden_2018Q1.csv").read_bytes()
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


def test_a_warehouse_has_its_manifest_and_gets_it_back_when_it_is_lost(built: Place) -> None:
    stored = load_manifest(settings(built))
    with duckdb.connect(str(built.home / "warehouse.duckdb"), read_only=True) as warehouse:
        columns = warehouse.execute(
            "select table_name, column_name from duckdb_columns() where schema_name in ('core', 'marts')"
        ).fetchall()
    assert {(table.name, column.name) for table in stored.tables for column in table.columns} == set(columns)
    manifest_file(settings(built)).unlink()
    again = build(settings(built))
    assert again.status == "built" and {node.kind for node in again.nodes} >= {"model", "test", "seed"}
    assert not any(node.kind == "unit_test" for node in again.nodes)
    assert load_manifest(settings(built)) == stored
    assert build(settings(built)).status == "unchanged"


def test_marts_of_the_small_city_pass_the_gate_and_the_districts_that_sent_nothing_are_named(built: Place) -> None:
    found = pass_gate(settings(built))
    assert {(finding.severity, finding.reporting_quarter) for finding in found} <= {("warning", "2018Q1")}
    assert not any("norrmalm" in finding.message for finding in found)
    assert check_marts(settings(built)) == found


def test_second_build_changes_nothing_and_force_builds_again(
    received: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_project(monkeypatch, write_project(tmp_path / "project"), tmp_path / "parsed")
    first = build(settings(received))
    assert build(settings(received)).status == "unchanged"
    again = build(settings(received), force=True)
    # dbt runs in threads: in whatever order
    assert sorted((node.name, node.kind) for node in again.nodes) == sorted(
        (node.name, node.kind) for node in first.nodes
    )
    assert again.status == "built" and {node.kind for node in again.nodes} == {"model", "test", "seed"}


def test_failing_test_fails_the_build_and_leaves_the_last_good_marts(
    built: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, manifest = funnel(built), manifest_file(settings(built)).read_bytes()
    never = "select 1 as wrong from {{ ref('mart_versions') }} limit 1"
    use_project(monkeypatch, write_project(tmp_path / "project", assert_never=never), tmp_path / "parsed")
    with pytest.raises(BuildFailed, match="assert_never"):
        build(settings(built))
    assert funnel(built) == before
    assert manifest_file(settings(built)).read_bytes() == manifest
    assert not (built.home / "warehouse.next.duckdb").exists()
    failed = built.ledger().last_build("failed")
    assert failed is not None and failed.detail == "assert_never"
    log = (built.home / "build" / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "ERROR MainThread:   Got 1 result, configured to fail if != 0" in log and " DEBUG " not in log


def test_damaged_rows_fail_the_build_and_doctor_says_so(tmp_path: Path) -> None:
    place = built_city().copy(tmp_path / "p")
    before = funnel(place)
    damaged = next(place.home.glob("validated/arenden/*/*/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    place.followup("build", "--force", expect=3)
    assert funnel(place) == before
    assert "missing or changed" in place.followup("doctor", expect=3)


def test_a_parsed_project_that_is_damaged_is_made_anew(
    received: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = tmp_path / "parsed"
    use_project(monkeypatch, write_project(tmp_path / "project"), parsed)
    build(settings(received))
    described = load_manifest(settings(received))
    assert [table.name for table in described.tables] == ["fct_submission", "mart_versions"]
    for kind in ("msgpack", "json"):
        (stored,) = parsed.glob(f"*.{kind}")
        whole = stored.read_bytes()
        stored.write_bytes(whole[: len(whole) // 2])
        assert build(settings(received), force=True).status == "built"
        assert stored.stat().st_size == len(whole)
        assert load_manifest(settings(received)) == described


def test_a_project_that_has_moved_is_parsed_anew(
    received: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, parsed = write_project(tmp_path / "before"), tmp_path / "parsed"
    use_project(monkeypatch, before, parsed)
    assert build(settings(received)).status == "built"
    before.rename(tmp_path / "after")
    use_project(monkeypatch, tmp_path / "after", parsed)
    assert build(settings(received), force=True).status == "built"
    assert len(list(parsed.glob("*.msgpack"))) == 2


def test_a_description_that_dbt_cannot_write_fails_the_build_in_words_and_the_next_one_makes_it_anew(
    received: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: what lies there is no description."""
    use_project(monkeypatch, write_project(tmp_path / "project"), tmp_path / "parsed")
    written = received.home / "build" / "target" / "manifest.json"

    def let_no_more_be_written(_: object) -> None:
        written.unlink()
        written.symlink_to("/proc/version")  # text, and nobody can write to it

    with pytest.raises((BuildFailed, StorageFailure)):
        build(settings(received), on_node=let_no_more_be_written)
    assert not (received.home / "warehouse.duckdb").exists()
    written.unlink()
    assert build(settings(received)).status == "built"
