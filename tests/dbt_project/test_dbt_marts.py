"""From Parquet in force to the marts: the small city's figures, each worked out by hand beside it."""

from __future__ import annotations

from typing import Any

import pytest
from dbt_built import DIMENSIONS, Warehouse


def mart_row(warehouse: Warehouse, mart: str, **where: str) -> dict[str, Any]:
    """The one row of a mart with these values; every dimension not named is `alla`."""
    conditions = dict.fromkeys(DIMENSIONS[mart], "alla") | {"district_basis": "today", "period_kind": "kvartal"} | where
    return warehouse.row(
        f"select * from marts.{mart} where " + " and ".join(f"{name} = '{value}'" for name, value in conditions.items())
    )


def funnel(warehouse: Warehouse, district: str, quarter: str, cohort: str, **where: str) -> tuple[int, ...]:
    """Cases, persons, investigations, concluded, offered, accepted."""
    where |= {"district_code": district, "reporting_quarter": quarter, "cohort_basis": cohort}
    row = mart_row(warehouse, "mart_case_flow", **where)
    return tuple(row[name] for name in ("cases", "persons", "investigations", "concluded", "offered", "accepted"))


def test_everything_is_built_and_every_data_test_passes(warehouse: Warehouse) -> None:
    assert warehouse.built.exception is None
    failed = [r.node.name for r in warehouse.built.result.results if r.status not in ("success", "pass", "no-op")]
    assert failed == []


def test_unit_tests_of_the_models_pass(warehouse: Warehouse) -> None:
    outcome = warehouse.run("test", "--select", "test_type:unit")
    assert outcome.exception is None
    results = outcome.result.results
    assert len(results) >= 20
    assert [r.node.name for r in results if r.status != "pass"] == []


def test_views_open_under_another_file_name_than_the_one_built(warehouse: Warehouse) -> None:
    assert warehouse.row("select count(*) as found from staging.stg_arenden where district_code = 'farsta'") == {
        "found": 12
    }


def test_a_case_over_three_quarters_is_one_fact_from_its_newest_file(warehouse: Warehouse) -> None:
    fact = warehouse.row("select * from core.fct_case where person_key = 'p1' and district_code = 'farsta'")
    assert (fact["first_reporting_quarter"], fact["last_reporting_quarter"]) == ("2020Q1", "2020Q3")
    assert (fact["received_quarter"], fact["decided_quarter"]) == ("2020Q1", "2020Q1")
    assert fact["concluded_quarter"] == "2020Q3"
    assert fact["age_band_at_receipt"] == "6-12"


def test_a_version_that_is_not_in_force_leaves_nothing(warehouse: Warehouse) -> None:
    assert warehouse.rows("select * from core.fct_case where person_key = 'p-gone'") == []
    in_ledger = "select count(*) as n from core.fct_submission where district_code = 'farsta' and dataset = 'arenden'"
    assert warehouse.row(in_ledger)["n"] == 4


def test_a_lost_case_is_known_until_the_last_quarter_that_held_it(warehouse: Warehouse) -> None:
    lost = warehouse.rows("select person_key, as_of_date::varchar as as_of from core.fct_case where is_lost")
    assert lost == [{"person_key": "p2", "as_of": "2020-03-31"}]
    (episode,) = warehouse.rows(
        "select person_key, as_of_date::varchar as t from core.fct_outpatient_episode where is_lost"
    )
    assert episode == {"person_key": "p6", "t": "2020-06-30"}


def test_received_in_the_first_quarter_in_farsta(warehouse: Warehouse) -> None:
    # F1, F2, F6 of three children; F1 and F2 investigated; F1 concluded, offered, accepted. F4 came in 2019Q4.
    assert funnel(warehouse, "farsta", "2020Q1", "inkommen") == (3, 3, 2, 1, 1, 1)
    row = mart_row(
        warehouse,
        "mart_case_flow",
        district_code="farsta",
        reporting_quarter="2020Q1",
        cohort_basis="inkommen",
    )
    assert (row["investigation_rate_numerator"], row["investigation_rate_denominator"]) == (2, 3)
    assert (row["lost"], row["unlinkable"], row["is_cohort_complete"]) == (1, 0, True)
    # The version in force came late, but the first accepted one came in time.
    assert (row["districts_in_force"], row["districts_expected"], row["late"], row["open_queries"]) == (1, 1, 0, 2)


def test_a_cohort_of_survivors_is_counted_without_rates(warehouse: Warehouse) -> None:
    row = mart_row(
        warehouse,
        "mart_case_flow",
        district_code="farsta",
        reporting_quarter="2019Q4",
        cohort_basis="inkommen",
    )
    assert (row["cases"], row["is_survivors_only"], row["investigation_rate"]) == (1, True, None)


