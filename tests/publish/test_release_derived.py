"""Figures of a release that are computed from published ones only: grouped medians, vacancies, the pilot, equity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ingest.settings import ROOT
from publish.cell_keys.ptable import make_ptable
from publish.derive.comparing import Page, compare
from publish.derive.durations import mean_deviations
from publish.derive.exact import Noise, count_deviations, row_variances
from publish.derive.grouped import grouped_medians, mean_variance, median_variances
from publish.marts.declared import load_marts
from publish.policy import load_policy
from publish.release.compared import OF_DISTRICTS, OF_THE_CITY, rank_fill_rates
from publish.release.deriving import Published
from publish.release.equity import BANDS, EXACT, GOALS, RATES, WAITS, derive_equity
from publish.release.keyed import Rows
from publish.release.pilot import derive_pilot_effect
from publish.release.vacancies import derive_vacancies

POLICY = load_policy().cell_keys
PTABLE = make_ptable(POLICY.js, POLICY.greatest_deviation, POLICY.variance)


def counts(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_grouped_medians_are_interpolated_in_the_band_of_published_counts() -> None:
    # 10, 20, 10: the median is the 20th, the 10th of 20 in the band of 8 to 14: 7.5 + 10/20 · 7 = 11
    # 30 in the last band: open, so no days; 19 in all: too few
    found = grouped_medians(
        [counts(10, 0, 9), counts(20, 5, 0), counts(10, 0, 0), counts(0, 0, 0), counts(0, 30, 10)], 20
    )
    assert found.days[0] == 11
    assert np.isnan(found.days[1:]).all()
    assert found.band.tolist() == ["8_14_days", "over_90_days", None]
    assert found.is_too_few.tolist() == [False, False, True]
    with pytest.raises(ValueError, match="5 bands"):
        grouped_medians([counts(1)], 20)


def vacancies(rows: list[tuple[str, int, int, int, int, int]]) -> Published:
    """(seats district, queue, own planned, own registered as published, planned, registered as published)."""
    mart = load_marts()["mart_vacancies"]
    columns = {
        "district_code": ["bromma"] * len(rows),
        "district_basis": ["today"] * len(rows),
        "reporting_quarter": ["2018Q1"] * len(rows),
        "period_kind": ["kvartal"] * len(rows),
        "period": ["2018Q1"] * len(rows),
        "cohort_basis": ["handelse"] * len(rows),
        "intervention_category": ["barngrupp"] * len(rows),
        "intervention_code": ["trappan"] * len(rows),
        "seats_district_code": [row[0] for row in rows],
        "own_seats__planned": [row[2] for row in rows],
        "seats__planned": [row[4] for row in rows],
    }
    drawn = {
        "queue": counts(*(row[1] for row in rows)),
        "own_seats__registered": counts(*(row[3] for row in rows)),
        "seats__registered": counts(*(row[5] for row in rows)),
    }
    return Published(Rows(mart, pa.table(columns)), drawn)


def test_free_seats_are_seats_less_those_registered_as_published() -> None:
    found = vacancies([("alla", 12, 10, 6, 30, 0), ("farsta", 12, 10, 6, 20, 5), ("skarpnack", 12, 10, 6, 10, 12)])
    derive_vacancies(found)
    assert found.counts["own_seats_free"].tolist() == [4, 4, 4]
    # Skarpnäck has registered more than it has seats: its row is left out, as is shown by a queue of 0
    assert found.counts["seats_free"].tolist() == [15, 15, 0]
    assert found.counts["queue"].tolist() == [12, 12, 0]
    assert found.counts["places_possible"].tolist() == [12, 12, 0]
    assert found.counts["districts_with_seats"].tolist() == [1, 1, 1]


def test_the_pilots_effect_is_of_published_rates_and_as_unsure_as_the_areas_and_the_deviations() -> None:
    names = ("pilot_before_rate", "pilot_after_rate", "line_before_rate", "line_after_rate")
    parts, wholes = (40, 60, 50, 55), (100, 100, 100, 100)
    mart = load_marts()["mart_pilot_effect"]
    of_areas = {  # true ones: enough cases and areas, too few cases, too few areas
        "difference_in_differences": [0.152, 0.2, 0.16],
        "difference_standard_error": [0.0612, 0.05, None],
        "difference_in_differences_high": [0.152 + 0.1321, 0.3, None],
        "comparison_status": ["jamforbar", "jamforbar", "for_fa_omraden"],
    }
    found = Published(
        Rows(mart, pa.table({"indicator_code": ["acceptance_rate"] * 3, **of_areas})),
        {f"{name}_numerator": counts(part, 3, part) for name, part in zip(names, parts, strict=True)}
        | {f"{name}_denominator": counts(whole, 10, whole) for name, whole in zip(names, wholes, strict=True)},
    )
    for name, part in zip(names, parts, strict=True):
        found.numbers[name] = np.array([part / 100, np.nan, part / 100])
    derive_pilot_effect(found, PTABLE)
    difference, error, low, high = (
        found.numbers[f"difference_{name}"]
        for name in ("in_differences", "standard_error", "in_differences_low", "in_differences_high")
    )
    assert difference == pytest.approx([0.15, np.nan, 0.15], nan_ok=True)
    v = POLICY.variance
    deviations = sum((v + p * p * v) / 100**2 for p in (0.4, 0.6, 0.5, 0.55))
    # 0.0612 is published as 0.07, the interval's half of 0.1321 as 0.14
    assert error[0] == pytest.approx((0.07**2 + deviations) ** 0.5, rel=1e-6)
    half = (0.14**2 + 1.959964**2 * deviations) ** 0.5
    assert (low[0], high[0]) == pytest.approx((0.15 - half, 0.15 + half), abs=1e-5)
    assert np.isnan([*error[1:], *low[1:], *high[1:]]).all()
    assert found.texts["comparison_status"].tolist() == ["jamforbar", None, "for_fa_omraden"]
    assert found.too_few.tolist() == [False, True, True]


def equity_rows(
    measure: str,
    form: str,
    units: list[str],
    numbers: list[tuple[float, float]],
    kind: str = "kvartal",
    files: list[int] | None = None,
) -> Published:
    mart = load_marts()["mart_equity"]
    many = len(units)
    columns = {
        "district_code": units,
        "district_basis": ["today"] * many,
        "reporting_quarter": ["2018Q4"] * many,
        "period_kind": [kind] * many,
        "quarters_in_force": files or [1 if kind == "kvartal" else 4] * many,
        "is_high_better": [True] * many,
        "cohort_basis": ["handelse"] * many,
        "measure_family": ["x"] * many,
        "measure": [measure] * many,
        "measure_form": [form] * many,
        "numerator": [one for one, _ in numbers],
        "denominator": [other for _, other in numbers],
    }
    return Published(Rows(mart, pa.table(columns)), {})


def totals(
    name: str, keys: dict[str, str], units: list[str], kind: str, counted: dict[str, list[int]], **cut: str
) -> Published:
    """Rows of a mart that are not cut, or by `cut` only, of each unit."""
    mart, many = load_marts()[name], len(units)
    columns: dict[str, list[str]] = {column: ["alla"] * many for column in mart.columns_of_dimensions}
    given = {"district_basis": "today", "reporting_quarter": "2018Q4", "period_kind": kind, **keys, **cut}
    columns |= {"district_code": units} | {column: [value] * many for column, value in given.items()}
    return Published(Rows(mart, pa.table(columns)), {column: counts(*values) for column, values in counted.items()})


def concluded(units: list[str], parts: list[int], wholes: list[int], kind: str = "kvartal") -> Published:
    named = ("school_contacted_rate_numerator", "school_contacted_rate_denominator")
    counted = dict(zip(named, (parts, wholes), strict=True))
    found = totals("mart_case_flow", {"cohort_basis": "avslutad"}, units, kind, counted)
    rate = np.array([part / whole if whole >= 20 else np.nan for part, whole in zip(parts, wholes, strict=True)])
    for end, away in (("", 0), ("_low", -0.1), ("_high", 0.1)):
        found.numbers[f"school_contacted_rate{end}"] = rate + away
    return found


def test_equity_is_of_published_rates_and_compares_districts_only() -> None:
    units = ["bromma", "farsta", "skarpnack", "socialjour", "stockholm"]
    found = equity_rows("school_contacted_rate", "andel", units, [(1.0, 2.0)] * 5)
    source = concluded(units, [10, 30, 5, 40, 85], [40, 50, 12, 50, 152])
    derive_equity(found, {"mart_case_flow": source}, {"bromma", "farsta", "skarpnack"}, PTABLE)
    assert found.numbers["value"][:2].tolist() == [0.25, 0.6]
    assert np.isnan(found.numbers["value"][2])
    assert found.numbers["numerator"].tolist() == [10, 30, 5, 40, 85]
    assert found.numbers["value_low"][0] == pytest.approx(0.15)
    assert found.numbers["gap"][0] == pytest.approx(0.25 - 85 / 152)
    city = {
        name: found.numbers[name][4] for name in ("districts_compared", "value_lowest", "value_highest", "value_ratio")
    }
    assert city == {
        "districts_compared": 2,
        "value_lowest": 0.25,
        "value_highest": 0.6,
        "value_ratio": pytest.approx(2.4),
    }
    mean, deviation = 0.425, (2 * 0.175**2) ** 0.5
    assert found.numbers["coefficient_of_variation"][4] == pytest.approx(deviation / mean)
    assert np.isnan(found.numbers["districts_compared"][:4]).all()
    assert found.too_few.tolist() == [False, False, True, False, False]


def test_a_comparison_is_the_same_to_the_last_bit_in_whatever_order_the_warehouse_has_its_rows() -> None:
    units = [*(f"unit{number:02}" for number in range(14)), "stockholm"]
    wholes = [4000.0 + 371 * number for number in range(14)]
    numbers = [(7.0 + number * number % 11, whole) for number, whole in enumerate(wholes)]
    numbers.append((sum(one for one, _ in numbers), sum(wholes)))
    shown = []
    for order in (list(range(15)), [*range(14, -1, -1)], np.random.default_rng(3).permutation(15).tolist()):
        found = equity_rows(
            "collaboration_activities_per_1000", "per_1000", [units[at] for at in order],
            [numbers[at] for at in order], "ar",
        )  # fmt: skip
        derive_equity(found, {}, set(units[:14]), PTABLE)
        back = np.argsort(order)
        shown.append({name: found.numbers[name][back].tobytes() for name in (*OF_DISTRICTS, *OF_THE_CITY)})
        assert found.numbers["between_variance"][back][14] > 0
    assert shown[0] == shown[1] == shown[2]


def test_equity_of_what_is_no_person_is_exact_and_without_a_figure_there_is_no_row() -> None:
    found = equity_rows(
        "collaboration_activities_per_1000", "per_1000", ["bromma", "stockholm"], [(12.0, 4000.0), (0.0, 0.0)]
    )
    derive_equity(found, {}, {"bromma"}, PTABLE)
    assert found.numbers["value"][0] == 3.0
    # Poisson's score limits of 12 over 4 thousand
    assert found.numbers["value_low"][0] == pytest.approx(
        (12 + 1.92073 - 1.959964 * (12 + 0.960365) ** 0.5) / 4, abs=1e-4
    )
    assert found.counts["is_there"].tolist() == [1, 0]
    unknown = equity_rows("school_contacted_rate", "andel", ["bromma"], [(1.0, 2.0)])
    derive_equity(unknown, {}, {"bromma"}, PTABLE)
    assert unknown.counts["is_there"].tolist() == [0]


UNITS = ["bromma", "farsta", "kista", "norrmalm", "skarpnack", "socialjour", "stockholm"]
DISTRICTS = {*UNITS[:5]}
WHOLES = [400, 400, 400, 12, 400, 40, 1652]


@pytest.mark.parametrize("kind", ["rullande_ar", "ar"])
def test_years_have_ranks_and_positions_of_the_districts_whose_files_are_all_there(kind: str) -> None:
    # Skarpnäck lacks a quarter; Norrmalm has too few, Socialjour is no district
    found = equity_rows("school_contacted_rate", "andel", UNITS, [(1.0, 2.0)] * 7, kind, [4, 4, 4, 4, 3, 4, 4])
    source = concluded(UNITS, [100, 200, 300, 6, 200, 30, 830], WHOLES, kind)
    derive_equity(found, {"mart_case_flow": source}, DISTRICTS, PTABLE)
    assert found.numbers["district_rank"].tolist()[:3] == [3, 2, 1]
    assert np.isnan(found.numbers["district_rank"][3:]).all()
    page = Page(
        "andel", np.array([0.25, 0.5, 0.75]), np.full(3, 400.0), 830 / 1652, 830 / 1652 * (1 - 830 / 1652),
        count_deviations(np.full(3, 400.0), 830 / 1652, Noise(PTABLE), is_share=True), True, Noise(PTABLE),
    )  # fmt: skip
    expected = compare(page)
    for name, line in expected.lines.items():
        assert found.numbers[name][:3] == pytest.approx(line)
    assert found.numbers["value_without_noise"][:3] == pytest.approx(expected.without_noise)
    assert found.numbers["district_rank_low"].tolist()[:3] == expected.ranks.low.tolist() == [3, 2, 1]
    # three are too few for positions, so nobody is said to be outside, or not to be
    assert found.texts["funnel_position"].tolist() == [None] * 7
    assert np.isnan(found.numbers["districts_over"]).all()
    assert found.numbers["districts_compared"][6] == 3
    assert found.numbers["between_variance"][6] == pytest.approx(expected.spread.between)
    left = expected.without_noise
    assert found.numbers["value_ratio_without_noise"][6] == pytest.approx(left.max() / left.min())


def test_a_year_names_who_is_outside_and_a_quarter_does_not() -> None:
    units = [*(f"d{number:02}" for number in range(9)), "stockholm"]
    parts, wholes = [80] * 8 + [180, 820], [400] * 9 + [3600]
    for kind in ("rullande_ar", "kvartal"):
        found = equity_rows("school_contacted_rate", "andel", units, [(1.0, 2.0)] * 10, kind)
        source = concluded(units, parts, wholes, kind)
        derive_equity(found, {"mart_case_flow": source}, set(units[:-1]), PTABLE)
        if kind == "kvartal":
            assert all(np.isnan(found.numbers[name]).all() for name in OF_DISTRICTS)
            assert found.texts["funnel_position"].tolist() == found.texts["districts_outside"].tolist() == [None] * 10
        else:
            assert found.texts["funnel_position"].tolist() == ["inom"] * 8 + ["over", None]
            assert found.texts["districts_outside"].tolist() == [None] * 9 + ["d08"]
            assert (found.numbers["districts_over"][9], found.numbers["districts_under"][9]) == (1, 0)


def test_participants_per_1000_are_the_published_rolling_years_whatever_the_row_is_of() -> None:
    units, started = ["bromma", "stockholm"], {"6-12": [70, 160], "13-17": [30, 44]}
    parts = [totals("mart_service_interventions", {}, units, "rullande_ar", {"started": [120, 260]})]
    parts += [
        totals("mart_service_interventions", {}, units, "rullande_ar", {"started": one}, age_band=age)
        for age, one in started.items()
    ]
    # a quarter's own rows say nothing of the year
    parts.append(totals("mart_service_interventions", {}, units, "kvartal", {"started": [9, 9]}))
    whole = Published(
        Rows(parts[0].rows.mart, pa.concat_tables([one.rows.table for one in parts])),
        {"started": np.concatenate([one.counts["started"] for one in parts])},
    )
    for kind in ("kvartal", "rullande_ar", "ar"):
        found = equity_rows("participants_per_1000", "per_1000", units, [(1.0, 2000.0), (2.0, 5000.0)], kind)
        derive_equity(found, {"mart_service_interventions": whole}, {"bromma"}, PTABLE)
        assert found.numbers["numerator"].tolist() == [100, 204], kind
        assert found.numbers["value"].tolist() == [50, 40.8]
        # Poisson's score limits with the deviations of two counts
        around = 1.959964 * (100 + 0.960365 + 2 * POLICY.variance) ** 0.5
        assert found.numbers["value_low"][0] == pytest.approx((100 + 1.92073 - around) / 2, abs=1e-4)
    # no rolling year is published: there is no value
    alone = equity_rows("participants_per_1000", "per_1000", units, [(1.0, 2000.0)] * 2)
    derive_equity(alone, {"mart_service_interventions": parts[-1]}, {"bromma"}, PTABLE)
    assert alone.counts["is_there"].tolist() == [0, 0]


def test_waits_vary_as_the_citys_bands_say() -> None:
    units = ["bromma", "farsta", "stockholm"]
    bands = {"0_7_days": [10, 10, 100], "8_14_days": [20, 20, 200], "15_30_days": [10, 10, 100]}
    counted = {f"waited_{name}": one for name, one in bands.items()}
    counted |= {"waited_31_90_days": [0] * 3, "waited_over_90_days": [0] * 3, "wait_n": [40, 40, 400]}
    source = totals("mart_waiting_times", {"wait_kind": "service"}, units, "ar", counted)
    source.numbers["wait_mean_days"] = np.array([14.0, 11.0, 12.0])
    source.numbers["wait_grouped_median_days"] = np.array([11.0, 11.0, 11.0])
    city, size = np.array([100, 200, 100, 0, 0]), np.array([40.0])
    mean, unit = found_of("service_wait_mean", "medel", units, source), mean_variance(city, 12.0)
    half = 1.959964 * (unit / 40 + mean_deviations(unit, 12.0, size)[0]) ** 0.5
    assert (mean.numbers["value_low"][0], mean.numbers["value_high"][0]) == pytest.approx((14 - half, 14 + half))
    # the lines are in whole days, around the city's 12
    assert mean.numbers["funnel_low"][0] == round(mean.numbers["funnel_low"][0]) < 12 < mean.numbers["funnel_high"][0]
    median = found_of("service_wait_grouped_median", "median", units, source)
    unit, moved = median_variances(city, row_variances(PTABLE, city * 0.1))
    half = 1.959964 * (unit / 40 + moved / 1600 + 1 / 12) ** 0.5
    assert median.numbers["value_high"][0] == pytest.approx(11 + half)


def found_of(measure: str, form: str, units: list[str], source: Published) -> Published:
    found = equity_rows(measure, form, units, [(1.0, 2.0)] * len(units), "ar")
    derive_equity(found, {"mart_waiting_times": source}, {"bromma", "farsta"}, PTABLE)
    return found


def test_fill_rates_are_ranked_among_the_districts_whose_row_is_published() -> None:
    units = ["bromma", "farsta", "kista", "norrmalm", "skarpnack", "stockholm"]
    filled, seats = [150, 380, 420, 300, 8, 1258], [400, 400, 400, 400, 10, 1610]
    found = totals(
        "mart_recruitment", {"cohort_basis": "startad", "period": "2018"}, units, "ar", {"fill_rate_numerator": filled}
    )
    table = found.rows.table.append_column("fill_rate_denominator", pa.array(seats))
    found = Published(
        Rows(found.rows.mart, table.append_column("quarters_in_force", pa.array([4, 4, 4, 4, 4, 4]))), found.counts
    )
    rate = np.array(filled) / seats
    found.numbers["fill_rate"] = np.where(np.array(seats) < 20, np.nan, rate)
    chosen = np.array([True, True, True, False, True, True])  # Norrmalm's row is not published
    rank_fill_rates(found, chosen, set(units[:-1]), PTABLE)
    # Kista has more participants than seats: the interval's end is the rate itself. Skarpnäck has too few seats
    assert found.numbers["fill_rank"].tolist()[:3] == [3, 2, 1]
    assert found.numbers["fill_rank_low"].tolist()[:3] == [3, 2, 1]
    assert found.numbers["fill_rank_high"].tolist()[:3] == [3, 2, 1]
    assert found.numbers["ranked_districts"].tolist()[:3] == [3, 3, 3]
    for name in ("fill_rank", "fill_rank_low", "fill_rank_high", "ranked_districts"):
        assert np.isnan(found.numbers[name][3:]).all()


def test_every_measure_of_equity_has_a_source() -> None:
    seeds = (ROOT / "dbt_project" / "seeds" / "equity_measures.csv").read_text(encoding="utf-8").splitlines()[1:]
    measures = {line.split(",")[0] for line in seeds}
    waits = {f"{kind}_{statistic}" for kind in WAITS for statistic in ("wait_mean", "wait_grouped_median")}
    assert measures - waits == {*EXACT, *BANDS, *GOALS, *RATES}
