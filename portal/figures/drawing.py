"""Charts as SVG: Altair says what is where, vl-convert draws it here on the server.

Nothing in it needs a style sheet, so that the strictest policy shows it. Both widths and both colour schemes are
drawings of their own, since an image knows nothing of the page around it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
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
    left = 8.0 if are_above else names
    step = 42.0 if are_above else 26.0
    first = 26.0 if picture.line is not None else 4.0
    return _Frame(left, total - left - texts, step, first, first + step * len(picture.marks), are_above)


def _chart(picture: Picture, width: Width, colours: _Colours) -> alt.LayerChart:
    frame = _frame(picture, width)
    total, height = size(picture, width)
    low, high = _domain(picture)
    x = alt.Scale(domain=[low, high], range=[0, frame.width], nice=False, zero=False)
    axis = _axis(picture.kind, colours) if _has_axis(picture) else None
    y = alt.Scale(domain=[0, frame.height], range=[0, frame.height], nice=False, zero=False)
    at_y = alt.Y("y:Q", scale=y, axis=None)

    def layer(rows: list[dict[str, Any]]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows or [{"y": None}]))

    def span(rows: list[dict[str, Any]], **mark: Any) -> alt.Chart:
        across = alt.X("from:Q", scale=x, axis=axis, title=None)
        drawn: alt.Chart = layer(rows).mark_rule(**mark).encode(x=across, x2="to:Q", y=at_y)
        return drawn

    def words(rows: list[dict[str, Any]], at: float, colour: str, **mark: Any) -> alt.Chart:
        options: dict[str, Any] = {"fontSize": _TEXT, "baseline": "middle", "color": colour, **mark}
        drawn: alt.Chart = layer(rows).mark_text(**options).encode(x=alt.value(at), y=at_y, text="said:N")
        return drawn

    layers: list[alt.Chart] = [span([{"from": low, "to": low, "y": frame.first}], opacity=0)]
    places = {id(mark): _middle(frame, at) for at, mark in enumerate(picture.marks)}
    if any(mark.limits for mark in picture.marks):
        outer = [{"from": m.limits.outer_low, "to": m.limits.outer_high, "y": places[id(m)]} for m in _limited(picture)]
        inner = [{"from": m.limits.inner_low, "to": m.limits.inner_high, "y": places[id(m)]} for m in _limited(picture)]
        layers.append(span(_within(outer, low, high), color=colours.outer, strokeWidth=16))
        layers.append(span(_within(inner, low, high), color=colours.inner, strokeWidth=16))
    if picture.line is not None:
        layers += _line(picture, picture.line, frame, x, axis, colours)
    for emphasis in ("", "chosen", "sure"):
        marks = [mark for mark in picture.marks if mark.emphasis == emphasis]
        colour = {"": colours.plain, "chosen": colours.chosen, "sure": colours.sure}[emphasis]
        shown = [mark for mark in marks if mark.value is not None]
        if picture.form == "bars":
            bars = [{"from": 0, "to": mark.value, "y": places[id(mark)]} for mark in shown]
            layers.append(span(bars, color=colour, strokeWidth=16))
        else:
            intervals = [
                {"from": mark.low, "to": mark.high, "y": places[id(mark)]}
                for mark in shown
                if mark.low is not None and mark.high is not None
            ]
            layers.append(span(_within(intervals, low, high), color=colour, strokeWidth=2))
            dots = [{"from": mark.value, "y": places[id(mark)]} for mark in shown]
            point: dict[str, Any] = {"filled": True, "opacity": 1, "size": 90 if emphasis else 60, "color": colour}
            layers.append(
                layer(dots)
                .mark_point(shape=_SHAPES[emphasis], **point)
                .encode(x=alt.X("from:Q", scale=x, axis=axis, title=None), y=at_y)
            )
        weight = "bold" if emphasis else "normal"
        names = [{"said": mark.name, "y": places[id(mark)] - (20 if frame.are_names_above else 0)} for mark in marks]
        at, align = (-2, "left") if frame.are_names_above else (-10, "right")
        layers.append(words(names, at, colours.text, align=align, fontWeight=weight))
        values = [{"said": mark.text, "y": places[id(mark)]} for mark in shown]
        layers.append(words(values, total - frame.left - 4, colours.text, align="right", fontWeight=weight))
        lacking = [{"said": mark.text, "y": places[id(mark)]} for mark in marks if mark.value is None]
        layers.append(words(lacking, total - frame.left - 4, colours.soft, align="right"))
    beside = [{"from": mark.beside, "y": places[id(mark)]} for mark in picture.marks if mark.beside is not None]
    if beside:
        tick: dict[str, Any] = {"orient": "vertical", "size": 18, "thickness": 3, "color": colours.city, "opacity": 1}
        layers.append(layer(beside).mark_tick(**tick).encode(x=alt.X("from:Q", scale=x, axis=axis, title=None), y=at_y))
    right, below = total - frame.left - frame.width, height - frame.height
    drawn: alt.LayerChart = (
        alt.layer(*layers)
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


def _limited(picture: Picture) -> list[Any]:
    return [mark for mark in picture.marks if mark.limits is not None]


def _middle(frame: _Frame, at: int) -> float:
    return frame.first + frame.step * at + (31 if frame.are_names_above else frame.step / 2)


def _line(
    picture: Picture, line: tuple[str, float], frame: _Frame, x: alt.Scale, axis: alt.Axis | None, colours: _Colours
) -> Sequence[alt.Chart]:
    """The city's value as a line through each row, where no name is, its words above all rows."""
    words, value = line
    low, high = _domain(picture)
    half = frame.step / 2 if not frame.are_names_above else 11
    rows = [_middle(frame, at) for at in range(len(picture.marks))]
    y = alt.Scale(domain=[0, frame.height], range=[0, frame.height], nice=False, zero=False)
    rule = (
        alt.Chart(alt.InlineData(values=[{"from": value, "top": row - half, "bottom": row + half} for row in rows]))
        .mark_rule(color=colours.city, strokeWidth=1.5, strokeDash=[4, 2])
        .encode(x=alt.X("from:Q", scale=x, axis=axis, title=None), y=alt.Y("top:Q", scale=y, axis=None), y2="bottom:Q")
    )
    long = len(words) * _CHARACTER / 2 + 4
    at = min(max((value - low) / (high - low) * frame.width, long - frame.left), frame.width - long + 40)
    text = (
        alt.Chart(alt.InlineData(values=[{"said": words, "y": 10}]))
        .mark_text(fontSize=_TEXT, fontWeight="bold", baseline="middle", align="center", color=colours.text)
        .encode(x=alt.value(at), y=alt.Y("y:Q", scale=y, axis=None), text="said:N")
    )
    return rule, text


def _within(spans: list[dict[str, Any]], low: float, high: float) -> list[dict[str, Any]]:
    """Spans no longer than the axis."""
    return [{**one, "from": max(one["from"], low), "to": min(one["to"], high)} for one in spans]


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
