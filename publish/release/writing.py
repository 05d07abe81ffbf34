"""Writing a release: every mart's published rows, in a DuckDB file with the schema `published`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from ingest.organisation import own_words
from publish.labels import label
from publish.marts.declared import load_marts
from publish.marts.dimensions import load_dimensions
from publish.policy import CellKeyPolicy
from publish.release.dimensions import dimension_tables, labels_of
from publish.release.keyed import keyed_warehouse
from publish.release.making import Made
from publish.release.tables import Heading, is_provisional, table_of
from publish.release.texts import column_comment, table_comment
from publish.serving.release_file import sql_literal
from publish.serving.series_breaks import TABLE, SeriesBreak, notes_on
from publish.views.declared import View, load_views

SYNTHETIC = "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA."
PARTLY_SYNTHETIC = "DELVIS SYNTETISKA UPPGIFTER. / PARTLY SYNTHETIC DATA."
DEVIATION = (
    "Antal personer ändras lite och slumpmässigt innan de ges ut: oftast högst två, aldrig mer än {greatest}. 1–{js} "
    "visas aldrig, och en nolla kan vara upp till {greatest}; det som är en del av en nolla visas också som 0. Delar "
    "summerar därför inte alltid till totalen, en del kan visas som större än sin helhet, och små skillnader ska inte "
    "tolkas. En rättelse visas först när minst {least} poster i samma stadsdel och period har ändrats."
)
CAPPED = (
    "Där is_capped är sant är en del minst {percent} procent av sin helhet. Andelen visas då som exakt {percent} "
    "procent och betyder minst så mycket; antalet visas som det största som är mindre än {percent} procent av helheten."
)
TOO_FEW = (
    "En andel utan värde bygger på färre än {few} (too_few är sant). En tid visas när minst så många ligger bakom: "
    "medelvärde {mean}, median {median}, median ur klasser {grouped_median}, 90:e percentil {p90}, median med pågående "
    "{kaplan_meier}."
)
SHIFTED = (
    "Tider är hela dagar. Summor av tillfällen är förskjutna uppåt eller nedåt med 0,5 till 1 gånger det största "
    "enskilda bidraget; medeltider räknas ur summor som är förskjutna på samma sätt."
)
EXACT = "Räknar inga personer: uppgifterna är exakta."
NOT_THERE = (
    "Perioder vars uppföljningstid inte har gått finns inte med: de nyaste kvartalen och åren saknar därför en del "
    "mått eller stadsdelar. Ett år finns bara när alla dess kvartal finns. Kvartal som inte är låsta kan ändras. "
    "Rader där alla antal är 0 finns inte med. Uppdelningar efter orsak, uppgiftslämnare, tidigare kontakt, insats, "
    "utfall av erbjudande och orsak till återaktualisering finns bara där varje helhet är minst {few}, och per kvartal "
    "tillsammans med högst en annan uppdelning. Rangordning och jämförelsegränser finns inte för enskilda kvartal, och "
    "läget mot gränserna bara där minst fyra stadsdelar jämförs; väntetid till föräldrautbildning har placering men "
    "inga gränser. Rullande år finns bara som totaler, efter en uppdelning i taget, och efter kön och ålder."
)
MEMORY = "400MB"
"""Of the writer, beside the figures that it writes; what is above goes to the disk early."""
LABELLED = {
    "district_code": "dim_district",
    "reason_code": "dim_reason",
    "source_code": "dim_source",
    "intervention_code": "dim_intervention",
    "indicator_code": "dim_indicator",
}
"""Columns of marts that have their labels beside them."""


def in_words(policy: CellKeyPolicy) -> str:
    """What every reader must know of the figures, in Swedish."""
    values = {
        "greatest": policy.greatest_deviation,
        "js": policy.js,
        "percent": policy.all_of_n_percent,
        "few": policy.too_few,
        "least": policy.least_changed,
        **{str(statistic): least for statistic, least in policy.minimum_n.items()},
    }
    return " ".join(own_words(text).format(**values) for text in (DEVIATION, CAPPED, TOO_FEW, SHIFTED))


def notice_of(warehouse: duckdb.DuckDBPyConnection) -> str:
    """What every reader must know of the data; empty when they are real."""
    found = warehouse.execute(
        "select coalesce(bool_and(is_synthetic), false), coalesce(bool_or(is_synthetic), false) "
        "from warehouse.core.fct_submission where is_in_force"
    ).fetchone() or (False, False)
    return SYNTHETIC if found[0] else PARTLY_SYNTHETIC if found[1] else ""


def write_release(path: Path, warehouse: Path, made: Made, policy: CellKeyPolicy, heading: Heading) -> dict[str, int]:
    """Write the file.

    Args:
        path: it must not exist.
        warehouse: where labels and descriptions come from.
        made: the figures.
        policy: with which they were made.
        heading: what is said of the release.

    Returns:
        Table → how many rows it holds.
    """
    counts: dict[str, int] = {}
    words = in_words(policy)
    with keyed_warehouse(warehouse, memory=MEMORY) as target:
        target.execute(f"attach {sql_literal(path)} as release")
        target.execute("create schema release.published")
        notice = notice_of(target)
        labels = {column: labels_of(target, load_dimensions()[table]) for column, table in LABELLED.items()}
        said: dict[str, str] = {}
        for name, found in made.marts.items():
            chosen, mart = made.chosen[name], found.rows.mart
            rows = _labelled(table_of(found, chosen), labels)
            rows = _with_heading(rows, is_provisional(found, chosen, heading.locked), heading)
            counts[name] = _store(target, name, rows)
            of_it = words if mart.person_counts or mart.derived else EXACT
            said[name] = f"{notice} {of_it}".strip()
        breaks: Sequence[SeriesBreak] = ()
        for name, key, rows in dimension_tables(target):
            counts[name] = _store(target, name, rows, key)
            said[name] = notice
            if name == TABLE:
                breaks = [SeriesBreak.of_row(row) for row in rows.to_pylist()]
        _describe(target, said, breaks)
        for view in views_of(made):
            counts[view.name] = _store_view(target, view, notice, breaks)
        _write_about(target, policy, heading, notice)
        target.execute("checkpoint release")
        target.execute("detach release")
    return counts


def _with_heading(rows: pa.Table, provisional: pa.Array, heading: Heading) -> pa.Table:
    released_at = pa.scalar(heading.released_at, pa.timestamp("us", tz="UTC"))
    for name, column in (
        ("is_provisional", provisional),
        ("release_id", pa.repeat(pa.scalar(heading.release_id, pa.int32()), rows.num_rows)),
        ("released_at", pa.repeat(released_at, rows.num_rows)),
    ):
        rows = rows.append_column(name, column)
    return rows


def holds_the_same(path: Path, other: Path) -> bool:
    """Whether two releases show readers the same: tables, rows, descriptions; their numbers and times apart.

    Raises:
        duckdb.Error: one of them can't be read.
    """
    return _fingerprints(path) == _fingerprints(other)


def _fingerprints(path: Path) -> list[tuple[object, ...]]:
    """Of each table its rows in whatever order, its columns and what is said of them."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_literal(path)} as one (read_only)")
        described = connection.execute(
            "select table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns() "
            "where database_name = 'one' union all "
            "select table_name, '', '', coalesce(comment, '') from duckdb_tables() where database_name = 'one' "
            "order by all"
        ).fetchall()
        found: list[tuple[object, ...]] = [tuple(row) for row in described]
        for table in sorted({str(row[0]) for row in described}):
            of_rows = "columns(c -> c not in ('release_id', 'released_at', 'utgava'))"
            where = (
                " where key not in ('release_id', 'released_at', 'is_revision', 'revisions')"
                if table == "about"
                else ""
            )
            hashed = f"select hash(line) as h from (select {of_rows} from one.published.{table}{where}) as line"
            sums = connection.execute(f"select count(*), sum(h::hugeint), bit_xor(h) from ({hashed})").fetchone()
            found.append((table, *(sums or ())))
    return found


