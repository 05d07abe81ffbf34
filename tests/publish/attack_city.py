"""Small random cities to attack: persons drawn, counted into a warehouse, released by quarter, one restated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import numpy as np
import pandas as pd

from ingest.settings import Settings
from publish.knowledge import NotPublic
from publish.releasing import ReleaseBlocked, release
from publish.tables import Tables

QUARTERS = ("2018Q1", "2018Q2", "2018Q3", "2018Q4")
SIDES = {"missbruk": "adult", "vald": "adult", "skola": "child"}
CATEGORIES = ("oppenvard", "radgivning")
NO_OFFER = "ingen"
CITY = "stockholm"
MERGED, SUCCESSOR = ("alvsjo", "bromma"), "soder"
OTHERS = ("farsta", "norrmalm", "kista")

FLOW = {"mart": "mart_case_flow", "where": {"cohort_basis": "avslutad"}}
OFFER = {
    **FLOW,
    "also": {"indicator_code": "offer_rate"},
    "counts": {"numerator": "offered", "denominator": "concluded"},
    "columns": {"numerator": "offered", "denominator": "cases"},
}
ACCEPTANCE = {
    **FLOW,
    "also": {"indicator_code": "acceptance_rate"},
    "counts": {"numerator": "accepted", "denominator": "offered"},
    "columns": {"numerator": "accepted", "denominator": "offered"},
}
RATE = {"leave_out_zero": "denominator", "derived": {"rate": {"kind": "rate", "of": ["numerator", "denominator"]}}}


def flow(*cuts: list[str]) -> dict[str, Any]:
    return {"grain": "quarter", "blocks": [{**FLOW, "counts": {"cases": "concluded"}, "cuts": list(cuts)}]}


def rates(grain: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"grain": grain, **RATE, "blocks": list(blocks)}


def times() -> dict[str, Any]:
    n = "investigation_time_n"
    kinds = ("mean", "median", "p90")
    return {
        "grain": "quarter",
        "leave_out_zero": n,
        "derived": {f"investigation_time_{kind}_days": {"kind": kind, "of": [n]} for kind in kinds},
        "blocks": [
            {
                "mart": "mart_investigation_times",
                "where": {"cohort_basis": "avslutad"},
                "counts": {n: "timed"},
                "cuts": [["reason_side"]],
            }
        ],
    }


def recipes() -> list[dict[str, dict[str, Any]]]:
    """Small choices of tables of the shapes that tables.yml holds."""
    by_sex, by_age, by_both = {"cuts": [["sex"]]}, {"cuts": [["age_band"]]}, {"cuts": [["sex", "age_band"]]}
    by_category = {"cuts": [["intervention_category"]], "without": [NO_OFFER]}
    return [
        {
            "mart_case_flow": flow(["sex", "age_band"]),
            "mart_goal_indicators": rates("quarter", {**OFFER, **by_sex}),
            "mart_goal_indicators_yearly": rates("year", {**OFFER, "cuts": [["reason"]]}),
        },
        {
            "mart_goal_indicators": rates("quarter", {**OFFER, **by_sex}, {**ACCEPTANCE, **by_sex}),
            "mart_goal_indicators_yearly": rates(
                "year", {**OFFER, "cuts": [["reason_side"]]}, {**ACCEPTANCE, **by_category}
            ),
        },
        {
            "mart_case_flow": flow(["reason"]),
            "mart_goal_indicators": rates("quarter", {**ACCEPTANCE, **by_age}),
            "mart_goal_indicators_yearly": rates("year", {**OFFER, **by_sex}, {**ACCEPTANCE, **by_category}),
        },
        {
            "mart_goal_indicators": rates("quarter", {**OFFER, **by_both}),
            "mart_goal_indicators_yearly": rates("year", {**ACCEPTANCE, **by_category, "geography": "city"}),
        },
        {
            "mart_case_flow": flow(["sex"], ["age_band"]),
            "mart_investigation_times": times(),
            "mart_goal_indicators_yearly": rates("year", {**OFFER, **by_sex}),
        },
    ]


def tables_of(tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """tables.yml for these tables: measures and parts that none of them holds are left out."""
    parts = [
        {"whole": "concluded", "part": "offered"},
        {"whole": "offered", "part": "accepted"},
        {"whole": "concluded", "part": "timed", "protects": False},
    ]
    used = {m for table in tables.values() for block in table["blocks"] for m in block["counts"].values()}
    return {
        "dimensions": {
            "reason": ["reason_side", "reason_code"],
            "intervention": ["intervention_category", "intervention_code"],
        },
        "measures": {measure: measure for measure in sorted(used)},
        "parts": [part for part in parts if {part["whole"], part["part"]} <= used],
        "tables": tables,
    }


@dataclass(frozen=True)
class Close:
    """What the city holds when a quarter closes, or is restated: a row per investigation concluded."""

    quarter: str
    cases: pd.DataFrame
    is_merged: bool
    late: tuple[str, str] | None = None


@dataclass(frozen=True)
class City:
    """A city of a seed, with what is released of it and when."""

    seed: int
    tables: dict[str, Any]
    merger: int
    closes: tuple[Close, ...]
    others: tuple[str, ...] = field(default=OTHERS)

    def units(self, quarter: str) -> tuple[str, ...]:
        """The districts that report a quarter."""
        return (*(MERGED if QUARTERS.index(quarter) < self.merger else (SUCCESSOR,)), *self.others)


def draw_city(seed: int) -> City:
    """A city of 3 to 5 districts of which two merge: sparse, with offers to all or none of some groups."""
    draw = np.random.default_rng(seed)
    choices = recipes()
    tables = tables_of(choices[seed % len(choices)])
    others = OTHERS[: int(draw.integers(1, 3 if draw.random() < 0.8 else 4))]
    merger = int(draw.integers(1, 5))
    size = np.exp(draw.uniform(np.log(3), np.log(30)))
    weight = {u: draw.choice([0.3, 1.0, 2.0]) for u in (*MERGED, SUCCESSOR, *others)}
    common = {code: draw.choice([0.1, 0.5, 1.0]) for code in SIDES}
    offered = {(u, code): draw.choice([0.0, 0.3, 0.6, 1.0]) for u in weight for code in SIDES}
    city = City(seed, tables, merger, (), others)
    parts = []
    for quarter in QUARTERS:
        for unit in city.units(quarter):
            n = max(1, int(draw.poisson(size * weight[unit])))
            parts.append(_people(draw, unit, quarter, n, common, offered))
    cases = pd.concat(parts, ignore_index=True)
    late = None
    if draw.random() < 0.3:
        late = (others[0], QUARTERS[int(draw.integers(0, 3))])
    closes = []
    for i, quarter in enumerate(QUARTERS):
        waits = late if late and late[1] == quarter else None
        closes.append(Close(quarter, cases[cases["quarter"] <= quarter], i >= merger, waits))
    again = _restated(draw, city, cases, common, offered)
    closes.append(Close(QUARTERS[-1], again, True))
    return City(seed, tables, merger, tuple(closes), others)


def _people(
    draw: np.random.Generator,
    unit: str,
    quarter: str,
    n: int,
    common: dict[str, float],
    offered: dict[tuple[str, str], float],
) -> pd.DataFrame:
    codes = np.array(list(common))
    odds = np.array(list(common.values()))
    reasons = draw.choice(codes, n, p=odds / odds.sum())
    is_offered = draw.random(n) < np.array([offered[unit, str(code)] for code in reasons])
    return pd.DataFrame(
        {
            "unit": unit,
            "quarter": quarter,
            "sex": draw.choice(["kvinna", "man"], n, p=[0.6, 0.4]),
            "age_band": draw.choice(["0-12", "13-17"], n, p=[0.7, 0.3]),
            "reason_code": reasons,
            "intervention_category": np.where(is_offered, draw.choice(CATEGORIES, n, p=[0.8, 0.2]), NO_OFFER),
            "is_offered": is_offered,
            "is_accepted": is_offered & (draw.random(n) < 0.7),
            "days": np.where(draw.random(n) < 0.85, draw.integers(5, 200, n), -1),
            "weight": 1,
        }
    )


def _restated(
    draw: np.random.Generator,
    city: City,
    cases: pd.DataFrame,
    common: dict[str, float],
    offered: dict[tuple[str, str], float],
) -> pd.DataFrame:
    """One quarter again, where some rows move, appear or vanish."""
    quarter = str(draw.choice(QUARTERS))
    units = city.units(quarter)
    touched = draw.choice(units, int(draw.integers(1, 3)), replace=False)
    here = (cases["quarter"] == quarter) & cases["unit"].isin(touched)
    rows = cases[here].copy()
    rows["sex"] = np.where(draw.random(len(rows)) < 0.15, "man", rows["sex"])
    rows["reason_code"] = np.where(draw.random(len(rows)) < 0.15, "skola", rows["reason_code"])
    rows = rows[draw.random(len(rows)) < 0.85]
    if rows.empty:
        rows = cases[here].head(1)
    new = [_people(draw, str(unit), quarter, int(draw.integers(1, 4)), common, offered) for unit in touched]
    return pd.concat([cases[~here], rows, *new], ignore_index=True)


SETS = "(), (reason_side), (reason_side, reason_code), (intervention_category), (sex), (age_band), (sex, age_band)"


def write_warehouse(path: Path, city: City, close: Close) -> None:
    """The warehouse as it stands at a close: marts counted by one query with grouping sets."""
    path.unlink(missing_ok=True)
    today = dict.fromkeys((*MERGED, SUCCESSOR), SUCCESSOR) if close.is_merged else {}
    units = sorted({*MERGED, *city.others} | ({SUCCESSOR} if close.is_merged else set()))
    members = pd.DataFrame(
        [(u, u, "as_submitted" if u in today else "both") for u in units]
        + [(u, today[u], "today") for u in units if u in today]
        + [(u, CITY, "both") for u in units],
        columns=["district_code", "counts_in_code", "counts_in_basis"],
    )
    start = f"2018-{3 * city.merger + 1:02d}-01" if city.merger < 4 else "2019-01-01"
    districts = pd.DataFrame(
        [
            (u, u.title(), "district", today.get(u, u), start if u == SUCCESSOR else "2007-01-01",
             start if u in today and u != SUCCESSOR else None)
            for u in units
        ]
        + [(CITY, "Stockholms stad", "city", CITY, "2007-01-01", None)],
        columns=["district_code", "district_label", "kind", "current_district_code", "valid_from", "ended"],
    )  # fmt: skip
    quarters = pd.DataFrame({"reporting_quarter": [q for q in QUARTERS if q <= close.quarter]})
    late = pd.DataFrame([close.late] if close.late else [], columns=["unit", "quarter"], dtype=str)
    cases = close.cases.assign(
        reason_side=close.cases["reason_code"].map(SIDES), days=close.cases["days"].replace(-1, np.nan)
    )
    with duckdb.connect() as warehouse:
        warehouse.execute("set threads = 1")
        for name, frame in {
            "members": members, "districts": districts, "quarters": quarters, "late": late, "cases": cases
        }.items():  # fmt: skip
            warehouse.register(f"{name}_drawn", frame)
        warehouse.execute(f"attach '{path}' as warehouse; create schema warehouse.core; create schema warehouse.marts")
        warehouse.execute(WAREHOUSE.format(sets=SETS))


WAREHOUSE = """
use warehouse;
create table core.dim_district_membership as from members_drawn;
create table core.dim_district as
    select
        district_code, district_label, kind, current_district_code,
        case when ended is not null then current_district_code end as successor_code,
        valid_from::date as valid_from, (ended::date - interval 1 day)::date as valid_to
    from districts_drawn;
