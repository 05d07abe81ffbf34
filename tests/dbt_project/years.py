"""That the years of every mart are what their quarters say, asked of a built warehouse.

What a year's column is stands with the column in its model's YAML, as `over_year`: `summa`, the sum of the quarters
(also where nothing is said), `sista`, that of the last quarter, or `pa_nytt`, computed anew from what is below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2] / "dbt_project"
OF_THE_FILES = {"quarters_in_force", "districts_in_force", "districts_expected", "late", "open_queries"}
"""How complete the files are: of all quarters, also of those without a row in the mart."""
QUARTERS_ONLY = {"mart_vacancies", "mart_submission_status"}
STATES = {"mart_supply", "mart_routines"}
"""What is so at the end of a quarter: no rolling years."""
WHOLE_TIME = {"mart_pilot_effect"}
Ask = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True)
class MartModel:
    """A mart's declared columns: the key, and the whole numbers by what they are over a year."""

    name: str
    key: tuple[str, ...]
    over_year: Mapping[str, str]

    @property
    def same(self) -> tuple[str, ...]:
        """The columns in which a year's row agrees with those of its quarters."""
        return tuple(name for name in self.key if name not in ("reporting_quarter", "period_kind"))

    def columns(self, over_year: str) -> list[str]:
        """The whole numbers that are so over a year."""
        return [name for name, how in self.over_year.items() if how == over_year]


def mart_models() -> Iterator[MartModel]:
    """Every mart."""
    for path in sorted((PROJECT / "models" / "marts").glob("mart_*.yml")):
        (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        (key,) = (
            t["unique_combination"]["arguments"]["columns"] for t in model["data_tests"] if "unique_combination" in t
        )
        whole = {
            column["name"]: column.get("config", {}).get("meta", {}).get("over_year", "summa")
            for column in model["columns"]
            if column["data_type"] in ("integer", "bigint") and column["name"] not in {*OF_THE_FILES, *key}
        }
        yield MartModel(model["name"], tuple(key), whole)


def wrong_years(ask: Ask, model: MartModel) -> dict[str, int]:
    """In how many rows of years each whole number, or its key, is not what the quarters say; only those above 0.

    Args:
        ask: what a query of the warehouse gives.
        model: a mart that has years.
    """
    keyed = {row["column_name"] for row in ask(f"describe keyed.{model.name}")}
    sums, stocks = model.columns("summa"), model.columns("sista")
    summed = [f"sum(quarters.{name}) as {name}" for name in sums]
    summed += [f"sum(quarters.{n}__key::hugeint) % 4294967296 as {n}__key" for n in sums if f"{n}__key" in keyed]
    for name in [*stocks, *(f"{name}__key" for name in stocks if f"{name}__key" in keyed)]:
        last = f"case when quarters.reporting_quarter = spans.reporting_quarter then quarters.{name} end"
        summed.append(f"max({last}) as {name}")
    if not summed:
        return {}
    compared = [each.rsplit(" as ", 1)[1] for each in summed]
    # the denominator of a reason of return is all that were followed, in quarters without such a return too
    among = {
        name: " and years.return_reason_side = 'alla'"
        for name in compared
        if model.name == "mart_re_referral" and "_denominator" in name
    }
    differing = ", ".join(
        f"count(*) filter (coalesce(years.{name}, 0) <> coalesce(expected.{name}, 0){among.get(name, '')}) as {name}"
        for name in compared
    )
    same = ", ".join(f"quarters.{name}" for name in model.same)
    joined = " and ".join(f"years.{name} = expected.{name}" for name in model.same)
    (found,) = ask(
        f"with years as (from keyed.{model.name} where period_kind <> 'kvartal'), "
        "spans as (select distinct reporting_quarter, member_quarter from core.dim_period_quarter), "
        f"expected as (select spans.reporting_quarter, {same}, {', '.join(summed)} from spans "
        f"inner join keyed.{model.name} as quarters "
        "on quarters.reporting_quarter = spans.member_quarter and quarters.period_kind = 'kvartal' group by all) "
        f"select count(*) as years, {differing} from years left join expected "
        f"on years.reporting_quarter = expected.reporting_quarter and {joined}"
    )
    assert found.pop("years") > 0, f"{model.name} has no years"
    return {name: rows for name, rows in found.items() if rows}
