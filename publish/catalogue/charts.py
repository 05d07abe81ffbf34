"""Charts of the readers' pages as SVG: horizontal bars and dots with intervals, and lines, each value written out.

Drawn 360 units wide, as a phone is. Colours are classes of the page's style sheet, so that both schemes fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from publish.views.declared import Kind

WIDTH = 360
_SPACE = "\u00a0"
_TEXT = 13
_CHARACTER = 7.6
"""About as wide as a character of the text is."""
_MARK = {"bar": 14, "dot": 18}
_SERIES = 4
"""Colours and shapes that can be told apart."""


@dataclass(frozen=True)
class Mark:
    """One value: of a category and, where there are several, of a series; None where it is not shown."""

    category: str
    series: str
    value: float | None
    low: float | None = None
    high: float | None = None
    lacking: str = "för få"
    """Why there is no value, Swedish."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    Attributes:
        title: Swedish: what is seen, and of when.
        form: horizontal bars, dots, or a line over the categories.
        kind: of the values.
        marks: in the order in which they are drawn.
        line: a value that all are compared with, and what it is; None without one.
        notes: what a reader must know of the choice of rows, Swedish.
    """

    title: str
    form: str
    kind: Kind
    marks: tuple[Mark, ...]
    line: tuple[str, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, in order."""
        return tuple(dict.fromkeys(mark.category for mark in self.marks))

    @property
    def series(self) -> tuple[str, ...]:
        """All series, in order; one empty one when there are none."""
        return tuple(dict.fromkeys(mark.series for mark in self.marks))

    @property
    def in_words(self) -> str:
        """What the chart says, for who does not see it: highest, lowest, and what they are compared with."""
        shown = [mark for mark in self.marks if mark.value is not None]
        if not shown:
            return "Inga värden visas."

        def said(mark: Mark) -> str:
            where = f"{mark.category}, {mark.series}" if mark.series else mark.category
            return f"{where} {shown_as(mark.value, self.kind)}"

        highest, lowest = max(shown, key=_value), min(shown, key=_value)
        words = f"Högst: {said(highest)}. Lägst: {said(lowest)}."
        if self.line is not None:
            words += f" {self.line[0]}: {shown_as(self.line[1], self.kind)}."
        lacking = len(self.marks) - len(shown)
        return f"{words} Utan värde: {lacking} av {len(self.marks)}." if lacking else words


def _value(mark: Mark) -> float:
    return mark.value if mark.value is not None else math.nan


def shown_as(value: float | None, kind: Kind) -> str:
    """A value as Swedish text; "saknas" for none."""
    if value is None:
        return "saknas"
    if kind == "rate":
        return f"{_swedish(100 * value, 1)}{_SPACE}%"
    if kind == "days":
        return f"{_swedish(value, 0)}{_SPACE}dagar"
    return _swedish(value, 0 if kind in ("count", "rank") or float(value).is_integer() else 1)


def _swedish(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}".replace(",", _SPACE).replace(".", ",")
    return f"−{text[1:]}" if text.startswith("-") and text.strip("-0,") else text.lstrip("-")


def svg(drawing: Drawing, identifier: str) -> str:
    """The chart as an SVG element with a title and a description; `identifier` is its own on the page."""
    body, height = _lines(drawing) if drawing.form == "line" else _rows(drawing)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-labelledby="{identifier}-t {identifier}-d"><title id="{identifier}-t">{escape(drawing.title)}</title>'
        f'<desc id="{identifier}-d">{escape(drawing.in_words)}</desc>{body}</svg>'
    )


def legend(drawing: Drawing) -> str:
    """Which colour and shape is which series, as a list; empty for one series."""
    if len(drawing.series) < 2:
        return ""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 14 14" aria-hidden="true">{_shape(drawing.form, at, 7, 7)}</svg>'
        f"{escape(name)}</li>"
        for at, name in enumerate(drawing.series)
    )
    return f'<ul class="legend">{items}</ul>'


def _shape(form: str, series: int, x: float, y: float) -> str:
    """A mark's shape: each series has a colour, and among dots a shape, of its own."""
    which = series % _SERIES
    if form == "bar":
        return f'<rect class="s{which}" x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12"/>'
    if which == 1:
        return f'<rect class="s{which}" x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>'
    if which == 2:
        points = f"{x:.1f},{y - 5.5:.1f} {x + 5.5:.1f},{y + 4.5:.1f} {x - 5.5:.1f},{y + 4.5:.1f}"
        return f'<polygon class="s{which}" points="{points}"/>'
    if which == 3:
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
        return f'<polygon class="s{which}" points="{points}"/>'
    return f'<circle class="s{which}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", style: str = "") -> str:
    classed = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{classed}>{escape(text)}</text>'


