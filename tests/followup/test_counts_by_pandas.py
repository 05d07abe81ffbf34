"""Marts made from counts computed a second time, in plain pandas from the stored rows, over five quarters of a small
drawn city in which two districts merge: every row agrees in both divisions, and no row is missing on either side.

Nothing here reads the dbt project but its seeds: what is in force, which row of a group speaks, quarters, cuts, sums
over a merger and the statistics between districts are worked out again from the definitions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from marts_only import build_marts
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from ingest.organisation import OWN
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter, quarters_between
from ingest.receiving import receive
from ingest.settings import ROOT, Settings
from synthetic.city import draw_city

FIRST, LAST = Quarter(2019, 4), Quarter(2020, 4)
QUARTERS = [str(quarter) for quarter in quarters_between(FIRST, LAST)]
MERGED = {"alvsjo": "hagersten-alvsjo", "hagersten-liljeholmen": "hagersten-alvsjo"}
DATASETS = ("grupper", "serviceinsatser", "ungdomsmottagning")
BANDS = ["vantade_0_7", "vantade_8_14", "vantade_15_30", "vantade_31_90", "vantade_over_90"]
BASES = ("as_submitted", "today")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small city around a merger, taken in and built."""
    root = tmp_path_factory.mktemp("city")
    draw_city(root / "inbox", FIRST, LAST, scale=0.6, seed=11)
    for path in root.glob("inbox/*/*_*"):
        if not any(f"_{dataset}_" in path.name for dataset in DATASETS):
            path.unlink()
    make_keys(root / "keys.json")
    found = Settings.model_validate(
        {"home": root / "home", "keys": root / "keys.json", "FOLLOWUP_NOW": "2021-02-10T08:00:00"}
    )
    receive(found, inbox=str(root / "inbox"))
    build_marts(found, "mart_recruitment", "mart_youth_clinic", "mart_equity", "fct_measure_comparison")
    return found


def seed(name: str) -> pd.DataFrame:
    """A seed of the project, or a table of its organisation."""
    folder = "organisation" if name in OWN else "seeds"
    return pd.read_csv(ROOT / "dbt_project" / folder / f"{name}.csv", keep_default_na=False)


def stored(settings: Settings, dataset: str) -> pd.DataFrame:
    """All stored rows of a dataset; each file is the one version of its district and quarter."""
    files = sorted(settings.home.glob(f"validated/{dataset}/*/*/*.parquet"))
    # fourteen districts send three quarters, thirteen two
    assert len(files) == len({(f.parts[-3], f.parts[-2]) for f in files}) == 14 * 3 + 13 * 2
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def categories(rows: pd.DataFrame) -> pd.Series:
    """The catalogue's category of each row's intervention."""
    return rows["insats"].map(seed("interventions").set_index("intervention_code")["category"])


