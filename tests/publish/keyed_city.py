"""A small keyed warehouse: cases of a few districts in the shape of a mart, with a declaration of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from publish.marts.declared import Mart, Measures
from publish.policy import Policy, load_policy

QUARTERS = ("2018Q1", "2018Q2", "2018Q3")
DISTRICTS = ("bromma", "farsta")

MEASURES = Measures.model_validate(
    {
        "families": {
            "avslutad": {"what": "concluded"},
            "retur": {"what": "re_referral_rate_365", "follows": "avslutad"},
        },
        "measures": {
            "avslutad.concluded": {"what": "concluded"},
            "avslutad.offered": {"what": "of them offered"},
            "retur.followed": {"what": "of them followed", "drawn_as": "avslutad.concluded"},
            "retur.returned": {"what": "of these returned"},
        },
    }
)
KEYS = ["district_code", "district_basis", "reporting_quarter", "cohort_basis"]
ALWAYS = {
    "flags": ["is_cohort_complete", "is_survivors_only"],
    "yes_no": ["late"],
    "completeness": ["districts_in_force", "districts_expected"],
}
FLOW = Mart.model_validate(
    {
        "mart": "mart_case_flow",
        "published": "complete",
        "keys": KEYS,
        "dimensions": [["reason_side", "reason_code"], ["sex"], ["age_band"]],
        "sensitive": ["reason_side", "reason_code"],
        "whole": ["concluded"],
        "person_counts": {
            "concluded": "avslutad.concluded",
            "offered": {"measure": "avslutad.offered", "part_of": "concluded"},
            "offer_rate_denominator": "avslutad.concluded",
            "offer_rate_numerator": {"measure": "avslutad.offered", "part_of": "offer_rate_denominator"},
        },
        "rates": ["offer_rate"],
        **ALWAYS,
    }
)
RETURN = Mart.model_validate(
    {
        "mart": "mart_re_referral",
        "published": "complete",
        "keys": KEYS,
        "dimensions": [["sex"]],
        "person_counts": {
            "concluded": "avslutad.concluded",
            "re_referral_rate_365_denominator": "retur.followed",
            "re_referral_rate_365_numerator": "retur.returned",
        },
        "rates": ["re_referral_rate_365"],
        **ALWAYS,
    }
)
MARTS = {mart.mart: mart for mart in (FLOW, RETURN)}


@dataclass(frozen=True)
class Case:
    """A concluded investigation."""

    name: str
    district: str = "bromma"
    quarter: str = "2018Q1"
    sex: str = "kvinna"
    age_band: str = "6-12"
    reason_code: str = "vald"
    is_offered: bool = False
    is_followed: bool = True
    is_returned: bool = False

    def key(self, content: str = "") -> int:
        """Its record key, by its name and what it is cut by."""
        text = "|".join((self.name, self.sex, self.age_band, self.reason_code, content))
        return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:4], "big") | 1


def cases(each: int = 30, *, districts: Sequence[str] = DISTRICTS, quarters: Sequence[str] = QUARTERS) -> list[Case]:
    """Cases of all kinds in every district and quarter."""
    return [
        Case(
            f"{district}-{quarter}-{number}",
            district,
            quarter,
            "kvinna" if number % 2 else "man",
            ("0-5", "6-12", "13-17")[number % 3],
            ("vald", "skola", "missbruk", "halsa")[number % 4],
            is_offered=number % 3 == 0,
            is_returned=number % 7 == 0,
        )
        for district in districts
        for quarter in quarters
        for number in range(each)
    ]


def many_changed(given: Iterable[Case], place: str, number: int, **what: object) -> list[Case]:
    """The same, so many of one place (`bromma-2018Q2`) changed: as many as a draw anew needs, or fewer."""
    found, left = [], number
    for case in given:
        is_changed = left > 0 and case.name.startswith(f"{place}-") and replace(case, **what) != case
        found.append(replace(case, **what) if is_changed else case)
        left -= is_changed
    return found


_CUTS = (
    "(), (sex), (age_band), (reason_side), (reason_side, reason_code), (sex, age_band), (reason_side, sex), "
    "(reason_side, reason_code, sex), (reason_side, reason_code, age_band), (reason_side, sex, age_band), "
    "(reason_side, reason_code, sex, age_band)"
)


_RECORD = pa.schema(
    [
        *((name, pa.string()) for name in ("reported", "current", "quarter", "sex", "age_band")),
        *((name, pa.string()) for name in ("reason_side", "reason_code")),
        *((name, pa.bool_()) for name in ("offered", "followed", "returned")),
        ("key", pa.uint64()),
    ]
)


def write_warehouse(
    path: Path,
    given: Iterable[Case],
    *,
    incomplete: Sequence[tuple[str, ...]] = (),
    merged: Mapping[str, str] | None = None,
) -> Path:
    """Write the keyed marts of the cases; `incomplete` quarters (district or city, quarter; of one mart: with its name)
    can still change, and `merged` districts are part of another one today."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema keyed; create schema core")
        given, merged = list(given), merged or {}
        _dimensions(connection, sorted({*DISTRICTS, *(one.district for one in given), *merged.values()}), merged)
        records = pa.Table.from_pylist(
            [
                {"reported": unit, "current": merged.get(unit, unit), "quarter": one.quarter, "sex": one.sex,
                 "age_band": one.age_band, "reason_side": "barn" if one.reason_code == "vald" else "vuxna",
                 "reason_code": one.reason_code, "offered": one.is_offered, "followed": one.is_followed,
                 "returned": one.is_followed and one.is_returned, "key": one.key()}
                for one in given for unit in (one.district, "stockholm")
            ],
            _RECORD,
        )  # fmt: skip
        connection.register("given", records)
        connection.execute("create table record as from given")
        connection.unregister("given")
        _mart(connection, "mart_case_flow", ["reason_side", "reason_code", "sex", "age_band"], _CUTS, {
            "concluded": "true", "offered": "offered", "offer_rate_denominator": "true",
            "offer_rate_numerator": "offered",
        }, ["offer_rate"], incomplete)  # fmt: skip
        _mart(connection, "mart_re_referral", ["sex"], "(), (sex)", {
            "concluded": "true", "re_referral_rate_365_denominator": "followed",
            "re_referral_rate_365_numerator": "followed and returned",
        }, ["re_referral_rate_365"], incomplete)  # fmt: skip
        connection.execute("drop table record")
        connection.execute("create schema marts")
        for mart in MARTS:  # only what is said of them is read
            connection.execute(f"create table marts.{mart} as from keyed.{mart}")
    return path


