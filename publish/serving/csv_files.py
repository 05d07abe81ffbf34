"""CSV in two flavours: plain for programs, Swedish for Excel.

Plain: RFC 4180 (comma, CRLF, quotes doubled), UTF-8, dot decimals, machine names as header. Text is always in
quotes and a missing value never does, so that an empty text and a missing value differ.

Swedish: semicolon, decimal comma, UTF-8 with a byte order mark, Swedish labels as header, SANT and FALSKT. A text that
Excel would run as a formula, or take for a date or a number (the age band 6-12 is one), gets an apostrophe before it;
a text that has apostrophes before such a thing gets one more, so that removing one always gives the text back.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from ingest.findings import count_with_noun
from publish.serving.release_file import ReleaseFile, ServedColumn, ServedTable, name, sql_literal
from publish.views.declared import PREFIX as VIEW

ROWS_IN_BATCH = 65_536
PLAIN_FOLDER = "csv"
SWEDISH_FOLDER = "csv_excel"
BYTE_ORDER_MARK = "\ufeff".encode()
_BLANK = r"[\x00-\x20\x7f" + "\u00a0\u200b\ufeff]*"
MISREAD = (
    "^'*"
    + _BLANK
    + r"(?:[=+\-@|%" + "\u2212\uff0b\uff0d\uff1d\uff20]"  # formulas, written wide too
    + r"|[0-9][0-9\x00-\x20.,:/\-]*(?:e[+\-]?[0-9]+|%|kr)?" + _BLANK + "$"  # numbers and dates
    + r"|(?:jan|feb|mar|apr|maj|may|jun|jul|aug|sep|okt|oct|nov|dec)[a-z]*[\x00-\x20.\-/]*[0-9]+" + _BLANK + "$"
    + r"|(?:sant|falskt|true|false)" + _BLANK + "$"
    + ")"
)  # fmt: skip
"""What Excel would not leave as the text it is; leading apostrophes are looked past. Read without regard to case, and
the same in Python's expressions and DuckDB's."""
_MISREAD = re.compile(MISREAD, re.IGNORECASE)


def write_csv_files(release: ReleaseFile, folder: Path) -> None:
    """Write `csv/<table>.csv` for views and dimension tables, `csv_excel/<table>.csv` for every table.

    Each folder has a page that explains it.
    """
    for flavour in (PLAIN_FOLDER, SWEDISH_FOLDER):
        (folder / flavour).mkdir()
        (folder / flavour / "LAS_MIG.txt").write_text(explanation(release, flavour), encoding="utf-8")
    write_plain_files(release, folder / PLAIN_FOLDER, [table for table in release.tables if is_in_csv(table.name)])
    with release.reading() as connection:
        for table in release.tables:
            rows = connection.execute(swedish_query(release, table)).to_arrow_reader(ROWS_IN_BATCH)
            with pa.OSFile(str(folder / SWEDISH_FOLDER / f"{table.name}.csv"), "wb") as sink:
                write_swedish(rows, sink)


def is_in_csv(table: str) -> bool:
    """Whether a table is in the folder `csv`: what people read, and its codes. Marts are in Parquet and DuckDB."""
    return table.startswith((VIEW, "dim_")) or table == "about"


def write_plain_files(release: ReleaseFile, folder: Path, tables: Sequence[ServedTable] | None = None) -> None:
    """Write `<table>.csv` in the plain flavour, for every table or for some."""
    with release.reading() as connection:
        for table in release.tables if tables is None else tables:
            rows = connection.execute(release.query(table) + narrow(table)).to_arrow_reader(ROWS_IN_BATCH)
            with pa.OSFile(str(folder / f"{table.name}.csv"), "wb") as sink:
                write_plain(rows, sink)


def write_plain(rows: pa.RecordBatchReader, sink: pa.NativeFile | io.IOBase) -> None:
    """Write rows in the plain flavour."""
    options = pa.csv.WriteOptions(batch_size=ROWS_IN_BATCH, eol="\r\n")
    with pa.csv.CSVWriter(sink, rows.schema, write_options=options) as writer:
        for batch in rows:
            writer.write_batch(batch)


def write_swedish(rows: pa.RecordBatchReader, sink: pa.NativeFile | io.IOBase) -> None:
    """Write rows that `swedish_query` gave, byte order mark first."""
    sink.write(BYTE_ORDER_MARK)
    options = pa.csv.WriteOptions(batch_size=ROWS_IN_BATCH, delimiter=";", eol="\r\n")
    with pa.csv.CSVWriter(sink, rows.schema, write_options=options) as writer:
        for batch in rows:
            writer.write_batch(batch)


def swedish_query(release: ReleaseFile, table: ServedTable) -> str:
    """The query that gives a table's values as Swedish Excel reads them, under Swedish labels."""
    cells = ", ".join(
        f"{_swedish(column)} as {name(heading)}"
        for column, heading in zip(table.columns, swedish_header(table), strict=True)
    )
    return f"select {cells} from {release.relation(table)}{narrow(table)}"


