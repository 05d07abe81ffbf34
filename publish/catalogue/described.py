"""A finished release as its readers need it described: what each table and column is, in Swedish, from its one home.

Labels and explanations are the glossary's, questions and traps the pages', keys and codes those of the release itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import duckdb

from ingest.contracts import load_contracts
from ingest.organisation import own_words
from ingest.quarters import Quarter
from publish.catalogue.manifest import Manifest
from publish.labels import label, load_terms
from publish.release.texts import explanation, swedish_pages, table_explanation
from publish.serving.release_file import ReleaseFile, ServedColumn, ServedTable, name, read_release
from publish.serving.workbook import views_in
from publish.views.declared import Kind, View

ABOUT = "about"
OF_THE_RELEASE = (ABOUT,)
DIMENSION = "dim_"
MOST_CODES = 80
"""A column with more values than this has no list of codes."""
STOCKS = frozenset({"ongoing", "waiting", "queue"})
"""As of the quarter's last day: they add up over districts, never over quarters."""
_SHARE = re.compile(r"(^|_)(rate|share)(_\d+)?(_low|_high)?$")
_MAY_PASS_ONE = frozenset({"fill_rate", "seat_use_rate"})
"""More can take part than there are seats."""
_UNITS: dict[Kind, str] = {
    "count": "antal", "rate": "andel, 1 är 100 %", "per_1000": "per 1 000", "days": "dagar", "rank": "placering",
}  # fmt: skip
"""Of the kinds of a view's columns; others have none."""
_YEARS = ("calendar_year", "reporting_year", "year")


@dataclass(frozen=True)
class Column:
    """A column of a release.

    Attributes:
        explanation: Swedish, as the release says it; may be empty.
        type: of Frictionless Table Schema: string, integer, number, boolean, date, datetime.
        unit: Swedish; empty for what is no quantity.
        adds_up: Swedish: over what its values may be summed; empty for what is no quantity.
        is_never_negative: whether every value is 0 or more.
        is_share: whether every value is between 0 and 1.
        is_required: whether there is always a value.
        codes: (code, label) of a coded column, by code; a label may be empty.
    """

    name: str
    label: str
    explanation: str
    type: str
    unit: str
    adds_up: str
    is_never_negative: bool
    is_share: bool
    is_required: bool
    codes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reference:
    """A column whose every value is a row of a dimension that is published too."""

    column: str
    table: str
    table_column: str


@dataclass(frozen=True)
class Table:
    """A table of a release.

    Attributes:
        page: Markdown: question, grain, how to read it, traps; empty for a dimension.
        key: columns of which no two rows have the same values; empty where none is known.
        first_day, last_day: of the periods in it; None for what has none.
        read_for: labels of the exposures that it is read for.
    """

    name: str
    label: str
    explanation: str
    page: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...]
    rows: int
    first_day: date | None
    last_day: date | None
    read_for: tuple[str, ...]

    @property
    def is_dimension(self) -> bool:
        """Whether it holds codes and labels, no figures."""
        return self.name.startswith(DIMENSION)

    @property
    def holds_figures(self) -> bool:
        """Whether it is of figures: neither a dimension nor what is said of the release."""
        return not self.is_dimension and self.name not in OF_THE_RELEASE


@dataclass(frozen=True)
class Described:
    """A release with all its tables: those of figures first, then dimensions, at last what is said of the release."""

    release_id: str
    notice: str
    about: dict[str, str]
    tables: tuple[Table, ...]


def describe_release(release_file: Path, manifest: Manifest) -> Described:
    """Read a finished release and put together what is said of it.

    Args:
        release_file: a DuckDB file with the schema `published`.
        manifest: of the warehouse that it was made from.

    Raises:
        ServingError: the file can't be read as a release.
        ValueError: GLOSSARY.md can't be read.
    """
    release = read_release(release_file)
    served = {table.name: table for table in release.tables}
    with release.reading() as connection:
        tables = [_table(connection, release, table, served, manifest) for table in served.values()]
    tables.sort(key=lambda table: (table.name == ABOUT, not table.holds_figures, table.is_dimension, table.name))
    return Described(release.release_id, release.notice, release.about, tuple(tables))


