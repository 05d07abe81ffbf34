"""The kinds of charts: what each asks of its view, and how it is drawn.

Rows that are compared are drawn by Superset's Handlebars chart: it can name the period that its rows have, sort,
show an interval and the city's line, and be read on a phone. Lines over time are ECharts'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from ingest.organisation import own_words

TEMPLATES = Path(__file__).with_name("templates")
MOST_ROWS = 10_000
_ROW, _ABOVE = 36, 110
"""Pixels of a bar with its text, and of what is above the bars."""
Kind = Literal[
    "districts", "sums", "trend", "split", "list", "city", "about", "offers", "spread", "delivered", "breaks"
]
OF_ONE_PERIOD = ("districts", "sums", "list", "city", "offers", "spread", "delivered")
"""These show the newest period that has values, or the one that a filter chooses; the others show all."""
_COLOURS = {"bar": "#5b8ab5", "interval": "#1d2733", "city": "#b3261e", "ground": "#e9edf2"}


OurText = Annotated[str, AfterValidator(own_words)]
"""A text of ours, in the words of the organisation."""


class Chart(BaseModel):
    """A chart as `dashboard.yml` declares it; see there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: OurText
    kind: Kind
    view: str
    says: OurText
    value: str | None = None
    by: str | tuple[str, ...] | None = None
    label: tuple[str, ...] = ("stadsdel",)
    columns: tuple[str, ...] = ()
    text: str = ""
    above: int | None = None
    present: tuple[str, ...] = ()
    where: dict[str, str | int | bool] = {}
    sort: str | None = None
    ascending: bool = False
    most: int = 14
    marts: tuple[str, ...] = ()

    @property
    def is_of_one_period(self) -> bool:
        """Whether a filter of the period belongs to it."""
        return self.kind in OF_ONE_PERIOD

    @property
    def is_of_city(self) -> bool:
        """Whether it shows the city's own figure, which stands beside every unit."""
        return (self.value or "").startswith("staden_")

    @property
    def codes(self) -> tuple[str, ...]:
        """What `by` names."""
        return (self.by,) if isinstance(self.by, str) else self.by or ()


@dataclass(frozen=True)
class Column:
    """A column of a view, as its declaration has it."""

    name: str
    label: str
    kind: str


Columns = Mapping[str, Column]


@dataclass(frozen=True)
class Drawn:
    """How Superset draws a chart: its type and parameters, and the pixels that it needs."""

    viz_type: str
    params: dict[str, Any]
    height: int


def drawn(chart: Chart, columns: Columns) -> Drawn:
    """A chart's parameters for Superset."""
    if chart.kind in ("trend", "split"):
        return _lines(chart, columns)
    return {
        "districts": _districts, "sums": _sums, "list": _list, "city": _city, "about": _about, "offers": _offers,
        "spread": _spread, "delivered": _delivered, "breaks": _breaks,
    }[chart.kind](chart, columns)  # fmt: skip


def sort_column(column: str, *, ascending: bool) -> tuple[str, str]:
    """Name and expression of what rows are sorted by: one without a value comes last, in every database."""
    return f"ordning_{column}", f"COALESCE({column}, {'1e9' if ascending else '-1'})"


# -- what is asked -----------------------------------------------------------------------------------------------------


def _filters(chart: Chart, *present: str) -> list[dict[str, Any]]:
    conditions: list[tuple[str, str, object]] = [(column, "==", value) for column, value in chart.where.items()]
    if chart.above is not None and chart.value is not None:
        conditions.append((chart.value, ">", chart.above))
    # the rows of a period in which the measure is not out for anybody are no period to show
    conditions += [(column, "IS NOT NULL", None) for column in present]
    return [_condition(*one) for one in conditions]


def _condition(column: str, operator: str, value: object) -> dict[str, Any]:
    return {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": column,
        "operator": operator,
        "comparator": value,
    }


def _raw(chart: Chart, names: Sequence[str], order: Sequence[tuple[str, bool]], *present: str) -> dict[str, Any]:
    return {
        "query_mode": "raw",
        "all_columns": list(dict.fromkeys(names)),
        "adhoc_filters": _filters(chart, *present),
        "order_by_cols": [f'["{name}", {str(up).lower()}]' for name, up in order],
    }


