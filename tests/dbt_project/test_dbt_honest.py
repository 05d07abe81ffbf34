"""Comparisons that flag nobody by chance: cities drawn without any difference, through the models' own SQL."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pytest
from dbt_built import PROJECT, Warehouse
from scipy import stats

from followup.build.project_copy import flag_levels
from publish.derive.comparing import Page, compare
from publish.derive.exact import Noise

DISTRICTS = [f"d{n:02}" for n in range(14)]
QUARTERS = [f"{2000 + n // 4}Q{n % 4 + 1}" for n in range(100)]
BANDS = ("waited_0_7_days", "waited_8_14_days", "waited_15_30_days", "waited_31_90_days", "waited_over_90_days")
EDGES = (7.5, 14.5, 30.5, 90.5, np.inf)
GIVEN = (
    "int_measures__summed",
    "dim_measure",
    "dim_district",
    "dim_district_membership",
    "flag_levels",
    "dim_period_quarter",
    "fct_completeness",
)
MEASURES = ("fct_district_measure", "fct_measure_spread", "fct_measure_comparison")


class City:
    """Sums of drawn districts, and the three models run over them."""

    def __init__(self, warehouse: Warehouse) -> None:
        nodes = {result.node.name: result.node for result in warehouse.built.result.results}
        self.sql = {name: nodes[name].compiled_code for name in MEASURES}
        self.places = {name: f'"{nodes[name].schema}"."{name}"' for name in (*GIVEN, *MEASURES)}
        self.levels = pd.read_csv(PROJECT / "seeds" / "flag_levels.csv")

    def compared(self, sums: pd.DataFrame, forms: dict[str, str]) -> pd.DataFrame:
        """`fct_measure_comparison` of these sums of districts."""
        known = pd.DataFrame({"measure": list(forms), "measure_form": list(forms.values()), "is_high_better": True})
        known = known.assign(dataset="arenden", numerator_over_year="summa", denominator_over_year="summa")
        units = sorted({*DISTRICTS, *sums["district_code"]})
        kinds = pd.DataFrame({"district_code": [*units, "stockholm"], "kind": ["district"] * len(units) + ["city"]})
        members = pd.concat(
            pd.DataFrame({"district_code": units, "counts_in_code": into, "counts_in_basis": "today"})
            for into in (units, "stockholm")
        )
        years = pd.DataFrame({"reporting_quarter": [""], "member_quarter": [""], "is_last_quarter": [True]})
        files = pd.DataFrame(
            {name: [""] for name in ("district_code", "district_basis", "reporting_quarter", "dataset")}
        )
        files = files.assign(is_year=False, quarters_in_force=1)
        given = dict(zip(GIVEN, (sums, known, kinds, members, self.levels, years, files), strict=True))
        with duckdb.connect() as connection:
            for schema in {place.split(".")[0] for place in self.places.values()}:
                connection.execute(f"create schema if not exists {schema}")
            for name, table in given.items():
                connection.register("table_given", table)
                connection.execute(f"create table {self.places[name]} as select * from table_given")
                connection.unregister("table_given")
            for name in MEASURES:
                connection.execute(f"create table {self.places[name]} as {self.sql[name]}")
            return connection.sql(f"select * from {self.places[MEASURES[-1]]} order by measure_key").df()


@pytest.fixture(scope="module")
def drawn_city(warehouse: Warehouse) -> City:
    return City(warehouse)


def sums_of(measure: str, numerator: np.ndarray, denominator: np.ndarray, **more: np.ndarray) -> pd.DataFrame:
    """Rows of `int_measures__summed`, of [quarter, district]."""
    quarters, districts = numerator.shape
    columns: dict[str, object] = {f"{band}_count": 0 for band in BANDS} | {"square_sum": np.nan}
    columns |= {name: values.ravel() for name, values in more.items()}
    return pd.DataFrame(
        {
            "measure": measure,
            "district_code": np.tile([f"d{n:02}" for n in range(districts)], quarters),
            "reporting_quarter": np.repeat(QUARTERS[:quarters], districts),
            "numerator": numerator.ravel().astype(float),
            "denominator": np.broadcast_to(denominator, numerator.shape).ravel().astype(float),
            "is_ripening": False,
            **columns,
        }
    )


def drawn(rng: np.random.Generator) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Measures of each form, of districts that do not differ: small and large, single children and whole families."""
    shape = (len(QUARTERS), len(DISTRICTS))
    size = rng.uniform(0.3, 2, len(DISTRICTS))
    for share, number in ((0.5, 100), (0.2, 140), (0.05, 30), (0.97, 60), (0.3, 12)):
        for siblings in (1, 2):
            families = np.maximum(1, np.round(number * size / siblings)).astype(int)
            yes = siblings * rng.binomial(families, share, shape)
            name = f"share_{share}_{number}_{siblings}"
            yield name, "andel", sums_of(name, yes, siblings * families)
    for expected in (1, 4, 20, 200):
        for most in (1, 5):
            # each event is one attendance, or one to five
            events = rng.poisson(expected * size / (1 if most == 1 else 3), shape)
            attendances = events + rng.binomial((most - 1) * events, 0.5)
            name = f"count_{expected}_{most}"
            yield name, "per_1000", sums_of(name, attendances, np.round(1000 * size))
    for number in (5, 12, 40, 150):
        people = np.maximum(1, np.round(number * size)).astype(int)
        days = [[np.floor(rng.lognormal(3, 0.8, n)) for n in people] for _ in QUARTERS]
        counted = {
            f"{band}_count": np.array([[np.sum((d > low) & (d <= high)) for d in row] for row in days])
            for band, low, high in zip(BANDS, (-1.0, *EDGES), EDGES, strict=False)
        }
        total = np.array([[d.sum() for d in row] for row in days])
        squares = np.array([[(d**2).sum() for d in row] for row in days])
        yield f"mean_{number}", "medel", sums_of(f"mean_{number}", total, people, square_sum=squares)
        yield f"banded_{number}", "medel", sums_of(f"banded_{number}", total, people, **counted)
        yield f"median_{number}", "median", sums_of(f"median_{number}", 0 * total, people, **counted)


