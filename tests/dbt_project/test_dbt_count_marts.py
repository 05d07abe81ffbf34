"""Marts made from counts, from Parquet in force to the figures: each worked out by hand from the small city's rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from dbt_built import DIMENSIONS, Warehouse


def mart_row(warehouse: Warehouse, mart: str, **where: str) -> dict[str, Any]:
    """The one row of a mart with these values; every dimension not named is `alla`, the quarter is 2020Q3."""
    plain = {
        "district_basis": "today",
        "district_code": "farsta",
        "reporting_quarter": "2020Q3",
        "period_kind": "kvartal",
    }
    conditions = dict.fromkeys(DIMENSIONS.get(mart, ()), "alla") | plain | where
    return warehouse.row(
        f"select * from marts.{mart} where " + " and ".join(f"{name} = '{value}'" for name, value in conditions.items())
    )


def figures(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Some of a row's values, in order."""
    return tuple(row[name] for name in names)


def share(row: dict[str, Any], rate: str) -> tuple[Any, ...]:
    """A rate as numerator and denominator."""
    return figures(row, f"{rate}_numerator", f"{rate}_denominator")


def test_a_group_over_two_quarters_is_one_fact_from_its_newest_file(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select started_quarter, ended_quarter, participant_count, completed_count from core.fct_group "
        "where district_code = 'farsta' and intervention_code = 'komet' and is_ended"
    )
    assert rows == [
        {"started_quarter": "2020Q2", "ended_quarter": "2020Q3", "participant_count": 9, "completed_count": 7}
    ]


def test_seats_filled_by_actual_start_and_used_by_planned_start(warehouse: Warehouse) -> None:
    # 2020Q2: G1 began with 10 seats, 9 took part. Planned to begin: G1 and G2, which was cancelled with its 12 seats.
    started = mart_row(warehouse, "mart_recruitment", cohort_basis="startad", reporting_quarter="2020Q2")
    assert figures(started, "cohort_groups", "seats", "participants", "mothers", "fathers") == (1, 10, 9, 5, 4)
    assert started["fill_rate"] == 0.9
    planned = mart_row(warehouse, "mart_recruitment", cohort_basis="planerad", reporting_quarter="2020Q2")
    assert figures(planned, "cohort_groups", "groups_started", "groups_cancelled", "groups_cancelled_for_too_few") == (
        2,
        1,
        1,
        1,
    )
    assert share(planned, "seat_use_rate") == (9, 22)
    assert share(planned, "cancellation_rate") == (1, 2)
    ended = mart_row(warehouse, "mart_recruitment", cohort_basis="avslutad")
    assert (ended["cohort_groups"], *share(ended, "completion_rate")) == (1, 7, 9)
    # G4 is planned for October, after the newest file's quarter: not shown yet.
    assert warehouse.rows("select * from marts.mart_recruitment where reporting_quarter = '2020Q4'") == []


def test_a_groups_cohort_follows_a_merger_and_a_planned_group_that_vanishes_is_lost(warehouse: Warehouse) -> None:
    # H1 was Hägersten-Liljeholmen's and began under the successor: 8 of 10 seats. Ä1 was planned for June, then gone.
    old = {"district_basis": "as_submitted", "cohort_basis": "startad"}
    assert mart_row(warehouse, "mart_recruitment", district_code="hagersten-liljeholmen", **old)["fill_rate"] == 0.8
    today = mart_row(warehouse, "mart_recruitment", district_code="hagersten-alvsjo", cohort_basis="startad")
    assert today["fill_rate"] == 0.8
    gone = mart_row(
        warehouse,
        "mart_recruitment",
        district_code="hagersten-alvsjo",
        cohort_basis="planerad",
        reporting_quarter="2020Q2",
    )
    assert figures(gone, "cohort_groups", "lost", "is_cohort_complete") == (1, 1, True)
    assert share(gone, "seat_use_rate") == (0, 0)


