"""Five indicators (and the repeat of one for another horizon) computed a second time, in plain pandas from the stored
rows, over two years of a small drawn city: every row of the mart agrees, and no row is missing on either side.

Nothing here reads the dbt project: what is in force, which row of a case speaks, the dates, ages and cuts are worked
out again from the definitions. In these years no district merges, so both divisions tell the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest
from marts_only import build_marts
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.regression.linear_model import WLS

from ingest.persons.keys import make_keys
from ingest.quarters import Quarter, quarters_between
from ingest.receiving import receive
from ingest.settings import ROOT, Settings
from synthetic.city import draw_city

FIRST, LAST = Quarter(2018, 1), Quarter(2019, 4)
AS_OF = pd.Timestamp("2019-12-31")
DIMENSIONS = ("sex", "age_band", "socioeconomic", "pilot")
COLUMNS = ["district_code", "reporting_quarter", *DIMENSIONS]


@dataclass(frozen=True)
class Indicator:
    """What a row of cases must be to count: in scope, in the denominator, in the numerator; and its day."""

    date: str
    scope: Callable[[pd.DataFrame], pd.Series]
    of: Callable[[pd.DataFrame], pd.Series]
    reached: Callable[[pd.DataFrame], pd.Series]


def days_on(cases: pd.DataFrame, column: str, days: int) -> pd.Series:
    return cases[column] + pd.Timedelta(days=days)


def four_months_on(cases: pd.DataFrame) -> pd.Series:
    """The same day of the fourth month after, or that month's last; or the prolongation's day if later."""
    plain = cases["utredning_start"] + pd.DateOffset(months=4)
    return plain.where(~(cases["utredning_forlangd_till"] > plain), cases["utredning_forlangd_till"])


def age_on(cases: pd.DataFrame, column: str) -> pd.Series:
    born, day = cases["birth_date"], cases[column]
    had_birthday = (day.dt.month > born.dt.month) | ((day.dt.month == born.dt.month) & (day.dt.day >= born.dt.day))
    return (day.dt.year - born.dt.year - np.where(had_birthday, 0, 1)).where(day >= born)


INDICATORS = {
    "pre_assessment_14_days_rate": Indicator(
        "inkom_datum",
        lambda c: c["aktualisering"] == "anmalan",
        lambda c: days_on(c, "inkom_datum", 14) <= c["as_of"],
        lambda c: (
            c["utredning_inledd"].notna()
            & (c["forhandsbedomning_klar"].fillna(c["utredning_start"]) <= days_on(c, "inkom_datum", 14))
        ),
    ),
    "within_60_days_rate": Indicator(
        "utredning_start",
        lambda c: c["utredning_inledd"] == "ja",
        lambda c: days_on(c, "utredning_start", 60) <= c["as_of"],
        lambda c: c["utredning_slut"] <= days_on(c, "utredning_start", 60),
    ),
    "within_4_months_rate_0_17": Indicator(
        "utredning_start",
        lambda c: (c["utredning_inledd"] == "ja") & (age_on(c, "utredning_start").fillna(0) < 18),
        lambda c: four_months_on(c) <= c["as_of"],
        lambda c: c["utredning_slut"] <= four_months_on(c),
    ),
    "acceptance_rate": Indicator(
        "utredning_slut",
        lambda c: c["insats_erbjuden"] == "ja",
        lambda c: c["insats_accepterad"].isin(["ja", "nej"]),
        lambda c: c["insats_accepterad"] == "ja",
    ),
    "re_referral_rate_365": Indicator(
        "utredning_slut",
        lambda c: c["utredning_slut"].notna(),
        lambda c: (
            c["is_linkable"]
            & ~c["is_transferred"]
            & (days_on(c, "utredning_slut", 365) <= c["as_of"].clip(upper=AS_OF))
            & ~(c["birth_date"] + pd.DateOffset(years=21) <= days_on(c, "utredning_slut", 365))
        ),
        lambda c: c["return_days"] <= 365,
    ),
    "re_referral_rate_90": Indicator(
        "utredning_slut",
        lambda c: c["utredning_slut"].notna(),
        lambda c: (
            c["is_linkable"]
            & ~c["is_transferred"]
            & (days_on(c, "utredning_slut", 90) <= c["as_of"].clip(upper=AS_OF))
            & ~(c["birth_date"] + pd.DateOffset(years=21) <= days_on(c, "utredning_slut", 90))
        ),
        lambda c: c["return_days"] <= 90,
    ),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two years of a small city, taken in and built."""
    root = tmp_path_factory.mktemp("city")
    draw_city(root / "inbox", FIRST, LAST, scale=0.15, seed=11)
    for path in root.glob("inbox/*/*_*"):
        if "_arenden_" not in path.name:
            path.unlink()
    make_keys(root / "keys.json")
    found = Settings.model_validate(
        {"home": root / "home", "keys": root / "keys.json", "FOLLOWUP_NOW": "2020-02-10T08:00:00"}
    )
    receive(found, inbox=str(root / "inbox"))
    build_marts(found, "mart_goal_indicators", "mart_re_referral", "mart_investigation_times", "mart_pilot_effect")
    return found