def test_districts_that_do_not_differ_are_flagged_in_at_most_one_comparison_in_a_hundred(drawn_city: City) -> None:
    measures = list(drawn(np.random.default_rng(59)))
    found = drawn_city.compared(
        pd.concat([rows for _, _, rows in measures]), {name: form for name, form, _ in measures}
    )
    pages = found.groupby(["measure", "reporting_quarter"])
    flagged = pages["funnel_position"].agg(lambda positions: positions.isin(["over", "under"]).any())
    assert len(flagged) >= 2900
    assert flagged.mean() <= 0.01
    by_form = flagged.groupby(flagged.index.get_level_values("measure").map({n: f for n, f, _ in measures})).mean()
    assert (by_form <= 0.01).all(), by_form
    # a page is judged, not left out
    assert (found["funnel_position"] == "inom").mean() > 0.9


def test_a_district_that_differs_is_flagged_and_the_others_are_not(drawn_city: City) -> None:
    rng = np.random.default_rng(60)
    people = np.full(len(DISTRICTS), 200)
    yes = rng.binomial(people, 0.4, (len(QUARTERS), len(DISTRICTS)))
    yes[:, 0] = rng.binomial(200, 0.65, len(QUARTERS))
    found = drawn_city.compared(sums_of("share", yes, people), {"share": "andel"})
    is_first = found["district_code"] == DISTRICTS[0]
    assert (found[is_first]["funnel_position"] == "over").mean() > 0.6
    assert (found[~is_first]["funnel_position"] == "inom").mean() > 0.99


def test_small_counts_have_exact_limits(drawn_city: City) -> None:
    # all districts like the city, so nothing is overdispersed: 3 of 20, 18 of 20, 4 events of a thousand inhabitants
    alike = np.full((1, len(DISTRICTS)), 3)
    found = drawn_city.compared(
        pd.concat(
            [
                sums_of("few", alike, np.full_like(alike, 20)),
                sums_of("most", alike + 15, np.full_like(alike, 20)),
                sums_of("events", alike + 1, np.full_like(alike, 1000)),
            ]
        ),
        {"few": "andel", "most": "andel", "events": "per_1000"},
    ).set_index("measure")
    line, outer = (0.025, 0.975), (0.001, 0.999)
    for measure, law, size in (
        ("few", stats.binom(20, 0.15), 20), ("most", stats.binom(20, 0.9), 20), ("events", stats.poisson(4), 1),
    ):  # fmt: skip
        row = found.loc[measure].iloc[0]
        for name, (low, high) in (("funnel", line), ("outer_funnel", outer)):
            z = stats.norm.ppf(high)
            around = z * law.std() / size
            middle = law.mean() / size
            expected = (
                max(0, min(middle - around, law.ppf(low) / size)),
                max(middle + around, law.ppf(high) / size),
            )
            if measure != "events":
                expected = (expected[0], min(1, expected[1]))
            assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(expected, abs=1e-5), (measure, name)


def test_a_wait_without_bands_has_a_rank_and_no_lines(drawn_city: City) -> None:
    days = np.arange(10, 10 + len(DISTRICTS))[None, :] * 40
    found = drawn_city.compared(sums_of("wait", days, np.full_like(days, 40)), {"wait": "medel"})
    assert found["district_rank"].tolist() == list(range(14, 0, -1))
    unknown = ["funnel_low", "funnel_high", "outer_funnel_low", "outer_funnel_high", "value_without_noise"]
    assert found[[*unknown, "district_rank_low", "district_rank_high", "funnel_position"]].isna().all(axis=None)


