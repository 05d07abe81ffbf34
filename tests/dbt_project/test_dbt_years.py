"""Years and rolling years of the marts: two districts and five quarters, each figure worked out by hand beside it."""

from __future__ import annotations

from typing import Any

import pytest
from dbt_built import DIMENSIONS, Warehouse, build_warehouse
from dbt_inputs import Inputs, Row, case, ended_episode, episode, service
from dbt_small_city_counts import offer
from years import QUARTERS_ONLY, STATES, WHOLE_TIME, mart_models, wrong_years

QUARTERS = ("2018Q1", "2018Q2", "2018Q3", "2018Q4", "2019Q1")
YEAR, TO_LAST = {"period_kind": "ar", "period": "2018"}, {"period_kind": "rullande_ar", "period": "2019Q1"}
BANDS = {"vantade_0_7": 2, "vantade_8_14": 2, "vantade_15_30": 0, "vantade_31_90": 0, "vantade_over_90": 0}


def settled(arende_id: str, person: str, received: str, **columns: Any) -> Row:
    """A case that led to no investigation: it is in one file only."""
    return case(arende_id, person, received, forhandsbedomning_klar=received, utredning_inledd="nej", **columns)


CASES = {
    # p1 has a case in the first and in the third quarter, of another reason, and one in the fifth; and one in Bromma
    ("farsta", "2018Q1"): [settled("F1", "p1", "2018-01-10")],
    ("farsta", "2018Q2"): [settled("F2", "p2", "2018-04-10")],
    ("farsta", "2018Q3"): [settled("F3", "p1", "2018-07-10", orsak="vanvard")],
    ("farsta", "2018Q4"): [settled("F4", "p3", "2018-10-10", kon="man")],
    ("farsta", "2019Q1"): [settled("F5", "p1", "2019-01-10")],
    ("bromma", "2018Q1"): [settled("B1", "p4", "2018-01-11")],
    # Bromma's second file never came
    ("bromma", "2018Q3"): [settled("B2", "p1", "2018-07-11")],
    ("bromma", "2018Q4"): [],
    ("bromma", "2019Q1"): [settled("B3", "p5", "2019-01-11")],
}
STARTS = {
    # decided and begun: waits of 10, 20, 30 and 100 days, three of each
    "2018Q1": ("2018-02-01", "2018-02-11"),
    "2018Q2": ("2018-04-01", "2018-04-21"),
    "2018Q3": ("2018-07-01", "2018-07-31"),
    "2018Q4": ("2018-07-05", "2018-10-13"),
}


def care(quarter: str) -> list[Row]:
    """Three short episodes of the quarter, one that goes on all the time, and one that ends in November 2018."""
    rows = [episode("X", "x", "2018-01-02", start_datum="2018-01-02")]
    if quarter < "2018Q4":
        rows.append(episode("Y", "y", "2018-01-02", start_datum="2018-01-02"))
    if quarter == "2018Q4":
        rows.append(ended_episode("Y", "y", "2018-01-02", "2018-01-02", "2018-11-20"))
    if quarter in STARTS:
        decided, started = STARTS[quarter]
        names = [f"{quarter}-{number}" for number in range(3)]
        rows += [ended_episode(name, name, decided, started, started) for name in names]
    return rows


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The city, built."""
    folder = tmp_path_factory.mktemp("years")
    inputs = Inputs(folder / "inputs", as_of_date="2019-04-25")
    for (district, quarter), rows in CASES.items():
        inputs.submit(district, "arenden", quarter, *rows)
    for number, quarter in enumerate(QUARTERS):
        inputs.submit("farsta", "oppenvard", quarter, *care(quarter))
        counts = {"antal_nya": 4 + number, "antal_fullfoljt": 2, "antal_avbrutit": 2, "antal_samtal": 10 * number}
        counts |= {"antal_pagaende": 9 - number, "antal_i_ko": number, **BANDS, "vantetid_summa_dagar": 20}
        inputs.submit("farsta", "serviceinsatser", quarter, service("rad_och_stod", **counts))
        offers = [offer("komet")] if quarter < "2018Q4" else [offer("komet"), offer("rad_och_stod")]
        inputs.submit("farsta", "utbud", quarter, *offers)
    found = build_warehouse(folder, inputs)
    assert found.built.success
    return found


def row(city: Warehouse, mart: str, **where: str) -> dict[str, Any]:
    """The one keyed row of a mart: Farsta's, of the division of the day, not broken down unless `where` says so."""
    plain = dict.fromkeys(DIMENSIONS[mart], "alla") | {"district_code": "farsta", "district_basis": "today"}
    conditions = " and ".join(f"{name} = '{value}'" for name, value in (plain | where).items())
    return city.row(f"select * from keyed.{mart} where {conditions}")


def received(city: Warehouse, **where: str) -> tuple[Any, ...]:
    """Cases and persons received, quarters in force, and whether all are there."""
    found = row(city, "mart_case_flow", cohort_basis="inkommen", **where)
    return tuple(found[name] for name in ("cases", "persons", "quarters_in_force", "is_cohort_complete"))