@pytest.fixture(scope="module")
def cases(settings: Settings) -> pd.DataFrame:
    """Each case and child as its newest file tells it, with what is known until when and what followed."""
    files = sorted(settings.home.glob("validated/arenden/*/*/*.parquet"))
    # every file is the one version of its district and quarter
    quarters = quarters_between(FIRST, LAST)
    assert len(files) == len({(f.parts[-3], f.parts[-2]) for f in files}) == 14 * len(quarters)
    rows = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    for column in ("birth_date", "inkom_datum", "forhandsbedomning_klar", "utredning_start", "utredning_slut"):
        rows[column] = pd.to_datetime(rows[column])
    rows["utredning_forlangd_till"] = pd.to_datetime(rows["utredning_forlangd_till"])
    rows = rows.sort_values("reporting_quarter")
    newest = rows.groupby(["district_code", "arende_id", "match_person_key"], as_index=False).tail(1).copy()
    is_open = newest["utredning_inledd"].isna() | (
        (newest["utredning_inledd"] == "ja") & newest["utredning_slut"].isna()
    )
    last_day = newest["reporting_quarter"].map({str(q): pd.Timestamp(q.end) for q in quarters})
    newest["as_of"] = last_day.where(is_open & (last_day < AS_OF), AS_OF)
    areas = pd.read_csv(ROOT / "dbt_project" / "organisation" / "areas.csv", dtype=str, keep_default_na=False)
    newest = newest.merge(
        areas.rename(columns={"area_code": "omrade"})[["district_code", "omrade", "socioeconomic", "pilot_from"]],
        on=["district_code", "omrade"],
        how="left",
    )
    newest["socioeconomic"] = newest["socioeconomic"].fillna("okand")
    newest["pilot_from"] = pd.to_datetime(newest["pilot_from"].replace("", None))
    return followed(newest)


def followed(cases: pd.DataFrame) -> pd.DataFrame:
    """With `return_days` (to the first investigation of the person that began on a later day, in any district) and
    `is_transferred` (one began within a week of the conclusion in another district)."""
    begun = cases[(cases["utredning_inledd"] == "ja") & cases["is_linkable"]]
    starts: dict[str, list[tuple[pd.Timestamp, str, str]]] = {}
    for person, start, district, case in zip(
        begun["person_key"], begun["utredning_start"], begun["district_code"], begun["arende_id"], strict=True
    ):
        starts.setdefault(person, []).append((start, district, case))
    return_days, transferred = [], []
    for person, end, district in zip(cases["person_key"], cases["utredning_slut"], cases["district_code"], strict=True):
        known = starts.get(person, []) if not pd.isna(end) else []
        later = [(start - end).days for start, _, _ in known if start > end]
        return_days.append(min(later, default=np.nan))
        transferred.append(any(0 <= (start - end).days <= 7 and other != district for start, other, _ in known))
    return cases.assign(return_days=return_days, is_transferred=transferred)