def stamp(path: Path, released_at: datetime) -> None:
    """Set when a written release is published, in every table and in `about`."""
    with duckdb.connect(str(path)) as target:
        target.execute("set timezone = 'UTC'")
        for (table,) in target.execute(
            "select table_name from duckdb_columns() where schema_name = 'published' and column_name = 'released_at'"
        ).fetchall():
            target.execute(f"update published.{table} set released_at = ?", [released_at])
        target.execute("update published.about set value = ? where key = 'released_at'", [released_at.isoformat()])
        target.execute("checkpoint")


def views_of(made: Made) -> list[View]:
    """The views of a release: those whose marts it has as they are declared."""
    declared = load_marts()
    whole = {name for name, one in made.marts.items() if one.rows.mart == declared.get(name)}
    return [view for view in load_views() if set(view.sources) <= whole]


def _labelled(rows: pa.Table, labels: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """Swedish labels beside the coded columns."""
    for column in rows.column_names:
        if column in labels:
            name = load_dimensions()[LABELLED[column]].label
            rows = _beside(rows, column, name, partial(_said, labels[column]))
    return rows


def _said(labels: Mapping[str, str], code: str) -> str:
    return labels.get(code, code)


def _beside(rows: pa.Table, column: str, name: str, said: Callable[[str], str]) -> pa.Table:
    codes = rows[column].cast(pa.string()).combine_chunks()
    encoded = (codes if isinstance(codes, pa.Array) else pa.concat_arrays(codes.chunks)).dictionary_encode()
    words = [said(code) for code in encoded.dictionary.to_pylist()]
    labels = pa.DictionaryArray.from_arrays(encoded.indices, pa.array(words, pa.string())).cast(pa.string())
    return rows.add_column(rows.column_names.index(column) + 1, name, labels)


def _store(target: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, key: str = "") -> int:
    target.register("published_rows", rows)
    columns = ", ".join(
        f'"{one}"::varchar as "{one}"' if pa.types.is_dictionary(rows.schema.field(one).type) else f'"{one}"'
        for one in rows.column_names
    )
    target.execute(f"create table release.published.{name} as select {columns} from published_rows")
    target.unregister("published_rows")
    if key:
        target.execute(f"alter table release.published.{name} add primary key ({key})")
    return int(rows.num_rows)


def _store_view(target: duckdb.DuckDBPyConnection, view: View, notice: str, breaks: Sequence[SeriesBreak]) -> int:
    """Make a view a table, so that every target has the same, and describe it."""
    target.execute("use release")
    rows = target.execute(view.sql).to_arrow_table()
    target.execute("use memory")
    count = _store(target, view.name, rows)
    table = f"release.published.{view.name}"
    comment = "\n\n".join((f"{notice} {view.comment}".strip(), *notes_on(breaks, view.sources)))
    statements = [f"comment on table {table} is {sql_literal(comment)}"]
    statements += [
        f"comment on column {table}.{column.name} is {sql_literal(f'{column.label}: {column.explanation}')}"
        for column in view.columns
    ]
    target.execute("; ".join(statements))
    return count


def _describe(target: duckdb.DuckDBPyConnection, said: Mapping[str, str], breaks: Sequence[SeriesBreak]) -> None:
    """Describe all tables and columns of the release; `said` is of each table what every reader of it must know."""
    published: dict[str, list[str]] = {}
    for table, column in target.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'release' order by all"
    ).fetchall():
        published.setdefault(table, []).append(column)
    for table, words in said.items():
        described = " ".join(part for part in (words, table_comment(table)) if part)
        if not words.startswith((SYNTHETIC, PARTLY_SYNTHETIC)):
            described = f"{label(table) or table}. {described}".strip()
        described = "\n\n".join((described, *notes_on(breaks, (table,))))
        statements = [f"comment on table release.published.{table} is {sql_literal(described)}"]
        for column in published[table]:
            comment = sql_literal(column_comment(table, column))
            statements.append(f'comment on column release.published.{table}."{column}" is {comment}')
        target.execute("; ".join(statements))


