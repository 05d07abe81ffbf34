"""A city in which two pairs of districts merge on 1 July 2023, in the middle of what is followed: sums, then rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dbt_built import Warehouse, build_warehouse, whole
from dbt_inputs import Inputs, case, concluded, investigated

OFFERED = {"insats_erbjuden": "ja", "insats": "familjebehandling", "insats_accepterad": "ja"}
MARTS = ("mart_case_flow", "mart_goal_indicators")


def settled(on: str) -> dict[str, str]:
    """Decided on a day, and no investigation opened."""
    return {"forhandsbedomning_klar": on, "utredning_inledd": "nej"}


def submit(inputs: Inputs) -> None:
    """Rinkeby-Kista and Spånga-Tensta go on as Järva, Norrmalm and Östermalm as Norra innerstaden; Farsta stays.

    2023Q1: p1, p2, p3 and p10 are investigated, one of them (p3) is offered help; S0 and F1 are decided without.
    2023Q2: p2 comes back in another district of another pair; S1 is open when its district ends.
    2023Q3: Järva concludes S1 under its old number, and p1 comes back to it, 167 days after its conclusion.
    Rinkeby-Kista's series begins a quarter before the others', and so does Järva's.
    """
    inputs.submit("rinkeby-kista", "arenden", "2022Q4")
    inputs.submit("rinkeby-kista", "arenden", "2023Q1", concluded("R1", "p1", "2023-01-05", "2023-01-10", "2023-02-15"))
    inputs.submit(
        "rinkeby-kista",
        "arenden",
        "2023Q2",
        case("R2", "p7", "2023-04-05", **settled("2023-04-10")),
    )
    inputs.submit(
        "spanga-tensta",
        "arenden",
        "2023Q1",
        case("S0", "p5", "2023-02-01", **settled("2023-02-05")),
    )
    inputs.submit(
        "spanga-tensta",
        "arenden",
        "2023Q2",
        investigated("S1", "p4", "2023-05-25", "2023-06-01"),
        concluded("S2", "p2", "2023-04-20", "2023-05-01", "2023-06-15"),
    )
    inputs.submit(
        "jarva",
        "arenden",
        "2023Q3",
        concluded("S1", "p4", "2023-05-25", "2023-06-01", "2023-08-10"),
        investigated("J1", "p1", "2023-07-20", "2023-08-01"),
    )
    inputs.submit("norrmalm", "arenden", "2023Q1", concluded("N1", "p2", "2023-01-10", "2023-01-20", "2023-03-01"))
    inputs.submit("norrmalm", "arenden", "2023Q2")
    inputs.submit(
        "ostermalm",
        "arenden",
        "2023Q1",
        concluded("O1", "p3", "2023-01-15", "2023-01-20", "2023-03-10", **OFFERED),
        concluded("O3", "p10", "2023-01-16", "2023-01-21", "2023-03-12"),
    )
    inputs.submit("ostermalm", "arenden", "2023Q2", case("O2", "p8", "2023-05-05", **settled("2023-05-08")))
    inputs.submit(
        "norra-innerstaden",
        "arenden",
        "2023Q3",
        case("I1", "p9", "2023-08-05", **settled("2023-08-08")),
    )
    first = case("F1", "p6", "2023-03-05", **settled("2023-03-08"))
    inputs.submit("farsta", "arenden", "2023Q1", first)
    inputs.submit("farsta", "arenden", "2023Q2")
    inputs.submit("farsta", "arenden", "2023Q3")


def built(folder: Path, **asked: str) -> Warehouse:
    """The city on 25 October 2023, as far as cases go."""
    inputs = Inputs(folder / "inputs", as_of_date="2023-10-25")
    submit(inputs)
    warehouse = build_warehouse(folder, inputs, *(f"+{mart}" for mart in MARTS), **asked)
    assert warehouse.built.success
    return warehouse


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """In the division of the day, and as submitted."""
    return built(tmp_path_factory.mktemp("mergers"))


def cases(warehouse: Warehouse, basis: str, cohort_basis: str, quarter: str) -> dict[str, int]:
    """District → cases of a quarter."""
    rows = warehouse.rows(
        f"select district_code, cases from marts.mart_case_flow where {whole('mart_case_flow')} and "
        f"district_basis = '{basis}' and cohort_basis = '{cohort_basis}' and reporting_quarter = '{quarter}'"
    )
    return {row["district_code"]: row["cases"] for row in rows}


def rates(warehouse: Warehouse, basis: str, indicator: str, quarter: str) -> dict[str, tuple[Any, ...]]:
    """District → (numerator, denominator, rate) of a quarter, where there is a denominator."""
    rows = warehouse.rows(
        f"select district_code, numerator, denominator, rate from marts.mart_goal_indicators "
        f"where {whole('mart_goal_indicators')} and district_basis = '{basis}' and indicator_code = '{indicator}' "
        f"and reporting_quarter = '{quarter}' and denominator > 0"
    )
    return {row["district_code"]: (row["numerator"], row["denominator"], row["rate"]) for row in rows}


def test_a_case_counts_under_the_code_of_its_receipt_and_in_what_its_district_has_become(today: Warehouse) -> None:
    before = {"rinkeby-kista": 1, "spanga-tensta": 1, "norrmalm": 1, "ostermalm": 2, "farsta": 1, "stockholm": 6}
    assert cases(today, "as_submitted", "inkommen", "2023Q1") == before
    assert cases(today, "today", "inkommen", "2023Q1") == {
        "jarva": 2,
        "norra-innerstaden": 3,
        "farsta": 1,
        "stockholm": 6,
    }
    # S2 stays in Spånga-Tensta's file and S1 goes on in Järva's, whose series began earlier: two cases all the same
    assert cases(today, "as_submitted", "inkommen", "2023Q2")["spanga-tensta"] == 2
    assert cases(today, "today", "inkommen", "2023Q2")["jarva"] == 3
    # J1 is Järva's own; S1 came to Spånga-Tensta, and is concluded under that code
    assert cases(today, "as_submitted", "inkommen", "2023Q3") == {"jarva": 1, "norra-innerstaden": 1, "stockholm": 2}
    assert cases(today, "as_submitted", "avslutad", "2023Q3") == {"spanga-tensta": 1, "stockholm": 1}
    assert cases(today, "today", "avslutad", "2023Q3") == {"jarva": 1, "stockholm": 1}


def test_a_merged_districts_rate_is_that_of_its_sums(today: Warehouse) -> None:
    # offered: Norrmalm 0 of 1, Östermalm 1 of 2: together 1 of 3, where the mean of the two would be 1/4
    assert rates(today, "as_submitted", "offer_rate", "2023Q1") == {
        "rinkeby-kista": (0, 1, 0.0),
        "norrmalm": (0, 1, 0.0),
        "ostermalm": (1, 2, 0.5),
        "stockholm": (1, 4, 0.25),
    }
    assert rates(today, "today", "offer_rate", "2023Q1") == {
        "jarva": (0, 1, 0.0),
        "norra-innerstaden": (1, 3, pytest.approx(1 / 3)),
        "stockholm": (1, 4, 0.25),
    }


def test_a_person_is_followed_over_the_merger_and_into_other_districts(today: Warehouse) -> None:
    # known until 2023-09-30; p1 is back in Järva on day 167, p2 in Spånga-Tensta on day 61, p3 and p10 are not
    assert rates(today, "as_submitted", "re_referral_rate_180", "2023Q1") == {
        "rinkeby-kista": (1, 1, 1.0),
        "norrmalm": (1, 1, 1.0),
        "ostermalm": (0, 2, 0.0),
        "stockholm": (2, 4, 0.5),
    }
    assert rates(today, "today", "re_referral_rate_180", "2023Q1") == {
        "jarva": (1, 1, 1.0),
        "norra-innerstaden": (1, 3, pytest.approx(1 / 3)),
        "stockholm": (2, 4, 0.5),
    }


@pytest.mark.parametrize("asked", ["2023-06-30", "2023-07-01"])
def test_the_division_of_another_date_can_be_asked_for(today: Warehouse, tmp_path: Path, asked: str) -> None:
    then = built(tmp_path, districts_as_of=asked)
    bases = {row["district_basis"] for row in then.rows("select distinct district_basis from marts.mart_case_flow")}
    assert bases == {"as_submitted", "as_of_date"}
    # the day before the mergers each unit is its own; from the day itself it is as today
    same = "as_submitted" if asked == "2023-06-30" else "today"
    for quarter in ("2023Q1", "2023Q2", "2023Q3"):
        assert cases(then, "as_of_date", "inkommen", quarter) == cases(today, same, "inkommen", quarter)
    assert rates(then, "as_of_date", "offer_rate", "2023Q1") == rates(today, same, "offer_rate", "2023Q1")
