"""Writing a release: the tables with what is hidden left out, in a DuckDB file with the schema `published`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from publish.cutting import CELL, COMPLETENESS, Cut
from publish.labels import label, load_terms
from publish.leaving_out import LEFT_OUT, NOBODY, NOT_PROTECTABLE, block_of, cut_of
from publish.policy import Policy
from publish.serving.release_file import sql_literal
from publish.tables import TOTAL, Derived, OpenTable, Table, Tables
from publish.warehouse import Warehouse

SYNTHETIC = "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA."
PARTLY_SYNTHETIC = "DELVIS SYNTETISKA UPPGIFTER. / PARTLY SYNTHETIC DATA."
HIDDEN = (
    "Ett dolt värde är tomt i en rad där suppressed är sant, och kan vara 0. / "
    "A hidden value is null in a row where suppressed is true, and may be 0."
)
LEFT_OUT_KEY = ("table_name", "rows_where", "district_code", "district_basis", "period", "cut")
_LEFT_OUT_IN_WORDS = (
    "Rader som inte finns i de andra tabellerna. nobody: ingen räknas där, och inte heller i det som raden delas upp "
    "i. not_protectable: uppgifterna går inte att skydda, och kan vara vad som helst. / Rows that the other tables "
    "don't have. nobody: no one is counted there, nor in what the row is cut into. not_protectable: nothing would "
    "protect the figures, which may be anything. Any other row that is not there is 0 where others of its place, "
    "period and cut are."
)
_LABELLED = {
    "district_code": ("dim_district", "district_label"),
    "reason_code": ("dim_reason", "reason_label"),
    "source_code": ("dim_source", "source_label"),
    "intervention_code": ("dim_intervention", "intervention_label"),
}
"""Coded columns whose Swedish labels stand in a dimension table."""
_DIMENSION_TABLES = {
    "dim_district": "district_code, district_label, kind, successor_code, current_district_code, valid_from, valid_to",
    "dim_quarter": "reporting_quarter, quarter_label, calendar_year, quarter_number, sort_order, quarter_start_date, "
    "quarter_end_date",
    "dim_intervention": "intervention_code, intervention_label, intervention_category",
    "dim_reason": "reason_code, reason_label, reason_side",
    "dim_source": "source_code, source_label",
}
_Z = 1.959963984540054


@dataclass(frozen=True)
class Heading:
    """What every row of a release says of it."""

    release_id: int
    released_at: datetime
    until_quarter: str | None
    locked: frozenset[str]
    """Quarters that are locked: figures of others are provisional."""
    is_revision: bool


def notice_of(warehouse: Warehouse) -> str:
    """What every reader must be told of the data; empty when they are real."""
    (found,) = warehouse.rows(
        "select coalesce(bool_and(is_synthetic), false), coalesce(bool_or(is_synthetic), false) "
        "from core.fct_submission where is_in_force"
    )
    return SYNTHETIC if found[0] else PARTLY_SYNTHETIC if found[1] else ""


def write_release(
    path: Path,
    warehouse: Warehouse,
    tables: Tables,
    cut: Cut,
    hidden: NDArray[np.bool_],
    policy: Policy,
    heading: Heading,
) -> dict[str, int]:
    """Write the file.

    Args:
        path: it must not exist.
        warehouse: where labels, descriptions and unprotected tables come from.
        tables: what goes out.
        cut: the rows.
        hidden: of each cell of `cut.cells`, whether readers must not see it.
        policy: the least n of durations.
        heading: what is said of the release.

    Returns:
        Table → how many rows it holds.
    """
    notice = notice_of(warehouse)
    labels = {column: _labels(warehouse, *where) for column, where in _LABELLED.items()}
    told = _told(warehouse)
    counts = {}
    not_there = [_left_out(cut.left_out, cut.units)]
    with duckdb.connect(str(path)) as target:
        target.execute("set timezone = 'UTC'")
        target.execute("begin")  # each statement's own transaction would cost more than the statement
        target.execute("create schema published")
        for name, table in tables.tables.items():
            rows = _rows(cut, tables, name, table, hidden, policy, heading, labels)
            if table.leave_out_zero is not None:
                is_nobody = rows[table.leave_out_zero].eq(0).fillna(False).astype(bool)
                not_there.append(_of_nobody(rows[is_nobody], name, tables, table))
                rows = rows[~is_nobody].reset_index(drop=True)
            keys = _key_of(tables, table)
            counts[name] = _store(target, name, rows, keys)
            of_source = told.get(("marts", table.blocks[0].mart), {})
            _comment(target, of_source, name, rows, f"{notice} {_cuts_in_words(tables, table)} {HIDDEN}".strip())
        rows = _labelled(pd.concat(not_there, ignore_index=True), labels).astype(str)  # texts, where there are none too
        rows = rows.sort_values(list(LEFT_OUT_KEY)).reset_index(drop=True)
        counts[LEFT_OUT] = _store(target, LEFT_OUT, rows, LEFT_OUT_KEY)
        _comment(target, {}, LEFT_OUT, rows, f"{notice} {_LEFT_OUT_IN_WORDS}".strip())
        for name, open_table in tables.open_tables.items():
            rows = _open_rows(warehouse, open_table, heading, labels)
            counts[name] = _store(target, name, rows, ())
            of_source = told.get(("marts", open_table.mart), {})
            _comment(target, of_source, name, rows, f"{notice} Counts no persons: {open_table.why}.".strip())
        for name, columns in _DIMENSION_TABLES.items():
            rows = warehouse.table(f"select {columns} from core.{name} order by 1")
            counts[name] = _store(target, name, rows, (str(rows.columns[0]),))
            _comment(target, told.get(("core", name), {}), name, rows, notice)
        _write_about(target, heading, notice)
        target.execute("commit")
    return counts


def holds_the_same(path: Path, other: Path) -> bool:
    """Whether two releases show readers the same: tables, rows, descriptions; their numbers and times apart.

    Raises:
        duckdb.Error: one of them can't be read.
    """
    with duckdb.connect() as connection:
        for name, file in (("one", path), ("two", other)):
            quoted = str(file).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name} (read_only)")
        described = (
            "select table_name, column_name, data_type, comment from duckdb_columns() where database_name = '{0}' "
            "union all select table_name, '', '', comment from duckdb_tables() where database_name = '{0}'"
        )
        if _differ(connection, described.format("one"), described.format("two")):
            return False
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'one' and table_name <> 'about'"
        ).fetchall()
        told = "select columns(c -> c not in ('release_id', 'released_at')) from {}.published.{}"
        if any(_differ(connection, told.format("one", name), told.format("two", name)) for (name,) in tables):
            return False
        about = "select * from {}.published.about where key not in ('release_id', 'released_at', 'is_revision')"
        return not _differ(connection, about.format("one"), about.format("two"))


def _differ(connection: duckdb.DuckDBPyConnection, one: str, two: str) -> bool:
    """Whether two queries give different rows, in whatever order."""
    query = "select 1 from (({0}) except all ({1})) limit 1"
    return any(connection.execute(query.format(*pair)).fetchone() for pair in ((one, two), (two, one)))


def stamp(path: Path, released_at: datetime) -> None:
    """Set when a written release goes out, in every table and in `about`."""
    with duckdb.connect(str(path)) as target:
        target.execute("set timezone = 'UTC'")
        for (table,) in target.execute(
            "select table_name from duckdb_columns() where schema_name = 'published' and column_name = 'released_at'"
        ).fetchall():
            target.execute(f"update published.{table} set released_at = ?", [released_at])
        target.execute("update published.about set value = ? where key = 'released_at'", [released_at.isoformat()])
        target.execute("checkpoint")


def _rows(
    cut: Cut,
    tables: Tables,
    name: str,
    table: Table,
    hidden: NDArray[np.bool_],
    policy: Policy,
    heading: Heading,
    labels: dict[str, dict[str, str]],
) -> pd.DataFrame:
    """A table's rows as readers get them."""
    dimensions = list(tables.dimension_columns(table))
    period = table.period
    if name not in cut.rows:
        empty = ["district_code", "district_basis", period, *table.keys, *dimensions]
        rows = pd.DataFrame({column: pd.Series(dtype=str) for column in ["geography", *empty]})
        rows = rows.assign(**{c: pd.Series(dtype="Int64") for c in (*table.counts, *COMPLETENESS)})
        rows = rows.assign(**{CELL + c: pd.Series(dtype=np.int64) for c in table.counts})
        rows = rows.assign(**{c: pd.Series(dtype=float) for c in table.derived})
    else:
        rows = cut.rows[name].merge(cut.units, on="geography").rename(columns={"period": period})
    is_hidden = {c: hidden[rows[CELL + c].to_numpy(dtype=np.int64)] for c in table.counts}
    out = rows[["district_code", "district_basis", period, *table.keys, *dimensions]].copy()
    if period == "calendar_year":
        out[period] = out[period].astype(np.int32)
    for column in table.counts:
        out[column] = rows[column].astype("Int64").mask(is_hidden[column])
    for column, derived in table.derived.items():
        for one, values in _derive(column, derived, rows, out, policy).items():
            out[one] = values
    values = [*table.counts, *(c for c in out.columns if c not in rows.columns and c != period), *table.derived]
    out["suppressed"] = out[list(dict.fromkeys(values))].isna().any(axis=1)
    told = rows[list(COMPLETENESS)].astype(np.int32)
    quarters = out[period].astype(str)
    of_quarters = {p: {p} if len(p) > 4 else {f"{p}Q{n}" for n in (1, 2, 3, 4)} for p in quarters.unique()}
    out["is_provisional"] = quarters.map(lambda p: not of_quarters[p] <= heading.locked).astype(bool)
    out["release_id"] = np.int32(heading.release_id)
    out["released_at"] = pd.Timestamp(heading.released_at)
    out = pd.concat([out, told], axis=1)
    keys = list(_key_of(tables, table))
    return _labelled(out, labels).sort_values(keys).reset_index(drop=True)