def counted(cases: pd.DataFrame, indicator: Indicator) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """District, quarter and cut -> in scope, numerator, denominator."""
    rows = cases[indicator.scope(cases) & cases[indicator.date].notna()].copy()
    day = rows[indicator.date]
    age = age_on(rows, indicator.date)
    rows["reporting_quarter"] = day.dt.year.astype(str) + "Q" + day.dt.quarter.astype(str)
    rows["sex"] = rows["kon"].fillna("okant")
    rows["age_band"] = np.select(
        [age.isna(), age <= 5, age <= 12, age <= 17, age <= 20],
        ["okand", "0-5", "6-12", "13-17", "18-20"],
        "vuxen",
    )
    rows["pilot"] = np.where(rows["pilot_from"] <= day, "pilot", "linje")
    has_file = rows["reporting_quarter"].between(str(FIRST), str(LAST))
    rows["denominator"] = indicator.of(rows) & has_file
    rows["numerator"] = rows["denominator"] & indicator.reached(rows)
    rows["in_scope"] = True
    found: dict[tuple[str, ...], tuple[int, int, int]] = {}
    city = rows.assign(district_code="stockholm")
    for cut in cuts():
        key_columns = ["district_code", "reporting_quarter", *cut]
        for part in (rows, city):
            sums = part.groupby(key_columns, observed=True)[["in_scope", "numerator", "denominator"]].sum()
            for key, counts in zip(sums.index, sums.to_numpy().astype(int).tolist(), strict=True):
                cell = dict.fromkeys(COLUMNS, "alla") | dict(zip(key_columns, key, strict=True))
                found[tuple(cell[name] for name in COLUMNS)] = (counts[0], counts[1], counts[2])
    return found


def cuts() -> list[tuple[str, ...]]:
    """By none, one or two dimensions, and by sex, age band and one more."""
    small = [cut for size in (0, 1, 2) for cut in itertools.combinations(DIMENSIONS, size)]
    return [*small, ("sex", "age_band", "socioeconomic"), ("sex", "age_band", "pilot")]


@pytest.mark.parametrize("code", INDICATORS)
def test_every_row_of_an_indicator_agrees_with_pandas(settings: Settings, cases: pd.DataFrame, code: str) -> None:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        rows = connection.execute(
            f"select district_basis, {', '.join(COLUMNS)}, in_scope, numerator, denominator, rate "
            "from marts.mart_goal_indicators where period_kind = 'kvartal' and indicator_code = ?",
            [code],
        ).fetchall()
    expected = counted(cases, INDICATORS[code])
    assert sum(counts[2] for counts in expected.values()) > 1000
    for basis in ("as_submitted", "today"):
        found = {row[1:7]: row[7:10] for row in rows if row[0] == basis}
        assert found.keys() == expected.keys()
        assert {key: (found[key], counts) for key, counts in expected.items() if found[key] != counts} == {}
    rates = [(n / d if d else None, rate) for *_, n, d, rate in rows]
    assert [pair for pair in rates if pair[0] != pytest.approx(pair[1])] == []


def test_a_return_reason_is_cut_with_the_reason_and_nothing_else_and_adds_up(settings: Settings) -> None:
    others = ("offer_outcome", "child_heard_answer", "history", "sex", "age_band", "socioeconomic")
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        cut = " or ".join(f"{column} <> 'alla'" for column in others)
        sets = connection.execute(
            f"select reason_side <> 'alla', reason_code <> 'alla', return_reason_side <> 'alla', "
            f"return_reason_code <> 'alla', {cut}, sum(re_referral_rate_365_numerator) from marts.mart_re_referral "
            "where period_kind = 'kvartal' and return_reason_side <> 'alla' group by all"
        ).fetchall()
        returned = connection.execute(
            "select sum(re_referral_rate_365_numerator) from marts.mart_re_referral where return_reason_side = 'alla' "
            f"and period_kind = 'kvartal' and reason_side = 'alla' and not ({cut})"
        ).fetchone()
    assert returned is not None
    assert returned[0] > 100
    assert {tuple(row[:5]) for row in sets} == {
        (side, code, True, back, False)
        for side, code in ((False, False), (True, False), (True, True))
        for back in (False, True)
    }
    assert {row[5] for row in sets} == {returned[0]}


