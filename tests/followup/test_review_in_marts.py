"""The drawn review of 2017, from its files through intake to the marts: the published percentages come out.

Source of the percentages: Modell för tidigt socialt stöd, delrapport 2019. Once with one district's files, and once
with the same cases split over two districts that later merge.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from marts_only import build_marts

from followup.build import building
from followup.build.rows_at_hand import build_inputs
from followup.build.snapshot import PROJECT, take_snapshot
from ingest.ledger import Ledger
from ingest.persons.keys import make_keys
from ingest.receiving import receive
from ingest.settings import Settings
from synthetic.review import draw_review

CUTS = [
    "reason_side",
    "reason_code",
    "source_code",
    "referral_type",
    "intervention_category",
    "intervention_code",
    "history",
    "sex",
    "age_band",
    "socioeconomic",
]
MERGED = "2023-08-10T08:00:00"
"""A day after the two districts have become one."""


@dataclass(frozen=True)
class Reviewed:
    """A warehouse that holds the review, and the unit that reports it."""

    settings: Settings
    unit: str

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            found = connection.sql(sql)
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def count(self, measure: str, **cut: str) -> int:
        """A count over the year's quarters of those decided in them."""
        cut = dict.fromkeys(CUTS, "alla") | cut
        conditions = " and ".join(f"{name} = '{value}'" for name, value in cut.items())
        (found,) = self.rows(
            f"select coalesce(sum({measure}), 0)::int as n from marts.mart_case_flow where {conditions} "
            f"and district_code = '{self.unit}' and district_basis = 'today' and cohort_basis = 'avgjord' "
            "and period_kind = 'kvartal' and reporting_quarter between '2017Q1' and '2017Q4'"
        )
        return int(found["n"])

    def percent(self, measure: str, of: str, **cut: str) -> int:
        return round(100 * self.count(measure, **cut) / self.count(of, **cut))


def district_review(settings: Settings, folder: Path) -> str:
    """The SQL of the analysis, as dbt compiles it for this warehouse."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    parsed, _ = building._read_parsed(building._parsed_file(settings, settings.warehouse))
    assert parsed is not None, "the build has stored it"
    with closing(Ledger(settings.ledger)) as ledger:
        snapshot = take_snapshot(settings, ledger)
    os.environ["FOLLOWUP_WAREHOUSE"] = str(settings.warehouse)
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    where += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    try:
        with build_inputs(settings, snapshot, folder) as variables:
            outcome = dbtRunner(manifest=parsed).invoke(
                ["--quiet", "compile", "--select", "district_review", *where, "--vars", json.dumps(variables)]
            )
    finally:
        environment = DuckDBConnectionManager._ENV
        DuckDBConnectionManager.close_all_connections()
        if environment is not None:
            environment.close()
        del os.environ["FOLLOWUP_WAREHOUSE"]
    assert outcome.exception is None
    (compiled,) = outcome.result.results
    return str(compiled.node.compiled_code)


@pytest.fixture(
    scope="module",
    params=[
        (("hasselby-vallingby",), "hasselby-vallingby", "2019-04-10T08:00:00"),
        (("rinkeby-kista", "spanga-tensta"), "jarva", MERGED),
    ],
    ids=["one district", "split over two that merge"],
)
def reviewed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    districts, unit, now = request.param
    root = tmp_path_factory.mktemp("review")
    draw_review(root / "inbox", districts)
    make_keys(root / "keys.json")
    settings = Settings.model_validate({"home": root / "home", "keys": root / "keys.json", "FOLLOWUP_NOW": now})
    receipt = receive(settings, inbox=str(root / "inbox"))
    assert {file.state for district in receipt.districts for file in district.files} == {"accepted"}
    build_marts(settings, "mart_case_flow", "district_review")
    return Reviewed(settings, unit)


def test_the_funnel_is_the_published_one(reviewed: Reviewed) -> None:
    assert reviewed.count("cases") == 2281
    assert reviewed.percent("investigations", "cases") == 41
    assert 924 <= reviewed.count("investigations") <= 942
    assert reviewed.count("concluded") == reviewed.count("investigations")
    assert (reviewed.count("offered"), reviewed.percent("offered", "concluded")) == (278, 30)
    assert 181 <= reviewed.count("accepted") <= 193
    assert reviewed.percent("accepted", "cases") == 8
    assert reviewed.percent("offered", "concluded", referral_type="ansokan") == 43
    assert reviewed.percent("offered", "concluded", referral_type="anmalan") == 29


def test_what_was_offered_is_the_published_share(reviewed: Reviewed) -> None:
    offered = reviewed.count("offered")
    shares = {
        code: reviewed.count("offered", intervention_category=category, intervention_code=code)
        for category, code in (
            ("behandling", "familjebehandling"),
            ("behandling", "tryggare_barn"),
            ("kontakt", "kontaktperson"),
            ("kontakt", "kontaktfamilj"),
        )
    }
    assert round(100 * shares["familjebehandling"] / offered) == 53
    assert round(100 * shares["tryggare_barn"] / offered) == 9
    assert round(100 * (shares["kontaktperson"] + shares["kontaktfamilj"]) / offered) == 13


def test_who_they_are_is_the_published_mix(reviewed: Reviewed) -> None:
    cases = reviewed.count("cases")
    assert round(100 * reviewed.count("cases", sex="man") / cases) == 55
    known = {band: reviewed.count("cases", age_band=band) for band in ("0-5", "6-12", "13-17", "18-20")}
    assert [round(100 * n / sum(known.values())) for n in known.values()] == [25, 39, 31, 5]


def test_who_was_heard_and_whether_the_school_was_asked_are_the_published_shares(reviewed: Reviewed) -> None:
    assert 45 <= reviewed.percent("child_heard", "concluded") <= 55
    for code, percent in (("overgrepp", 76), ("vald_i_familjen", 45), ("vuxen_psykisk_ohalsa", 43)):
        assert reviewed.percent("child_heard", "concluded", reason_side="adult", reason_code=code) == percent
    assert reviewed.percent("school_contacted", "concluded") == 28
    assert reviewed.percent("school_contacted", "concluded", sex="man") == 34
    assert reviewed.percent("school_contacted", "concluded", sex="kvinna") == 22
    by_school = [reviewed.count("school_contacted", source_code=code) for code in ("skola", "forskola")]
    from_school = [reviewed.count("concluded", source_code=code) for code in ("skola", "forskola")]
    assert round(100 * sum(by_school) / sum(from_school)) == 48


def test_who_came_back_is_the_published_share_also_over_districts_that_merge(
    reviewed: Reviewed, tmp_path: Path
) -> None:
    sql = district_review(reviewed.settings, tmp_path)
    units = {row["district_code"]: row for row in reviewed.rows(sql) if row["district_basis"] == "today"}
    assert set(units) == {reviewed.unit, "stockholm"}
    for row in units.values():
        assert (row["cases"], row["persons"], row["offered"]) == (2281, 1750, 278)
        assert round(100 * row["re_referred_by_date"]) == 30
        # as drawn: 239 come back once, 30 twice, 10 more often
        assert row["re_referred_by_date_numerator"] == 239 + 30 + 10
        assert row["re_referred_by_date_denominator"] == row["investigations"]
        assert round(100 * row["repeat_investigated_share"]) == 55
