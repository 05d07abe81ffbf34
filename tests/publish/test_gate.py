"""The gate: what stops a release, what is only reported, and what lets a jump through."""

from __future__ import annotations

import json
import random
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.ledger import Ledger, Submission
from ingest.settings import Settings
from publish.catalogue.manifest import Exposure, Manifest, ManifestMissing, manifest_file
from publish.gate.passing import (
    GateClosed,
    GateFinding,
    MartsMissing,
    check_marts,
    in_lines,
    load_known_jumps,
    pass_gate,
)
from publish.warehouse import WarehouseFailed


def _rule(
    code: str, kind: str, severity: str = "error", dataset: str | None = None, **arguments: Any
) -> dict[str, Any]:
    meta = {"code": code, "severity": severity, "why": "because"} | ({"dataset": dataset} if dataset else {})
    return {"type": kind, "kwargs": arguments, "meta": meta}


SHARES = _rule("MAR-901", "expect_shares_to_be_shares", table="mart_flow", columns=["rate"])
JUMPS = _rule(
    "MAR-902", "expect_no_jump_of_totals", dataset="arenden",
    table="mart_flow", measure="cases", totals=[], only={}, factor=2, minimum=10,
)  # fmt: skip


class Place:
    """An installation with one small mart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.model_validate({"home": folder / "home"})
        self.settings.home.mkdir()
        self.mark("mart_flow")

    def mark(self, *published: str) -> None:
        exposure = Exposure(name="x", label="x", description="", owner="", tables=published, meta={"publish": True})
        written = Manifest(tables=(), exposures=(exposure,)).model_dump_json()
        manifest_file(self.settings).write_text(written, encoding="utf-8")

    def fill(self, *rows: tuple[str, str, int, float | None]) -> None:
        with duckdb.connect(str(self.settings.warehouse)) as warehouse:
            warehouse.execute("create schema marts")
            warehouse.execute(
                "create table marts.mart_flow (district_code varchar, reporting_quarter varchar, cases integer, "
                "rate double, district_basis varchar default 'as_submitted', "
                "period_kind varchar default 'kvartal', is_survivors_only boolean default false)"
            )
            warehouse.executemany(
                "insert into marts.mart_flow (district_code, reporting_quarter, cases, rate) values (?, ?, ?, ?)", rows
            )

    def check(self, *rules: dict[str, Any], known: str = "[]") -> list[GateFinding]:
        suite, jumps = self.folder / f"suite{len(rules)}.json", self.folder / f"known{len(known)}.yml"
        suite.write_text(json.dumps({"expectations": rules}), encoding="utf-8")
        jumps.write_text(known, encoding="utf-8")
        return check_marts(self.settings, suite=suite, known_jumps=jumps)

    def submit(self, queries: int, still_open: int) -> None:
        ledger = Ledger(self.settings.ledger)
        ledger.record(
            Submission(
                submission_id="farsta-1", district_code="farsta", dataset="arenden", reporting_quarter="2019Q1",
                sequence=1, version=1, state="accepted", source_file_name="a.csv", source_file_sha256="0" * 64,
                size_bytes=1, submitted_at=datetime(2019, 4, 10), deadline_date=date(2019, 4, 20), is_on_time=True,
                is_synthetic=True, row_count=1, error_count=0, query_count=queries, contract_version=1,
                person_key_version=1, original_path="o", parquet_path="p", parquet_sha256="0" * 64,
                is_source_cleared=True, open_query_count=still_open,
            ),
            [], [],
        )  # fmt: skip
        ledger.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_right_marts_pass(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5), ("farsta", "2019Q1", 20, None))
    assert place.check(SHARES, JUMPS) == []


def test_an_error_names_mart_district_and_quarter(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 1.5))
    (found,) = place.check(SHARES, JUMPS)
    assert found == GateFinding(
        "MAR-901", "error", "mart_flow", "farsta", "2018Q1", "rate is not between 0 and 1 in 1 rows"
    )
    assert str(found) == "MAR-901 mart_flow farsta 2018Q1: rate is not between 0 and 1 in 1 rows"


def test_a_damaged_page_that_a_rule_reads_is_no_error_of_the_marts(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    with duckdb.connect(str(place.settings.warehouse)) as warehouse:  # rows in pages of their own
        warehouse.execute("insert into marts.mart_flow select 'farsta', '2018Q1', range, 2 * random(), 'x', 'y', false "
                          "from range(300000)")  # fmt: skip
        warehouse.execute("checkpoint")
        (block,) = warehouse.execute(
            "select min(block_id) from (select block_id, count(*) as parts, min(column_name) as named "
            "from pragma_storage_info('marts.mart_flow') group by block_id) where parts = 1 and named = 'rate'"
        ).fetchone() or (0,)
    with place.settings.warehouse.open("r+b") as file:
        file.seek(3 * 4096 + block * 262144 + 1000)
        file.write(random.Random(7).randbytes(64))
    with pytest.raises(WarehouseFailed, match=r"is damaged: run `followup build --force`"):
        place.check(SHARES)


def test_a_jump_that_nobody_asked_about_is_an_error(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5), ("farsta", "2019Q1", 21, 0.5))
    place.submit(queries=0, still_open=0)
    (found,) = place.check(JUMPS)
    assert (found.severity, found.district_code, found.reporting_quarter) == ("error", "farsta", "2019Q1")
    assert found.message == (
        "cases is 21, where 10 is usual for that quarter; no query about arenden is open or explained"
    )


@pytest.mark.parametrize("still_open", [2, 0], ids=["open", "explained"])
def test_a_jump_with_a_query_is_reported_and_stops_nothing(place: Place, still_open: int) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5), ("farsta", "2019Q1", 21, 0.5))
    place.submit(queries=2, still_open=still_open)
    (found,) = place.check(JUMPS)
    assert found.severity == "warning"
    assert found.message.endswith(f"(asked about: {still_open} of 2 queries are open)")


def test_a_query_about_another_quarter_lets_nothing_through(place: Place) -> None:
    place.fill(("farsta", "2018Q2", 10, 0.5), ("farsta", "2019Q2", 21, 0.5))
    place.submit(queries=2, still_open=2)
    assert [found.severity for found in place.check(JUMPS)] == ["error"]


def test_a_jump_with_a_known_reason_is_reported_with_it(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5), ("farsta", "2019Q1", 21, 0.5), ("norrmalm", "2018Q1", 10, 0.5),
               ("norrmalm", "2019Q1", 21, 0.5))  # fmt: skip
    known = "- {district: farsta, dataset: arenden, quarter: 2019Q1, why: Two units began to report.}"
    errors, warning = place.check(JUMPS, known=known)
    assert (errors.severity, errors.district_code) == ("error", "norrmalm")
    assert (warning.severity, warning.district_code) == ("warning", "farsta")
    assert warning.message.endswith("(Two units began to report.)")


def test_the_declared_known_jumps_can_be_read_and_a_reason_must_be_given(tmp_path: Path) -> None:
    assert isinstance(load_known_jumps(), tuple)
    bad = tmp_path / "bad.yml"
    bad.write_text("- {district: farsta, dataset: arenden, quarter: 2019Q1, why: ok}", encoding="utf-8")
    with pytest.raises(ValueError, match="why"):
        load_known_jumps(bad)


def test_a_mart_that_is_to_go_out_and_is_not_there_is_an_error(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    place.mark("mart_flow", "mart_gone")
    (found,) = place.check(SHARES)
    assert str(found) == "GATE mart_gone: the mart is marked to go out, and the warehouse lacks it"


def test_a_rule_about_a_mart_that_is_neither_there_nor_wanted_is_left_out(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    assert place.check(_rule("MAR-903", "expect_keys_to_be_filled", table="mart_gone", columns=["x"])) == []


def test_a_rule_that_could_not_be_tried_is_an_error(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    (found,) = place.check(_rule("MAR-903", "expect_keys_to_be_filled", table="mart_flow", columns=["gone"]))
    assert (found.rule, found.severity, found.table) == ("MAR-903", "error", "mart_flow")
    assert found.message.startswith("could not be tried: ") and "gone" in found.message


def test_many_findings_of_one_rule_are_counted_and_errors_come_first(place: Place) -> None:
    place.fill(*((f"d{number:02d}", "2018Q1", 1, 2.0) for number in range(25)))
    reported = _rule("MAR-900", "expect_shares_to_be_shares", "warning", table="mart_flow", columns=["rate"])
    found = place.check(reported, SHARES)
    assert [one.rule for one in found] == ["MAR-901"] * 21 + ["MAR-900"] * 21
    assert found[20].message == "and 5 more like these"


def test_two_rules_of_one_code_are_no_suite(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    with pytest.raises(ValueError, match="share a code"):
        place.check(SHARES, SHARES)


def test_no_warehouse_says_what_to_run(place: Place) -> None:
    with pytest.raises(MartsMissing, match="run `followup build`"):
        check_marts(place.settings)


def test_a_damaged_warehouse_says_what_to_run(place: Place) -> None:
    place.settings.warehouse.write_bytes(b"no database at all" * 1000)
    with pytest.raises(WarehouseFailed, match="run `followup build --force`"):
        check_marts(place.settings)


def test_no_manifest_says_what_to_run(place: Place) -> None:
    place.fill(("farsta", "2018Q1", 10, 0.5))
    manifest_file(place.settings).unlink()
    with pytest.raises(ManifestMissing, match="run `followup build`"):
        check_marts(place.settings)


def test_the_closed_gate_says_every_error_and_keeps_the_warnings(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    error = GateFinding("MAR-901", "error", "mart_flow", "farsta", "2018Q1", "rate is not between 0 and 1 in 1 rows")
    warning = GateFinding("MAR-900", "warning", None, None, "2018Q1", "no arenden in force from alvsjo")
    monkeypatch.setattr("publish.gate.passing.check_marts", lambda settings: [error, warning])
    with pytest.raises(GateClosed, match="errors in the marts stop the release:\nMAR-901 mart_flow farsta") as closed:
        pass_gate(place.settings)
    assert "docs/runbook.md, Publishing" in str(closed.value)
    assert closed.value.findings == (error, warning)
    monkeypatch.setattr("publish.gate.passing.check_marts", lambda settings: [warning])
    assert pass_gate(place.settings) == [warning]


def test_missing_files_of_several_datasets_are_one_line_a_quarter() -> None:
    def missing(rule: str, quarter: str, dataset: str, *units: str) -> GateFinding:
        message = f"no {dataset} in force from {', '.join(units)}"
        return GateFinding(rule, "warning", None, None, quarter, message, units)

    jump = GateFinding("MAR-901", "warning", "mart_flow", "farsta", "2018Q2", "twice as many")
    found = [
        missing("MAR-098", "2018Q2", "arenden", "alvsjo", "farsta"),
        missing("MAR-098", "2018Q1", "arenden", "alvsjo"),
        jump,
        missing("MAR-099", "2018Q2", "oppenvard", "bromma", "farsta"),
    ]
    assert in_lines(found) == [
        "MAR-901 mart_flow farsta 2018Q2: twice as many",
        "MAR-098 2018Q1: no arenden in force from alvsjo",
        "2018Q2: 4 files of 3 units are not in force (MAR-098, MAR-099): `followup quarter report 2018Q2` names them",
    ]