def test_a_single_quarter_has_no_ranks(warehouse: Warehouse) -> None:
    # 2020Q3: Farsta filled 8 of 8, Hägersten-Älvsjö 8 of 10. Years are ranked, by a unit test of the model.
    for district in ("farsta", "hagersten-alvsjo", "stockholm"):
        row = mart_row(warehouse, "mart_recruitment", district_code=district, cohort_basis="startad")
        assert figures(row, "fill_rank", "fill_rank_low", "fill_rank_high", "ranked_districts") == (None,) * 4


def vacancies(warehouse: Warehouse, **where: str) -> set[tuple[Any, ...]]:
    """Districts with a queue and with free seats, how many, and from when."""
    conditions = " and ".join(f"{name} = '{value}'" for name, value in where.items())
    rows = warehouse.rows(f"select * from marts.mart_vacancies where {conditions}")
    names = ("district_code", "seats_district_code", "queue", "seats_free", "places_possible", "earliest_start_date")
    return {figures(row, *names) for row in rows}


def test_a_queue_in_one_district_meets_free_seats_in_another(warehouse: Warehouse) -> None:
    # 2020Q3: four wait for Farsta's full G4; Hägersten-Älvsjö's H2 has 12 - 5 seats; its H1 has begun: no seat there.
    found = vacancies(warehouse, reporting_quarter="2020Q3", district_basis="as_submitted", intervention_code="komet")
    start = date(2020, 11, 1)
    assert found == {("farsta", "hagersten-alvsjo", 4, 7, 4, start), ("farsta", "alla", 4, 7, 4, start)}


def test_a_merger_turns_a_neighbours_seats_into_ones_own(warehouse: Warehouse) -> None:
    # 2020Q2: two wait in Älvsjö, seven seats are free in Hägersten-Liljeholmen; today they are one district.
    where = {"reporting_quarter": "2020Q2", "intervention_code": "komet"}
    start = date(2020, 7, 10)
    assert vacancies(warehouse, district_basis="as_submitted", **where) == {
        ("alvsjo", "hagersten-liljeholmen", 2, 7, 2, start),
        ("alvsjo", "alla", 2, 7, 2, start),
    }
    assert vacancies(warehouse, district_basis="today", **where) == {("hagersten-alvsjo", "alla", 2, 0, 0, None)}
    own = warehouse.row(
        "select own_seats_free from marts.mart_vacancies where district_code = 'hagersten-alvsjo' "
        "and reporting_quarter = '2020Q2' and intervention_code = 'komet'"
    )
    assert own == {"own_seats_free": 7}


def test_a_queue_that_nobody_can_take_from_is_reported(warehouse: Warehouse) -> None:
    assert vacancies(warehouse, reporting_quarter="2020Q2", intervention_code="ersta_vandpunkt") == {
        ("farsta", "alla", 3, 0, 0, None)
    }


def test_the_city_counts_districts_that_offer_of_those_that_have_reported(warehouse: Warehouse) -> None:
    # Two of thirteen have sent their supply. Komet: Farsta offers it, Hägersten-Älvsjö has ended it. Trappan: neither.
    found = {
        code: figures(
            mart_row(
                warehouse,
                "mart_supply",
                district_code="stockholm",
                intervention_category=category,
                intervention_code=code,
            ),
            "is_offered",
            "districts_offering",
            "districts_planning",
            "districts_in_force",
            "districts_expected",
        )
        for category, code in (
            ("foraldrautbildning", "komet"),
            ("barngrupp", "ersta_vandpunkt"),
            ("barngrupp", "trappan"),
        )
    }
    assert found == {
        "komet": (True, 1, 0, 2, 13),
        "ersta_vandpunkt": (True, 1, 1, 2, 13),
        "trappan": (False, 0, 0, 2, 13),
    }


