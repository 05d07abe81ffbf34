"""A dataset per view: the view's own columns, and the metrics that charts ask it for.

Counts add up. Rates, days and ranks never do: of several rows there is none. What is the same in every row of a group
(the city's value) is taken from any.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from charts import Chart, Column, Columns, greatest, sort_column

from ingest.organisation import own_words
from ingest.organisation_tables import read_seed
from publish.labels import label
from publish.serving.series_breaks import EVERY_MEASURE
from publish.views.declared import View, load_views

ABOUT = "about"
BREAKS = "dim_break"
_OF_RELEASE = {
    ABOUT: ({"key": "Vad", "value": "Värde"}, "Vad utgåvan säger om sig själv."),
    BREAKS: (
        {"mart": "Tabell", "broken_measure": "Mått som bryts", "reporting_quarter": "Kvartal", "why_sv": "Varför"},
        "Från vilka kvartal mått räknar något annat än förut, och varför.",
    ),
}
"""Tables of the release that are no views: their columns, and what they say."""
_TYPES = {"count": "BIGINT", "rank": "BIGINT", "whole": "BIGINT", "rate": "FLOAT", "days": "FLOAT", "per_1000": "FLOAT",
          "number": "FLOAT", "flag": "BOOLEAN", "date": "DATE"}  # fmt: skip
_SPREAD = {
    "lagst": ("Lägst", "MIN(varde)"),
    "hogst": ("Högst", "MAX(varde)"),
    "staden": ("Hela staden", "MAX(staden_varde)"),
    "lagst_ar": ("Lägst är", "(ARRAY_AGG(stadsdel ORDER BY varde, stadsdel))[1]"),
    "hogst_ar": ("Högst är", "(ARRAY_AGG(stadsdel ORDER BY varde DESC NULLS LAST, stadsdel))[1]"),
    "utanfor_vilka": ("Utanför gränserna", "STRING_AGG(stadsdel, ', ' ORDER BY stadsdel) FILTER (WHERE utanfor)"),
}
_OFFERS = {
    "stadsdelar_som_erbjuder": ("Stadsdelar som erbjuder", "MAX(stadsdelar_som_erbjuder)"),
    "stadsdelar_med_uppgift": ("Stadsdelar med uppgift", "MAX(stadsdelar_med_uppgift)"),
    "erbjuds_av": ("Erbjuds av", "STRING_AGG(stadsdel, ', ' ORDER BY stadsdel) FILTER (WHERE erbjuds)"),
}
_OF_ABOUT = {"pa_svenska": "SPLIT_PART(value, ' / ', 1)", "kvartal": "REPLACE(value, 'Q', ' kv ')"}
"""The notice is in two languages; a quarter is written as in the views."""
_DELIVERED = {"saknade_filer": ("Saknade filer", "SUM(forvantade_filer) - SUM(filer_i_kraft)")}


@lru_cache(maxsize=1)
def views() -> dict[str, View]:
    """The views by name."""
    return {view.name: view for view in load_views()}


def columns_of(view: str) -> Columns:
    """A view's columns by name; `about` and `dim_break` are the release's own tables."""
    if view in _OF_RELEASE:
        return {name: Column(name, label, "text") for name, label in _OF_RELEASE[view][0].items()}
    return {one.name: Column(one.name, one.label, one.kind) for one in views()[view].columns}


def kind_of(view: str) -> str | None:
    """A view's kind of period; None for the release's own tables."""
    return None if view in _OF_RELEASE else views()[view].period_kind


def dataset(view: str, charts: Iterable[Chart]) -> dict[str, Any]:
    """The dataset of a view, with what its charts ask for beside its columns."""
    columns, charts = columns_of(view), list(charts)
    extra = dict(_OF_ABOUT) if view == ABOUT else _of_breaks() if view == BREAKS else {}
    for chart in charts:
        if chart.kind == "districts" and chart.value is not None:
            for name, expression in (sort_column(chart.value, ascending=chart.ascending), greatest(chart.value)):
                extra[name] = expression
    return {
        "table_name": view,
        "main_dttm_col": None,
        "description": _OF_RELEASE[view][1] if view in _OF_RELEASE else views()[view].question,
        "schema": "published",
        "sql": None,
        "filter_select_enabled": True,
        "metrics": [
            {"metric_name": name, "verbose_name": label, "metric_type": None, "expression": expression}
            for name, (label, expression) in metrics(columns, charts).items()
        ],
        "columns": [
            *(_column(one.name, one.label, _TYPES.get(one.kind, "VARCHAR")) for one in columns.values()),
            *(
                _column(name, name, "VARCHAR" if view in _OF_RELEASE else "FLOAT", expression)
                for name, expression in extra.items()
            ),
        ],
    }


def _of_breaks() -> dict[str, str]:
    """What is broken and since when: the table, the measure where it is not every one, the quarter as in the views."""
    seeded = read_seed("series_breaks")
    marts = " ".join(f"WHEN '{one}' THEN '{label(one) or one}'" for one in sorted({row["mart"] for row in seeded}))
    measures = sorted({row["broken_measure"] for row in seeded} - {EVERY_MEASURE})
    said = " ".join(f"WHEN '{one}' THEN ' för {label(one) or one}'" for one in measures)
    return {
        "avbrott": f"CASE mart {marts} ELSE mart END || ': avbrott i serien' || "
        f"CASE broken_measure WHEN '{EVERY_MEASURE}' THEN '' {said} ELSE ' för ' || broken_measure END || "
        "' från och med ' || REPLACE(reporting_quarter, 'Q', ' kv ')"
    }


def metrics(columns: Columns, charts: Iterable[Chart]) -> dict[str, tuple[str, str]]:
    """Name → label and expression. A count adds up; of a rate or a duration there is one row or nothing."""
    found = {}
    for one in columns.values():
        if one.name.startswith("staden_"):
            found[one.name] = (one.label, f"MAX({one.name})")
        elif one.kind == "count":
            found[one.name] = (one.label, f"SUM({one.name})")
        elif one.kind in ("rate", "days", "per_1000", "number", "whole"):
            found[one.name] = (one.label, f"CASE WHEN COUNT(*) = 1 THEN MAX({one.name}) END")
    kinds = {chart.kind for chart in charts}
    for kind, more in (("spread", _SPREAD), ("offers", _OFFERS), ("delivered", _DELIVERED)):
        if kind in kinds:
            found |= {name: (own_words(label), sql) for name, (label, sql) in more.items()}
    return found


def _column(name: str, label: str, kind: str, expression: str | None = None) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": label,
        "type": kind,
        "expression": expression,
        "is_dttm": False,
        "is_active": True,
        "groupby": True,
        "filterable": True,
    }
