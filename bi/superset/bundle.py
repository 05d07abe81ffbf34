"""The bundle of datasets, charts and a dashboard as one archive that Superset imports.

    python bi/superset/bundle.py --database postgresql+psycopg2://followup_reader@bi.example:5432/followup bundle.zip

The YAML under `superset/` holds what a chart draws; the query that Superset stores beside it, for reports and for its
REST API, is derived here, so that the two can't contradict each other.
"""

from __future__ import annotations

import argparse
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ASSETS = Path(__file__).parent / "assets"
DATABASE = "databases/uppfoljning.yaml"
ROOT = "uppfoljning"
_MASK = "XXXXXXXXXX"
"""What Superset writes for a password, and takes as: ask for it at the import."""


def write_bundle(path: Path, database: str | None = None) -> None:
    """Write the archive.

    Args:
        path: of the archive; replaced when it is there.
        database: SQLAlchemy's address of the database, without a password; the bundle's own without.

    Raises:
        ValueError: the address has a password in it or is not PostgreSQL's by psycopg2.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(ASSETS.rglob("*.yaml")):
            name, asset = str(file.relative_to(ASSETS)), load_asset(file)
            if name == DATABASE and database is not None:
                asset["sqlalchemy_uri"] = masked(database)
            if name.startswith("charts/"):
                asset["query_context"] = json.dumps(query_of(asset["params"]))
            archive.writestr(f"{ROOT}/{name}", yaml.safe_dump(asset, allow_unicode=True, sort_keys=False))


def load_asset(path: Path) -> dict[str, Any]:
    """One YAML file of the bundle."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


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
    """The query that draws a chart, as Superset stores it: one row per point, in no order but a table's own."""
    x_axis = [params["x_axis"]] if "x_axis" in params else []
    columns = [
        *x_axis,
        *params.get("groupbyRows", ()),
        *params.get("groupbyColumns", ()),
        *params.get("groupby", ()),
        *params.get("all_columns", ()),
    ]
    is_raw = params.get("query_mode") == "raw"
    query = {
        "columns": columns,
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