def _dimensions(connection: duckdb.DuckDBPyConnection, districts: Sequence[str], merged: Mapping[str, str]) -> None:
    listed = ", ".join(f"('{code}', '{code.title()}', 'district', '{merged.get(code, code)}')" for code in districts)
    connection.execute(
        "create table core.dim_district as select *, null::varchar as successor_code, date '2007-01-01' as "
        "valid_from, null::date as valid_to from (values "
        f"{listed}, ('stockholm', 'Stockholms stad', 'city', 'stockholm')) as units "
        "(district_code, district_label, kind, current_district_code)"
    )
    quarters = ", ".join(f"('{quarter}')" for quarter in QUARTERS)
    connection.execute(
        "create table core.dim_quarter as select reporting_quarter, reporting_quarter as quarter_label, 2018 as "
        "calendar_year, 1 as quarter_number, 1 as sort_order, date '2018-01-01' as quarter_start_date, "
        f"date '2018-03-31' as quarter_end_date from (values {quarters}) as quarters (reporting_quarter)"
    )
    connection.execute(
        "create table core.dim_period as select 'kvartal' as period_kind, reporting_quarter as period, "
        "reporting_quarter, quarter_label as period_label, 'Kvartal' as period_kind_label, sort_order, 1 as quarters, "
        "quarter_start_date as period_start_date, quarter_end_date as period_end_date from core.dim_quarter"
    )
    connection.execute(
        "create table core.dim_measure (measure varchar, measure_label varchar, measure_family varchar, "
        "measure_form varchar, is_high_better boolean)"
    )
    for name, columns in {
        "dim_intervention": "intervention_code, 'I' as intervention_label, 'c' as intervention_category",
        "dim_reason": "reason_code, 'R' as reason_label, 'child' as reason_side",
        "dim_source": "source_code, 'S' as source_label",
    }.items():
        connection.execute(f"create table core.{name} as select {columns} from (select 'x' as {columns.split(',')[0]})")
    connection.execute("create table core.fct_submission as select true as is_synthetic, true as is_in_force")


def quick_policy(**limits: float) -> Policy:
    """The policy with attacks that take no time, and no limits to what they find but those given."""
    policy = load_policy()
    none = {name: 100.0 for name in type(policy.attack).model_fields if name.startswith("most_")}
    few = policy.attack.few_units.model_copy(update={"fewer_than": 1})
    found = {"samples": 1, "few_units": few, **none, **limits}
    return policy.model_copy(update={"attack": policy.attack.model_copy(update=found)})


def _mart(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    dimensions: Sequence[str],
    cuts: str,
    counts: dict[str, str],
    rates: Sequence[str],
    incomplete: Sequence[tuple[str, ...]],
) -> None:
    incomplete = [(unit, quarter) for unit, quarter, *marts in incomplete if name in (marts or [name])]
    sets = cuts.replace("(", "(unit, quarter, ").replace(", )", ")")
    reported = ", ".join(
        f"count(*) filter (where {condition})::integer as {count}, "
        f"(coalesce(sum(key) filter (where {condition}), 0) % 4294967296)::uinteger as {count}__key"
        for count, condition in counts.items()
    )
    waiting = " or ".join(f"(unit = '{unit}' and quarter = '{quarter}')" for unit, quarter in incomplete) or "false"
    connection.execute(
        f"create table keyed.{name} as select unit as district_code, basis as district_basis, "
        f"quarter as reporting_quarter, 'avslutad' as cohort_basis, "
        f"{', '.join(f'''coalesce({one}, 'alla') as {one}''' for one in dimensions)}, {reported}, "
        f"{', '.join(f'null::double as {one}{end}' for one in rates for end in ('', '_low', '_high'))}, "
        f"not ({waiting}) as is_cohort_complete, false as is_survivors_only, 0 as late, 1 as districts_in_force, "
        "1 as districts_expected from (select *, case when basis = 'today' then current else reported end as unit "
        "from record cross join (values ('as_submitted'), ('today')) as bases (basis)) as placed "
        f"group by grouping sets ({sets.replace('(unit, quarter', '(unit, quarter, basis')})"
    )