def test_a_year_is_the_sum_of_its_quarters_and_its_persons_are_counted_anew(city: Warehouse) -> None:
    # F1 to F4 of p1, p2, p1 and p3; the rolling years that end with 2018Q4 and 2019Q1 are F1 to F4 and F2 to F5
    assert received(city, **YEAR) == (4, 3, 4, True)
    assert received(city, period_kind="rullande_ar", period="2018Q4") == (4, 3, 4, True)
    assert received(city, **TO_LAST) == (4, 3, 4, True)
    # broken down by reason, each of p1's cases has its person
    for code, counts in {"beteende": (3, 3), "vanvard": (1, 1)}.items():
        side = "child" if code == "beteende" else "adult"
        assert received(city, reason_side=side, reason_code=code, **YEAR)[:2] == counts
    assert received(city, sex="kvinna", **YEAR)[:2] == (3, 2)
    # p1 has a case in Bromma too: the city's six are of four
    assert received(city, district_code="stockholm", **YEAR) == (6, 4, 4, True)


def test_the_persons_key_of_a_year_is_that_of_its_distinct_persons(city: Warehouse) -> None:
    for district in ("farsta", "stockholm"):
        (expected,) = city.rows(
            "select sum(person_record_key) % 4294967296 as found from (select distinct person_key, person_record_key "
            f"from core.fct_case where received_quarter like '2018%' and '{district}' in (district_code, 'stockholm'))"
        )
        found = row(city, "mart_case_flow", cohort_basis="inkommen", district_code=district, **YEAR)
        assert found["persons__key"] == expected["found"]


def test_a_year_without_one_of_its_files_is_not_complete(city: Warehouse) -> None:
    # Bromma has no file of 2018Q2, which is in both years
    assert received(city, district_code="bromma", **YEAR) == (2, 2, 3, False)
    assert received(city, district_code="bromma", **TO_LAST) == (2, 2, 3, False)
    # the quarter with most files missing speaks for the city's year: one of fourteen
    found = row(city, "mart_case_flow", cohort_basis="inkommen", district_code="stockholm", **YEAR)
    assert (found["districts_in_force"], found["districts_expected"]) == (1, 14)


def test_no_year_begins_before_the_first_file_or_ends_after_the_last(city: Warehouse) -> None:
    found = city.rows("select distinct period_kind, period from marts.mart_case_flow where period_kind <> 'kvartal'")
    assert {(each["period_kind"], each["period"]) for each in found} == {
        ("rullande_ar", "2018Q4"),
        ("rullande_ar", "2019Q1"),
        ("ar", "2018"),
    }


def test_a_median_of_a_year_is_of_its_rows(city: Warehouse) -> None:
    # X and Y waited 0 days; three each 10, 20, 30 and 100: the middle of fourteen are 20 and 20. No quarter has ten.
    found = row(city, "mart_outpatient_care", **YEAR)
    assert (found["wait_to_start_n"], found["wait_to_start_median_days"], found["wait_to_start_mean_days"]) == (
        14,
        20,
        34,
    )
    # 2018Q2 to 2019Q1: nine with 20, 30 and 100
    later = row(city, "mart_outpatient_care", **TO_LAST)
    assert (later["wait_to_start_n"], later["wait_to_start_median_days"], later["wait_to_start_mean_days"]) == (
        9,
        None,
        50,
    )
    quarters = city.rows(
        "select wait_to_start_median_days as m from marts.mart_outpatient_care where period_kind = 'kvartal'"
    )
    assert {each["m"] for each in quarters} == {None}


def test_what_goes_on_in_a_year_is_what_goes_on_at_the_end_of_its_last_quarter(city: Warehouse) -> None:
    # X and Y go on at the end of three quarters, X alone at the end of 2018 and of 2019Q1
    found = {quarter: row(city, "mart_outpatient_care", period=quarter, period_kind="kvartal") for quarter in QUARTERS}
    assert [found[quarter]["ongoing"] for quarter in QUARTERS] == [2, 2, 2, 1, 1]
    year = row(city, "mart_outpatient_care", **YEAR)
    assert (year["ongoing"], year["ongoing__key"]) == (1, found["2018Q4"]["ongoing__key"])
    assert (year["started"], year["ended"]) == (14, 13)
    # services: 9 to 6 go on, 0 to 3 wait; 4 to 7 began
    services = row(city, "mart_service_interventions", **YEAR)
    assert [services[name] for name in ("started", "ongoing", "queue", "completed")] == [22, 6, 3, 8]
    assert row(city, "mart_waiting_times", wait_kind="service", **YEAR)["queue"] == 3


