"""Charts as SVG: Altair says what is where, vl-convert draws it here on the server.

Nothing in it needs a style sheet, so that the strictest policy shows it. Both widths and both colour schemes are
drawings of their own, since an image knows nothing of the page around it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import altair as alt
import vl_convert

from portal.figures.pictures import Mark, Picture
from publish.views.declared import Kind

Width = Literal["smal", "bred"]
Scheme = Literal["ljus", "mork"]
_LOCK = threading.Lock()
"""One drawing at a time: the converter has one engine in the process."""
_FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
_TEXT = 13
_CHARACTER = 7.4
"""About as wide as a character of the text is."""


@dataclass(frozen=True)
class _Colours:
    """Of one scheme: text 4.5 to 1 against its page, marks 3 to 1. Shape and weight say the same as colour."""

    text: str
    soft: str
    grid: str
    outer: str
    inner: str
    plain: str
    chosen: str
    sure: str
    city: str


_SCHEMES: dict[Scheme, _Colours] = {
    "ljus": _Colours("#1b1b1b", "#4a525c", "#dcdcdc", "#e6ebf0", "#c3cfdb", "#0b5c8f", "#b3420a", "#8a1c5c", "#1b1b1b"),
    "mork": _Colours("#f1f1f1", "#b8b8b8", "#474b50", "#2b333b", "#46545f", "#7cc0ec", "#ffa15c", "#f08cc4", "#f1f1f1"),
}
_SHAPES = {"": "circle", "chosen": "diamond", "sure": "triangle-up"}
_TOTAL: dict[Width, int] = {"smal": 340, "bred": 720}


@dataclass(frozen=True)
class _Frame:
    """Where things are, in units of the drawing: the plot from `left` on, `width` wide, rows `step` apart."""

    left: float
    width: float
    step: float
    first: float
    height: float
    are_names_above: bool


def svg(picture: Picture, width: Width, scheme: Scheme) -> str:
    """A chart as an SVG document, with its title and its words for who does not see it."""
    # a test asks whether what is drawn here is valid: asking each time takes longer than drawing
    spec = _chart(picture, width, _SCHEMES[scheme]).to_dict(validate=False)
    with _LOCK:
        drawn: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[], format_locale="sv-SE")
    head, _, body = drawn.partition(">")
    said = f'<title id="t">{escape(picture.title)}</title><desc id="d">{escape(picture.in_words)}</desc>'
    return f'{head} role="img" aria-labelledby="t d">{said}{body}'


def size(picture: Picture, width: Width) -> tuple[int, int]:
    """How wide and high a drawing is."""
    return _TOTAL[width], round(_frame(picture, width).height + (34 if _has_axis(picture) else 6))


def warm() -> None:
    """Draw once, so that the first reader does not wait for the engine to start."""
    svg(Picture("", "dots", "count", (Mark("", 1.0, "1"),)), "smal", "ljus")


def _has_axis(picture: Picture) -> bool:
    return picture.form == "dots"


def _frame(picture: Picture, width: Width) -> _Frame:
    total = _TOTAL[width]
    longest = max((len(mark.name) for mark in picture.marks), default=0)
    texts = max((len(mark.text) for mark in picture.marks), default=0) * _CHARACTER + 20
    names = longest * _CHARACTER + 14
    are_above = names > total * 0.42
    left = 16.0 if are_above else names
    step = 42.0 if are_above else 26.0
    first = 26.0 if picture.line is not None else 4.0
    return _Frame(left, total - left - texts, step, first, first + step * len(picture.marks), are_above)


class _Layers:
    """The layers of a chart, in the order in which they are drawn; one without rows is left out."""

    def __init__(self, picture: Picture, width: Width, colours: _Colours) -> None:
        self.frame = _frame(picture, width)
        self.low, self.high = _domain(picture)
        self.text_end = _TOTAL[width] - self.frame.left - 4
        self.drawn: list[alt.Chart] = []
        axis = _axis(picture.kind, colours) if _has_axis(picture) else None
        x = alt.Scale(domain=[self.low, self.high], range=[0, self.frame.width], nice=False, zero=False)
        y = alt.Scale(domain=[0, self.frame.height], range=[0, self.frame.height], nice=False, zero=False)
        self._x = alt.X("from:Q", scale=x, axis=axis, title=None)
        self._y = alt.Y("y:Q", scale=y, axis=None)
        self.spans(
            [{"from": self.low, "to": self.low, "y": self.frame.first}], opacity=0
        )  # the axis, whatever is shown

    def spans(self, rows: list[dict[str, Any]], **mark: Any) -> None:
        """Lines from left to right, no longer than the axis."""
        within = [{**row, "from": max(row["from"], self.low), "to": min(row["to"], self.high)} for row in rows]
        self._add(within, lambda chart: chart.mark_rule(**mark).encode(x=self._x, x2="to:Q", y=self._y))

    def uprights(self, rows: list[dict[str, Any]], **mark: Any) -> None:
        """Lines from `y` down to `bottom`."""
        self._add(rows, lambda chart: chart.mark_rule(**mark).encode(x=self._x, y=self._y, y2="bottom:Q"))

    def points(self, rows: list[dict[str, Any]], **mark: Any) -> None:
        """A shape at each value."""
        self._add(rows, lambda chart: chart.mark_point(filled=True, **mark).encode(x=self._x, y=self._y))

    def ticks(self, rows: list[dict[str, Any]], **mark: Any) -> None:
        """A short line upright at each value."""
        self._add(rows, lambda chart: chart.mark_tick(orient="vertical", **mark).encode(x=self._x, y=self._y))

    def words(self, rows: list[dict[str, Any]], at: float, colour: str, **mark: Any) -> None:
        """A text in each row, all at one place from the plot's left side."""
        options: dict[str, Any] = {"fontSize": _TEXT, "baseline": "middle", "color": colour, **mark}
        self._add(rows, lambda chart: chart.mark_text(**options).encode(x=alt.value(at), y=self._y, text="said:N"))

    def _add(self, rows: list[dict[str, Any]], made: Callable[[alt.Chart], Any]) -> None:
        if rows:
            self.drawn.append(made(alt.Chart(alt.InlineData(values=rows))))