create table core.dim_quarter as
    select
        reporting_quarter, reporting_quarter as quarter_label, 2018 as calendar_year,
        right(reporting_quarter, 1)::int as quarter_number, right(reporting_quarter, 1)::int as sort_order,
        make_date(2018, right(reporting_quarter, 1)::int * 3 - 2, 1) as quarter_start_date,
        last_day(make_date(2018, right(reporting_quarter, 1)::int * 3, 1)) as quarter_end_date
    from quarters_drawn;
create table core.dim_intervention as
    select 'x' as intervention_code, 'X' as intervention_label, 'oppenvard' as intervention_category;
create table core.dim_reason as select 'skola' as reason_code, 'Skola' as reason_label, 'child' as reason_side;
create table core.dim_source as select 'x' as source_code, 'X' as source_label;
create table core.fct_submission as select true as is_synthetic, true as is_in_force;
create temporary table counted as
    select
        m.counts_in_code as district_code, m.counts_in_basis, c.quarter as reporting_quarter,
        coalesce(reason_side, 'alla') as reason_side, coalesce(reason_code, 'alla') as reason_code,
        coalesce(intervention_category, 'alla') as intervention_category, 'alla' as intervention_code,
        coalesce(sex, 'alla') as sex, coalesce(age_band, 'alla') as age_band,
        sum(weight)::int as cases,
        coalesce(sum(weight) filter (where is_offered), 0)::int as offered,
        coalesce(sum(weight) filter (where is_accepted), 0)::int as accepted,
        count(days)::int as investigation_time_n, avg(days) as investigation_time_mean_days,
        median(days) as investigation_time_median_days, quantile_cont(days, 0.9) as investigation_time_p90_days
    from cases_drawn as c
    inner join core.dim_district_membership as m on c.unit = m.district_code
    group by m.counts_in_code, m.counts_in_basis, c.quarter, grouping sets ({sets});
