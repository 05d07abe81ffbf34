"""CSV for programs: RFC 4180 (comma, CRLF, quotes doubled), UTF-8, dot decimals, machine names as header.

Text is always in quotes and a missing value never is, so that an empty text and a missing value differ.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from ingest.findings import count_with_noun
from publish.serving.release_file import ReleaseFile, ServedTable
from publish.views.declared import PREFIX as VIEW

ROWS_IN_BATCH = 65_536
PLAIN_FOLDER = "csv"


def write_csv_files(release: ReleaseFile, folder: Path) -> None:
    """Write `csv/<table>.csv` for views and dimension tables, with a page that explains them."""
    place = folder / PLAIN_FOLDER
    place.mkdir()
    (place / "LAS_MIG.txt").write_text(explanation(release), encoding="utf-8")
    write_plain_files(release, place, [table for table in release.tables if is_in_csv(table.name)])


def is_in_csv(table: str) -> bool:
    """Whether a table is in the folder `csv`: what people read, and its codes. Marts are in Parquet and DuckDB."""
    return table.startswith((VIEW, "dim_")) or table == "about"


def write_plain_files(release: ReleaseFile, folder: Path, tables: Sequence[ServedTable] | None = None) -> None:
    """Write `<table>.csv` for every table, or for some."""
    with release.reading() as connection:
        for table in release.tables if tables is None else tables:
            rows = connection.execute(release.query(table) + narrow(table)).to_arrow_reader(ROWS_IN_BATCH)
            with pa.OSFile(str(folder / f"{table.name}.csv"), "wb") as sink:
                write_plain(rows, sink)


def write_plain(rows: pa.RecordBatchReader, sink: pa.NativeFile | io.IOBase) -> None:
    """Write rows as CSV."""
    options = pa.csv.WriteOptions(batch_size=ROWS_IN_BATCH, eol="\r\n")
    with pa.csv.CSVWriter(sink, rows.schema, write_options=options) as writer:
        for batch in rows:
            writer.write_batch(batch)


def narrow(table: ServedTable) -> str:
    """A condition for the rows of marts in PostgreSQL: totals and single dimensions, no rolling years.

    Parquet and DuckDB have the others.
    """
    there = {column.name for column in table.columns}
    conditions = ["cut not like '%+%'"] if "cut" in there else []
    conditions += ["period_kind <> 'rullande_ar'"] if {"cut", "period_kind"} <= there else []
    return f" where {' and '.join(conditions)}" if conditions else ""


def explanation(release: ReleaseFile) -> str:
    """The page beside the files, in Swedish: what they are, how they are written, and what each holds."""
    lines = [
        f"Utgåva {release.release_id}",
        *([release.swedish_notice] if release.notice else []),
        "",
        "Komma mellan kolumner, punkt som decimaltecken, UTF-8, kolumnernas tekniska namn som rubriker. Text står inom "
        "citattecken; ett saknat värde är tomt utan citattecken. För Excel finns en arbetsbok i mappen ovanför.",
        "Här finns vyerna (vy_…), en för varje fråga, och tabellerna med koder (dim_…). Alla uppdelningar finns i "
        "tabellerna mart_… i Parquet och DuckDB.",
        *(said for name in ("how_to_read", "not_there") if (said := release.about.get(name))),
        "Klockslag är i UTC.",
    ]
    for table in release.tables:
        if is_in_csv(table.name):
            lines += [
                "",
                f"{table.name}.csv ({count_with_noun(table.rows, 'rad', 'rader')})",
                *([table.comment] if table.comment else []),
            ]
    return "\r\n".join(lines) + "\r\n"