def _summed(
    chart: Chart, by: Sequence[str], metrics: Sequence[str], order: Sequence[tuple[str, bool]]
) -> dict[str, Any]:
    return {
        "query_mode": "aggregate",
        "groupby": list(by),
        "metrics": list(metrics),
        "adhoc_filters": _filters(chart),
        "order_by_cols": [f'["{name}", {str(up).lower()}]' for name, up in order],
    }


def _handlebars(chart: Chart, asked: dict[str, Any], template: str, rows: int, *, row: int = _ROW) -> Drawn:
    params = {"viz_type": "handlebars", **asked, "row_limit": MOST_ROWS, "handlebarsTemplate": template}
    return Drawn("handlebars", params, _ABOVE + rows * row)


# -- how it is drawn ---------------------------------------------------------------------------------------------------


def _shown(column: Column, path: str, missing: str = "för få") -> str:
    """A value in words, by the kind of its column."""
    number = {
        "count": f'{{{{formatNumber {path} "sv-SE"}}}}',
        "whole": f'{{{{formatNumber {path} "sv-SE"}}}}',
        "rank": f'{{{{formatNumber {path} "sv-SE"}}}}',
        "rate": f'{{{{sprintf "%.0f" (multiplication {path} 100)}}}} %',
        "days": f'{{{{sprintf "%.0f" {path}}}}} dagar',
        "per_1000": _one_decimal(path),
        "number": _one_decimal(path),
    }.get(column.kind)
    if number is None:
        return f"{{{{{path}}}}}"
    return f"{{{{#if (neq {path} null)}}}}{number}{{{{else}}}}{missing}{{{{/if}}}}"


def _one_decimal(path: str) -> str:
    return f'{{{{formatNumber (division (floor (sum (multiplication {path} 10) 0.5)) 10) "sv-SE"}}}}'


def _share(part: str, whole: str | None) -> str:
    """Part of whole in per cent, as a number for a style; without a whole the part is a share itself."""
    return f"(multiplication {part} 100)" if whole is None else f"(division (multiplication {part} 100) {whole})"


def _bar(value: str, whole: str | None = None) -> str:
    return (
        f'{{{{#if (neq {value} null)}}}}<div style="position:absolute;left:0;top:0;height:10px;'
        f'background:{_COLOURS["bar"]};width:{{{{{_share(value, whole)[1:-1]}}}}}%"></div>{{{{/if}}}}'
    )


def _line(at: str, whole: str | None = None) -> str:
    return (
        f'{{{{#if (neq {at} null)}}}}<div style="position:absolute;top:0;height:10px;width:3px;'
        f'background:{_COLOURS["city"]};left:{{{{{_share(at, whole)[1:-1]}}}}}%"></div>{{{{/if}}}}'
    )


def _interval(low: str, high: str, *, colour: str = "interval", height: int = 2, whole: str | None = None) -> str:
    width = f"(difference {high} {low})"
    return (
        f'{{{{#if (neq {high} null)}}}}<div style="position:absolute;top:{5 - height // 2}px;height:{height}px;'
        f"background:{_COLOURS[colour]};left:{{{{{_share(low, whole)[1:-1]}}}}}%;"
        f'width:{{{{{_share(width, whole)[1:-1]}}}}}%"></div>{{{{/if}}}}'
    )


def _bars(says: str, above: str, label: str, value: str, bar: str) -> str:
    """Rows of the newest period, each a line of text with a bar below."""
    text = (TEMPLATES / "bars.hbs").read_text(encoding="utf-8")
    marks = {"@SAYS@": says, "@ABOVE@": above, "@LABEL@": label, "@VALUE@": value, "@BAR@": bar,
             "@GROUND@": _COLOURS["ground"]}  # fmt: skip
    for mark, meant in marks.items():
        text = text.replace(mark, meant)
    return text


