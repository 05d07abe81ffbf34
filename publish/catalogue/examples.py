"""The example chart of a view: which of the release's own rows are drawn, by the view's declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from publish.catalogue.charts import Drawing, Mark
from publish.serving.release_file import ReleaseFile
from publish.views.declared import PERIOD, View, ViewColumn

MOST_CATEGORIES = 24
UNIT = "enhet"
"""A view's column that says what its numbers are of."""
_MOST_SERIES = 4
_ENOUGH = 0.6
"""A kind of period is drawn when so many of its newest period's values are shown."""
_INTERVAL = "Strecken visar gränserna för 95 procents säkerhet."
Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A drawing of a view, and the view that it is of: of quarters or of years."""

    view: View
    drawing: Drawing


def example(connection: duckdb.DuckDBPyConnection, release: ReleaseFile, views: Sequence[View]) -> Example | None:
    """The chart of a question: of the first kind of period in which most values are shown, its newest such period.

    Args:
        connection: one in which the release is attached (`ReleaseFile.reading`).
        release: it.
        views: the views of one declaration, one per kind of period.

    Returns:
        None when the release has none of them, or none of their values.
    """
    tables = {table.name: table for table in release.tables}
    best: tuple[float, Example] | None = None
    for view in views:
        if view.name not in tables:
            continue
        names = [column.name for column in view.columns]
        there = connection.execute(f"select * from {release.relation(tables[view.name])} order by rowid")
        of_file = [column[0] for column in there.description or ()]
        rows = [dict(zip(of_file, row, strict=True)) for row in there.fetchall()]
        if not set(names) <= set(of_file) or not rows:
            continue
        found = _of_view(view, rows)
        if found is None:
            continue
        shown, drawing = found
        if best is None or shown > best[0]:
            best = shown, Example(view, drawing)
        if shown >= _ENOUGH:
            break
    return best[1] if best else None


def _of_view(view: View, rows: list[Row]) -> tuple[float, Drawing] | None:
    """The share of the values that are shown, and the drawing."""
    chart, columns = view.chart, {column.name: column for column in view.columns}
    notes: list[str] = []
    period = ""
    if chart.x != PERIOD:
        counts: dict[str, int] = {}
        for row in rows:
            counts[row[PERIOD]] = counts.get(row[PERIOD], 0) + (row[chart.y] is not None)
        most = max(counts.values())
        if not most:
            return None
        period = max(one for one, count in counts.items() if 2 * count >= most)
        rows = [row for row in rows if row[PERIOD] == period]
    rows, label, series = _arranged(view, rows, columns, notes)
    marks = _marks(view, rows, label, series)
    if not any(mark.value is not None for mark in marks):
        return None
    line = _city(view, rows) if len({mark.series for mark in marks}) == 1 else None
    if UNIT in columns and len(units := {str(row[UNIT]) for row in rows if row[UNIT] is not None}) == 1:
        notes.append(f"{columns[UNIT].label}: {units.pop()}.")
    if chart.low and chart.high and any(mark.low is not None for mark in marks):
        notes.append(_INTERVAL)
    by = [columns[chart.x].label.lower()]
    by += [columns[chart.color].label.lower()] if chart.color and len({mark.series for mark in marks}) > 1 else []
    title = f"{columns[chart.y].label} efter {' och '.join(by)}{f', {period}' if period else ''}"
    drawing = Drawing(title, chart.kind, columns[chart.y].kind, _chosen(view, marks, notes), line, tuple(notes))
    return sum(mark.value is not None for mark in marks) / len(marks), drawing


Said = Callable[[Row], str]


def _arranged(
    view: View, rows: list[Row], columns: dict[str, ViewColumn], notes: list[str]
) -> tuple[list[Row], Said, Said]:
    """The rows to draw, what a row's category is called, and its series."""
    chart = view.chart
    others = [one for one in view.key if one not in (PERIOD, chart.x, chart.color)]
    color = chart.color

    def label(row: Row) -> str:
        return str(row[chart.x])

    series: Said = lambda row: ""  # noqa: E731  (one of two)
    if color is not None:
        by_color: str = color
        values = {row[by_color] for row in rows}
        if len(values) == 1:
            notes.append(f"{columns[by_color].label}: {values.pop()}.")
        elif len(values) <= _MOST_SERIES:
            series = lambda row: str(row[by_color] if row[by_color] is not None else "okänt")  # noqa: E731
        elif columns[chart.y].kind == "count":
            others.append(by_color)
        else:
            label = lambda row: f"{row[chart.x]}, {row[by_color]}"  # noqa: E731
    if columns[chart.y].kind == "count":
        summed = [columns[one].label for one in others if len({row[one] for row in rows}) > 1]
        if summed:
            notes.append(f"Summerat över {', '.join(summed).lower()}.")
        return rows, label, series
    if _is_repeated(rows, chart.y, lambda row: (label(row), series(row))):
        return rows, label, series
    for one in others:
        shown: dict[Any, int] = {}
        for row in rows:
            shown[row[one]] = shown.get(row[one], 0) + (row[chart.y] is not None)
        value = max(shown, key=lambda found: shown[found])
        rows = [row for row in rows if row[one] == value]
        notes.append(f"{columns[one].label}: {value}.")
    return rows, label, series