def narrow(table: ServedTable) -> str:
    """A condition for the rows of marts in PostgreSQL and `csv_excel`: totals and single dimensions, no rolling years.

    Parquet and DuckDB have the others.
    """
    there = {column.name for column in table.columns}
    conditions = ["cut not like '%+%'"] if "cut" in there else []
    conditions += ["period_kind <> 'rullande_ar'"] if {"cut", "period_kind"} <= there else []
    return f" where {' and '.join(conditions)}" if conditions else ""


def rows_in_files(release: ReleaseFile) -> dict[str, int]:
    """How many rows each table's CSV file has, without its header."""
    with release.reading() as connection:
        counts = {
            table.name: connection.execute(f"select count(*) from {release.relation(table)}{narrow(table)}").fetchone()
            for table in release.tables
        }
    return {table: int(found[0]) for table, found in counts.items() if found}


def swedish_header(table: ServedTable) -> list[str]:
    """The columns' Swedish labels; a label that two of them share is followed by the machine name."""
    labels = [column.label for column in table.columns]
    shared = {
        label.casefold() for label in labels if [other.casefold() for other in labels].count(label.casefold()) > 1
    }
    return [
        protected(f"{column.label} ({column.name})" if column.label.casefold() in shared else column.label)
        for column in table.columns
    ]


def _swedish(column: ServedColumn) -> str:
    value, kind = name(column.name), column.sent_as
    if kind != column.type:
        value = f"{value}::{kind}"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"replace({value}::varchar, '.', ',')"
    if kind == "BOOLEAN":
        return f"case when {value} then 'SANT' when not {value} then 'FALSKT' end"
    if kind.startswith("TIMESTAMP"):
        return f"strftime({value}, '%Y-%m-%d %H:%M:%S')"
    if kind == "VARCHAR":
        return f"case when regexp_matches({value}, {sql_literal(MISREAD)}, 'i') then '''' || {value} else {value} end"
    return value


def protected(value: str) -> str:
    """A text as the Swedish flavour writes it."""
    return f"'{value}" if _MISREAD.search(value) else value


def unprotected(cell: str) -> str:
    """What a cell of the Swedish flavour is the text of."""
    return cell[1:] if cell.startswith("'") and _MISREAD.search(cell) else cell


def explanation(release: ReleaseFile, flavour: str) -> str:
    """The page beside the files, in Swedish: what they are, how they are written, and what each holds."""
    how = {
        PLAIN_FOLDER: "Komma mellan kolumner, punkt som decimaltecken, UTF-8, kolumnernas tekniska namn som rubriker. "
        "Text står inom citattecken; ett saknat värde är tomt utan citattecken.",
        SWEDISH_FOLDER: "För svensk Excel: semikolon mellan kolumner, decimalkomma, UTF-8, svenska rubriker. "
        "En text som Excel annars skulle göra om till formel, datum eller tal har en apostrof framför sig: '6-12 är "
        "åldersgruppen 6-12.",
    }[flavour]
    lines = [f"Utgåva {release.release_id}", *([release.notice] if release.notice else []), "", how]
    lines.append(
        "Här finns vyerna (vy_…), en för varje fråga, och tabellerna med koder (dim_…). Alla uppdelningar finns i "
        "tabellerna mart_… i Parquet och DuckDB."
        if flavour == PLAIN_FOLDER
        else "Här finns kvartal och kalenderår: totaler och en uppdelning i taget. Rullande år och alla uppdelningar "
        "finns i Parquet och DuckDB."
    )
    if how_to_read := release.about.get("how_to_read"):
        lines.append(how_to_read)
    if not_there := release.about.get("not_there"):
        lines.append(not_there)
    lines.append("Klockslag är i UTC.")
    rows = rows_in_files(release)
    for table in release.tables:
        if flavour == PLAIN_FOLDER and not is_in_csv(table.name):
            continue
        lines += [
            "",
            f"{table.name}.csv ({count_with_noun(rows[table.name], 'rad', 'rader')})",
            *([table.comment] if table.comment else []),
        ]
    return "\r\n".join(lines) + "\r\n"