def test_waits_and_the_largest_of_a_year_are_of_its_summed_counts(city: Warehouse) -> None:
    # eight waits of 0-7 and of 8-14 days, 80 days in all: mean 5, the median on the border of the bands, 7.5
    for mart, more in (("mart_service_interventions", {}), ("mart_waiting_times", {"wait_kind": "service"})):
        found = row(city, mart, **YEAR, **more)
        assert (found["wait_n"], found["wait_mean_days"], found["wait_grouped_median_days"]) == (16, 5, 8)
    services = row(city, "mart_service_interventions", **YEAR)
    assert (services["sessions"], services["sessions__largest"], services["sessions__second"]) == (60, 30, 20)
    assert (services["completion_rate_numerator"], services["completion_rate_denominator"]) == (8, 16)
    assert services["completion_rate"] == 0.5


def test_a_state_has_the_year_of_its_last_quarter_and_no_rolling_years(city: Warehouse) -> None:
    assert row(city, "mart_supply", **YEAR)["supply_offered"] == 2
    kinds = city.rows("select distinct period_kind from marts.mart_supply")
    assert {each["period_kind"] for each in kinds} == {"kvartal", "ar"}


def test_a_year_s_measure_of_equity_is_summed_or_of_its_last_quarter(city: Warehouse) -> None:
    def measured(measure: str, **period: str) -> tuple[float, float]:
        conditions = " and ".join(f"{name} = '{value}'" for name, value in period.items())
        found = city.row(
            f"select numerator, denominator from marts.mart_equity where measure = '{measure}' and {conditions} "
            "and district_code = 'farsta' and district_basis = 'today'"
        )
        return found["numerator"], found["denominator"]

    assert measured("service_follow_up_rate", **YEAR) == (0, 16)
    assert measured("offered_as_service_rate", **YEAR) == (2, 2)
    # the measure is itself of four quarters: 4 + 5 + 6 + 7 adults of 2018, per children under 18
    assert measured("parents_per_1000", **YEAR) == measured("parents_per_1000", period_kind="kvartal", period="2018Q4")
    assert measured("parents_per_1000", **YEAR)[0] == 22


def test_rolling_years_have_few_breakdowns_and_years_all(city: Warehouse) -> None:
    cuts: dict[str, set[str]] = {}
    for each in city.rows("select distinct period_kind, cut from marts.mart_case_flow"):
        cuts.setdefault(each["period_kind"], set()).add(each["cut"])
    assert cuts["ar"] == cuts["kvartal"]
    narrow = {cut for cut in cuts["ar"] if "+" not in cut} | {"age_band+sex"}
    assert cuts["rullande_ar"] == narrow
    assert {"total", "sex", "reason_code", "reason_side", "age_band+sex"} <= narrow


def test_a_cut_names_the_columns_that_a_row_is_broken_down_by(city: Warehouse) -> None:
    inner = {
        "reason_code": "reason_side",
        "intervention_code": "intervention_category",
        "activity_level": "activity_type",
    }
    inner["return_reason_code"] = "return_reason_side"
    for mart, columns in DIMENSIONS.items():
        for each in city.rows(f"select distinct cut, {', '.join(columns)} from marts.{mart}"):
            broken = {column for column in columns if each[column] != "alla"}
            names = sorted(broken - {inner[column] for column in broken if column in inner})
            assert each["cut"] == ("+".join(names) or "total"), mart


def test_every_mart_has_a_period_and_a_cut_in_its_key(city: Warehouse) -> None:
    models = {model.name: model for model in mart_models()}
    assert {mart for mart, model in models.items() if "period_kind" not in model.key} == WHOLE_TIME
    for mart in models:
        columns = {each["column_name"] for each in city.rows(f"describe marts.{mart}")}
        assert {"period_kind", "period", "cut"} <= columns
        found = city.rows(
            f"select distinct m.period_kind, m.period from marts.{mart} as m anti join core.dim_period as p "
            "on m.period_kind = p.period_kind and m.period = p.period"
        )
        assert found == [], mart


@pytest.mark.parametrize(
    "mart", ["mart_case_flow", "mart_goal_indicators", "mart_outpatient_care", "mart_waiting_times"]
)
def test_years_are_what_their_quarters_say(city: Warehouse, mart: str) -> None:
    (model,) = (each for each in mart_models() if each.name == mart)
    assert wrong_years(city.rows, model) == {}


def test_marts_without_years_are_named(city: Warehouse) -> None:
    assert {each.name for each in mart_models()} > QUARTERS_ONLY | STATES | WHOLE_TIME


def test_periods_have_labels_in_swedish_and_an_order(city: Warehouse) -> None:
    found = city.rows(
        "select period_kind, period, period_label, quarters, cast(period_start_date as varchar) as first_day, "
        "cast(period_end_date as varchar) as last_day from core.dim_period where reporting_quarter = '2018Q4' "
        "order by sort_order"
    )
    assert [tuple(each.values()) for each in found] == [
        ("kvartal", "2018Q4", "2018 kv 4", 1, "2018-10-01", "2018-12-31"),
        ("rullande_ar", "2018Q4", "Fyra kvartal till och med 2018 kv 4", 4, "2018-01-01", "2018-12-31"),
        ("ar", "2018", "2018", 4, "2018-01-01", "2018-12-31"),
    ]