def _write_about(target: duckdb.DuckDBPyConnection, policy: CellKeyPolicy, heading: Heading, notice: str) -> None:
    target.execute("create table release.published.about (key varchar primary key, value varchar not null)")
    values = {
        "release_id": str(heading.release_id),
        "released_at": heading.released_at.isoformat(),
        "until_quarter": heading.until_quarter or "",
        "is_revision": str(heading.is_revision).lower(),
        "revisions": "\n".join(heading.notes),
        "disclosure_control": "cellnycklar: se certificate.html",
        "js": str(policy.js),
        "greatest_deviation": str(policy.greatest_deviation),
        "variance": f"{policy.variance:g}",
        "too_few": str(policy.too_few),
        "how_to_read": in_words(policy),
        "not_there": own_words(NOT_THERE).format(few=policy.too_few),
        "is_synthetic": {SYNTHETIC: "true", PARTLY_SYNTHETIC: "partly"}.get(notice, "false"),
        "notice": notice,
    }
    target.executemany("insert into release.published.about values (?, ?)", [list(one) for one in values.items()])
    target.execute(
        "comment on table release.published.about is 'Vad utgåvan säger om sig själv.'; "
        "comment on column release.published.about.key is 'Uppgift: vad raden säger, till exempel notice'; "
        "comment on column release.published.about.value is 'Värde: uppgiften som text'"
    )