def _districts(chart: Chart, columns: Columns) -> Drawn:
    value = columns[chart.value or ""]
    low, high, city = (columns.get(name) for name in (f"{value.name}_lag", f"{value.name}_hog", f"staden_{value.name}"))
    order, _ = sort_column(value.name, ascending=chart.ascending)
    flags = [name for name in ("preliminar",) if name in columns]
    named = [one.name for one in (low, high, city) if one is not None]
    asked = _raw(
        chart,
        ["period", *chart.label, value.name, *named, *flags],
        [("period", False), (order, chart.ascending), *((name, True) for name in chart.label)],
        *([city.name] if city is not None else []),
        *([value.name] if chart.label != ("stadsdel",) else []),
    )
    # a share is drawn on 0 to 100 per cent, other values on the greatest
    whole = None if value.kind == "rate" else "../data.0.greatest"
    above, shown = "", _shown(value, value.name)
    bar = _bar(value.name, whole)
    if low is not None and high is not None:
        ends = (f'{{{{sprintf "%.0f" (multiplication {one.name} 100)}}}}' for one in (low, high))
        shown += f" {{{{#if (neq {high.name} null)}}}}({'–'.join(ends)}){{{{/if}}}}"
        bar += _interval(low.name, high.name)
    if city is not None and chart.label == ("stadsdel",):
        above = f"{own_words('Hela staden')}: <b>{_shown(city, f'data.0.{city.name}')}</b> (rött streck)."
    if city is not None:
        bar += _line(city.name, whole)
    if low is not None:
        above += " Tunt streck: 95 % säkerhet."
    template = _bars(chart.says, above, " · ".join(f"{{{{{name}}}}}" for name in chart.label), shown, bar)
    if whole is not None:
        asked["all_columns"].append(greatest(value.name)[0])
        template = template.replace("../data.0.greatest", greatest(value.name)[0])
    return _handlebars(chart, asked, template, chart.most)


def greatest(column: str) -> tuple[str, str]:
    """Name and expression of the greatest value in the row's period, which a bar of full length has."""
    return f"storst_{column}", f"MAX({column}) OVER (PARTITION BY period)"


def _sums(chart: Chart, columns: Columns) -> Drawn:
    value = columns[chart.value or ""]
    asked = _summed(chart, ["period", *chart.codes], [value.name], [("period", False), (value.name, False)])
    template = _bars(
        chart.says,
        "",
        " · ".join(f"{{{{{name}}}}}" for name in chart.codes),
        f"<b>{_shown(value, value.name)}</b>",
        _bar(value.name, f"../data.0.{value.name}"),
    )
    return _handlebars(chart, asked, template, chart.most)


def _spread(chart: Chart, columns: Columns) -> Drawn:
    """Per measure from the lowest unit to the highest, the city between, and who is outside the limits."""
    number = Column("", "", "number")
    asked = _summed(
        chart,
        ["period", "matt"],
        ["lagst", "hogst", "staden", "lagst_ar", "hogst_ar", "utanfor_vilka"],
        [("period", False), ("matt", True)],
    )
    bar = _interval("lagst", "hogst", colour="bar", height=10, whole="hogst") + _line("staden", "hogst")
    city = f"{own_words('staden')} {_shown(number, 'staden')}"
    shown = f"<b>{_shown(number, 'lagst')}–{_shown(number, 'hogst')}</b><br>{city}"
    label = (
        "{{matt}}<br>Lägst {{lagst_ar}}, högst {{hogst_ar}}"
        "{{#if utanfor_vilka}}. Utanför gränserna: {{utanfor_vilka}}{{/if}}"
    )
    del columns
    return _handlebars(chart, asked, _bars(chart.says, "", label, shown, bar), chart.most, row=60)


def _delivered(chart: Chart, columns: Columns) -> Drawn:
    del columns
    asked = _summed(
        chart,
        ["period", "stadsdel"],
        ["forvantade_filer", "filer_i_kraft", "filer_i_tid", "saknade_filer"],
        [("period", False), ("saknade_filer", False), ("stadsdel", True)],
    )
    shown = "<b>{{filer_i_kraft}} av {{forvantade_filer}}</b> i kraft, {{filer_i_tid}} i tid"
    bar = _bar("filer_i_kraft", "forvantade_filer") + _line("filer_i_tid", "forvantade_filer")
    template = _bars(chart.says, "Rött streck: i tid.", "{{stadsdel}}", shown, bar)
    return _handlebars(chart, asked, template, chart.most)


def _offers(chart: Chart, columns: Columns) -> Drawn:
    del columns
    asked = _summed(
        chart,
        ["period", "insats"],
        ["stadsdelar_som_erbjuder", "stadsdelar_med_uppgift", "erbjuds_av"],
        [("period", False), ("stadsdelar_som_erbjuder", False), ("insats", True)],
    )
    label = (
        "<b>{{insats}}</b>: {{stadsdelar_som_erbjuder}} av {{stadsdelar_med_uppgift}}"
        "{{#if (neq stadsdelar_som_erbjuder stadsdelar_med_uppgift)}}{{#if erbjuds_av}}. {{erbjuds_av}}{{/if}}{{/if}}"
    )
    return _handlebars(chart, asked, _rows(chart.says, label), 14)


