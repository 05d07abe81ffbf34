"""Sections that compare the districts on one measure, each with its interval and the release's own limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.swedish_order import swedish_order
from portal.figures.choices import Asked, Period, views_of
from portal.figures.findings import Compared, Lacking, Value, of_city, of_district
from portal.figures.pictures import Limits, Mark, Picture
from portal.figures.released import Release, Row
from portal.figures.sections import Section, missing_notes, other_period, state_notes
from portal.figures.tables import Cell, Column, Table, cell, of_view, text_of, why_missing
from portal.figures.wording import capital
from publish.views.declared import CITY, DISTRICT, TOO_FEW, WAITING, WHOLE_CITY, PeriodKind, View

EQUITY = "vy_likstallighet"
_OF_TEST = ("lage", "saker_skillnad")
_INTERVAL = "Strecket genom en punkt är osäkerheten: gränserna för 95 procents säkerhet."
_BANDS = (
    "Banden visar hur mycket slump och vanlig spridning ger: det tydliga bandet är de inre gränserna, det svaga de "
    "yttre. Bara en triangel är en säker skillnad."
)


@dataclass(frozen=True)
class Measure:
    """A figure that districts are compared on.

    Attributes:
        key: of its section.
        column: of the view; its interval is in `<column>_lag` and `<column>_hog` where the view has them, the city's
            value in `staden_<column>`.
        saying, what: as in `Compared`.
        tested_as: its code among the measures of equity; empty where the release tests it under none.
        counted: the view's column that says how many are behind it; empty for none.
    """

    key: str
    heading: str
    column: str
    saying: str
    what: str
    tested_as: str = ""
    counted: str = ""


def tested(release: Release, kind: PeriodKind, period: str, code: str) -> dict[str, Row]:
    """The rows of the release's own comparison, by district; empty for quarters and where the release has none."""
    view = views_of(EQUITY).get(kind)
    label = next((one for one, (known, _) in release.codes("dim_measure").items() if known == code), None)
    if not code or view is None or label is None or not release.has_view(view):
        return {}
    return {row[DISTRICT]: row for row in release.rows(view, {"period": period, "matt": label})}


def compared(asked: Asked, period: Period, rows: Sequence[Row], measure: Measure) -> Compared:
    """The districts' figures of a measure, as findings are made of."""
    column = next(one for one in period.view.columns if one.name == measure.column)
    names = {one.name for one in period.view.columns}
    tests = tested(asked.release, period.kind, period.label, measure.tested_as)
    values = []
    for row in rows:
        test = tests.get(row[DISTRICT], {})
        low, high = (row[f"{measure.column}_{end}"] if f"{measure.column}_{end}" in names else None for end in _ENDS)
        if low is None and test and column.kind != "rate":
            low, high = test["varde_lag"], test["varde_hog"]
        values.append(
            Value(
                row[DISTRICT],
                row[measure.column],
                low,
                high,
                test.get("lage") or "",
                bool(test.get("saker_skillnad")),
                _lacking(row, measure) if row[measure.column] is None else "",
            )
        )
    city_column = f"{CITY}{measure.column}"
    citys = [row[city_column] for row in rows if city_column in names and row[city_column] is not None]
    waits = any(row.get(WAITING) or row.get(WHOLE_CITY) is False for row in rows)
    return Compared(
        period=period.label,
        kind=column.kind,
        saying=measure.saying,
        what=measure.what,
        city=citys[0] if citys else None,
        values=tuple(values),
        is_tested=any(one.position for one in values),
        is_quarter=period.kind == "kvartal",
        city_lacking="" if citys else "waiting" if waits else "too_few",
    )


_ENDS = ("lag", "hog")


def _lacking(row: Row, measure: Measure) -> Lacking:
    if row.get(f"absent {measure.column}"):
        return "absent"
    if measure.counted and row[measure.counted] is None:
        return "waiting"
    if row.get(WAITING) and not row.get(TOO_FEW):
        return "waiting"
    return "too_few" if row.get(TOO_FEW) else "absent"