def _is_repeated(rows: list[Row], column: str, group: Callable[[Row], Any]) -> bool:
    """Whether all rows of each group hold the same value: a figure of the group, which stands on each of its rows."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(group(row), []).append(row[column])
    several = [values for values in found.values() if len(values) > 1]
    return bool(several) and all(len(set(values)) == 1 for values in several)


def _marks(view: View, rows: list[Row], label: Said, series: Said) -> list[Mark]:
    """A mark for each category and series: of counts the sum of their rows."""
    chart = view.chart
    kind = next(column.kind for column in view.columns if column.name == chart.y)
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((label(row), series(row)), []).append(row)
    found = []
    for (category, name), those in grouped.items():
        values = [row[chart.y] for row in those if row[chart.y] is not None]
        one = those[0]
        value = None if not values else float(sum(values)) if kind == "count" else float(values[0])
        limits = [one[end] for end in (chart.low, chart.high) if end]
        low, high = limits if len(limits) == 2 and len(those) == 1 else (None, None)
        found.append(Mark(category, name, value, low, high))
    return found


def _city(view: View, rows: list[Row]) -> tuple[str, float] | None:
    """The city's value beside the districts', where the view has it and it is one."""
    column = f"staden_{view.chart.y}"
    if column not in {one.name for one in view.columns}:
        return None
    found = {row[column] for row in rows if row[column] is not None}
    return ("Hela staden", float(found.pop())) if len(found) == 1 else None


def _chosen(view: View, marks: list[Mark], notes: list[str]) -> tuple[Mark, ...]:
    """In the order that the view says, the first of many; series in one order everywhere."""
    chart = view.chart
    if chart.sort == chart.y and chart.kind != "line":
        highest: dict[str, float] = {}
        for mark in marks:
            value = float("-inf") if mark.value is None else mark.value
            highest[mark.category] = max(highest.get(mark.category, float("-inf")), value)
        order = sorted(highest, key=lambda one: -highest[one])
    else:
        order = list(dict.fromkeys(mark.category for mark in marks))
    names = list(dict.fromkeys(mark.series for mark in marks))
    if len(order) > MOST_CATEGORIES:
        shown_at_all = {mark.category for mark in marks if mark.value is not None}
        if lacking := len(order) - len(shown_at_all):
            notes.append(f"Utan värde, och inte med här: {lacking} av {len(order)}.")
        order = [one for one in order if one in shown_at_all]
    if len(order) > MOST_CATEGORIES:
        half = MOST_CATEGORIES // 2
        notes.append(f"De {half} första och de {half} sista av {len(order)} visas.")
        order = order[:half] + order[-half:]
    place = {category: at for at, category in enumerate(order)}
    shown = [mark for mark in marks if mark.category in place]
    return tuple(sorted(shown, key=lambda mark: (place[mark.category], names.index(mark.series))))