def _list(chart: Chart, columns: Columns) -> Drawn:
    """Rows in words: what `text` says, with the columns that it names."""
    named = re.findall(r"{(\w+)}", chart.text)
    label = re.sub(r"{(\w+)}", lambda found: _shown(columns[found[1]], found[1], "saknas"), chart.text)
    first, _, rest = label.partition(":")
    order = [("period", False), (chart.sort or named[0], columns[chart.sort or named[0]].kind == "text")]
    order += [(name, True) for name in named if columns[name].kind == "text" and name != chart.sort]
    flags = [name for name in ("preliminar",) if name in columns]
    asked = _raw(chart, ["period", *named, *flags], order, *chart.present)
    return _handlebars(chart, asked, _rows(chart.says, f"<b>{first}</b>:{rest}"), 14)


def _city(chart: Chart, columns: Columns) -> Drawn:
    """All figures of the city's newest period."""
    named = [one for one in columns.values() if one.kind in ("count", "rate")]
    asked = _raw(chart, ["period", *(one.name for one in named), "preliminar"], [("period", False)])
    lines = "".join(
        '<div style="display:flex;justify-content:space-between;gap:8px;padding:2px 0;'
        f'border-bottom:1px solid {_COLOURS["ground"]}"><span>{one.label}</span>'
        f"<b>{_shown(one, one.name, 'väntar eller för få')}</b></div>"
        for one in named
    )
    return _handlebars(chart, asked, _rows(chart.says, lines), 1, row=14 * 25)


def _about(chart: Chart, columns: Columns) -> Drawn:
    del columns
    keys = ["notice", "release_id", "released_at", "until_quarter"]
    asked = _raw(chart, ["key", "value", "pa_svenska", "kvartal"], [("key", False)]) | {
        "adhoc_filters": [_condition("key", "IN", keys)]
    }
    return _handlebars(chart, asked, own_words((TEMPLATES / "about.hbs").read_text(encoding="utf-8")), 1, row=14 * 25)


def _breaks(chart: Chart, columns: Columns) -> Drawn:
    """From which quarters the series of some marts count something else than before, and why."""
    del columns
    asked = _raw(
        chart,
        ["avbrott", "why_sv", "reporting_quarter"],
        [("reporting_quarter", False), ("avbrott", True)],
    ) | {"adhoc_filters": [_condition("mart", "IN", list(chart.marts))]}
    text = (TEMPLATES / "breaks.hbs").read_text(encoding="utf-8").replace("@SAYS@", chart.says)
    return _handlebars(chart, asked, text, len(chart.marts), row=3 * _ROW)


def _rows(says: str, label: str) -> str:
    text = (TEMPLATES / "rows.hbs").read_text(encoding="utf-8")
    for mark, meant in {"@SAYS@": says, "@LABEL@": label, "@GROUND@": _COLOURS["ground"]}.items():
        text = text.replace(mark, meant)
    return text


def _lines(chart: Chart, columns: Columns) -> Drawn:
    """One line per column, or per code of a column, over all periods."""
    names = chart.columns or (chart.value or "",)
    kind = columns[names[0]].kind
    params = {
        "viz_type": "echarts_timeseries_line",
        "x_axis": "period",
        "x_axis_sort": "period",
        "x_axis_sort_asc": True,
        "xAxisForceCategorical": True,
        "metrics": list(names),
        "groupby": list(chart.codes),
        "adhoc_filters": _filters(chart),
        "row_limit": MOST_ROWS,
        "sort_series_type": "name",
        "sort_series_ascending": True,
        "show_legend": True,
        "legendType": "plain",
        "legendOrientation": "top",
        "rich_tooltip": True,
        "truncate_metric": True,
        "show_empty_columns": True,
        "y_axis_format": ",.0%" if kind == "rate" else ",d",
        "truncateYAxis": False,
        "xAxisLabelRotation": 45,
        "xAxisLabelInterval": "0",
        "color_scheme": "supersetColors",
        "markerEnabled": True,
        "markerSize": 6,
    }
    return Drawn("echarts_timeseries_line", params, 420)