def mart(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def units(basis: str, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows by the units that they count in: their district of the division, and the city."""
    district = rows["district_code"] if basis == "as_submitted" else rows["district_code"].replace(MERGED)
    yield rows.assign(district_code=district)
    yield rows.assign(district_code="stockholm")


def quarter_of(day: pd.Series) -> pd.Series:
    """2018-09-30 -> 2018Q3; None where there is no day."""
    return (day.dt.year.astype("Int64").astype(str) + "Q" + day.dt.quarter.astype("Int64").astype(str)).where(
        day.notna()
    )


def merged_groups(settings: Settings) -> pd.DataFrame:
    """Each group once, as its newest file tells it, under the code that it was first submitted with."""
    rows = stored(settings, "grupper").sort_values("reporting_quarter")
    first = {}
    for row in rows.itertuples():
        heirs = [old for old, new in MERGED.items() if new == row.district_code and (old, row.grupp_id) in first]
        first[row.district_code, row.grupp_id] = max(heirs) if heirs else row.district_code
    assert any(code != district for (district, _), code in first.items()), "no group goes on over the merger"
    rows["district_code"] = [first[d, g] for d, g in zip(rows["district_code"], rows["grupp_id"], strict=True)]
    key = ["district_code", "grupp_id"]
    newest = rows.groupby(key, as_index=False).tail(1).copy()
    ended = rows[rows["status"] == "avslutad"].groupby(key)["reporting_quarter"].min().rename("ended_quarter")
    newest = newest.merge(ended.reset_index(), on=key, how="left")
    newest["is_lost"] = newest["status"].isin(["planerad", "startad"]) & (newest["reporting_quarter"] < str(LAST))
    who = [f"deltagare_{w}" for w in ("flickor", "pojkar", "mammor", "pappor")]
    newest["participants"] = newest[who].fillna(0).sum(axis=1)
    newest["category"] = categories(newest)
    newest["started"] = newest["status"].isin(["startad", "avslutad"])
    newest["started_quarter"] = quarter_of(pd.to_datetime(newest["faktisk_start"]))
    newest["planned_quarter"] = quarter_of(pd.to_datetime(newest["planerad_start"]))
    return newest


def recruited(groups: pd.DataFrame, basis: str) -> dict[tuple[str, ...], tuple[int, ...]]:
    """District, quarter, cohort, category and intervention -> groups, lost, and the counts of three rates."""
    cohorts = {
        "startad": (groups["started"], "started_quarter"),
        "planerad": (groups["planned_quarter"] <= str(LAST), "planned_quarter"),
        "avslutad": (groups["status"] == "avslutad", "ended_quarter"),
    }
    found: dict[tuple[str, ...], tuple[int, ...]] = {}
    reported = pd.DataFrame(
        [
            (district, quarter)
            for district in seed("districts").query("kind == 'district'")["district_code"]
            for quarter in QUARTERS
            if (district in MERGED) == (quarter <= "2020Q2") or district not in {*MERGED, *MERGED.values()}
        ],
        columns=["district_code", "quarter"],
    )
    reported = reported[~reported["district_code"].isin(["jarva", "norra-innerstaden"])]
    for part in units(basis, reported):
        for district, quarter in set(zip(part["district_code"], part["quarter"], strict=True)):
            for cohort in cohorts:
                found[district, quarter, cohort, "alla", "alla"] = (0,) * 8
    for cohort, (is_in_cohort, column) in cohorts.items():
        rows = groups[is_in_cohort].assign(quarter=groups[column])
        has_file = rows["quarter"].isin(QUARTERS)
        began, planned, over = (has_file & (cohort == name) for name in ("startad", "planerad", "avslutad"))
        known = rows["started"] | (rows["status"] == "installd")
        rows = rows.assign(
            n=1,
            fill_n=rows["participants"].where(began, 0),
            fill_d=rows["platser"].where(began, 0),
            use_n=rows["participants"].where(planned & rows["started"], 0),
            use_d=rows["platser"].where(planned & known, 0),
            done_n=rows["fullfoljt"].where(over, 0),
            done_d=rows["participants"].where(over, 0),
        )
        measures = ["n", "is_lost", "fill_n", "fill_d", "use_n", "use_d", "done_n", "done_d"]
        for part, cut in itertools.product(units(basis, rows), ([], ["category"], ["category", "insats"])):
            sums = part.groupby(["district_code", "quarter", *cut])[measures].sum().astype(int)
            for key, counts in zip(sums.index, sums.itertuples(index=False), strict=True):
                cells = (*key[2:], "alla", "alla")[:2]
                found[key[0], key[1], cohort, *cells] = tuple(counts)
    return found


def test_every_row_of_recruitment_agrees_with_pandas(settings: Settings) -> None:
    groups = merged_groups(settings)
    for basis in BASES:
        expected = recruited(groups, basis)
        rows = mart(
            settings,
            "select district_code, reporting_quarter, cohort_basis, intervention_category, intervention_code, "
            "cohort_groups, lost, fill_rate_numerator, fill_rate_denominator, seat_use_rate_numerator, "
            "seat_use_rate_denominator, completion_rate_numerator, completion_rate_denominator "
            f"from marts.mart_recruitment where period_kind = 'kvartal' and district_basis = '{basis}'",
        )
        found = {row[:5]: row[5:] for row in rows}
        assert found.keys() == expected.keys()
        assert {key: (found[key], counts) for key, counts in expected.items() if found[key] != counts} == {}
        assert sum(counts[3] for counts in expected.values()) > 1000


def grouped_median(counts: Iterable[int]) -> float | None:
    """The median of whole days counted in bands, interpolated in its band; None in the open last band."""
    edges = [-0.5, 7.5, 14.5, 30.5, 90.5]
    cumulated = np.cumsum(list(counts))
    half = cumulated[-1] / 2
    if half == 0:
        return None
    at = int(np.searchsorted(cumulated, half, side="left"))
    if at == len(edges) - 1:
        return None
    below = cumulated[at - 1] if at else 0
    return float(edges[at] + (half - below) / (cumulated[at] - below) * (edges[at + 1] - edges[at]))


def whole(days: float | None) -> int | None:
    """In whole days, as the marts have them."""
    return None if days is None else math.floor(days + 0.5)


def test_every_row_of_the_youth_clinics_agrees_with_pandas(settings: Settings) -> None:
    rows = stored(settings, "ungdomsmottagning").fillna(dict.fromkeys(BANDS, 0))
    known = rows[BANDS].sum(axis=1)
    rows["summed"] = known.where(rows["vantetid_summa_dagar"].notna(), 0)
    rows["days"] = rows["vantetid_summa_dagar"].fillna(0).where(known > 0, 0)
    dimensions = ["mottagning", "kon", "aldersgrupp"]
    cuts = [list(cut) for size in range(4) for cut in itertools.combinations(dimensions, size)]
    measures = ["besok", "nya_besokare", "digitala_besok", "summed", "days", *BANDS]
    for basis in BASES:
        expected = {}
        for part, cut in itertools.product(units(basis, rows), cuts):
            sums = part.groupby(["district_code", "reporting_quarter", *cut])[measures].sum().astype(int)
            for key, cell in zip(sums.index, sums.itertuples(index=False), strict=True):
                named = dict(zip(cut, key[2:], strict=True))
                expected[key[0], key[1], *(named.get(d, "alla") for d in dimensions)] = (
                    (cell.besok, cell.nya_besokare, cell.digitala_besok),
                    cell.digitala_besok / cell.besok if cell.besok else None,
                    whole(cell.days / cell.summed) if cell.summed else None,
                    whole(grouped_median(cell[5:])) if sum(cell[5:]) >= 10 else None,
                )
        found = {
            row[:5]: (row[5:8], *row[8:])
            for row in mart(
                settings,
                "select district_code, reporting_quarter, clinic, sex, clinic_age_band, visits, new_visitors, "
                "digital_visits, digital_visit_rate, wait_mean_days, wait_grouped_median_days "
                f"from marts.mart_youth_clinic where period_kind = 'kvartal' and district_basis = '{basis}'",
            )
        }
        assert found.keys() == expected.keys()
        assert {key: (found[key], value) for key, value in expected.items() if not same(found[key], value)} == {}
        assert len(expected) > 1000


def same(found: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    """Equal, numbers to nine digits."""
    return all(
        a == (b if b is None or isinstance(b, tuple) else pytest.approx(b))
        for a, b in zip(found, expected, strict=True)
    )


def compared(measure: str, rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, float, float]:
    """By district: value and size; the city's value and the variance that one counted adds to a value."""
    sums = rows.groupby("district_code")[["n", "d"]].sum()
    sums = sums[sums["d"] > 0]
    city = sums["n"].sum() / sums["d"].sum()
    variance = city * (1 - city) if measure.endswith("rate") else city
    return sums["n"] / sums["d"], sums["d"], city, variance


def measured(settings: Settings, measure: str, basis: str, quarter: str) -> pd.DataFrame:
    """District, numerator and denominator of a measure in a quarter."""
    if measure == "groups_open_rate":
        rows = stored(settings, "grupper").query("status in ('planerad', 'startad')")
        rows = rows.assign(n=(rows["oppen_for_andra_stadsdelar"] == "ja").astype(int), d=1)
        rows = rows[rows["reporting_quarter"] == quarter]
    else:
        rows = stored(settings, "serviceinsatser")
        year = QUARTERS[QUARTERS.index(quarter) - 3 : QUARTERS.index(quarter) + 1]
        rows = rows[rows["reporting_quarter"].isin(year) & (rows["aldersgrupp"] == "13-17")]
        # the successor has its predecessors' year behind it, also in the division as submitted
        rows = rows.assign(district_code=rows["district_code"].replace(MERGED), n=rows["antal_nya"], d=0)
        people = seed("population").query("calendar_year == 2019 and age_band == '13-17'")
        people = people.assign(
            district_code=people["district_code"].replace(MERGED), n=0, d=people["inhabitants"] / 1000
        )
        rows = pd.concat([rows[["district_code", "n", "d"]], people[["district_code", "n", "d"]]])
    return next(units(basis, rows))


def flagged(
    measure: str, deviations: pd.Series, share_of_chance: pd.Series, sizes: pd.Series, city: float, factor: float
) -> dict[str, str]:
    """Which districts are over or under at a false discovery rate of 1 %, by code."""
    count = len(deviations)
    law = stats.t(count - 2 * math.ceil(0.1 * (count - 1)) - 1) if factor > 1 else stats.norm()
    chances = 2 * law.sf(deviations.abs())
    if measure == "groups_open_rate":
        drawn = (sizes * share_of_chance).round().clip(lower=1)
        reached = ((deviations * np.sqrt(city * (1 - city) / (sizes * share_of_chance)) + city) * drawn).round()
        tails = np.minimum(stats.binom.cdf(reached, drawn, city), stats.binom.sf(reached - 1, drawn, city))
        chances = np.maximum(chances, 2 * tails)
    found = stats.false_discovery_control(np.minimum(chances, 1), method="bh") <= 0.01
    return {code: "over" if deviations[code] > 0 else "under" for code in deviations.index[found]}


@pytest.mark.parametrize("quarter", ["2020Q3", "2020Q4"])
@pytest.mark.parametrize("measure", ["groups_open_rate", "participants_per_1000_13_17"])
@pytest.mark.parametrize("basis", BASES)
def test_the_spread_between_districts_agrees_with_statsmodels(
    settings: Settings, measure: str, basis: str, quarter: str
) -> None:
    values, sizes, city, variance = compared(measure, measured(settings, measure, basis, quarter))
    assert len(values) >= 9
    errors = variance / sizes
    pooled = combine_effects(values.to_numpy(), errors.to_numpy(), method_re="dl")
    where = f"where measure = '{measure}' and reporting_quarter = '{quarter}' and district_basis = '{basis}'"
    ((value, lowest, highest, variation, between, beyond, net),) = mart(
        settings,
        "select value, value_lowest, value_highest, coefficient_of_variation, between_variance, beyond_chance_share, "
        f"coefficient_of_variation_without_noise from marts.mart_equity {where} and period_kind = 'kvartal' "
        "and district_code = 'stockholm'",
    )
    assert (value, lowest, highest) == pytest.approx((city, values.min(), values.max()))
    assert variation == pytest.approx(values.std() / values.mean())
    tau2 = max(pooled.tau2, 0)
    assert between == pytest.approx(tau2)
    assert beyond == pytest.approx(max(0, 1 - (len(values) - 1) / pooled.q))
    assert net == pytest.approx(np.sqrt(tau2) / city)
    # overdispersion: squared deviations, a tenth at each end drawn in
    deviations = (values - city) / np.sqrt(errors)
    inner = deviations.clip(deviations.quantile(0.1), deviations.quantile(0.9))
    factor = (inner**2).mean() / 0.678677
    weights = 1 / errors
    added = max(0, (len(values) * factor - (len(values) - 1)) / (weights.sum() - (weights**2).sum() / weights.sum()))
    total = errors * max(1, factor) if measure.startswith("participants") else errors + added
    outside = flagged(measure, (values - city) / np.sqrt(total), errors / total, sizes, city, factor)
    shrunk = city + (values - city) * tau2 / (tau2 + errors)
    rows = mart(
        settings,
        "select measures.district_code, measures.value, compared.funnel_position, compared.value_without_noise, "
        "compared.district_rank from core.fct_district_measure as measures "
        "inner join core.fct_measure_comparison as compared using (measure_key) "
        f"{where.replace('where ', 'where measures.').replace('and ', 'and measures.')} and not measures.is_year",
    )
    assert {row[0]: row[1] for row in rows} == pytest.approx(dict(values))
    assert {row[0]: row[2] for row in rows if row[2] != "inom"} == outside
    assert {row[0]: row[3] for row in rows} == pytest.approx(dict(shrunk))
    assert {row[0]: row[4] for row in rows} == dict(values.rank(ascending=False, method="min").astype(int))