create temporary table waiting as
    select distinct m.counts_in_code as district_code, l.quarter as reporting_quarter
    from late_drawn as l
    inner join core.dim_district_membership as m on l.unit = m.district_code;
create temporary table rows_of_both as
    select
        c.* exclude (counts_in_basis), b.district_basis, 'avslutad' as cohort_basis,
        w.district_code is null as is_cohort_complete, false as is_survivors_only, 1 as districts_in_force,
        1 as districts_expected, 0 as late, 0 as open_queries
    from counted as c
    inner join (values ('as_submitted'), ('today')) as b(district_basis)
        on c.counts_in_basis in ('both', b.district_basis)
    left join waiting as w using (district_code, reporting_quarter);
create table marts.mart_case_flow as select * exclude (
    investigation_time_n, investigation_time_mean_days, investigation_time_median_days, investigation_time_p90_days
) from rows_of_both;
create table marts.mart_investigation_times as
    select * exclude (cases, offered, accepted, intervention_category, intervention_code) from rows_of_both
    where intervention_category = 'alla';
checkpoint warehouse
"""


@dataclass(frozen=True)
class Published:
    """What a reader has kept of a release, and the close that it told of."""

    close: Close
    folder: Path


def publish(city: City, home: Path, *, is_whole: bool = True) -> Iterator[Published | str]:
    """Release every close in a throw-away installation: what went out, or why it was blocked.

    `is_whole = False`: only the snapshot is written, as its Parquet and CSV copies tell the attacker nothing more.
    """
    with ExitStack() as patched:
        for name in () if is_whole else ("write_parquet", "write_csv_files", "_sync"):
            patched.enter_context(patch(f"publish.serving.folder.{name}"))
        yield from _publish(city, home)


def _publish(city: City, home: Path) -> Iterator[Published | str]:
    settings = Settings.model_validate({"home": home, "keys": home / "keys.json"})
    home.mkdir(parents=True)
    tables = Tables.model_validate(city.tables)
    now = datetime(2020, 1, 10, tzinfo=UTC)
    for number, close in enumerate(city.closes):
        write_warehouse(settings.warehouse, city, close)
        try:
            release(
                settings,
                approve=True,
                quarter=close.quarter,
                tables=tables,
                now=now + timedelta(days=8 * number),
                gate=lambda _: None,
                processes=1,
                force=True,
            )
        except (ReleaseBlocked, NotPublic) as blocked:
            yield f"{close.quarter}: {blocked}"
            continue
        kept = home.parent / f"kept_{number + 1}"
        shutil.copytree(settings.published, kept)
        yield Published(close, kept)