def test_what_a_file_does_not_list_is_not_offered_and_without_a_file_nothing_is_reported(warehouse: Warehouse) -> None:
    trappan = {"intervention_category": "barngrupp", "intervention_code": "trappan"}
    assert mart_row(warehouse, "mart_supply", **trappan)["is_offered"] is False
    assert warehouse.rows("select * from marts.mart_supply where district_code = 'bromma'") == []
    assert warehouse.rows("select * from marts.mart_supply where reporting_quarter = '2020Q2'") == []


def test_supply_of_a_district_in_all(warehouse: Warehouse) -> None:
    # Komet, råd och stöd and familjebehandling are offered; the web pages are 92 and 395 days old, one has none.
    row = mart_row(warehouse, "mart_supply")
    assert figures(row, "supply_offered", "supply_planned", "interventions_offered") == (3, 1, 3)
    assert figures(row, "providers", "languages") == ("egen|upphandlad", "en|sv")
    assert figures(row, "without_session_limit", "session_limit_lowest", "session_limit_highest") == (2, 5, 5)
    assert figures(row, "quoted_wait_n", "quoted_wait_mean_days") == (2, 15)
    # mean 243.5 in whole days; a median needs ten
    assert figures(row, "web_age_n", "web_age_mean_days", "web_age_median_days") == (2, 244, None)
    assert share(row, "web_within_year_rate") == (1, 3)
    assert share(row, "evidence_based_rate") == (1, 2)
    service = mart_row(warehouse, "mart_supply", form="service")
    assert service["supply_offered"] == 2


def test_support_groups_by_whom_they_are_directed_at(warehouse: Warehouse) -> None:
    # 2020Q3: G3 began for 5 girls and 3 boys, 2 of them through social services; 2 of 2 routines; the offer is planned.
    row = mart_row(warehouse, "mart_support_groups", directed_at="missbruk")
    assert figures(row, "groups_started", "groups_running", "children", "girls", "boys") == (1, 1, 8, 5, 3)
    assert share(row, "social_services_rate") == (2, 8)
    assert share(row, "routine_rate") == (2, 2)
    assert figures(row, "districts_offering", "districts_planning") == (0, 1)
    violence = mart_row(warehouse, "mart_support_groups", directed_at="vald")
    assert (violence["children"], *share(violence, "routine_rate")) == (0, 0, 1)
    # The three together; the routine for everyone is none of them.
    assert share(mart_row(warehouse, "mart_support_groups"), "routine_rate") == (2, 3)


def test_support_groups_leave_open_what_a_missing_file_would_have_reported(warehouse: Warehouse) -> None:
    # 2020Q2: only files about groups. Hägersten-Älvsjö in 2020Q3: groups and supply, no routines.
    second = mart_row(warehouse, "mart_support_groups", directed_at="missbruk", reporting_quarter="2020Q2")
    assert figures(second, "groups_planned", "children", "districts_offering", "routine_rate") == (1, 0, None, None)
    city = mart_row(warehouse, "mart_support_groups", district_code="stockholm", directed_at="missbruk")
    assert figures(city, "districts_offering", "districts_with_groups", "districts_with_supply") == (1, 2, 2)
    # Both have sent groups and supply, only Farsta all three: one district is whole.
    assert figures(city, "districts_with_routines", "districts_in_force", "districts_expected") == (1, 1, 13)


def test_youth_clinics_from_counts(warehouse: Warehouse) -> None:
    # 30 + 10 visits, 12 of them digital; six new ones waited 54 days: mean 9; a median needs ten.
    row = mart_row(warehouse, "mart_youth_clinic")
    assert figures(row, "visits", "new_visitors", "digital_visits") == (40, 6, 12)
    assert figures(row, "digital_visit_rate", "wait_n", "wait_mean_days", "wait_grouped_median_days") == (
        0.3,
        6,
        9,
        None,
    )
    men = mart_row(
        warehouse, "mart_youth_clinic", sex="man", clinic_age_band="18-20", clinic="Farsta ungdomsmottagning"
    )
    assert figures(men, "visits", "digital_visit_rate", "wait_mean_days") == (10, 0, None)