@dataclass(frozen=True)
class _Scale:
    """Values to places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _ticks(values: Sequence[float], kind: Kind) -> tuple[float, float, list[float]]:
    """Lowest and highest value of an axis that begins at 0 (or below), and two to five round values on it."""
    low, high = min(0.0, *values), max(0.0, *values)
    if high == low:
        high = low + 1
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if (high - low) / (step * factor) <= 4)
    if kind in ("count", "days", "rank"):
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [step * number for number in range(first, last + 1)]


def _rows(drawing: Drawing) -> tuple[str, float]:
    """Horizontal bars, or dots with intervals: a row for each category, within it one for each series."""
    values = [one for mark in drawing.marks for one in (mark.value, mark.low, mark.high) if one is not None]
    values += [drawing.line[1]] if drawing.line else []
    low, high, ticks = _ticks(values or [0.0], drawing.kind)
    longest = max((len(one) for one in drawing.categories), default=0) + 1
    texts = max((len(shown_as(mark.value, drawing.kind)) for mark in drawing.marks), default=0)
    is_above = longest * _CHARACTER > WIDTH * 0.47
    start = 16.0 if is_above else longest * _CHARACTER + 8
    scale = _Scale(low, high, start, WIDTH - texts * _CHARACTER - 18)
    height, top = _MARK[drawing.form], 26.0 if drawing.line else 8.0
    rows: list[str] = []
    y = top
    for category in drawing.categories:
        marks = [mark for mark in drawing.marks if mark.category == category]
        if is_above:
            rows.append(_text(4, y + 12, category))
            y += 18
        else:
            rows.append(_text(start - 8, y + len(marks) * height / 2 + 4.5, category, anchor="end"))
        for mark in marks:
            rows.append(_row(drawing, scale, mark, y, height))
            y += height
        y += 7
    width = max(len(_tick_text(tick, drawing.kind)) for tick in ticks) * _CHARACTER + 6
    every = math.ceil(width * (len(ticks) - 1) / (scale.end - scale.start))
    grid = "".join(
        f'<line class="grid" x1="{scale.at(tick):.1f}" x2="{scale.at(tick):.1f}" y1="{top - 4:.1f}" y2="{y:.1f}"/>'
        + (
            ""
            if at % every
            else _text(scale.at(tick), y + 16, _tick_text(tick, drawing.kind), anchor="middle", style="tick")
        )
        for at, tick in enumerate(ticks)
    )
    compared = ""
    if drawing.line is not None:
        x = scale.at(drawing.line[1])
        words = f"{drawing.line[0]} {shown_as(drawing.line[1], drawing.kind)}"
        half = len(words) * _CHARACTER / 2
        compared = f'<line class="city" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6:.1f}" y2="{y:.1f}"/>' + _text(
            min(max(x, half), WIDTH - half), 14, words, anchor="middle", style="strong"
        )
    return grid + compared + "".join(rows), y + 22


def _row(drawing: Drawing, scale: _Scale, mark: Mark, y: float, height: int) -> str:
    middle, series = y + height / 2, drawing.series.index(mark.series)
    if mark.value is None:
        return _text(scale.at(max(scale.low, 0)) + 4, middle + 4.5, mark.lacking, style="lacking")
    text = _text(WIDTH - 4, middle + 4.5, shown_as(mark.value, drawing.kind), anchor="end", style="value")
    x = scale.at(mark.value)
    if drawing.form == "bar":
        zero = scale.at(0)
        return (
            f'<rect class="s{series % _SERIES}" x="{min(zero, x):.1f}" y="{y + 1:.1f}" '
            f'width="{max(abs(x - zero), 0.5):.1f}" height="{height - 2}"/>{text}'
        )
    interval = ""
    if mark.low is not None and mark.high is not None:
        interval = (
            f'<line class="interval" x1="{scale.at(mark.low):.1f}" x2="{scale.at(mark.high):.1f}" '
            f'y1="{middle:.1f}" y2="{middle:.1f}"/>'
        )
    return interval + _shape("dot", series, x, middle) + text


def _tick_text(tick: float, kind: Kind) -> str:
    if kind == "rate":
        percent = round(100 * tick, 6)
        return f"{_swedish(percent, 0 if percent.is_integer() else 1)}{_SPACE}%"
    return _swedish(tick, next((at for at in (0, 1) if round(tick, 6) == round(tick, at)), 2))


def _lines(drawing: Drawing) -> tuple[str, float]:
    """A line over the categories, from left to right; each point has its value above it."""
    categories = drawing.categories
    values = [mark.value for mark in drawing.marks if mark.value is not None]
    low, high, ticks = _ticks(values or [0.0], drawing.kind)
    upright = _Scale(low, high, 210, 30)
    left = max(len(_tick_text(tick, drawing.kind)) for tick in ticks) * _CHARACTER + 8
    step = (WIDTH - left - 26) / max(len(categories) - 1, 1)
    place = {category: left + 12 + at * step for at, category in enumerate(categories)}
    grid = "".join(
        f'<line class="grid" x1="{left:.1f}" x2="{WIDTH}" y1="{upright.at(tick):.1f}" y2="{upright.at(tick):.1f}"/>'
        + _text(left - 6, upright.at(tick) + 4.5, _tick_text(tick, drawing.kind), anchor="end", style="tick")
        for tick in ticks
    )
    every = max(1, math.ceil(max((len(one) for one in categories), default=1) * _CHARACTER / max(step, 1)))
    under = "".join(
        _text(place[one], 230, one, anchor="middle", style="tick")
        for at, one in enumerate(categories)
        if not at % every
    )
    drawn = []
    for at, name in enumerate(drawing.series):
        points = [mark for mark in drawing.marks if mark.series == name and mark.value is not None]
        path = " ".join(f"{place[mark.category]:.1f},{upright.at(_value(mark)):.1f}" for mark in points)
        drawn.append(f'<polyline class="l{at % _SERIES}" points="{path}"/>')
        width = max((len(shown_as(mark.value, drawing.kind)) for mark in points), default=1) * _CHARACTER + 20
        apart = max(1, math.ceil(width / max(step, 1)))
        for number, mark in enumerate(points):
            x, y = place[mark.category], upright.at(_value(mark))
            drawn.append(_shape("dot", at, x, y))
            if (len(points) - 1 - number) % apart == 0:
                shown = shown_as(mark.value, drawing.kind)
                half = len(shown) * _CHARACTER / 2
                drawn.append(_text(min(x, WIDTH - half), y - 10, shown, anchor="middle", style="value"))
    return grid + under + "".join(drawn), 238
