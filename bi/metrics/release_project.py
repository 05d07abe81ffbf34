"""Writes a dbt project by which MetricFlow answers from a published release: a semantic model per view of quarters.

    python bi/metrics/release_project.py FOLDER
    cd FOLDER && FOLLOWUP_RELEASE=/path/to/followup.duckdb mf query --metrics inkomna_arenden --group-by metric_time

The views' declarations say which columns there are: counts are measures that add up, texts are dimensions. No model is
built: each names a table that the release has.

What MetricFlow can't do here, and what is read in the view instead:
- rates whose counts are not columns of their view, times, ranks, positions: nothing may be computed of them
- years: the sum of four published quarters is not the published year, which has deviations of its own (`vy_…_ar`)
- small counts: a published 0 may be up to 7, so sums over many of them are low; the city's own figures are beside
- too few: the release leaves a rate of fewer than 20 empty; MetricFlow divides, so ask for the denominator too
- distinct persons: no view has them
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from publish.views.declared import View, ViewColumn, load_views

RATIOS = {
    "vy_arendeflode": {
        "andel_utredda": ("inledda_utredningar", "avgjorda_arenden"),
        "andel_erbjudna": ("erbjudna_insats", "avslutade_utredningar"),
    },
    "vy_ateraktualisering": {"andel_ater_ett_ar": ("ateraktualiserade_inom_ett_ar", "foljda_utredningar")},
    "vy_erbjudna_kon_alder": {"andel_erbjudna": ("erbjudna_insats", "avslutade_utredningar")},
    "vy_grupper": {"andel_fyllda": ("deltagare", "platser")},
    "vy_inlamning": {"andel_i_kraft": ("filer_i_kraft", "forvantade_filer"),
                     "andel_i_tid": ("filer_i_tid", "forvantade_filer")},
    "vy_skyddsuppfoljning": {"andel_inom_tre_dygn": ("uppfoljda_inom_tre_dygn", "hem_utan_placering")},
    "vy_ungdomsmottagning": {"andel_digitala": ("digitala_besok", "besok")},
    "vy_uppfoljning": {"andel_uppfoljda": ("uppfoljda", "avslutade_insatser")},
}  # fmt: skip
"""View → rate: the counts of which it is the quotient, both columns of the view."""
STOCKS = {
    ("vy_insatser", "pagaende"), ("vy_oppenvard", "pagaende"), ("vy_oppenvard", "vantande"), ("vy_vantetider", "ko"),
    ("vy_lediga_platser", "ko"), ("vy_lediga_platser", "egna_lediga_platser"),
    ("vy_lediga_platser", "lediga_platser_hos_andra"), ("vy_lediga_platser", "kan_fa_plats"),
    ("vy_grupper", "lediga_platser"), ("vy_stodgrupper", "pagaende_grupper"),
}  # fmt: skip
"""Counts of the last day of a quarter: they add up over units, not over quarters."""
_NOT_SUMMED = {"vy_staden"}
"""Of the whole city: its rows are asked by themselves."""


def quarterly_views() -> list[View]:
    """The views of quarters that have counts."""
    return [
        view
        for view in load_views()
        if view.period_kind == "kvartal"
        and view.name not in _NOT_SUMMED
        and any(is_measure(column) for column in view.columns)
    ]


def is_measure(column: ViewColumn) -> bool:
    """Whether it is a count of a row of its own: the city's counts stand in every row, and are read in the view."""
    return column.kind == "count" and not column.name.startswith("staden_")


def metric_name(view: View, column: str) -> str:
    """Of a count or a ratio: with its view, since views share names of columns."""
    return f"{view.name.removeprefix('vy_')}__{column}".replace("__", "_")


def semantic_model(view: View) -> dict[str, Any]:
    """The semantic model of one view."""
    dimensions: list[dict[str, Any]] = [
        {
            "name": "kvartal",
            "type": "time",
            "label": "Kvartal",
            "expr": "make_date(cast(left(period, 4) as integer), 3 * cast(right(period, 1) as integer) - 2, 1)",
            "type_params": {"time_granularity": "quarter"},
        }
    ]
    dimensions += [
        {"name": column.name, "type": "categorical", "label": column.label}
        for column in view.columns
        if column.name in view.key and column.name != "period"
    ]
    return {
        "name": view.name,
        "model": f"ref('{view.name}')",
        "description": view.question,
        "defaults": {"agg_time_dimension": "kvartal"},
        "primary_entity": view.name.removeprefix("vy_"),
        "dimensions": dimensions,
        "measures": [_measure(view, column.name) for column in view.columns if is_measure(column)],
    }


def _measure(view: View, column: str) -> dict[str, Any]:
    measure: dict[str, Any] = {"name": metric_name(view, column), "agg": "sum", "expr": column}
    if (view.name, column) in STOCKS:
        measure["non_additive_dimension"] = {"name": "kvartal", "window_choice": "max"}
    return measure


def metrics(view: View) -> list[dict[str, Any]]:
    """A metric per count, and the ratios of counts."""
    found: list[dict[str, Any]] = []
    # MetricFlow wants each label once, and views share names of columns
    about = view.subject
    labels = {column.name: f"{column.label} ({about})" for column in view.columns}
    for column in view.columns:
        if is_measure(column):
            name = metric_name(view, column.name)
            found.append(
                {"name": name, "label": labels[column.name], "description": column.explanation, "type": "simple",
                 "type_params": {"measure": name}}
            )  # fmt: skip
    for rate, (part, whole) in RATIOS.get(view.name, {}).items():
        found.append(
            {"name": metric_name(view, rate), "label": labels.get(rate, f"{rate} ({about})"),
             "description": f"{part} / {whole}", "type": "ratio",
             "type_params": {"numerator": metric_name(view, part), "denominator": metric_name(view, whole)}}
        )  # fmt: skip
    return found


def write_project(folder: Path) -> None:
    """Write the project into a folder, which is made when missing."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    _write(folder / "dbt_project.yml", {
        "name": "utgava", "version": "1.0.0", "profile": "utgava", "model-paths": ["models"], "macro-paths": ["macros"],
    })  # fmt: skip
    _write(folder / "profiles.yml", {"utgava": {"target": "utgava", "outputs": {"utgava": {
        "type": "duckdb", "path": "{{ env_var('FOLLOWUP_RELEASE') }}", "schema": "published",
        "config_options": {"access_mode": "READ_ONLY"},
    }}}})  # fmt: skip
    views = quarterly_views()
    for name in ("dim_period", *(view.name for view in views)):
        # never built: the release has the table
        (models / f"{name}.sql").write_text(f"select * from published.{name}\n", encoding="utf-8")
    spine = {"name": "dim_period", "time_spine": {"standard_granularity_column": "period_start_date"},
             "columns": [{"name": "period_start_date", "granularity": "day"}]}  # fmt: skip
    _write(models / "models.yml", {
        "models": [spine],
        "semantic_models": [semantic_model(view) for view in views],
        "metrics": [one for view in views for one in metrics(view)],
    })  # fmt: skip


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    write_project(Path(sys.argv[1]))
