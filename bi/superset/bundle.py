"""The bundle of datasets, charts and a dashboard as one archive that Superset imports.

    python bi/superset/bundle.py --database postgresql+psycopg2://followup_reader@bi.example:5432/followup bundle.zip

`dashboard.yml` says which charts there are; what their views hold is said by the views' own declarations. The query
that Superset stores beside each chart, for reports and for its REST API, is derived here, so that the two can't part.
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from charts import Chart, Drawn, drawn
from datasets import columns_of, dataset, kind_of
from layout import Dashboard, layout

DECLARED = Path(__file__).with_name("dashboard.yml")
DATABASE = "databases/uppfoljning.yaml"
ROOT = "uppfoljning"
SLUG = "uppfoljning"
_NAMES = uuid.UUID("7bd0a1c8-6f0e-4f6b-9a3e-2f6c0f3b7b11")
_MASK = "XXXXXXXXXX"
"""What Superset writes for a password, and takes as: ask for it at the import."""
_ADDRESS = f"postgresql+psycopg2://followup_reader:{_MASK}@127.0.0.1:5433/followup"


def write_bundle(path: Path, database: str | None = None) -> None:
    """Write the archive.

    Args:
        path: of the archive; replaced when it is there.
        database: SQLAlchemy's address of the database, without a password; that of `make up` without.

    Raises:
        ValueError: the address has a password in it or is not PostgreSQL's by psycopg2.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, asset in assets(database).items():
            archive.writestr(f"{ROOT}/{name}", yaml.safe_dump(asset, allow_unicode=True, sort_keys=False))


def assets(database: str | None = None) -> dict[str, dict[str, Any]]:
    """Name in the archive → asset: the database, a dataset per view, the charts, the dashboard.

    Raises:
        ValueError: as `write_bundle`.
    """
    found: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2020-01-01T00:00:00+00:00"},
        DATABASE: _database(_ADDRESS if database is None else masked(database)),
    }
    declared = load_dashboard()
    charts = list(declared.charts())
    for view in sorted({chart.view for chart in charts} | {one.view for one in declared.filters}):
        of_view = [chart for chart in charts if chart.view == view]
        found[f"datasets/{ROOT}/{view}.yaml"] = {
            **dataset(view, of_view),
            "uuid": identity("dataset", view),
            "database_uuid": identity("database", ROOT),
            "version": "1.0.0",
        }
    for chart in charts:
        found[f"charts/{chart.id}.yaml"] = _chart(chart)
    uuids = {chart.id: identity("chart", chart.id) for chart in charts}
    heights = {chart.id: as_drawn(chart).height for chart in charts}
    sets = {view: identity("dataset", view) for view in {one.view for one in declared.filters}}
    found[f"dashboards/{ROOT}.yaml"] = {
        **layout(declared, uuids, heights, sets, columns_of, kind_of),
        "slug": SLUG,
        "uuid": identity("dashboard", ROOT),
        "version": "1.0.0",
    }
    return found


@lru_cache(maxsize=1)
def load_dashboard() -> Dashboard:
    """The dashboard as it is declared.

    Raises:
        pydantic.ValidationError: it is not as it must be.
    """
    return Dashboard.model_validate(yaml.safe_load(DECLARED.read_text(encoding="utf-8")))


def as_drawn(chart: Chart) -> Drawn:
    """A chart's parameters for Superset, by its view's columns."""
    return drawn(chart, columns_of(chart.view))


def identity(kind: str, name: str) -> str:
    """The UUID by which an import knows an object again."""
    return str(uuid.uuid5(_NAMES, f"{kind}/{name}"))


def _database(address: str) -> dict[str, Any]:
    return {
        "database_name": "Uppföljning",
        "sqlalchemy_uri": address,
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True, "metadata_params": {}, "engine_params": {}},
        "uuid": identity("database", ROOT),
        "version": "1.0.0",
    }


def _chart(chart: Chart) -> dict[str, Any]:
    made = as_drawn(chart)
    return {
        "slice_name": chart.title,
        "description": chart.says,
        "viz_type": made.viz_type,
        "params": made.params,
        "query_context": json.dumps(query_of(made.params)),
        "cache_timeout": None,
        "uuid": identity("chart", chart.id),
        "version": "1.0.0",
        "dataset_uuid": identity("dataset", chart.view),
    }


def masked(database: str) -> str:
    """The address as the bundle has it: with a mask where the password goes.

    Raises:
        ValueError: as `write_bundle`.
    """
    match = re.fullmatch(r"(postgresql\+psycopg2://)([^:@/]+)@([^@/]+/[^@/]+)", database)
    if match is None:
        raise ValueError("give the database as postgresql+psycopg2://ROLE@HOST:PORT/DATABASE, without a password")
    return f"{match[1]}{match[2]}:{_MASK}@{match[3]}"


def query_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query that draws a chart, as Superset stores it."""
    x_axis = [params["x_axis"]] if "x_axis" in params else []
    is_raw = params.get("query_mode") == "raw"
    query = {
        "columns": list(params["all_columns"]) if is_raw else [*x_axis, *params.get("groupby", ())],
        "metrics": None if is_raw else list(params["metrics"]),
        "filters": [
            {"col": one["subject"], "op": one["operator"], "val": one["comparator"]} for one in params["adhoc_filters"]
        ],
        "orderby": [json.loads(one) for one in params.get("order_by_cols", ())],
        "row_limit": params["row_limit"],
        "extras": {"having": "", "where": ""},
        "annotation_layers": [],
    }
    return {
        "datasource": {"id": 0, "type": "table"},  # filled in by the import
        "force": False,
        "queries": [query],
        "form_data": dict(params),
        "result_format": "json",
        "result_type": "full",
    }


def main() -> None:
    """Write the archive that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write the archive that Superset imports.")
    parser.add_argument("--database", help="postgresql+psycopg2://followup_reader@HOST:PORT/DATABASE, without password")
    parser.add_argument("archive", type=Path)
    given = parser.parse_args()
    try:
        write_bundle(given.archive, given.database)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