def _chart(picture: Picture, width: Width, colours: _Colours) -> alt.LayerChart:
    layers = _Layers(picture, width, colours)
    frame = layers.frame
    total, height = size(picture, width)
    rows = [(mark, _middle(frame, at)) for at, mark in enumerate(picture.marks)]
    limits = [(mark.limits, y) for mark, y in rows if mark.limits is not None]
    outer = [{"from": one.outer_low, "to": one.outer_high, "y": y} for one, y in limits]
    inner = [{"from": one.inner_low, "to": one.inner_high, "y": y} for one, y in limits]
    layers.spans(outer, color=colours.outer, strokeWidth=16)
    layers.spans(inner, color=colours.inner, strokeWidth=16)
    if picture.line is not None:
        _line(layers, picture.line, [y for _, y in rows], colours)
    for emphasis, colour in (("", colours.plain), ("chosen", colours.chosen), ("sure", colours.sure)):
        _marks(layers, picture, [(mark, y) for mark, y in rows if mark.emphasis == emphasis], emphasis, colour)
        _texts(layers, [(mark, y) for mark, y in rows if mark.emphasis == emphasis], bool(emphasis), colours)
    beside = [{"from": mark.beside, "y": y} for mark, y in rows if mark.beside is not None]
    layers.ticks(beside, size=18, thickness=3, color=colours.city, opacity=1)
    right, below = total - frame.left - frame.width, height - frame.height
    drawn: alt.LayerChart = (
        alt.layer(*layers.drawn)
        .properties(
            width=frame.width,
            height=frame.height,
            autosize=alt.AutoSizeParams(type="none"),
            padding={"left": frame.left, "top": 0, "right": right, "bottom": below},
        )
        .configure(background="transparent", font=_FONT)
        .configure_view(stroke=None)
    )
    return drawn


