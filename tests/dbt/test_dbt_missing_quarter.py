"""A quarter whose file is missing or refused: no rates from what is left of it, until its file comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt_built import Warehouse, build_warehouse
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
    """Those received in a quarter, not cut."""
    return warehouse.row(
        "select * from marts.mart_case_flow where district_basis = 'today' and cohort_basis = 'inkommen' "
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
