"""The engines that dbt can build marts on: DuckDB, in this process, or Apache Spark, on one machine or many."""

from __future__ import annotations

from followup.build.engines.engine import Engine
from ingest.settings import EngineName, Settings

__all__ = ["Engine", "engine_of"]


def engine_of(settings: Settings) -> Engine:
    """The engine that an installation builds on; `require` says whether it can work here."""
    if settings.engine is EngineName.SPARK:
        from followup.build.engines.spark_engine import SparkEngine

        return SparkEngine(settings.spark_master)
    from followup.build.engines.duckdb_engine import DuckDBEngine

    return DuckDBEngine()