def test_two_cases_of_a_child_are_two_cases_and_one_person(warehouse: Warehouse) -> None:
    # F7 and F8 came in the same quarter for p7; by reason each is counted with its one person.
    assert funnel(warehouse, "farsta", "2020Q3", "inkommen")[:2] == (2, 1)
    for side, code in (("child", "beteende"), ("adult", "vanvard")):
        found = funnel(warehouse, "farsta", "2020Q3", "inkommen", reason_side=side, reason_code=code)
        assert found[:2] == (1, 1)


def test_an_answer_awaited_is_in_the_denominator_once_a_later_quarter_has_settled_it(warehouse: Warehouse) -> None:
    # F3 was concluded in 2020Q2 with the answer awaited; the file of 2020Q3 says no.
    row = mart_row(
        warehouse,
        "mart_case_flow",
        district_code="farsta",
        reporting_quarter="2020Q2",
        cohort_basis="avslutad",
    )
    assert (row["concluded"], row["offered"], row["accepted"]) == (1, 1, 0)
    assert (row["acceptance_rate_numerator"], row["acceptance_rate_denominator"]) == (0, 1)


def test_a_childs_history_is_followed_between_districts(warehouse: Warehouse) -> None:
    # N1 in Hägersten-Älvsjö, received 2020-07-02: p1 had been investigated in Farsta since January.
    assert warehouse.row(
        "select history from core.fct_case where last_district_code = 'hagersten-alvsjo' and person_key = 'p1'"
    ) == {"history": "investigated"}


def test_a_merger_keeps_the_code_at_receipt_and_sums_into_the_successor_today(warehouse: Warehouse) -> None:
    # Received in 2020Q2: Älvsjö's A1 (investigated, concluded in 2020Q3) and Hägersten-Liljeholmen's other A1.
    as_submitted = {"district_basis": "as_submitted"}
    assert funnel(warehouse, "alvsjo", "2020Q2", "inkommen", **as_submitted) == (1, 1, 1, 1, 0, 0)
    assert funnel(warehouse, "hagersten-liljeholmen", "2020Q2", "inkommen", **as_submitted) == (1, 1, 0, 0, 0, 0)
    assert funnel(warehouse, "hagersten-alvsjo", "2020Q2", "inkommen") == (2, 2, 1, 1, 0, 0)
    assert warehouse.row(
        "select count(*) as n from marts.mart_case_flow where district_basis = 'today' "
        "and district_code in ('alvsjo', 'hagersten-liljeholmen')"
    ) == {"n": 0}
    # Concluded in 2020Q3: A1 under the code at receipt, N1 under the successor's; offered 1 of 2 in today's division.
    assert funnel(warehouse, "alvsjo", "2020Q3", "avslutad", **as_submitted)[0] == 1
    row = mart_row(
        warehouse,
        "mart_case_flow",
        district_code="hagersten-alvsjo",
        reporting_quarter="2020Q3",
        cohort_basis="avslutad",
    )
    assert (row["offer_rate_numerator"], row["offer_rate_denominator"]) == (1, 2)
    # The area follows: Solberga was Älvsjö's.
    assert funnel(warehouse, "hagersten-alvsjo", "2020Q3", "avslutad", socioeconomic="medel")[0] == 1


def test_the_city_counts_a_child_once(warehouse: Warehouse) -> None:
    # Concluded in 2020Q3: F1 and N1, both of p1, and A1: three cases of two children.
    assert funnel(warehouse, "stockholm", "2020Q3", "avslutad")[:2] == (3, 2)
    as_submitted = {"district_basis": "as_submitted"}
    assert funnel(warehouse, "stockholm", "2020Q3", "avslutad", **as_submitted)[:2] == (3, 2)


def test_completeness_counts_the_districts_of_the_day(warehouse: Warehouse) -> None:
    # Fourteen districts until June 2020, three of them with cases in force; thirteen after it, two with.
    found = {
        quarter: mart_row(
            warehouse,
            "mart_case_flow",
            district_code="stockholm",
            reporting_quarter=quarter,
            cohort_basis="inkommen",
        )
        for quarter in ("2020Q2", "2020Q3")
    }
    assert {q: (r["districts_in_force"], r["districts_expected"]) for q, r in found.items()} == {
        "2020Q2": (3, 14),
        "2020Q3": (2, 13),
    }


