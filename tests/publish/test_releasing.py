"""Releases of a small warehouse: what is shown is right, what went out stays, what changes is a revision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from marts_drawn import QUARTERS, TABLES, draw_cases, write_warehouse

from ingest.ledger import Ledger, LedgerError
from ingest.ledger.releases import released_cells, releases
from ingest.settings import Settings
from publish import releasing
from publish.approving import Release, ReleaseRefused, approve_release, complete, proposal_folder
from publish.linked import Linked
from publish.policy import load_policy
from publish.protecting import Protection, Requirement
from publish.releasing import ReleaseBlocked, release
from publish.warehouse import CutError

NOW = datetime(2020, 2, 20, 8, tzinfo=UTC)
Make = Callable[..., Release]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.model_validate({"home": tmp_path / "home", "keys": tmp_path / "keys.json"})
    made.home.mkdir()
    write_warehouse(made.warehouse, draw_cases())
    return made


def make(settings: Settings, *, approve: bool | None = True, now: datetime = NOW, **more: object) -> Release:
    return release(settings, approve=approve, tables=TABLES, now=now, gate=lambda _: [], processes=1, **more)


def told(settings: Settings, table: str) -> pd.DataFrame:
    with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as published:
        return published.execute(f"select * exclude (released_at) from published.{table}").df()


def rows_of(settings: Settings) -> list[str]:
    ledger = Ledger(settings.ledger)
    try:
        return [one.state for one in releases(ledger)]
    finally:
        ledger.close()


def test_every_shown_figure_is_the_marts(settings: Settings) -> None:
    make(settings)
    shown = told(settings, "mart_case_flow").dropna(subset=["cases"])
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        mart = warehouse.execute("select * from marts.mart_case_flow where reason_side = 'alla'").df()
    keys = ["district_code", "district_basis", "reporting_quarter", "sex", "age_band"]
    both = shown.merge(mart, on=keys, how="left", suffixes=("", "_of_mart"))
    assert len(both) == len(shown) > 300
    assert (both["cases"] == both["cases_of_mart"].fillna(0)).all()


def test_totals_are_the_sums_of_their_parts_wherever_all_are_shown(settings: Settings) -> None:
    make(settings)
    rows = told(settings, "mart_case_flow")
    rows = rows[(rows["age_band"] == "alla") & (rows["district_basis"] == "as_submitted")]
    by = rows.pivot(index=["district_code", "reporting_quarter"], columns="sex", values="cases").dropna()
    assert len(by) > 20 and (by["kvinna"] + by["man"] == by["alla"]).all()
    of_city = rows[rows["sex"] == "alla"].pivot(index="reporting_quarter", columns="district_code", values="cases")
    assert (of_city.drop(columns="stockholm").sum(axis=1) == of_city["stockholm"]).all()


@pytest.mark.parametrize("table", list(TABLES.tables))
def test_a_value_is_missing_only_in_rows_that_say_so_and_none_below_the_threshold_is_shown(
    settings: Settings, table: str
) -> None:
    make(settings)
    rows = told(settings, table)
    counts = list(TABLES.tables[table].counts)
    assert (rows.isna().any(axis=1) == rows["suppressed"]).all()
    assert rows["suppressed"].any() and not rows["suppressed"].all()
    assert not rows[counts].isin([1, 2, 3, 4]).any(axis=None)


def test_rate_is_of_its_counts_and_hidden_with_either(settings: Settings) -> None:
    make(settings)
    rows = told(settings, "mart_goal_indicators_yearly")
    whole = rows.dropna(subset=["numerator", "denominator"])
    assert np.allclose(whole["rate"].astype(float), (whole["numerator"] / whole["denominator"]).astype(float))
    assert (
        rows.loc[rows["numerator"].isna() | rows["denominator"].isna(), ["rate", "rate_low", "rate_high"]]
        .isna()
        .all(axis=None)
    )
    assert not whole["numerator"].rsub(whole["denominator"]).isin([1, 2, 3, 4]).any()


def test_year_is_the_sum_of_its_quarters_and_waits_for_the_last(settings: Settings) -> None:
    make(settings, quarter="2019Q3")
    assert set(told(settings, "mart_goal_indicators_yearly")["calendar_year"]) == {2018}
    with pytest.raises(ReleaseRefused, match="2019Q3"):
        make(settings, quarter="2018Q4")
    make(settings, now=NOW + timedelta(days=8))
    assert set(told(settings, "mart_goal_indicators_yearly")["calendar_year"]) == {2018, 2019}


def test_what_has_gone_out_keeps_its_pattern_and_its_values(settings: Settings) -> None:
    make(settings, quarter="2019Q1")
    before = told(settings, "mart_case_flow")
    second = make(settings, now=NOW + timedelta(days=8))
    after = told(settings, "mart_case_flow")
    keys = ["district_code", "district_basis", "reporting_quarter", "sex", "age_band"]
    both = before.merge(after, on=keys, suffixes=("", "_later"))
    assert len(both) == len(before)
    assert both["cases"].equals(both["cases_later"]) and both["offered"].equals(both["offered_later"])
    assert not second.is_revision
    assert second.certificate is not None
    assert second.certificate.new_periods == ("2019", "2019Q2", "2019Q3", "2019Q4")
    assert set(second.certificate.sealed_periods) == {"2018", "2018Q1", "2018Q2", "2018Q3", "2018Q4", "2019Q1"}


def test_a_restated_quarter_is_a_revision_audited_together_with_what_it_changes(settings: Settings) -> None:
    make(settings)
    cases = draw_cases()
    of_quarter = (cases["district"] == "farsta") & (cases["reporting_quarter"] == "2018Q2")
    again = pd.concat([cases, cases[of_quarter].head(9)], ignore_index=True)
    write_warehouse(settings.warehouse, again)
    second = make(settings, now=NOW + timedelta(days=8))
    assert second.is_revision and second.release_id == 2 and second.certificate is not None
    assert second.certificate.revised_periods == ("2018", "2018Q2")
    assert second.certificate.audited_together == ("2", "1")
    assert second.certificate.passed
    ledger = Ledger(settings.ledger)
    try:
        changed = {cell.cell for cell in released_cells(ledger) if cell.release_id == 2}
    finally:
        ledger.close()
    assert changed and all("|2018" in key and ("farsta" in key or "stockholm" in key) for key in changed)
    third = make(settings, now=NOW + timedelta(days=16), force=True)
    assert not third.is_revision and third.certificate is not None and third.certificate.audited_together == ("3", "1")


def test_incomplete_quarters_wait_and_so_do_the_sums_that_hold_them(settings: Settings) -> None:
    write_warehouse(settings.warehouse, draw_cases(), incomplete=("bromma 2018Q2",))
    made = make(settings)
    rows = told(settings, "mart_case_flow")
    in_quarter = set(rows.loc[rows["reporting_quarter"] == "2018Q2", "district_code"])
    assert in_quarter == {"alvsjo", "farsta", "hagersten", "norrmalm"}
    years = told(settings, "mart_goal_indicators_yearly")
    in_year = set(years.loc[years["calendar_year"] == 2018, "district_code"])
    assert in_year == {"alvsjo", "farsta", "hagersten", "norrmalm"}
    assert "stockholm" in set(years.loc[years["calendar_year"] == 2019, "district_code"])
    assert made.until_quarter == QUARTERS[-1]


def test_merged_districts_stand_as_submitted_and_summed_as_today(settings: Settings) -> None:
    write_warehouse(settings.warehouse, draw_cases(per_cell=8), merged=True)
    make(settings)
    rows = told(settings, "mart_case_flow")
    rows = rows[(rows["sex"] == "alla") & (rows["age_band"] == "alla")]
    today, submitted = (rows[rows["district_basis"] == basis] for basis in ("today", "as_submitted"))
    assert set(today["district_code"]) == {"bromma", "farsta", "norrmalm", "soder", "stockholm"}
    assert set(submitted["district_code"]) == {"alvsjo", "bromma", "farsta", "hagersten", "norrmalm", "stockholm"}
    parts = submitted[submitted["district_code"].isin(["alvsjo", "hagersten"])].groupby("reporting_quarter")["cases"]
    whole = today[today["district_code"] == "soder"].set_index("reporting_quarter")["cases"]
    assert (parts.sum().sort_index() == whole.sort_index()).all() and len(whole) == len(QUARTERS)


def test_a_merger_after_a_release_takes_nothing_back(settings: Settings) -> None:
    make(settings)
    before = told(settings, "mart_case_flow")
    write_warehouse(settings.warehouse, draw_cases(), merged=True)
    second = make(settings, now=NOW + timedelta(days=8))
    after = told(settings, "mart_case_flow")
    keys = ["district_code", "reporting_quarter", "sex", "age_band"]
    before, after = (rows[rows["district_basis"] == "as_submitted"] for rows in (before, after))
    both = before.merge(after, on=keys, suffixes=("", "_later"))
    assert len(both) == len(before) and both["cases"].equals(both["cases_later"])
    assert not second.is_revision


def only_primaries(linked: Linked, requirement: Requirement, **_: object) -> Protection:
    """A protection that forgets what else must be hidden."""
    values = linked.values.astype(float)
    hidden = linked.primary & ~linked.internal
    return Protection(hidden, values, values, np.zeros(0, dtype=np.int64), "heuristic", 0, 0.0)


def test_a_failed_audit_blocks_the_release_names_cells_and_keeps_the_one_before(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(settings, quarter="2018Q4")
    before = (settings.published).resolve()
    monkeypatch.setattr(releasing, "protect", only_primaries)
    with pytest.raises(ReleaseBlocked) as caught:
        make(settings, now=NOW + timedelta(days=8))
    assert "fail the audit" in str(caught.value) and "2019" in str(caught.value)
    assert settings.published.resolve() == before
    assert rows_of(settings) == ["released", "blocked"]
    assert not proposal_folder(settings, 2).exists()


def test_cells_without_a_solution_block_the_release(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(linked: Linked, requirement: Requirement, **more: object) -> Protection:
        return replace(only_primaries(linked, requirement, **more), unsolved=np.array([0]))

    monkeypatch.setattr(releasing, "protect", gives_up)
    with pytest.raises(ReleaseBlocked, match="can't be protected, whatever else is hidden: mart_case_flow"):
        make(settings)
    assert rows_of(settings) == ["blocked"] and not settings.published.exists()


def test_proposal_waits_is_replaced_by_the_next_and_goes_out_when_approved(settings: Settings) -> None:
    first = make(settings, approve=None, quarter="2018Q4")
    assert first.state == "proposed" and first.waits_because == "the city approves releases"
    second = make(settings, approve=None)
    assert rows_of(settings) == ["replaced", "proposed"] and not settings.published.exists()
    with pytest.raises(LedgerError, match="it is replaced"):
        approve_release(settings, 1)
    with pytest.raises(LedgerError, match="no release 9"):
        approve_release(settings, 9)
    approved = approve_release(settings, second.release_id, now=NOW + timedelta(days=1))
    assert approved.state == "released" and rows_of(settings) == ["replaced", "released"]
    with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as published:
        (at,) = published.execute("select value from published.about where key = 'released_at'").fetchone()
    assert at.startswith("2020-02-21")


def test_what_shows_nothing_new_makes_no_release(settings: Settings) -> None:
    waiting = make(settings, approve=None)
    assert (waiting.state, waiting.release_id) == ("proposed", 1)
    again = make(settings, approve=None)
    assert (again.state, again.release_id, again.waits_because) == ("proposed", 1, "the city approves releases")
    out = make(settings, now=NOW + timedelta(days=1))
    assert (out.state, out.release_id) == ("released", 1) and out.served is not None
    link = settings.published.readlink()
    same = make(settings, now=NOW + timedelta(days=2))
    assert (same.state, same.release_id, same.served) == ("unchanged", 1, None)
    assert rows_of(settings) == ["released"] and settings.published.readlink() == link
    assert [path.name for path in (settings.home / "proposed").iterdir()] == ["1"]
    assert make(settings, now=NOW + timedelta(days=2), force=True).release_id == 2


def test_a_single_figure_a_description_or_an_earlier_end_is_something_new(settings: Settings) -> None:
    make(settings, quarter="2018Q3")
    assert make(settings, quarter="2018Q4").release_id == 2
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("comment on column marts.mart_case_flow.reporting_quarter is 'other words'")
    assert make(settings, quarter="2018Q4").release_id == 3
    assert make(settings, quarter="2018Q4").state == "unchanged"


def test_releases_go_out_by_themselves_once_a_week_where_the_policy_says_so(settings: Settings) -> None:
    policy = load_policy().model_copy(update={"approve_by_itself": True})
    assert make(settings, approve=None, policy=policy).state == "released"
    soon = make(settings, approve=None, policy=policy, now=NOW + timedelta(days=6), force=True)
    assert soon.state == "proposed" and soon.waits_because == "release 1 is less than 7 days old"
    assert make(settings, approve=True, policy=policy, now=NOW + timedelta(days=6), force=True).state == "released"
    assert make(settings, approve=None, policy=policy, now=NOW + timedelta(days=14), force=True).state == "released"


def test_what_was_approved_but_not_served_is_served_by_the_next_run(settings: Settings) -> None:
    make(settings, quarter="2018Q4")
    served = settings.published.resolve()
    make(settings, now=NOW + timedelta(days=8))
    settings.published.unlink()
    settings.published.symlink_to(served)
    ledger = Ledger(settings.ledger)
    try:
        complete(settings, ledger, lambda *_: None)
    finally:
        ledger.close()
    assert told(settings, "mart_case_flow")["release_id"].unique().tolist() == [2]


def test_what_readers_see_and_the_ledger_does_not_hold_lets_nothing_go_out(settings: Settings) -> None:
    make(settings)
    served, file = settings.published.resolve(), proposal_folder(settings, 1) / "release.duckdb"
    for lost in settings.home.glob("ledger.sqlite*"):
        lost.unlink()
    for quarter in (None, "2018Q4"):
        with pytest.raises(ReleaseRefused, match=r"readers see release 1 .*put the ledger back from backup"):
            make(settings, quarter=quarter)
    assert rows_of(settings) == []
    assert settings.published.resolve() == served
    assert file.exists()


def test_marts_that_contradict_themselves_stop_the_release_and_name_the_sum(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(
            "update marts.mart_case_flow set cases = cases + 1 where district_code = 'farsta' and sex = 'man' "
            "and reporting_quarter = '2018Q3' and age_band = 'alla'"
        )
    with pytest.raises(CutError, match=r"sums don't add up, the first is .*2018Q3"):
        make(settings)
    assert rows_of(settings) == []


def test_a_part_larger_than_its_whole_stops_the_release(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("update marts.mart_case_flow set accepted = offered * 2")
    with pytest.raises(CutError, match=r"counts more than cases\.offered"):
        make(settings)


def test_certificate_goes_out_with_the_release_and_holds_no_hidden_figure(settings: Settings) -> None:
    made = make(settings)
    page = (settings.published / "certificate.html").read_text(encoding="utf-8")
    assert "Godkänd / Passed" in page and "SYNTETISKA" in page and "http" not in page
    assert made.certificate is not None and made.certificate.narrowest_interval is not None
    assert made.certificate.narrowest_interval >= 5 - 1e-6


def test_primary_or_not_is_told_by_the_ledger_alone(settings: Settings) -> None:
    make(settings)
    ledger = Ledger(settings.ledger)
    try:
        cells = released_cells(ledger)
    finally:
        ledger.close()
    hidden = [cell for cell in cells if not cell.is_shown]
    assert {cell.is_primary for cell in hidden} == {True, False}
    assert all(cell.value is not None and not 1 <= cell.value <= 4 for cell in cells if cell.is_shown)
    columns = set(told(settings, "mart_case_flow").columns)
    assert not {"is_primary", "primary"} & columns