_Placed = Sequence[tuple[Mark, float]]
"""Marks with the middles of their rows."""


def _marks(layers: _Layers, picture: Picture, rows: _Placed, emphasis: str, colour: str) -> None:
    shown = [(mark, y) for mark, y in rows if mark.value is not None]
    if picture.form == "bars":
        layers.spans([{"from": 0, "to": mark.value, "y": y} for mark, y in shown], color=colour, strokeWidth=16)
        return
    intervals = [
        {"from": mark.low, "to": mark.high, "y": y}
        for mark, y in shown
        if mark.low is not None and mark.high is not None
    ]
    layers.spans(intervals, color=colour, strokeWidth=2)
    dots = [{"from": mark.value, "y": y} for mark, y in shown]
    layers.points(dots, shape=_SHAPES[emphasis], opacity=1, size=90 if emphasis else 60, color=colour)


def _texts(layers: _Layers, rows: _Placed, is_bold: bool, colours: _Colours) -> None:
    """Names to the left of their rows or above them, values to the right."""
    weight = "bold" if is_bold else "normal"
    is_above = layers.frame.are_names_above
    names = [{"said": mark.name, "y": y - (20 if is_above else 0)} for mark, y in rows]
    at, align = (-12, "left") if is_above else (-10, "right")
    layers.words(names, at, colours.text, align=align, fontWeight=weight)
    for is_shown, colour in ((True, colours.text), (False, colours.soft)):
        values = [{"said": mark.text, "y": y} for mark, y in rows if (mark.value is not None) is is_shown]
        layers.words(values, layers.text_end, colour, align="right", fontWeight=weight if is_shown else "normal")


def _middle(frame: _Frame, at: int) -> float:
    return frame.first + frame.step * at + (31 if frame.are_names_above else frame.step / 2)


def _line(layers: _Layers, line: tuple[str, float], rows: Sequence[float], colours: _Colours) -> None:
    """The city's value as a line through each row, where no name is, its words above all rows."""
    words, value = line
    frame = layers.frame
    half = 11 if frame.are_names_above else frame.step / 2
    uprights = [{"from": value, "y": row - half, "bottom": row + half} for row in rows]
    layers.uprights(uprights, color=colours.city, strokeWidth=1.5, strokeDash=[4, 2])
    long = len(words) * _CHARACTER / 2 + 4
    share = (value - layers.low) / (layers.high - layers.low)
    at = min(max(share * frame.width, long - frame.left), frame.width - long + 40)
    layers.words([{"said": words, "y": 10}], at, colours.text, fontWeight="bold", align="center")


def _domain(picture: Picture) -> tuple[float, float]:
    """The axis: bars begin at zero; dots where the lowest thing drawn is, with a little room on both sides."""
    values = [
        one for mark in picture.marks for one in (mark.value, mark.low, mark.high, mark.beside) if one is not None
    ]
    values += [picture.line[1]] if picture.line is not None else []
    if picture.form == "bars":
        return 0.0, max([*values, 0.0]) or 1.0
    for mark in picture.marks:
        values += [mark.limits.inner_low, mark.limits.inner_high] if mark.limits else []
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.04 or 0.5
    return (0.0 if 0 <= low <= (high - low) else low - room), high + room


def _axis(kind: Kind, colours: _Colours) -> alt.Axis:
    return alt.Axis(
        orient="bottom",
        labelExpr="format(datum.value * 100, ',.0f') + '\u00a0%'" if kind == "rate" else "format(datum.value, ',.1~f')",
        tickCount=4,
        grid=True,
        gridColor=colours.grid,
        domain=False,
        ticks=False,
        labelColor=colours.soft,
        labelFontSize=12,
        labelPadding=6,
        labelOverlap="greedy",
        labelFlush=False,
    )
