"""All models of the project that take frozen rows take them on Spark too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from installations import MASTER
from spark_cities import CITIES, build_on_duckdb, build_on_spark, differing_tables

from followup.build.freezing import frozen_models
from followup.build.snapshot import PROJECT

pytestmark = pytest.mark.timeout(3600)
THROUGH = "2020Q1"


def test_frozen_rows_are_in_every_model_that_takes_them(on_duckdb: Callable[[str], Path], tmp_path: Path) -> None:
    """Their figures are changed after the freeze, so that they can't be taken for what is computed."""
    models = frozen_models(PROJECT)
    assert len(models) > 9
    inputs = CITIES["drawn_1"](tmp_path / "inputs")
    with duckdb.connect(str(on_duckdb("drawn_1")), read_only=True) as warehouse:
        for schema, model in models:
            changed = [
                name
                for name, kind in warehouse.execute(
                    "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?",
                    [schema, model],
                ).fetchall()
                if kind in ("INTEGER", "BIGINT", "HUGEINT") and "__" not in name
            ]
            more = f"replace ({', '.join(f'{name} + 1000 as {name}' for name in changed)})" if changed else ""
            path = tmp_path / f"{model}.parquet"
            warehouse.execute(
                f"copy (select * {more} from {schema}.{model} where reporting_quarter <= '{THROUGH}') to '{path}'"
            )
            inputs.frozen.append((model, path, THROUGH))
    # no data tests: the figures are wrong, and these say so
    duck = build_on_duckdb(inputs, tmp_path / "duckdb")
    spark, outcomes = build_on_spark(inputs, tmp_path / "spark", MASTER)
    assert {key: how for key, how in outcomes.items() if how not in ("success", "pass", "no-op")} == {}
    assert differing_tables(spark, duck) == {}
    with duckdb.connect(str(spark), read_only=True) as connection:
        for schema, model in models:
            there = f"select * from {schema}.{model} where reporting_quarter <= '{THROUGH}'"
            stored = f"select * from '{tmp_path / model}.parquet'"
            for one, other in ((there, stored), (stored, there)):
                assert connection.execute(f"({one}) except all ({other})").fetchall() == [], model