def _left_out(rows: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Rows that nothing protects as readers are told of them: by district and division."""
    if not len(rows):
        return pd.DataFrame({column: pd.Series(dtype=str) for column in (*LEFT_OUT_KEY, "left_out_because")})
    told = rows.merge(units, on="geography").assign(left_out_because=NOT_PROTECTABLE)
    return told[[*LEFT_OUT_KEY, "left_out_because"]]


def _of_nobody(rows: pd.DataFrame, name: str, tables: Tables, table: Table) -> pd.DataFrame:
    """The places of which a table has no row as nobody is counted; their cuts go without saying."""
    totals = rows[(cut_of(rows, tables.dimension_columns(table)) == TOTAL).to_numpy(dtype=bool)]
    return totals[["district_code", "district_basis"]].assign(
        table_name=name,
        rows_where=block_of(totals, table.keys),
        period=totals[table.period].astype(str),
        cut=TOTAL,
        left_out_because=NOBODY,
    )


def _key_of(tables: Tables, table: Table) -> tuple[str, ...]:
    return ("district_code", "district_basis", table.period, *table.keys, *tables.dimension_columns(table))


def _derive(
    column: str, derived: Derived, rows: pd.DataFrame, out: pd.DataFrame, policy: Policy
) -> dict[str, pd.Series]:
    """A derived measure's columns; null where a count that it is of is hidden, or too small."""
    if derived.kind != "rate":
        n = out[derived.of[0]]
        enough = n.ge(policy.minimum_n[derived.kind]).fillna(False).astype(bool)
        return {column: rows[column].astype(float).where(enough)}
    part, whole = (out[name].astype(float) for name in derived.of)
    whole = whole.where(whole > 0)
    # E. B. Wilson, JASA 22, 1927: as `wilson_limit` of the marts
    spread = _Z * np.sqrt(part * (1 - part / whole) + _Z**2 / 4)
    middle, of = part + _Z**2 / 2, whole + _Z**2
    return {
        column: part / whole,
        f"{column}_low": ((middle - spread) / of).clip(lower=0),
        f"{column}_high": ((middle + spread) / of).clip(upper=1),
    }


def _open_rows(
    warehouse: Warehouse, table: OpenTable, heading: Heading, labels: dict[str, dict[str, str]]
) -> pd.DataFrame:
    """A table without persons, as its mart has it, of quarters that are complete."""
    columns = warehouse.columns(table.mart)
    ready = "is_cohort_complete and not is_survivors_only" if "is_cohort_complete" in columns else "true"
    until = f"and reporting_quarter <= '{heading.until_quarter}'" if heading.until_quarter else ""
    wanted = ["district_code", "district_basis", "reporting_quarter", *table.columns]
    rows = warehouse.table(
        f"select {', '.join(wanted)}, false as suppressed, {', '.join(table.completeness)} from marts.{table.mart} "
        f"where {ready} {until} order by {', '.join(wanted)}"
    )
    told = rows[list(table.completeness)]
    rows = rows.drop(columns=list(table.completeness))
    rows["is_provisional"] = ~rows["reporting_quarter"].isin(heading.locked)
    rows["release_id"] = np.int32(heading.release_id)
    rows["released_at"] = pd.Timestamp(heading.released_at)
    return _labelled(pd.concat([rows, told], axis=1), labels)


def _labels(warehouse: Warehouse, table: str, column: str) -> dict[str, str]:
    found = warehouse.table(f"select * from core.{table}")
    return dict(zip(found.iloc[:, 0], found[column], strict=True))


def _labelled(rows: pd.DataFrame, labels: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Swedish labels beside the coded columns."""
    for column in [c for c in rows.columns if c in labels]:
        told = rows[column].map(lambda code: "Alla" if code == TOTAL else labels[column].get(code, code))  # noqa: B023
        rows.insert(int(rows.columns.get_loc(column)) + 1, _LABELLED[column][1], told)
    if "indicator_code" in rows.columns:
        told = rows["indicator_code"].map(lambda code: label(code) or code)
        rows.insert(int(rows.columns.get_loc("indicator_code")) + 1, "indicator_label", told)
    return rows


def _store(target: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame, keys: tuple[str, ...]) -> int:
    target.register("rows_told", rows)
    target.execute(f"create table published.{name} as select * from rows_told")
    target.unregister("rows_told")
    if keys:
        target.execute(f"alter table published.{name} add primary key ({', '.join(keys)})")
    return len(rows)


def _cuts_in_words(tables: Tables, table: Table) -> str:
    cuts = dict.fromkeys(" × ".join(cut) for block in table.blocks for cut in block.cuts if cut)
    of = f", cut by {'; '.join(cuts)}" if cuts else ""
    return f"One row per district, division, {table.grain} and cut{of}; `{TOTAL}` where it is not cut."


def _told(warehouse: Warehouse) -> dict[tuple[str, str], dict[str, str]]:
    """Per schema and table of the warehouse what it says of its columns, and under "" of itself."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, comment in warehouse.rows(
        "select schema_name, table_name, '', comment from duckdb_tables() where schema_name in ('core', 'marts') "
        "union all select schema_name, table_name, column_name, comment from duckdb_columns() "
        "where schema_name in ('core', 'marts')"
    ):
        found.setdefault((schema, table), {})[column] = comment or ""
    return found


def _comment(
    target: duckdb.DuckDBPyConnection, told: dict[str, str], table: str, rows: pd.DataFrame, text: str
) -> None:
    """Describe a table and its columns: our own words, then the model's (`told`); labels from the glossary."""
    described = f"{label(table) or table}. {text} {told.get('', '').strip()}".strip()
    if text.startswith((SYNTHETIC, PARTLY_SYNTHETIC)):
        described = f"{text} {told.get('', '').strip()}".strip()
    statements = [f"comment on table published.{table} is {sql_literal(described)}"]
    terms = load_terms()
    for column in map(str, rows.columns):
        more = told.get(column) or (terms[column].explanation if column in terms else None)
        words = ": ".join(part for part in (label(column), more) if part)
        if words:
            statements.append(f"comment on column published.{table}.{column} is {sql_literal(words)}")
    target.execute("; ".join(statements))


def _write_about(target: duckdb.DuckDBPyConnection, heading: Heading, notice: str) -> None:
    target.execute("create table published.about (key varchar primary key, value varchar not null)")
    told = {
        "release_id": str(heading.release_id),
        "released_at": heading.released_at.isoformat(),
        "until_quarter": heading.until_quarter or "",
        "is_revision": str(heading.is_revision).lower(),
        "disclosure_control": "applied and audited: see certificate.html",
        "hidden_values": HIDDEN,
        "is_synthetic": {SYNTHETIC: "true", PARTLY_SYNTHETIC: "partly"}.get(notice, "false"),
        "notice": notice,
    }
    target.executemany("insert into published.about values (?, ?)", [[key, value] for key, value in told.items()])
    target.execute("comment on table published.about is 'What the release says of itself.'")