def test_published_comparisons_without_deviations_are_the_models(drawn_city: City) -> None:
    rng = np.random.default_rng(14)
    measures = {name: (form, rows) for name, form, rows in drawn(rng) if not name.startswith(("banded", "median"))}
    apart = rng.uniform(0.2, 0.8, len(DISTRICTS))
    alone = np.where(np.arange(len(DISTRICTS)) == 3, 0.8, 0.4)
    yes = rng.binomial(300, alone, (len(QUARTERS), len(DISTRICTS)))
    measures["alone"] = ("andel", sums_of("alone", yes, np.full(len(DISTRICTS), 300)))
    for number in (25, 150):  # districts that do differ
        yes = rng.binomial(number, apart, (len(QUARTERS), len(DISTRICTS)))
        measures[f"apart_{number}"] = ("andel", sums_of(f"apart_{number}", yes, np.full(len(DISTRICTS), number)))
    some = QUARTERS[:3]
    given = pd.concat([rows[rows["reporting_quarter"].isin(some)] for _, rows in measures.values()])
    models = drawn_city.compared(given, {name: form for name, (form, _) in measures.items()})
    for (measure, quarter), page in given.groupby(["measure", "reporting_quarter"], sort=False):
        found = models[(models["measure"] == measure) & (models["reporting_quarter"] == quarter)]
        found = found.set_index("district_code").loc[page["district_code"]]
        form = measures[measure][0]
        sizes = page["denominator"].to_numpy() / (1000 if form == "per_1000" else 1)
        city = page["numerator"].sum() / sizes.sum()
        squares = page["square_sum"].sum() / sizes.sum() - city**2
        unit = {"andel": city * (1 - city), "per_1000": city, "medel": squares}[form]
        values = page["numerator"].to_numpy() / sizes
        made = compare(Page(form, values, sizes, city, unit, np.zeros(len(sizes)), True, Noise()))
        expected = {**made.lines, "value_without_noise": made.without_noise, "district_rank": made.ranks.rank}
        expected |= {"district_rank_low": made.ranks.low, "district_rank_high": made.ranks.high}
        for name, column in expected.items():
            assert column == pytest.approx(found[name].to_numpy(float), rel=1e-5, abs=1e-5), (measure, quarter, name)
        assert found["funnel_position"].tolist() == made.positions.tolist(), (measure, quarter)
    assert len(models) > 1000
    assert models.loc[models["funnel_position"] == "over", "district_code"].eq(DISTRICTS[3]).sum() == len(some)


def test_a_country_flags_those_who_differ_as_its_release_does(
    drawn_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """290 units of very different sizes; the project's own limits of flags end at 20."""
    rng = np.random.default_rng(290)
    sizes = np.maximum(20, rng.lognormal(4.5, 1, 290)).astype(int)
    share = np.where(np.arange(290) % 50 == 7, 0.75, 0.4)
    sizes[share > 0.5] = 200
    rows = sums_of("apart", rng.binomial(sizes, share, (1, 290)), sizes)
    without = drawn_city.compared(rows, {"apart": "andel"})
    assert without["funnel_position"].isna().all()
    monkeypatch.setattr(drawn_city, "levels", pd.read_csv(io.BytesIO(flag_levels(290))))
    found = drawn_city.compared(rows, {"apart": "andel"}).set_index("district_code").loc[rows["district_code"]]
    values, city = rows["numerator"].to_numpy() / sizes, rows["numerator"].sum() / sizes.sum()
    made = compare(Page("andel", values, sizes, city, city * (1 - city), np.zeros(290), True, Noise()))
    assert found["funnel_position"].tolist() == made.positions.tolist()
    assert set(np.flatnonzero(found["funnel_position"] == "over")) == set(np.flatnonzero(share > 0.5))
    assert (found["funnel_position"] == "under").sum() == 0


def test_the_levels_of_flags_are_those_of_benjamini_and_hochberg() -> None:
    with (PROJECT / "seeds" / "flag_levels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(range(4, 21))
    for row in rows:
        districts, chance = int(row["districts"]), 0.01 * int(row["place"]) / int(row["districts"])
        left = districts - 2 * math.ceil(0.1 * (districts - 1) - 1e-9) - 1
        assert float(row["chance"]) == pytest.approx(chance, abs=1e-11)
        assert float(row["normal_limit"]) == pytest.approx(stats.norm.isf(chance / 2), abs=1e-5)
        assert float(row["student_limit"]) == pytest.approx(stats.t.isf(chance / 2, left), rel=1e-5)