def test_activities_and_a_file_without_any(warehouse: Warehouse) -> None:
    assert figures(mart_row(warehouse, "mart_activities"), "activities", "participants") == (2, 30)
    basic = mart_row(warehouse, "mart_activities", activity_type="utbildning", activity_level="bas")
    assert figures(basic, "activities", "participants") == (1, 25)
    # Hägersten-Älvsjö has sent a file without a row: none is reported as zero, and only in the total row.
    empty = warehouse.rows("select * from marts.mart_activities where district_code = 'hagersten-alvsjo'")
    assert {(r["district_basis"], r["activity_type"], r["activities"]) for r in empty} == {
        ("as_submitted", "alla", 0),
        ("today", "alla", 0),
    }
    city = mart_row(warehouse, "mart_activities", district_code="stockholm")
    assert figures(city, "activities", "districts_in_force", "districts_expected") == (2, 2, 13)


def test_follow_up_after_police_interviews(warehouse: Warehouse) -> None:
    # 14 interviews, 10 went home, 4 followed up the same day and 7 within three.
    row = mart_row(warehouse, "mart_protection_follow_up")
    assert share(row, "home_without_placement_rate") == (10, 14)
    assert share(row, "same_day_follow_up_rate") == (4, 10)
    assert share(row, "within_3_days_follow_up_rate") == (7, 10)
    weekend = mart_row(warehouse, "mart_protection_follow_up", time_of_week="helg")
    assert figures(weekend, "interviews", "same_day_follow_up_rate") == (4, 0)


def test_routines_in_place_and_how_fresh_they_are(warehouse: Warehouse) -> None:
    # Two of four in place; of these one was revised 259 days before 30 September, of the other no date is reported.
    row = mart_row(warehouse, "mart_routines")
    assert figures(row, "routines_in_place", "routines_planned", "routines_missing") == (2, 1, 1)
    assert (share(row, "routine_rate"), share(row, "routine_revised_rate")) == ((2, 4), (1, 2))
    everyone = mart_row(warehouse, "mart_routines", directed_at="generell")
    assert share(everyone, "routine_rate") == (0, 1)
    city = mart_row(warehouse, "mart_routines", district_code="stockholm", directed_at="missbruk")
    assert figures(city, "districts_with_routine", "districts_in_force") == (1, 1)


def test_waits_of_four_kinds_have_the_same_measures(warehouse: Warehouse) -> None:
    # Services and clinics: six waited 54 days. G1's nine waited 90 days, reported as a sum only. I4 began 228 days
    # after F1 was received: the band of the median is named. Medians need ten.
    service = mart_row(warehouse, "mart_waiting_times", wait_kind="service")
    clinics = mart_row(warehouse, "mart_waiting_times", wait_kind="youth_clinic")
    for row in (service, clinics):
        assert figures(row, "wait_n", "wait_mean_days", "wait_grouped_median_days", "wait_median_days") == (
            6,
            9,
            None,
            None,
        )
    assert clinics["queue"] is None
    programme = mart_row(warehouse, "mart_waiting_times", wait_kind="parenting_programme", reporting_quarter="2020Q2")
    assert figures(programme, "wait_n", "wait_mean_days", "wait_grouped_median_days", "queue") == (9, 10, None, 0)
    third = mart_row(warehouse, "mart_waiting_times", wait_kind="parenting_programme")
    assert figures(third, "wait_n", "wait_mean_days", "queue") == (0, None, 4)
    assessed = mart_row(warehouse, "mart_waiting_times", wait_kind="assessed")
    assert figures(assessed, "wait_n", "waited_over_90_days", "wait_mean_days", "wait_median_days") == (1, 1, 228, None)
    assert figures(assessed, "wait_grouped_median_days", "wait_grouped_median_band") == (None, "over_90_days")
    waiting = mart_row(warehouse, "mart_waiting_times", wait_kind="assessed", reporting_quarter="2020Q2")
    assert figures(waiting, "wait_n", "queue") == (0, 1)


