"""Which figures of the unit's own a file would change, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.pages.render import number, percent
from publish.labels import label

_SHOWN = 15
"""Figures of each mart; totals come first."""
_NOT_NAMED = ("district_code", "district_basis", "reporting_quarter", "period_kind", "period", "cut", "cohort_basis")
_WHOLE = "alla"


@dataclass(frozen=True)
class FigureChange:
    """One figure: what it is of, and what it is before and after."""

    measure: str
    of: str
    before: str
    after: str


@dataclass(frozen=True)
class MartChange:
    """The figures of one mart that differ; `more` are not listed, `elsewhere` are of other quarters or of the city."""

    title: str
    figures: tuple[FigureChange, ...]
    more: int
    elsewhere: int


def mart_changes(result: Mapping[str, Any]) -> tuple[MartChange, ...]:
    """The changes in a preview's result (`followup.build.preview.as_json` without the check)."""
    return tuple(
        MartChange(
            label(mart["mart"]) or mart["mart"],
            tuple(_change(one) for one in mart["figures"][:_SHOWN]),
            max(0, moved["here"] - len(mart["figures"][:_SHOWN])),
            moved["other_quarters"] + moved["city"],
        )
        for mart in result["marts"]
        if (moved := mart["moved"])["here"] or moved["other_quarters"] or moved["city"]
    )


def _change(figure: Mapping[str, Any]) -> FigureChange:
    name = figure["measure"]
    parts = [
        f"{(label(column) or column).lower()} {value}"
        for column, value in figure["key"].items()
        if column not in _NOT_NAMED and value != _WHOLE
    ]
    return FigureChange(
        label(name) or name, ", ".join(parts) or "totalt", _shown(name, figure["from"]), _shown(name, figure["to"])
    )


def _shown(measure: str, value: float | bool | None) -> str:
    if isinstance(value, bool):
        return "ja" if value else "nej"
    if "_rate" in measure and not measure.endswith(("_numerator", "_denominator")):
        return percent(value)
    return number(value, 0 if value is None or float(value).is_integer() else 1)
