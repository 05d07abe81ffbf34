"""The example chart of a view: which of the release's own rows are drawn, by the view's declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from ingest.organisation import own_words
from publish.catalogue.charts import Drawing, Mark
from publish.catalogue.drawn import Drawn, load_drawn
from publish.serving.release_file import ReleaseFile, sql_literal
from publish.views.declared import PERIOD, TOO_FEW, WAITING, View, ViewColumn

MOST_CATEGORIES = 24
UNIT = "enhet"
"""A view's column that says what its numbers are of."""
_MOST_SERIES = 4
_ENOUGH = 0.6
"""A kind of period is drawn when so many of its newest period's values are shown."""
_PERIOD = re.compile(r"\bperiod = \((select max\(period\) from [^()]*)\)")
"""How a query of a view asks for its newest period."""
_INTERVAL = "Strecken visar gränserna för 95 procents säkerhet."
Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A drawing of a view, the view that it is of (of quarters or of years), and a query of the same period."""

    view: View
    drawing: Drawing
    query: str


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
        names = {column.name for column in view.columns}
        if view.name not in tables or not names <= {column.name for column in tables[view.name].columns}:
            continue
        drawn = load_drawn().get(view.base, Drawn())
        view = replace(view, chart=drawn.of(view))
        where = f"where {drawn.where}" if drawn.where else ""
        there = connection.execute(f"select * from {release.relation(tables[view.name])} {where} order by rowid")
        of_file = [column[0] for column in there.description or ()]
        rows = [dict(zip(of_file, row, strict=True)) for row in there.fetchall()]
        if not rows:
            continue
        asked = _asked(connection, view)
        found = _of_view(view, rows, drawn, asked)
        if found is None:
            continue
        shown, period, drawing = found
        if best is None or shown > best[0]:
            query = view.query if period in ("", asked) else _of_period(view.query, period)
            best = shown, Example(view, drawing, query)
        if shown >= _ENOUGH:
            break
    return best[1] if best else None


def _asked(connection: duckdb.DuckDBPyConnection, view: View) -> str:
    """The period that the view's query asks for; empty for one that asks for all."""
    found = _PERIOD.search(view.query)
    if found is None:
        return ""
    row = connection.execute(found[1].replace("published.", "release.published.")).fetchone()
    return str(row[0]) if row and row[0] is not None else ""


def _of_period(query: str, period: str) -> str:
    """A view's query for one period instead of the newest."""
    found = _PERIOD.search(query)
    return f"{query[: found.start()]}period = {sql_literal(period)}{query[found.end() :]}" if found else query


def _of_view(view: View, rows: list[Row], drawn: Drawn, asked: str) -> tuple[float, str, Drawing] | None:
    """The share of the values that are shown, the period, and the drawing: of the period `asked` if it has enough."""
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
        enough = [one for one, count in counts.items() if 2 * count >= most]
        period = asked if asked in enough else max(enough)
        rows = [row for row in rows if row[PERIOD] == period]
    rows, label, series = _arranged(view, rows, columns, notes)
    marks = _marks(view, rows, label, series)
    if not any(mark.value is not None for mark in marks):
        return None
    line = _city(view, rows) if len({mark.series for mark in marks}) == 1 else None
    if UNIT in columns and len(units := {str(row[UNIT]) for row in rows if row[UNIT] is not None}) == 1:
        notes.append(f"{columns[UNIT].label}: {units.pop()}.")
    if chart.low and chart.high and any(mark.low is not None for mark in marks):
        notes.append(drawn.interval or _INTERVAL)
    if drawn.note:
        notes.append(drawn.note)
    by = [columns[chart.x].label.lower()]
    by += [columns[chart.color].label.lower()] if chart.color and len({mark.series for mark in marks}) > 1 else []
    title = drawn.title or f"{columns[chart.y].label} efter {' och '.join(by)}"
    title += f", {period}" if period else ""
    chosen = _chosen(view, marks, notes, ascending=drawn.ascending)
    drawing = Drawing(title, chart.kind, columns[chart.y].kind, chosen, line, tuple(notes))
    return sum(mark.value is not None for mark in marks) / len(marks), period, drawing