def test_outpatient_care_counts_each_event_in_its_quarter(warehouse: Warehouse) -> None:
    # 2020Q2: I1, I2, I3 decided; I1 (after 10 days) and I2 (after 30) begun; I1 ended with 8 sessions; I2 goes on and
    # I3 waits on 30 June. As of 30 September I1, I2 and I3 (lost after June) ...: only I1 and I2 have day 90 behind.
    second = mart_row(warehouse, "mart_outpatient_care", district_code="farsta", reporting_quarter="2020Q2")
    assert [second[n] for n in ("decided", "started", "ended", "ongoing", "waiting", "sessions")] == [3, 2, 1, 1, 1, 8]
    assert (second["not_started_90_days_rate_numerator"], second["not_started_90_days_rate_denominator"]) == (0, 2)
    assert [second[f"wait_to_start_{n}"] for n in ("n", "mean_days", "median_days", "p90_days")] == [2, 20, None, None]
    assert (second["completion_rate"], second["goal_full_rate"], second["follow_up_rate"]) == (1.0, 1.0, 1.0)
    # 2020Q3: I4 decided two days after F1's conclusion, 200 days after its start, begun 18 days later and 228 days
    # after F1's receipt. I2 and I4 go on; I3 is lost and waits no more.
    third = mart_row(warehouse, "mart_outpatient_care", district_code="farsta", reporting_quarter="2020Q3")
    assert [third[n] for n in ("decided", "started", "ended", "ongoing", "waiting")] == [1, 1, 0, 2, 0]
    assert (third["wait_investigation_n"], third["wait_investigation_mean_days"]) == (1, 200)
    assert (third["wait_to_start_mean_days"], third["wait_total_mean_days"]) == (18, 228)


def test_service_interventions_from_counts(warehouse: Warehouse) -> None:
    row = mart_row(warehouse, "mart_service_interventions", district_code="farsta", reporting_quarter="2020Q3")
    # 6 + 4 began; the wait is known of 6: mean 54 / 6; a median needs ten; 8 of 10 completed.
    assert (row["started"], row["ongoing"], row["wait_n"]) == (10, 4, 6)
    assert (row["wait_mean_days"], row["wait_grouped_median_days"]) == (9.0, None)
    assert (row["completion_rate"], row["follow_up_rate"]) == (0.8, 0.5)
    unknown = mart_row(
        warehouse,
        "mart_service_interventions",
        district_code="farsta",
        reporting_quarter="2020Q3",
        referred_from="okand",
    )
    assert (unknown["started"], unknown["completion_rate"]) == (4, None)


def test_submission_status_by_district_and_city(warehouse: Warehouse) -> None:
    status = {
        (r["district_code"], r["dataset"]): r
        for r in warehouse.rows(
            "select * from marts.mart_submission_status where reporting_quarter = '2020Q1' and district_basis = 'today'"
        )
    }
    farsta = status["farsta", "arenden"]
    assert [farsta[n] for n in ("state", "version", "is_on_time", "attempts", "row_count")] == [
        "i_kraft",
        2,
        True,
        2,
        4,
    ]
    assert (status["bromma", "arenden"]["state"], status["hagersten-alvsjo", "arenden"]["state"]) == (
        "saknas",
        "i_kraft",
    )
    assert status["hagersten-alvsjo", "arenden"]["files_expected"] == 2
    city = status["stockholm", "arenden"]
    assert (city["state"], city["files_in_force"], city["files_expected"]) == ("delvis", 3, 14)
    assert city["completeness_rate"] == pytest.approx(3 / 14)
    # Outpatient care and service interventions are expected only from the first quarter that anyone has sent.
    assert ("bromma", "oppenvard") not in status


def test_unlinkable_rows_are_counted_in_each_file_and_lost_cases_in_their_last(warehouse: Warehouse) -> None:
    # F5's child has only Farsta's own number: a row of 2020Q2's file and of 2020Q3's. F2 was last seen in 2020Q1's.
    found = {
        row["reporting_quarter"]: (row["lost"], row["unlinkable"])
        for row in warehouse.rows(
            "select * from marts.mart_submission_status where district_code = 'farsta' and dataset = 'arenden' "
            "and district_basis = 'today' and files_in_force > 0"
        )
    }
    assert found == {"2020Q1": (1, 0), "2020Q2": (0, 1), "2020Q3": (0, 1)}


def test_nothing_is_on_time_while_what_was_due_is_missing(warehouse: Warehouse) -> None:
    # Seen on 25 October 2020, five days after the last day for 2020Q3, for which eleven districts have sent nothing.
    found = {
        (row["district_code"], row["dataset"]): row["is_on_time"]
        for row in warehouse.rows(
            "select * from marts.mart_submission_status where reporting_quarter = '2020Q3' and district_basis = 'today'"
        )
    }
    assert (found["farsta", "alla"], found["farsta", "arenden"]) == (True, True)
    assert (found["hagersten-alvsjo", "arenden"], found["hagersten-alvsjo", "alla"]) == (True, False)
    assert (found["bromma", "arenden"], found["stockholm", "arenden"]) == (False, False)