def test_the_kaplan_meier_median_and_its_interval_agree_with_statsmodels(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        begun = warehouse.sql(
            "select started_quarter, observed_days, is_concluded, sex from core.fct_investigation"
        ).df()
        medians = warehouse.sql(
            "select period_kind, reporting_quarter, sex, investigation_time_km_median_days, "
            "investigation_time_km_median_days_low, investigation_time_km_median_days_high "
            "from marts.mart_investigation_times "
            "where district_code = 'stockholm' and district_basis = 'today' and not is_survivors_only and "
            "reason_side = 'alla' and age_band = 'alla' and socioeconomic = 'alla'"
        ).fetchall()
    compared = 0
    quarters = [str(quarter) for quarter in quarters_between(FIRST, LAST)]
    for kind, last, sex, *found in medians:
        # quarters before the first file have survivors only, and no medians here
        quarter = quarters[quarters.index(last) - (0 if kind == "kvartal" else 3) : quarters.index(last) + 1]
        rows = begun[begun["started_quarter"].isin(quarter) & ((begun["sex"] == sex) | (sex == "alla"))]
        if len(rows) < 10:
            assert found == [None] * 3
            continue
        curve = SurvfuncRight(rows["observed_days"], rows["is_concluded"].astype(int))
        at_most_half = curve.surv_times[curve.surv_prob <= 0.5 + 1e-9]
        # its limits need a share between 0 and 1
        low, high = curve.quantile_ci(0.5, method="cloglog")
        expected = [at_most_half[0] if at_most_half.size else np.inf, low, high]
        assert found == [int(days) if np.isfinite(days) else None for days in expected], (quarter, sex)
        compared += 1
    assert compared >= 24 + 7 * 3


def compared_by_area(rows: pd.DataFrame) -> tuple[float, float, float]:
    """Difference of the groups' means and its interval, of one row per area: `pilot`, `figure`, `weight`."""
    sides = np.column_stack([np.ones(len(rows)), rows["pilot"]]).astype(float)
    fitted = WLS(rows["figure"].to_numpy(), sides, weights=rows["weight"].to_numpy()).fit(use_t=True)
    low, high = fitted.conf_int()[1]
    return float(fitted.params[1]), float(low), float(high)


def test_the_pilots_effect_and_trend_agree_with_regressions_over_areas(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        effects = warehouse.sql(
            "select * from marts.mart_pilot_effect where indicator_code = 'within_60_days_rate' "
            "and difference_standard_error is not null"
        ).df()
        begun = warehouse.sql(
            "select *, age_band_at_start as age_band from core.fct_investigation "
            "where area_code <> 'okand' and is_due_60_days and started_quarter >= '2018Q1'"
        ).df()
    begun["quarter"] = begun["started_quarter"].str[:4].astype(int) * 4 + begun["started_quarter"].str[5:].astype(int)
    begun["yes"] = begun["is_within_60_days"].astype(float)
    trends = 0
    for row in effects.to_dict("records"):
        # an area that became a pilot on another day is neither this pilot nor the line
        rows = begun[begun["pilot_from_date"].isna() | (begun["pilot_from_date"] == row["pilot_start_date"])]
        for column in ("sex", "age_band", "socioeconomic"):
            rows = rows if row[column] == "alla" else rows[rows[column] == row[column]]
        areas, slopes = [], []
        for (_, pilot), area in rows.groupby(["area_code", rows["pilot_from_date"].notna()]):
            is_after = area["investigation_start_date"] >= row["pilot_start_date"]
            before, after = area[~is_after], area[is_after]
            if len(before) and len(after):
                weight = len(before) * len(after) / len(area)
                areas.append((pilot, after["yes"].mean() - before["yes"].mean(), weight))
            if before["quarter"].nunique() >= 3:
                slope = np.polyfit(before["quarter"], before["yes"], 1)[0]
                slopes.append((pilot, slope, ((before["quarter"] - before["quarter"].mean()) ** 2).sum()))
        columns = ["pilot", "figure", "weight"]
        found = [row[f"difference_in_differences{ending}"] for ending in ("", "_low", "_high")]
        changed = pd.DataFrame(areas, columns=columns)
        assert found == pytest.approx(compared_by_area(changed), abs=2e-4)
        assert (row["pilot_areas"], row["line_areas"]) == (changed["pilot"].sum(), (~changed["pilot"]).sum())
        if row["comparison_status"] == "okand_trend_fore":
            continue
        trend = [row[f"trend_difference{ending}"] for ending in ("", "_low", "_high")]
        assert trend == pytest.approx(compared_by_area(pd.DataFrame(slopes, columns=columns)), abs=2e-4)
        differs = trend[1] > 0 or trend[2] < 0
        assert row["comparison_status"] == ("olika_trend_fore" if differs else "jamforbar")
        trends += 1
    assert len(effects) >= 3
    assert trends >= 1