Said = Callable[[Row], str]


def _arranged(
    view: View, rows: list[Row], columns: dict[str, ViewColumn], notes: list[str]
) -> tuple[list[Row], Said, Said]:
    """The rows to draw, what a row's category is called, and its series."""
    chart = view.chart
    others = [one for one in view.key if one not in (PERIOD, chart.x, chart.color)]
    of_series = of_label = None  # the column of colours, where it makes series, or a part of the label
    if chart.color is not None:
        values = {row[chart.color] for row in rows}
        if len(values) == 1:
            notes.append(f"{columns[chart.color].label}: {values.pop()}.")
        elif len(values) <= _MOST_SERIES:
            of_series = chart.color
        elif columns[chart.y].kind == "count":
            others.append(chart.color)
        else:
            of_label = chart.color

    def label(row: Row) -> str:
        return str(row[chart.x]) if of_label is None else f"{row[chart.x]}, {row[of_label]}"

    def series(row: Row) -> str:
        if of_series is None:
            return ""
        return "okänt" if row[of_series] is None else str(row[of_series])

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
        found.append(Mark(category, name, value, low, high, "för få" if value is not None else _lacking(one)))
    return found


def _lacking(row: Row) -> str:
    """Why a row has no value, as far as it says so itself."""
    if row.get(TOO_FEW, True):
        return "för få"
    return "väntar på tid" if row.get(WAITING) else "saknas"


def _city(view: View, rows: list[Row]) -> tuple[str, float] | None:
    """The city's value beside the districts', where the view has it and it is one."""
    column = f"staden_{view.chart.y}"
    if column not in {one.name for one in view.columns}:
        return None
    found = {row[column] for row in rows if row[column] is not None}
    return (own_words("Hela staden"), float(found.pop())) if len(found) == 1 else None


def _chosen(view: View, marks: list[Mark], notes: list[str], *, ascending: bool) -> tuple[Mark, ...]:
    """In the order that the view says, the first of many; series in one order everywhere.

    A series without a row in a category says so there: counts that are all 0 have no row.
    """
    chart = view.chart
    if chart.sort == chart.y and chart.kind != "line":
        highest: dict[str, float] = {}
        for mark in marks:
            value = float("-inf") if mark.value is None else mark.value
            highest[mark.category] = max(highest.get(mark.category, float("-inf")), value)
        order = sorted(highest, key=lambda one: highest[one] if ascending else -highest[one])
    else:
        order = list(dict.fromkeys(mark.category for mark in marks))
    names = list(dict.fromkeys(mark.series for mark in marks))
    if len(order) > MOST_CATEGORIES:
        shown_at_all = {mark.category for mark in marks if mark.value is not None}
        if lacking := len(order) - len(shown_at_all):
            notes.append(f"Utan värde, och inte med här: {lacking} av {len(order)}.")
        order = [one for one in order if one in shown_at_all]
    if len(order) > MOST_CATEGORIES and ascending:
        notes.append(f"De {MOST_CATEGORIES} lägsta av {len(order)} visas.")
        order = order[:MOST_CATEGORIES]
    if len(order) > MOST_CATEGORIES:
        half = MOST_CATEGORIES // 2
        notes.append(f"De {half} första och de {half} sista av {len(order)} visas.")
        order = order[:half] + order[-half:]
    place = {category: at for at, category in enumerate(order)}
    shown = [mark for mark in marks if mark.category in place]
    if chart.kind != "line":
        there = {(mark.category, mark.series) for mark in shown}
        absent = [one for category in order for name in names if (one := (category, name)) not in there]
        shown += [Mark(*one, None, lacking="saknas") for one in absent]
        if absent:
            notes.append("Där det står saknas har tabellen ingen rad.")
    return tuple(sorted(shown, key=lambda mark: (place[mark.category], names.index(mark.series))))