def marks_of(found: Compared, district: str, limits: Mapping[str, Limits]) -> tuple[Mark, ...]:
    """A mark for each district, the highest value first."""
    ordered = sorted(found.values, key=lambda one: (one.value is None, -(one.value or 0), swedish_order(one.name)))
    return tuple(
        Mark(
            one.name,
            one.value,
            _missing(one) if one.value is None else text_of(one.value, found.kind),
            one.low,
            one.high,
            limits.get(one.name),
            None,
            "sure" if one.is_sure else "chosen" if one.name == district else "",
        )
        for one in ordered
    )


def _missing(one: Value) -> str:
    return {"too_few": "för få", "waiting": "inte klart"}.get(one.lacking, "saknas")


def limits_of(tests: Mapping[str, Row], factor: float) -> dict[str, Limits]:
    """The limits of each district, times a factor: shares of equity are in per cent."""
    names = ("inre_grans_lag", "inre_grans_hog", "yttre_grans_lag", "yttre_grans_hog")
    return {
        district: Limits(*(row[one] * factor for one in names))
        for district, row in tests.items()
        if all(row[one] is not None for one in names)
    }


def picture_of(title: str, found: Compared, district: str, limits: Mapping[str, Limits]) -> Picture:
    """The districts as dots with their intervals, beside the city."""
    marks = marks_of(found, district, limits)
    line = None if found.city is None else (f"Hela staden {text_of(found.city, found.kind)}", found.city)
    about = [_INTERVAL] if any(mark.low is not None for mark in marks) else []
    about += [_BANDS] if any(mark.limits is not None for mark in marks) else []
    return Picture(title, "dots", found.kind, marks, line, tuple(about))


def section(asked: Asked, period: Period, rows: Sequence[Row], measure: Measure, base: str, district: str) -> Section:
    """A measure's section: its finding, of the district if one is chosen, its chart and its table."""
    found = compared(asked, period, rows, measure)
    tests = tested(asked.release, period.kind, period.label, measure.tested_as)
    limits = limits_of(tests, 0.01 if found.kind == "rate" else 1.0)
    caption = f"{capital(measure.what)}, {period.label}"
    names = {column.name for column in period.view.columns}
    columns = [DISTRICT, "period", measure.column]
    columns += [one for one in (f"{measure.column}_lag", f"{measure.column}_hog") if one in names]
    columns += [one for one in (f"{CITY}{measure.column}", measure.counted) if one in names]
    table = of_view(
        period.view, rows, columns, caption, missing_notes(asked, has_counts_of_persons=bool(measure.counted))
    )
    if found.is_tested:
        table = _with_tests(table, [tests.get(row[DISTRICT], {}) for row in rows], views_of(EQUITY)[period.kind])
    return Section(
        key=measure.key,
        heading=measure.heading,
        finding=of_district(found, district) if district else of_city(found),
        base=base,
        picture=picture_of(caption, found, district, limits) if found.shown else None,
        table=table,
        notes=(*other_period(asked, period), *state_notes(rows)),
    )


def _with_tests(table: Table, tests: Iterable[Row], view: View) -> Table:
    """The table with where the release places each district, and whether the difference is sure."""
    declared = {column.name: column for column in view.columns}
    columns = tuple(Column(one, declared[one].label, declared[one].kind) for one in _OF_TEST)
    rows = tuple((*row, *_of_test(test, columns, view)) for row, test in zip(table.rows, tests, strict=True))
    return Table(table.caption, (*table.columns, *columns), rows, table.notes)


def _of_test(test: Row, columns: Sequence[Column], view: View) -> Iterable[Cell]:
    declared = {column.name: column for column in view.columns}
    for one in columns:
        yield cell(test.get(one.name), one.kind, why_missing(declared[one.name], test))
