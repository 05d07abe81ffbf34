"""A small warehouse without dbt: random cases, counted into marts by one query with grouping sets."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import yaml

from publish.tables import Tables

QUARTERS = tuple(f"{year}Q{n}" for year in (2018, 2019) for n in (1, 2, 3, 4))
DISTRICTS = ("alvsjo", "bromma", "farsta", "hagersten", "norrmalm")
MERGED = {"alvsjo": "soder", "hagersten": "soder", "soder": "soder"}
"""Districts that are one unit today."""
REASONS = {"vanvard": "adult", "missbruk": "adult", "beteende": "child", "skola": "child"}

TABLES = Tables.model_validate(
    yaml.safe_load("""
dimensions:
  reason: [reason_side, reason_code]
measures: {cases.all: cases, cases.offered: offered, cases.accepted: accepted}
parts:
  - {whole: cases.all, part: cases.offered}
  - {whole: cases.offered, part: cases.accepted}
tables:
  mart_case_flow:
    grain: quarter
    blocks:
      - mart: mart_case_flow
        where: {cohort_basis: avslutad}
        counts: {cases: cases.all, offered: cases.offered}
        cuts: [[sex], [age_band]]
  mart_goal_indicators:
    grain: quarter
    leave_out_zero: denominator
    derived: &rate {rate: {kind: rate, of: [numerator, denominator]}}
    blocks:
      - mart: mart_case_flow
        where: {cohort_basis: avslutad}
        also: {indicator_code: acceptance_rate}
        counts: {numerator: cases.accepted, denominator: cases.offered}
        columns: {numerator: accepted, denominator: offered}
        cuts: [[sex]]
  mart_goal_indicators_yearly:
    grain: year
    leave_out_zero: denominator
    derived: *rate
    blocks:
      - mart: mart_case_flow
        where: {cohort_basis: avslutad}
        also: {indicator_code: offer_rate}
        counts: {numerator: cases.offered, denominator: cases.all}
        columns: {numerator: offered, denominator: cases}
        cuts: [[reason]]
open_tables:
  mart_routines: {mart: mart_routines, why: routines, columns: [directed_at, routines]}
""")
)


def draw_cases(seed: int = 1, per_cell: float = 3.0) -> pd.DataFrame:
    """A row per case."""
    draw = np.random.default_rng(seed)
    rows = [
        (district, quarter, sex, age, reason, draw.random() < 0.5, draw.random() < 0.6)
        for district in DISTRICTS
        for quarter in QUARTERS
        for sex in ("kvinna", "man")
        for age in ("0-5", "6-12", "13-17")
        for reason in REASONS
        for _ in range(draw.poisson(per_cell * (0.08 if reason == "skola" else 1.0)))
    ]
    cases = pd.DataFrame(
        rows, columns=["district", "reporting_quarter", "sex", "age_band", "reason_code", "is_offered", "is_answered"]
    )
    return cases.assign(
        reason_side=cases["reason_code"].map(REASONS), is_accepted=cases["is_offered"] & cases["is_answered"]
    )


def write_warehouse(path: Path, cases: pd.DataFrame, *, incomplete: tuple[str, ...] = (), merged: bool = False) -> None:
    """Write the warehouse; `incomplete` are (district, quarter) joined by a blank whose cohorts can still change."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("create schema core")
        warehouse.execute("create schema marts")
        now = MERGED if merged else {}
        units = sorted(set(DISTRICTS) | set(now.values()))
        frame_members = pd.DataFrame(
            [(code, code, "as_submitted" if code in now else "both") for code in units]
            + [(code, now[code], "today") for code in units if code in now]
            + [(code, "stockholm", "both") for code in units],
            columns=["district_code", "counts_in_code", "counts_in_basis"],
        )
        warehouse.register("members", frame_members)
        warehouse.execute("create table core.dim_district_membership as from members")
        frame_districts = pd.DataFrame(
            [(code, code.title(), "district", now.get(code, code)) for code in units]
            + [("stockholm", "Stockholms stad", "city", "stockholm")],
            columns=["district_code", "district_label", "kind", "current_district_code"],
        )
        warehouse.register("districts", frame_districts)
        warehouse.execute(
            "create table core.dim_district as select *, null::varchar as successor_code, "
            "case when district_code = 'soder' then date '2020-01-01' else date '2007-01-01' end as valid_from, "
            "case when district_code <> current_district_code then date '2019-12-31' end as valid_to from districts"
        )
        frame_quarters = pd.DataFrame({"reporting_quarter": QUARTERS, "calendar_year": [int(q[:4]) for q in QUARTERS]})
        warehouse.register("quarters", frame_quarters)
        warehouse.execute(
            "create table core.dim_quarter as select *, reporting_quarter as quarter_label, 1 as quarter_number, "
            "1 as sort_order, date '2018-01-01' as quarter_start_date, date '2018-03-31' as quarter_end_date "
            "from quarters"
        )
        for name, columns in {
            "dim_intervention": "intervention_code, 'I' as intervention_label, 'c' as intervention_category",
            "dim_reason": "reason_code, 'R' as reason_label, 'child' as reason_side",
            "dim_source": "source_code, 'S' as source_label",
        }.items():
            first = columns.split(",")[0]
            warehouse.execute(f"create table core.{name} as select {columns} from (select 'x' as {first})")
        warehouse.execute("create table core.fct_submission as select true as is_synthetic, true as is_in_force")
        frame_late = pd.DataFrame({"place": list(incomplete)}, dtype=str)
        warehouse.register("late", frame_late)
        warehouse.register("cases", cases)
        warehouse.execute(
            "create table marts.mart_case_flow as with counted as (select c.*, m.counts_in_code as district_code, "
            "m.counts_in_basis, c.district || ' ' || c.reporting_quarter in (select place from late) as is_late "
            "from cases as c inner join core.dim_district_membership as m on c.district = m.district_code), "
            "cells as (select district_code, counts_in_basis, reporting_quarter, "
            + "".join(f"coalesce({c}, 'alla') as {c}, " for c in ("reason_side", "reason_code", "sex", "age_band"))
            + "count(*)::int as cases, count(*) filter (where is_offered)::int as offered, "
            "count(*) filter (where is_accepted)::int as accepted from counted "
            "group by district_code, counts_in_basis, reporting_quarter, grouping sets ((), (reason_side), "
            "(reason_side, reason_code), (sex), (age_band), (sex, age_band))), "
            "late_places as (select distinct district_code, reporting_quarter from counted where is_late) "
            "select c.* exclude (counts_in_basis), b.district_basis, 'avslutad' as cohort_basis, "
            "l.district_code is null as is_cohort_complete, false as is_survivors_only, 1 as districts_in_force, "
            "1 as districts_expected, 0 as late, 0 as open_queries from cells as c "
            "inner join (values ('as_submitted'), ('today')) as b(district_basis) "
            "on c.counts_in_basis in ('both', b.district_basis) "
            "left join late_places as l using (district_code, reporting_quarter)"
        )
        warehouse.execute(
            "create table marts.mart_routines as select 'bromma' as district_code, 'as_submitted' as district_basis, "
            "'2018Q1' as reporting_quarter, 'alla' as directed_at, 3 as routines, true as is_cohort_complete, "
            "false as is_survivors_only, 1 as districts_in_force, 1 as districts_expected, 0 as late, 0 as open_queries"
        )
