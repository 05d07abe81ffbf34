"""The dashboard's tabs, rows and filters, as Superset stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from charts import Chart, Columns, OurText
from pydantic import BaseModel, ConfigDict

STYLE = Path(__file__).with_name("dashboard.css")
_UNIT = 8
"""Pixels of Superset's unit of height."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Filter(_Declared):
    """A filter of the dashboard: a column, whose values are those of one view.

    `periods` is the kind of period that it chooses among: it works on charts of views with that kind alone.
    """

    id: str
    title: OurText
    column: str
    view: str
    periods: Literal["kvartal", "ar", "rullande_ar"] | None = None
    many: bool = False

    def works_on(self, chart: Chart, columns: Columns, kind: str | None) -> bool:
        """Whether it chooses among a chart's rows. Lines over time show all periods."""
        if self.column not in columns or (self.column == "stadsdel" and chart.is_of_city):
            return False
        return self.periods is None or (chart.is_of_one_period and kind == self.periods)


class Tab(_Declared):
    """A tab: rows of at most two charts."""

    title: OurText
    rows: tuple[tuple[Chart, ...], ...]


class Dashboard(_Declared):
    """The dashboard as `dashboard.yml` declares it."""

    title: OurText
    filters: tuple[Filter, ...]
    tabs: tuple[Tab, ...]

    def charts(self) -> Iterator[Chart]:
        """All charts, tab by tab."""
        for tab in self.tabs:
            for row in tab.rows:
                yield from row


def layout(
    dashboard: Dashboard,
    uuids: Mapping[str, str],
    heights: Mapping[str, int],
    datasets: Mapping[str, str],
    columns_of: Callable[[str], Columns],
    kind_of: Callable[[str], str | None],
) -> dict[str, Any]:
    """The dashboard for Superset.

    Args:
        dashboard: as declared.
        uuids: of charts by their id.
        heights: in pixels, by chart's id.
        datasets: uuids of the filters' datasets by view.
        columns_of: a view's columns.
        kind_of: a view's kind of period.
    """
    numbers = {chart.id: number for number, chart in enumerate(dashboard.charts(), start=1)}
    return {
        "dashboard_title": dashboard.title,
        "description": "En utgåva av uppföljningens vyer.",
        "css": STYLE.read_text(encoding="utf-8"),
        "published": True,
        "position": _position(dashboard, uuids, heights, numbers),
        "metadata": {
            "color_scheme": "supersetColors",
            "cross_filters_enabled": False,
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": [
                _filter(one, dashboard, datasets[one.view], numbers, columns_of, kind_of) for one in dashboard.filters
            ],
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
        },
    }


def _position(
    dashboard: Dashboard, uuids: Mapping[str, str], heights: Mapping[str, int], numbers: Mapping[str, int]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": ["TABS-1"], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
        "TABS-1": {"type": "TABS", "id": "TABS-1", "parents": ["ROOT_ID", "GRID_ID"], "meta": {},
                   "children": [f"TAB-{number}" for number, _ in enumerate(dashboard.tabs)]},
    }  # fmt: skip
    above = ["ROOT_ID", "GRID_ID", "TABS-1"]
    for number, tab in enumerate(dashboard.tabs):
        rows = [f"ROW-{number}-{row}" for row, _ in enumerate(tab.rows)]
        found[f"TAB-{number}"] = {
            "type": "TAB", "id": f"TAB-{number}", "children": rows, "parents": above, "meta": {"text": tab.title},
        }  # fmt: skip
        for name, charts in zip(rows, tab.rows, strict=True):
            beside = [*above, f"TAB-{number}"]
            found[name] = {
                "type": "ROW", "id": name, "children": [f"CHART-{one.id}" for one in charts], "parents": beside,
                "meta": {"background": "BACKGROUND_TRANSPARENT"},
            }  # fmt: skip
            height = max(heights[one.id] for one in charts) // _UNIT
            for one in charts:
                found[f"CHART-{one.id}"] = {
                    "type": "CHART", "id": f"CHART-{one.id}", "children": [], "parents": [*beside, name],
                    "meta": {"chartId": numbers[one.id], "uuid": uuids[one.id], "sliceName": one.title,
                             "width": 12 // len(charts), "height": height},
                }  # fmt: skip
    return found


def _filter(
    one: Filter,
    dashboard: Dashboard,
    dataset: str,
    numbers: Mapping[str, int],
    columns_of: Callable[[str], Columns],
    kind_of: Callable[[str], str | None],
) -> dict[str, Any]:
    excluded = [
        numbers[chart.id]
        for chart in dashboard.charts()
        if not one.works_on(chart, columns_of(chart.view), kind_of(chart.view))
    ]
    return {
        "id": f"NATIVE_FILTER-{one.id}",
        "name": one.title,
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "description": "",
        "targets": [{"column": {"name": one.column}, "datasetUuid": dataset}],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "cascadeParentIds": [],
        "controlValues": {
            "multiSelect": one.many,
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "inverseSelection": False,
            "searchAllOptions": False,
            # newest period first
            "sortAscending": one.periods is None,
        },
        "defaultDataMask": {"extraFormData": {}, "filterState": {}},
    }