@lru_cache(maxsize=1)
def code_labels() -> dict[str, str]:
    """What codes are called in the contracts, where all contracts that have the code call it the same."""
    found: dict[str, set[str]] = {}
    for contract in load_contracts().values():
        for column in contract.columns:
            if column.codes or column.codes_from:
                listed = contract.code_list(column.name, "")
                for code, said in zip(listed.codes, listed.labels, strict=True):
                    found.setdefault(code, set()).add(said)
    return {code: said.pop() for code, said in found.items() if len(said) == 1} | {"alla": "Alla"}


def _table(
    connection: duckdb.DuckDBPyConnection,
    release: ReleaseFile,
    served: ServedTable,
    others: dict[str, ServedTable],
    manifest: Manifest,
) -> Table:
    relation = release.relation(served)
    view = next((one for one in views_in(release) if one.name == served.name), None)
    if view is not None:
        return Table(
            name=served.name,
            label=view.title,
            explanation=view.question,
            page=f"### Så läser du\n{view.how_to_read}\n\n### Se upp\n{view.traps}",
            columns=tuple(_view_column(connection, relation, served, column, view) for column in served.columns),
            key=view.key,
            references=tuple(_references(connection, release, served, others)),
            rows=served.rows,
            first_day=None,
            last_day=None,
            read_for=(),
        )
    model = manifest.table(served.name)
    mart = model.name if model else served.name
    term = load_terms().get(served.name)
    title = label(served.name) or (term.swedish if term else served.name)
    first, last = _period(connection, relation, served)
    key = served.key or _key(connection, relation, served, manifest)
    if served.name == ABOUT:
        title = "Om utgåvan"
    return Table(
        name=served.name,
        label=title,
        explanation=table_explanation(served.name) or (term.explanation if term else ""),
        page=swedish_pages().get(mart, ""),
        columns=tuple(_column(connection, relation, served, column, key, manifest) for column in served.columns),
        key=key,
        references=tuple(_references(connection, release, served, others)),
        rows=served.rows,
        first_day=first,
        last_day=last,
        read_for=tuple(exposure.label for exposure in manifest.exposures if mart in exposure.tables),
    )


def _period(
    connection: duckdb.DuckDBPyConnection, relation: str, served: ServedTable
) -> tuple[date | None, date | None]:
    names = {column.name for column in served.columns}
    if served.name.startswith(DIMENSION):
        return None, None
    if "reporting_quarter" in names:
        found = connection.execute(f"select min(reporting_quarter), max(reporting_quarter) from {relation}").fetchone()
        if found and found[0] and re.fullmatch(r"\d{4}Q[1-4]", found[0]):
            return Quarter.parse(found[0]).start, Quarter.parse(found[1]).end
        if found and found[0] and re.fullmatch(r"\d{4}", found[0]):
            return date(int(found[0]), 1, 1), date(int(found[1]), 12, 31)
    for year in _YEARS:
        if year in names:
            found = connection.execute(f"select min({year}::int), max({year}::int) from {relation}").fetchone()
            if found and found[0]:
                return date(found[0], 1, 1), date(found[1], 12, 31)
    return None, None


def _key(
    connection: duckdb.DuckDBPyConnection, relation: str, served: ServedTable, manifest: Manifest
) -> tuple[str, ...]:
    """What the model says makes a row unique, as far as it is published, when it does so here too."""
    model = manifest.table(served.name)
    names = [column.name for column in served.columns]
    wanted = [*(model.key if model else ()), *_YEARS, "reporting_quarter"]
    key = tuple(column for column in names if column in wanted)
    if not key:
        return ()
    listed = ", ".join(map(name, key))
    twice = connection.execute(f"select 1 from {relation} group by {listed} having count(*) > 1 limit 1").fetchone()
    return () if twice else key


def _references(
    connection: duckdb.DuckDBPyConnection,
    release: ReleaseFile,
    served: ServedTable,
    others: dict[str, ServedTable],
) -> list[Reference]:
    """Columns whose every value has its row in a dimension: by code, or by label in a view."""
    found = []
    for one in served.references:
        if len(one.columns) != 1:
            continue
        column, key = name(one.columns[0]), name(one.table_columns[0])
        lost = connection.execute(
            f"select 1 from {release.relation(served)} as served where {column} is not null and not exists "
            f"(select 1 from {release.relation(others[one.table])} as known where known.{key} = served.{column}) "
            "limit 1"
        ).fetchone()
        if lost is None:
            found.append(Reference(one.columns[0], one.table, one.table_columns[0]))
    return found


