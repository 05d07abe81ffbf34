"""What no pattern protects is left out, listed, and stays unknown; everything else goes out, now and later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from marts_drawn import TABLES, draw_cases, write_warehouse

from ingest.ledger import Ledger
from ingest.ledger.releases import ReleaseCell, released_cells
from ingest.settings import Settings
from publish.approving import Release
from publish.cutting import CELL, Cut
from publish.leaving_out import leave_out
from publish.linking import remember
from publish.public import read_public
from publish.releasing import release
from publish.sums import Nesting

NOW = datetime(2020, 2, 20, 8, tzinfo=UTC)
WEEK = timedelta(days=8)
FLOW = "cohort_basis=avslutad"


def make(settings: Settings, cases: pd.DataFrame, number: int, *, merged: bool = False, **more: Any) -> Release:
    write_warehouse(settings.warehouse, cases, merged=merged)
    return release(
        settings, approve=True, tables=TABLES, now=NOW + number * WEEK, gate=lambda _: [], processes=1, **more
    )


def told(settings: Settings, table: str) -> pd.DataFrame:
    with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as published:
        return published.execute(f"select * from published.{table}").df()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.model_validate({"home": tmp_path / "home", "keys": tmp_path / "keys.json"})
    made.home.mkdir()
    return made


# Two districts that merge and one other: a sum of the two is often known from the city less the other.


@pytest.fixture
def small() -> pd.DataFrame:
    cases = draw_cases(1, per_cell=1.0)
    return cases[cases["district"].isin(["alvsjo", "hagersten", "bromma"])]


def test_after_a_merger_what_follows_from_earlier_releases_is_left_out_and_the_rest_goes_out(
    settings: Settings, small: pd.DataFrame
) -> None:
    first = make(settings, small, 0)
    second = make(settings, small, 1, merged=True)
    assert first.certificate is not None and second.certificate is not None
    assert (first.certificate.left_out, second.certificate.left_out) == (0, 4)
    assert second.certificate.passed and not second.is_revision
    listed = told(settings, "left_out")
    assert set(listed["left_out_because"]) == {"not_protectable"}
    # soder is alvsjo and hagersten together; only its quarters that had gone out before the merger can be concerned
    assert set(zip(listed["district_code"], listed["district_basis"], strict=True)) == {("soder", "today")}
    flow = told(settings, "mart_case_flow")
    soder = flow[(flow["district_code"] == "soder") & (flow["district_basis"] == "today")]
    for row in listed[listed["table_name"] == "mart_case_flow"].itertuples():
        here = soder[soder["reporting_quarter"] == row.period]
        assert row.rows_where == FLOW
        assert (here[row.cut] == "alla").all()  # no row by what is left out
        assert len(here) > 1  # but the total, and what else it is cut by
    quarters = set(listed.loc[listed["table_name"] == "mart_case_flow", "period"])
    others = soder[~soder["reporting_quarter"].isin(quarters)]
    assert len(others) == (8 - len(quarters)) * (1 + 2 + 3)  # total, two sexes, three ages


def test_where_nothing_is_left_out_the_table_of_it_is_empty_and_of_texts_all_the_same(
    settings: Settings, small: pd.DataFrame
) -> None:
    make(settings, small, 0)
    with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as published:
        found = published.execute("from published.left_out")
        assert {str(kind) for _, kind, *_ in found.description} == {"VARCHAR"}
        assert found.fetchall() == []


def test_the_next_release_knows_what_was_left_out(settings: Settings, small: pd.DataFrame) -> None:
    make(settings, small, 0)
    make(settings, small, 1, merged=True)
    before = told(settings, "left_out")
    third = make(settings, small, 2, merged=True, force=True)
    assert third.certificate is not None and third.certificate.left_out == 4 and not third.is_revision
    assert told(settings, "left_out").equals(before)
    ledger = Ledger(settings.ledger)
    try:
        cells = released_cells(ledger)
    finally:
        ledger.close()
    left_out = [cell for cell in cells if cell.is_left_out]
    assert {cell.release_id for cell in left_out} == {2}  # and nothing changed in the third
    assert all("|today:soder|" in cell.cell and not cell.is_shown for cell in left_out)


def test_a_restated_quarter_goes_out_beside_what_was_left_out(settings: Settings, small: pd.DataFrame) -> None:
    make(settings, small, 0)
    make(settings, small, 1, merged=True)
    quarter = told(settings, "left_out")["period"].iloc[0]
    here = (small["district"] == "bromma") & (small["reporting_quarter"] == quarter)
    again = pd.concat([small, small[here].head(7)], ignore_index=True)
    third = make(settings, again, 2, merged=True)
    assert third.is_revision and third.certificate is not None and third.certificate.passed
    assert third.certificate.audited_together[0] == "3" and len(third.certificate.audited_together) > 1


def test_audit_takes_what_is_left_out_for_unknown_and_what_nobody_is_in_for_0(
    settings: Settings, small: pd.DataFrame
) -> None:
    # In 2018Q1 nobody of bromma was offered anything: its acceptance rate is of nobody.
    none = (small["district"] == "bromma") & (small["reporting_quarter"] == "2018Q1")
    cases = small.assign(is_offered=small["is_offered"] & ~none, is_accepted=small["is_accepted"] & ~none)
    make(settings, cases, 0)
    make(settings, cases, 1, merged=True)
    listed = told(settings, "left_out")
    nobody = listed[listed["left_out_because"] == "nobody"]
    rate = "cohort_basis=avslutad,indicator_code=acceptance_rate"
    assert nobody[["table_name", "rows_where", "district_code", "district_basis", "period", "cut"]].values.tolist() == [
        ["mart_goal_indicators", rate, "bromma", basis, "2018Q1", "alla"] for basis in ("as_submitted", "today")
    ]
    public, _ = read_public(settings.published / "followup.duckdb", TABLES, "2")
    counts = public.rows.set_index("key")["count"]
    assert counts["cases.accepted|bromma|2018Q1|"] == 0
    hidden = listed[listed["left_out_because"] == "not_protectable"]
    assert len(hidden)
    for row in hidden.itertuples():
        columns = frozenset() if row.cut == "alla" else frozenset([row.cut])
        measures = {"mart_case_flow": ("cases.all", "cases.offered")}.get(row.table_name, ("cases.accepted",))
        assert any((measure, "today:soder", row.period, columns) in public.unknown for measure in measures)


# By hand, cell by cell.


def cut_by_hand() -> Cut:
    """One table of two measures in two places, by sex."""
    keys = [
        (measure, place, sex)
        for measure in ("cases.all", "cases.offered")
        for place in ("bromma", "farsta")
        for sex in ("alla", "kvinna", "man")
    ]
    cells = pd.DataFrame(keys, columns=["measure", "geography", "sex"])
    cells["period"] = "2018Q1"
    cells["codes"] = np.where(cells["sex"] == "alla", "", "sex=" + cells["sex"])
    cells["key"] = cells[["measure", "geography", "period", "codes"]].agg("|".join, axis=1)
    cells = cells.assign(value=7, is_internal=False, is_protecting=True)
    rows = cells[["geography", "period", "sex"]].head(6).assign(age_band="alla", cohort_basis="avslutad")
    rows = rows.assign(**{CELL + "cases": range(6), CELL + "offered": range(6, 12)})
    return Cut(cells, Nesting(TABLES, {}), {"mart_case_flow": rows}, pd.DataFrame(), ("2018Q1",))


def test_a_cell_goes_with_its_siblings_and_the_row_that_tells_it() -> None:
    # offered | farsta | man is cell 11: both sexes of farsta go, its total and bromma stay
    left = leave_out(cut_by_hand(), TABLES, [11])
    rows = left.rows["mart_case_flow"]
    assert list(zip(rows["geography"], rows["sex"], strict=True)) == [
        ("bromma", "alla"), ("bromma", "kvinna"), ("bromma", "man"), ("farsta", "alla"),
    ]  # fmt: skip
    assert left.left_out.values.tolist() == [["mart_case_flow", FLOW, "farsta", "2018Q1", "sex"]]
    assert np.flatnonzero(left.cells["is_internal"]).tolist() == [4, 5, 10, 11]
    assert not left.cells.loc[left.cells["is_internal"], "is_protecting"].any()


def test_a_total_goes_with_all_that_it_is_cut_into() -> None:
    left = leave_out(cut_by_hand(), TABLES, [0])
    assert set(left.rows["mart_case_flow"]["geography"]) == {"farsta"}
    assert left.left_out["cut"].tolist() == ["alla", "sex"]
    more = leave_out(left, TABLES, [5])
    assert more.left_out.values.tolist()[2:] == [["mart_case_flow", FLOW, "farsta", "2018Q1", "sex"]]


# What readers know without being told.


def test_a_code_that_nobody_had_is_known_to_be_0_when_it_comes(settings: Settings) -> None:
    cases = draw_cases(1, per_cell=1.0)
    is_boy_of_2018 = (cases["sex"] == "man") & (cases["reporting_quarter"] == "2018Q1")
    without = cases[~is_boy_of_2018]
    make(settings, without, 0, quarter="2018Q1")
    assert set(told(settings, "mart_case_flow")["sex"]) == {"alla", "kvinna"}
    # Three boys of farsta come to light: everybody could see before that there were none anywhere.
    three = cases[is_boy_of_2018 & (cases["district"] == "farsta")].head(3)
    second = make(settings, pd.concat([without, three], ignore_index=True), 1, quarter="2018Q1")
    assert second.is_revision
    flow = told(settings, "mart_case_flow")
    boys = flow[(flow["sex"] == "man") & (flow["district_basis"] == "as_submitted")].set_index("district_code")["cases"]
    assert boys.drop(["farsta", "stockholm"]).tolist() == [0, 0, 0, 0]
    assert pd.isna(boys["farsta"])


def test_nobody_that_becomes_somebody_does_not_tell_a_rate_of_0(settings: Settings) -> None:
    cases = draw_cases(1, per_cell=4.0)
    here = (cases["district"] == "bromma") & (cases["reason_code"] == "skola")
    of_2018 = here & cases["reporting_quarter"].str.startswith("2018")
    make(settings, cases[~of_2018], 0)
    years = told(settings, "mart_goal_indicators_yearly")
    assert not ((years["district_code"] == "bromma") & (years["reason_code"] == "skola")
                & (years["calendar_year"] == 2018)).any()  # fmt: skip
    # Seven of them come to light, and none was offered anything: that none was offered stood there before, of nobody.
    seven = cases[here].head(7).assign(reporting_quarter="2018Q2", is_offered=False, is_accepted=False)
    second = make(settings, pd.concat([cases[~of_2018], seven], ignore_index=True), 1)
    assert second.is_revision and second.certificate is not None and second.certificate.passed
    years = told(settings, "mart_goal_indicators_yearly")
    bromma = years[(years["district_code"] == "bromma") & (years["calendar_year"] == 2018)]
    assert set(bromma["reason_code"]) == {"alla"} and len(bromma)
    listed = told(settings, "left_out")
    assert {"reason_side,reason_code"} <= set(listed.loc[listed["district_code"] == "bromma", "cut"])


def test_ledger_tells_a_figure_left_out_from_one_told() -> None:
    def cell(number: int, value: int | None, *, left_out: bool = False) -> ReleaseCell:
        return ReleaseCell(number, "m|farsta|2018Q1|", value, False, False, left_out)

    known = remember([cell(1, 7), cell(2, 7, left_out=True), cell(4, 7), cell(5, None)])
    columns = ["version", "is_left_out", "since", "until"]
    assert known.instances[columns].values.tolist() == [[1, False, 1, 2], [2, True, 2, 4], [3, False, 4, 5]]
    assert not known.newest["stands"].any()
