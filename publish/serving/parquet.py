"""Parquet files that explain themselves: label and description of every column, description and notice of the table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from publish.serving.release_file import ReleaseFile, ServedTable

ROWS_IN_BATCH = 122_880
"""As many as a row group of DuckDB's holds."""


def write_parquet(release: ReleaseFile, folder: Path) -> None:
    """Write `<table>.parquet` for every table into a folder.

    A column's label and description are its field's metadata (pyarrow: `schema.field(…).metadata`) and, for readers
    that see only the file's key/value pairs, stand there too, as `column:<name>`.
    """
    with release.reading() as connection:
        for table in release.tables:
            rows = connection.execute(release.query(table)).to_arrow_reader(ROWS_IN_BATCH)
            schema = described(rows.schema, table, release)
            with pq.ParquetWriter(folder / f"{table.name}.parquet", schema, compression="zstd") as writer:
                for batch in rows:
                    writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def described(schema: pa.Schema, table: ServedTable, release: ReleaseFile) -> pa.Schema:
    """The schema with what is known of the table and its columns in its metadata."""
    fields = [
        schema.field(column.name).with_metadata({"label": column.label, "description": column.description})
        for column in table.columns
    ]
    of_file = {
        "table": table.name,
        "description": table.comment,
        "notice": release.notice,
        "release_id": release.release_id,
        **{f"column:{column.name}": column.comment or column.label for column in table.columns},
    }
    return pa.schema(fields, metadata=of_file)
