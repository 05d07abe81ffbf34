"""A release's file with drawn figures: tables as in a real one, rows of all cuts that the views show, and their views.

The small city is too small for rates. Here every mart has three districts and the city, two years of quarters, and
figures by a digest of what each row is about, so that a wrong row is a wrong figure.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import duckdb

from publish.marts.declared import Mart, load_marts
from publish.release.dimensions import PERIODS
from publish.views.declared import load_views

UNITS = ("farsta", "jarva", "sodermalm", "stockholm")
QUARTERS = tuple(f"{year}Q{quarter}" for year in (2018, 2019) for quarter in (1, 2, 3, 4))
PLACES = (
    *(("kvartal", quarter, quarter) for quarter in QUARTERS),
    *(("ar", quarter[:4], quarter) for quarter in QUARTERS[3::4]),
    *(("rullande_ar", quarter, quarter) for quarter in QUARTERS[3:]),
)
CODES = {
    "sex": ("kvinna", "man"),
    "age_band": ("6-12", "13-17"),
    "clinic_age_band": ("12-14", "15-17"),
    "intervention_code": ("rad_och_stod", "trappan"),
    "form": ("service", "bistand"),
    "activity_type": ("utbildning", "samverkan"),
    "theme": ("vald", "missbruk"),
    "directed_at": ("vald", "missbruk"),
    "unit_kind": ("barn_unga", "annan"),
    "child_heard_answer": ("ja", "nej"),
    "dataset": ("arenden", "utbud"),
    "seats_district_code": ("farsta", "jarva"),
}
PARENTS = {"rad_och_stod": "ovrigt_foraldrastod", "trappan": "barngrupp"}
PAIRS = {
    ("age_band", "sex"), ("intervention_code", "sex"), ("form", "intervention_code"), ("activity_type", "theme"),
    ("directed_at", "unit_kind"), ("clinic_age_band", "sex"), ("intervention_code", "seats_district_code"),
}  # fmt: skip
BASES = {
    "mart_case_flow": ("inkommen", "avgjord", "avslutad"),
    "mart_recruitment": ("startad", "avslutad", "planerad"),
}
GOALS = ("within_60_days_rate", "re_referral_rate_365", "acceptance_rate", "completion_rate")
WAITS = ("service", "assessed", "youth_clinic", "parenting_programme")


def draw_marts(real: Path, path: Path) -> Path:
    """Write the file.

    Args:
        real: a release, for its tables and dimension tables.
        path: where the drawn one is made.
    """
    with duckdb.connect(str(path)) as target:
        target.execute(f"attach '{real}' as real (read_only)")
        target.execute("create schema published")
        tables = [str(row[0]) for row in target.execute("select table_name from duckdb_tables()").fetchall()]
        for table in (*(name for name in tables if name.startswith("dim_")), *PERIODS, *load_marts()):
            target.execute(f"create table if not exists published.{table} as from real.published.{table}")
        for name, mart in load_marts().items():
            target.execute(f"delete from published.{name}")
            _draw(target, name, mart)
        _plant(target)
        # places can be free where no group started
        target.execute("delete from published.mart_recruitment where district_code = 'jarva' and period like '%Q4'")
        for view in load_views():
            target.execute(f"create table published.{view.name} as {view.sql}")
        target.execute("detach real")
    return path


def _plant(target: duckdb.DuckDBPyConnection) -> None:
    """What no drawn figure would show: a district outside limits, a capped share, a quarter of one district alone."""
    outside = "measure = 'service_wait_mean' and district_basis = 'today' and period_kind = 'ar' and period = '2019'"
    limits = "funnel_low = 10, funnel_high = 24, outer_funnel_low = 7, outer_funnel_high = 30"
    for unit, value, position in (("farsta", 34, "over"), ("jarva", 28, "inom"), ("sodermalm", 12, "inom")):
        target.execute(
            f"update published.mart_equity set value = {value}, {limits}, funnel_position = '{position}' "
            f"where {outside} and district_code = '{unit}'"
        )
    target.execute(
        "update published.mart_service_interventions set completion_rate = 0.75, is_capped = true, "
        "completion_rate_low = 0.6, completion_rate_high = 0.9 "
        "where district_code = 'farsta' and intervention_code = 'rad_och_stod' and period_kind = 'kvartal'"
    )
    target.execute(
        "update published.mart_outpatient_care set follow_up_rate = null, follow_up_rate_low = null, "
        "follow_up_rate_high = null, too_few = true where district_code = 'farsta' and period in ('2018Q2', '2019Q4') "
        "and period_kind = 'kvartal'"
    )
    target.execute(
        "delete from published.mart_recruitment where period_kind = 'kvartal' and period = '2019Q3' "
        "and cohort_basis = 'startad' and district_code <> 'farsta'"
    )
    target.execute(
        "delete from published.mart_support_groups where period_kind = 'kvartal' and period = '2019Q4' "
        "and district_code <> 'farsta'"
    )


def _draw(target: duckdb.DuckDBPyConnection, name: str, mart: Mart) -> None:
    described = target.execute(f"describe published.{name}").fetchall()
    types = {str(column): str(kind) for column, kind, *_ in described}
    about = _about(target, name, mart)
    target.execute("create or replace temp table about as select * from (values {}) as rows ({})".format(
        ", ".join("(" + ", ".join(f"'{value}'" for value in row.values()) + ")" for row in about),
        ", ".join(about[0]),
    ))  # fmt: skip
    of_row = "concat_ws('|', " + ", ".join(about[0]) + ")"
    cells = [column if column in about[0] else _figure(column, kind, of_row) for column, kind in types.items()]
    named = ", ".join(
        f"cast({cell} as {kind}) as {column}" for cell, (column, kind) in zip(cells, types.items(), strict=True)
    )
    target.execute(f"insert into published.{name} select {named} from about")


def _figure(column: str, kind: str, of_row: str) -> str:
    drawn = f"hash({of_row} || '|{column}')"
    if column == "too_few":
        return f"hash({of_row}) % 10 = 0"
    if column in ("districts_in_force", "districts_expected"):
        return "3"
    if kind == "BOOLEAN":
        return f"{drawn} % 2 = 0"
    if kind == "DOUBLE":
        return f"case when hash({of_row}) % 10 <> 0 then ({drawn} % 1000) / 1000.0 end"
    if kind == "DATE":
        return "date '2020-02-01'"
    if kind.startswith("TIMESTAMP"):
        return "timestamptz '2020-02-01 00:00:00+00'"
    if kind == "VARCHAR":
        texts = {"providers": "'egen|upphandlad'", "languages": "'sv|en'", "state": "'i_kraft'"}
        texts["funnel_position"] = (
            f"case when period_kind <> 'kvartal' then ['under', 'inom', 'over'][1 + cast({drawn} % 3 as integer)] end"
        )
        texts["comparison_status"] = "'jamforbar'"
        return texts.get(column, "null")
    return f"5 + {drawn} % 400"


def _about(target: duckdb.DuckDBPyConnection, name: str, mart: Mart) -> list[dict[str, str]]:
    """What the rows are about: their keys and dimensions."""
    columns = mart.columns_of_dimensions
    cuts: list[tuple[str, ...]] = [()] if name != "mart_vacancies" else [("intervention_code",)]
    if name != "mart_vacancies":
        cuts += [(one,) for one in columns if one in CODES]
    cuts += [pair for pair in sorted(PAIRS) if set(pair) <= set(columns)]
    found = []
    for (kind, period, quarter), keys, cut in product(PLACES, _keys(target, name), cuts):
        for codes in product(*(CODES[one] for one in cut)):
            row = {**keys, "reporting_quarter": quarter, "period_kind": kind, "period": period}
            row = {key: value for key, value in row.items() if key in mart.keys}
            row |= dict.fromkeys(columns, "alla") | dict(zip(cut, codes, strict=True))
            if row.get("intervention_code", "alla") != "alla":
                row["intervention_category"] = PARENTS[row["intervention_code"]]
            if row.get("seats_district_code", "") != row.get("district_code"):
                found.append(row | {"cut": "+".join(sorted(cut)) or "total"})
    return found


def _keys(target: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, str]]:
    if name == "mart_pilot_effect":
        return [{"pilot_start_date": "2018-07-01", "indicator_code": goal} for goal in GOALS]
    more: list[dict[str, str]] = [{}]
    if name == "mart_equity":
        measures = target.execute("select measure, measure_family, measure_form from published.dim_measure").fetchall()
        names = ("measure", "measure_family", "measure_form")
        more = [dict(zip(names, map(str, one), strict=True)) for one in measures]
    if name == "mart_goal_indicators":
        more = [{"indicator_code": goal} for goal in GOALS]
    if name == "mart_waiting_times":
        more = [{"wait_kind": kind} for kind in WAITS]
    return [
        {"district_code": unit, "district_basis": basis, "cohort_basis": cohort, **one}
        for unit, basis, cohort, one in product(
            UNITS, ("today", "as_submitted"), BASES.get(name, ("handelse",)), more
        )
    ]  # fmt: skip
