"""Which breakdowns a mart holds, the intervals of its rates, and that labels and layers are as declared."""

from __future__ import annotations

import itertools
import math

import duckdb
import pytest
from dbt_built import DIMENSIONS, Warehouse

NESTED = {
    "reason_code": "reason_side",
    "intervention_code": "intervention_category",
    "activity_level": "activity_type",
}
AGES = {"age_band", "clinic_age_band"}
MEASURES = {
    "mart_case_flow": "cases",
    "mart_goal_indicators": "in_scope",
    "mart_intervention_chain": "offered",
    "mart_investigation_times": "investigations",
    "mart_outpatient_care": "decided",
    "mart_pilot_effect": "line_before_rate_denominator",
    # reasons of return add up to the returns
    "mart_re_referral": "re_referral_rate_365_numerator",
    "mart_service_interventions": "started",
    "mart_activities": "activities",
    "mart_protection_follow_up": "interviews",
    "mart_recruitment": "cohort_groups",
    "mart_routines": "routines",
    "mart_supply": "supply_offered",
    "mart_support_groups": "children",
    "mart_waiting_times": "wait_n",
    "mart_youth_clinic": "visits",
}
"""A count of each mart that adds up over its breakdowns."""


def expected_breakdowns(columns: list[str]) -> set[frozenset[str]]:
    """By at most two dimensions, and by sex, age band and any one more; an inner level carries its outer."""
    apart = [
        pair
        for size in (0, 1, 2)
        for pair in itertools.combinations(columns, size)
        if not any(NESTED.get(a) == b for a, b in itertools.permutations(pair, 2))
    ]
    by_sex_and_age = {"sex", *AGES} & set(columns)
    three = [
        (*by_sex_and_age, column) for column in columns if column not in by_sex_and_age and len(by_sex_and_age) == 2
    ]
    return {frozenset(columns) | {NESTED[c] for c in columns if c in NESTED} for columns in [*apart, *three]}


@pytest.mark.parametrize("mart", DIMENSIONS)
def test_a_mart_holds_every_breakdown_by_two_and_sex_by_age_by_one_more(warehouse: Warehouse, mart: str) -> None:
    # there is no return in the small city: return reasons have a test of their own
    columns = [c for c in DIMENSIONS[mart] if not c.startswith("return_reason") and c != "legal_ground"]
    flags = ", ".join(f"{column} <> 'alla' as {column}" for column in columns)
    found = {
        frozenset(column for column in columns if row[column])
        for row in warehouse.rows(f"select distinct {flags} from marts.{mart} where period_kind <> 'rullande_ar'")
    }
    assert found == expected_breakdowns(columns)


@pytest.mark.parametrize("mart", [mart for mart, columns in DIMENSIONS.items() if "legal_ground" in columns])
def test_no_row_of_quarters_before_the_act_of_2025_is_broken_down_by_legal_ground(
    warehouse: Warehouse, mart: str
) -> None:
    assert warehouse.rows(f"select distinct legal_ground from marts.{mart}") == [{"legal_ground": "alla"}]


@pytest.mark.parametrize("mart", DIMENSIONS)
def test_every_breakdown_adds_up_to_the_total(warehouse: Warehouse, mart: str) -> None:
    columns = list(DIMENSIONS[mart])
    breakdown = ", ".join(f"{column} <> 'alla'" for column in columns)
    sums = warehouse.rows(
        f"select sum({MEASURES[mart]}) as found from marts.{mart} where period_kind <> 'rullande_ar' "
        f"group by {breakdown}"
    )
    assert len({row["found"] for row in sums}) == 1


def test_wilson_limits_are_the_literatures(warehouse: Warehouse) -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score): 81/263, 15/148, 0/20, 1/29.
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
        # a whole city: half a million of a million, 0.5 ± 1.96 · 0.5 / 1000
        (500_000, 1_000_000): (0.4990, 0.5010),
    }
    inline = (
        "select {{ wilson_limit('n', 'd', 'low') }} as low, {{ wilson_limit('n', 'd', 'high') }} as high from given"
    )
    outcome = warehouse.run("compile", "--inline", inline)
    assert outcome.exception is None
    sql = outcome.result.results[0].node.compiled_code
    for (numerator, denominator), limits in known.items():
        found = duckdb.sql(f"with given as (select {numerator} as n, {denominator} as d) {sql}").fetchone()
        assert found is not None
        assert found == pytest.approx(limits, abs=6e-5)
    assert duckdb.sql(f"with given as (select 0 as n, 0 as d) {sql}").fetchone() == (None, None)


def test_a_reviews_shares_count_by_its_own_date(warehouse: Warehouse) -> None:
    # Until 2019-03-31. p1 has two investigations: the first is followed by one begun that very day, the second by none
    # yet. p2's was concluded that day, and the next began the day after. p3's was concluded a day too late, and the
    # district says that it had one before. p4's is open. The fifth can't be linked.
    # Concluded in time: both of p1's and p2's; followed in time: p1's first. Persons: p1 and p3 of four.
    inline = (
        "select {{ re_referred_by_date(\"date '2019-03-31'\") }}, "
        "{{ repeat_investigated_share(\"date '2019-03-31'\") }} from given"
    )
    outcome = warehouse.run("compile", "--inline", inline)
    assert outcome.exception is None
    given = """
        select * from (values
            ('p1', true, false, date '2018-06-01', date '2019-03-31', date '2019-03-31'),
            ('p1', true, false, date '2019-03-31', null, date '2018-01-01'),
            ('p2', true, false, date '2019-03-31', date '2019-04-01', date '2019-04-01'),
            ('p3', true, true, date '2019-04-01', null, null),
            ('p4', true, false, null, null, null),
            ('p5', false, true, date '2018-06-01', date '2018-09-01', date '2018-09-01')
        ) as investigations (
            person_key, is_linkable, has_earlier_investigation, investigation_end_date, next_investigation_start_date,
            other_investigation_start_date
        )
    """
    sql = outcome.result.results[0].node.compiled_code
    assert duckdb.sql(f"with given as ({given}) {sql}").fetchone() == (1, 3, 2, 4)


def test_intervals_in_a_mart_are_wilsons(warehouse: Warehouse) -> None:
    z = 1.959963984540054
    rows = warehouse.rows(
        "select distinct offer_rate_numerator as n, offer_rate_denominator as d, offer_rate_low as low, "
        "offer_rate_high as high from marts.mart_case_flow where offer_rate_denominator > 0"
    )
    assert len(rows) >= 3
    for row in rows:
        p, d = row["n"] / row["d"], row["d"]
        middle, spread = p + z * z / (2 * d), z * math.sqrt(p * (1 - p) / d + z * z / (4 * d * d))
        assert row["low"] == pytest.approx((middle - spread) / (1 + z * z / d), abs=1e-12)
        assert row["high"] == pytest.approx((middle + spread) / (1 + z * z / d), abs=1e-12)