def _column(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    served: ServedTable,
    column: ServedColumn,
    key: tuple[str, ...],
    manifest: Manifest,
) -> Column:
    kind = _type(column.type)
    model = manifest.column(served.name, column.name)
    is_quantity = kind in ("integer", "number") and column.name not in (*key, *_YEARS)
    is_quantity = is_quantity and not served.name.startswith(DIMENSION) and served.name != ABOUT
    is_share = is_quantity and bool(_SHARE.search(column.name)) and column.name not in _MAY_PASS_ONE
    nulls = connection.execute(f"select 1 from {relation} where {name(column.name)} is null limit 1").fetchone()
    return Column(
        name=column.name,
        label=column.label,
        explanation=column.description or explanation(served.name, column.name),
        type=kind,
        unit=_unit(column.name, kind) if is_quantity else "",
        adds_up=_adds_up(column.name, kind, is_additive=model is None or model.is_additive) if is_quantity else "",
        is_never_negative=is_quantity and bool(_unit(column.name, kind)),
        is_share=is_share,
        is_required=nulls is None and (column.name in key or not is_quantity),
        codes=_codes(connection, relation, served, column, key),
    )


def _view_column(
    connection: duckdb.DuckDBPyConnection, relation: str, served: ServedTable, column: ServedColumn, view: View
) -> Column:
    kind: Kind = next((one.kind for one in view.columns if one.name == column.name), "text")
    nulls = connection.execute(f"select 1 from {relation} where {name(column.name)} is null limit 1").fetchone()
    return Column(
        name=column.name,
        label=column.label,
        explanation=column.description,
        type=_type(column.type),
        unit=_UNITS.get(kind, ""),
        adds_up="" if kind not in _UNITS else "se Så läser du" if kind == "count" else "nej",
        is_never_negative=kind in ("count", "days", "rank", "per_1000"),
        is_share=False,
        is_required=column.name in view.key and nulls is None,
        codes=(),
    )


def _type(duckdb_type: str) -> str:
    if duckdb_type == "BOOLEAN":
        return "boolean"
    if duckdb_type == "DATE":
        return "date"
    if duckdb_type.startswith("TIMESTAMP"):
        return "datetime"
    if "INT" in duckdb_type:
        return "integer"
    return "number" if duckdb_type in ("FLOAT", "DOUBLE") or duckdb_type.startswith("DECIMAL") else "string"


def _unit(column: str, kind: str) -> str:
    if column.endswith("_days"):
        return "dagar"
    if _SHARE.search(column):
        return "andel, 0 till 1"
    return "antal" if kind == "integer" else ""


def _adds_up(column: str, kind: str, *, is_additive: bool) -> str:
    if kind != "integer" or not is_additive or column.endswith("_days"):
        return "nej"
    return own_words("över stadsdelar och koder, inte över kvartal") if column in STOCKS else "ja"


def _codes(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    served: ServedTable,
    column: ServedColumn,
    key: tuple[str, ...],
) -> tuple[tuple[str, str], ...]:
    """The values that occur, with what the `_label` column beside, the contracts or the glossary call them.

    None for periods and for what is no code.
    """
    names = {other.name for other in served.columns}
    beside = [f"{column.name.removesuffix('_code')}_label", f"{column.name}_label"]
    labelled = next((found for found in beside if found in names), None)
    is_code = column.type == "VARCHAR" and (labelled is not None or column.name in key)
    if not is_code or column.name == "reporting_quarter" or column.name.endswith("_label"):
        return ()
    shown = f"any_value({name(labelled)})" if labelled else "''"
    found = connection.execute(
        f"select {name(column.name)}, coalesce({shown}, '') from {relation} where {name(column.name)} is not null "
        f"group by 1 order by 1 limit {MOST_CODES + 1}"
    ).fetchall()
    if len(found) > MOST_CODES:
        return ()
    return tuple((code, said or code_labels().get(code) or label(code) or "") for code, said in found)