@pytest.mark.parametrize(
    ("measure", "district", "expected"),
    [
        # Of Farsta's three offers two are service; of its one kind of talks, which has a limit, none is without.
        ("offered_as_service_rate", "farsta", (2, 3)),
        ("no_session_limit_rate", "farsta", (0, 1)),
        ("web_within_year_rate", "stockholm", (1, 4)),
        # 34 interventions in the catalogue that all may offer: three and one of them.
        ("catalogue_offered_rate", "stockholm", (4, 68)),
        # Planned or running at the end of September: G3 and G4, not open; H1 and H2, open.
        ("groups_open_rate", "stockholm", (2, 4)),
        ("service_follow_up_rate", "farsta", (5, 10)),
        ("service_wait_mean", "farsta", (54, 6)),
    ],
)
def test_measures_of_equity_rest_on_sums(
    warehouse: Warehouse, measure: str, district: str, expected: tuple[int, int]
) -> None:
    row = mart_row(warehouse, "mart_equity", measure=measure, district_code=district)
    assert figures(row, "numerator", "denominator") == expected
    assert row["value"] == pytest.approx(expected[0] / expected[1])


def test_activities_are_counted_per_1000_children_of_the_newest_year_behind(warehouse: Warehouse) -> None:
    # One collaboration in Farsta, none in Hägersten-Älvsjö, whose children of 2019 were still its predecessors'.
    children = {
        name: warehouse.row(
            "select sum(inhabitants) as n from core.dim_population where calendar_year = 2019 "
            f"and age_band <> 'vuxen' and district_code in ({codes})"
        )["n"]
        for name, codes in (
            ("farsta", "'farsta'"),
            ("hagersten-alvsjo", "'alvsjo', 'hagersten-liljeholmen'"),
            ("stockholm", "'farsta', 'alvsjo', 'hagersten-liljeholmen'"),
        )
    }
    for district, inhabitants in children.items():
        row = mart_row(warehouse, "mart_equity", measure="collaboration_activities_per_1000", district_code=district)
        held = 0 if district == "hagersten-alvsjo" else 1
        assert figures(row, "numerator", "denominator") == (held, inhabitants)
        assert row["value"] == pytest.approx(1000 * held / inhabitants)


def test_equity_says_the_same_as_the_marts_that_tell_a_measure_in_full(warehouse: Warehouse) -> None:
    pairs = {
        "not_started_90_days_rate": ("mart_outpatient_care", "not_started_90_days_rate", ""),
        "assessed_follow_up_rate": ("mart_outpatient_care", "follow_up_rate", ""),
        "service_follow_up_rate": ("mart_service_interventions", "follow_up_rate", ""),
        "school_contacted_rate": ("mart_case_flow", "school_contacted_rate", "and cohort_basis = 'avslutad'"),
        "acceptance_rate": ("mart_case_flow", "acceptance_rate", "and cohort_basis = 'avslutad'"),
        "completion_rate": ("mart_outpatient_care", "completion_rate", ""),
        "re_referral_rate_365": ("mart_re_referral", "re_referral_rate_365", ""),
    }
    for measure, (mart, rate, more) in pairs.items():
        uncut = " and ".join(f"{dimension} = 'alla'" for dimension in DIMENSIONS[mart])
        keys = "district_code, district_basis, period_kind, period"
        theirs = warehouse.rows(
            f"select {keys}, {rate}_numerator as n, {rate}_denominator as d from marts.{mart} "
            f"where {uncut} {more} and {rate}_denominator > 0 order by all"
        )
        ours = warehouse.rows(
            f"select {keys}, cast(numerator as integer) as n, cast(denominator as integer) as d "
            f"from marts.mart_equity where measure = '{measure}' order by all"
        )
        assert ours == theirs
        assert ours or measure == "re_referral_rate_365"  # nobody of this city is followed for a year
