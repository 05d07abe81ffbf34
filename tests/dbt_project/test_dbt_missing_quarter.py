"""A quarter whose file is missing or refused gets no rates until its file comes; one sent anew changes the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt_built import Warehouse, build_warehouse, whole
from dbt_inputs import Inputs, Row, case, concluded, investigated

SETTLED = {"forhandsbedomning_klar": "2020-05-10", "utredning_inledd": "nej"}


def farsta(folder: Path, *second_quarter: Row, state: str = "accepted") -> Warehouse:
    """Farsta's three quarters, the second as given; built as far as the case flow."""
    inputs = Inputs(folder / "inputs", as_of_date="2020-10-25")
    goes_on = investigated("F2", "p2", "2020-05-02", "2020-05-05")
    inputs.submit("farsta", "arenden", "2020Q1", case("F1", "p1", "2020-01-15", **SETTLED | {"orsak": "bostad"}))
    if state == "refused":
        inputs.submit("farsta", "arenden", "2020Q2", state="refused", version=None, in_force=False, errors=3)
    else:
        inputs.submit("farsta", "arenden", "2020Q2", goes_on, *second_quarter)
    ended = concluded("F2", "p2", "2020-05-02", "2020-05-05", "2020-08-01")
    inputs.submit("farsta", "arenden", "2020Q3", ended)
    warehouse = build_warehouse(folder, inputs, "+mart_case_flow")
    assert warehouse.built.success
    return warehouse


def received(warehouse: Warehouse, district: str, quarter: str) -> dict[str, Any]:
    """Those received in a quarter, in the total row."""
    return warehouse.row(
        "select * from marts.mart_case_flow where period_kind = 'kvartal' and district_basis = 'today' "
        "and cohort_basis = 'inkommen' "
        "and reason_side = 'alla' and source_code = 'alla' and referral_type = 'alla' and history = 'alla' "
        "and intervention_category = 'alla' and sex = 'alla' and age_band = 'alla' and socioeconomic = 'alla' "
        f"and district_code = '{district}' and reporting_quarter = '{quarter}'"
    )


def test_a_quarter_whose_file_was_refused_gets_no_rates_until_it_comes(tmp_path: Path) -> None:
    # Of two received in 2020Q2 only F2, which was investigated, is in the next file: one of one would flatter.
    refused = farsta(tmp_path / "refused", state="refused")
    for district in ("farsta", "stockholm"):
        row = received(refused, district, "2020Q2")
        assert (row["cases"], row["investigation_rate_denominator"], row["investigation_rate"]) == (1, 0, None)
        assert (row["is_survivors_only"], row["is_cohort_complete"]) == (True, False)
    assert received(refused, "farsta", "2020Q1")["is_cohort_complete"]

    came = farsta(tmp_path / "came", case("F3", "p3", "2020-05-04", **SETTLED))
    for district in ("farsta", "stockholm"):
        row = received(came, district, "2020Q2")
        assert (row["cases"], row["investigation_rate_denominator"], row["investigation_rate"]) == (2, 2, 0.5)
        assert (row["is_survivors_only"], row["is_cohort_complete"]) == (False, True)


def within_60_days(folder: Path, *concluded_on: str) -> dict[str, Any]:
    """Of 2020Q1's investigations those concluded in 60 days; the quarter is sent once for each date, the last holds."""
    inputs = Inputs(folder / "inputs", as_of_date="2020-07-20")
    for version, day in enumerate(concluded_on, start=1):
        row = concluded("F1", "p1", "2020-01-08", "2020-01-10", day)
        newest = version == len(concluded_on)
        inputs.submit("farsta", "arenden", "2020Q1", row, version=version, in_force=newest, days_after_quarter=version)
    inputs.submit("farsta", "arenden", "2020Q2")
    warehouse = build_warehouse(folder, inputs, "+mart_goal_indicators")
    assert warehouse.built.success
    return warehouse.row(
        "select numerator, denominator, rate from marts.mart_goal_indicators where district_basis = 'today' "
        f"and {whole('mart_goal_indicators')} and indicator_code = 'within_60_days_rate' "
        "and district_code = 'farsta' and reporting_quarter = '2020Q1'"
    )


def test_a_quarter_sent_anew_changes_the_rate_of_the_past(tmp_path: Path) -> None:
    # Begun on 2020-01-10: 21 days of January, 29 of February and 10 of March make day 60 the tenth of March.
    first = within_60_days(tmp_path / "first", "2020-03-11")
    assert (first["numerator"], first["denominator"], first["rate"]) == (0, 1, 0.0)
    corrected = within_60_days(tmp_path / "corrected", "2020-03-11", "2020-03-10")
    assert (corrected["numerator"], corrected["denominator"], corrected["rate"]) == (1, 1, 1.0)
