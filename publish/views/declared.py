"""Declarations of the views for people: a question, how its answer is read, its columns, and the SQL that makes it.

`vy_X.yml` says what a reader is told, `vy_X.sql` selects the rows from the marts of a release: codes as the marts have
them, in columns named as the view's. Codes become words here, by the dimension tables that the columns name. A view
holds one kind of period: `vy_X` quarters where the question has them, `vy_X_ar` calendar years, `vy_X_rullande_ar`
rolling years. So whatever is summed, nothing is counted twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from publish.marts.declared import DeclarationError, load_marts
from publish.marts.dimensions import Reference, load_dimensions
from publish.policy import problems

FOLDER = Path(__file__).parent
COLUMNS_FILE = FOLDER / "columns.yml"
PREFIX = "vy_"
DISTRICT, PERIOD_KIND, PERIOD = "stadsdel", "periodtyp", "period"
TOO_FEW = "for_fa"
Kind = Literal["text", "code", "period", "date", "count", "rate", "per_1000", "days", "rank", "flag", "number"]
PeriodKind = Literal["kvartal", "ar", "rullande_ar"]
_ENDINGS: dict[PeriodKind, str] = {"kvartal": "", "ar": "_ar", "rullande_ar": "_rullande_ar"}
_BY: dict[PeriodKind, str] = {"kvartal": "per kvartal", "ar": "per kalenderår", "rullande_ar": "per rullande år"}
_SUMMABLE: dict[PeriodKind, str] = {
    "kvartal": "Varje rad är ett kvartal.",
    "ar": "Varje rad är ett kalenderår.",
    "rullande_ar": "Varje rad är fyra kvartal till och med det som anges. Perioderna överlappar: summera dem inte.",
}


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view.

    Attributes:
        kind: how its values are shown; `number` has one decimal and its unit in another column.
        dimension: the dimension table whose labels its values are; None for most.
    """

    name: str
    label: str
    explanation: str
    kind: Kind
    dimension: str | None = None


@dataclass(frozen=True)
class Chart:
    """How the answer is drawn: columns on the axes, limits of an interval, colour, and by what it is sorted."""

    kind: Literal["bar", "line", "dot"]
    x: str
    y: str
    sort: str
    low: str | None = None
    high: str | None = None
    color: str | None = None


@dataclass(frozen=True)
class View:
    """A table of a release that answers one question.

    Attributes:
        name: `vy_arendeflode`, of years `vy_arendeflode_ar`.
        question: Swedish, ends with a question mark.
        how_to_read, traps: Swedish lists in Markdown.
        query: one select that answers the question, in DuckDB and in PostgreSQL.
        sources: the marts that it is made of.
        sql: the query that makes it, in a file whose schema `published` has the marts and dimension tables.
        key: the columns of which no two rows have the same values.
        period_kind: the code of its one kind of period.
        base: the name of the declaration, which views of other periods share.
    """

    name: str
    title: str
    question: str
    how_to_read: str
    traps: str
    query: str
    chart: Chart
    sources: tuple[str, ...]
    columns: tuple[ViewColumn, ...]
    sql: str
    key: tuple[str, ...]
    period_kind: PeriodKind
    base: str

    @property
    def comment(self) -> str:
        """What is said of the table in the database, in Swedish: question, period, how to read it, traps."""
        return (
            f"{self.title}. {self.question} {_SUMMABLE[self.period_kind]}\n\n"
            f"Så läses den:\n{self.how_to_read}\n\nSe upp:\n{self.traps}"
        )

    def references(self) -> Iterator[Reference]:
        """Its columns whose values are labels of a dimension table."""
        for column in self.columns:
            if column.dimension is not None:
                yield Reference((column.name,), column.dimension, (_label_of(column.dimension),))


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Column(_Declared):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str = Field(pattern=r"^[^:]+$")
    explanation: str
    kind: Kind
    dimension: str | None = None
    interval: bool = Field(False, description="`_lag` and `_hog` follow: the limits of its interval")
    city: bool = Field(False, description="`staden_…` follows: the same of the whole city")

    def columns(self) -> Iterator[ViewColumn]:
        said = self.explanation.strip()
        yield ViewColumn(self.name, self.label, said, self.kind, self.dimension)
        if self.interval:
            limits = (("lag", "undre", "Undre"), ("hog", "övre", "Övre"))
            for ending, word, first in limits:
                text = f"{first} gränsen för 95 procents säkerhet."
                yield ViewColumn(f"{self.name}_{ending}", f"{self.label}, {word} gräns", text, self.kind)
        if self.city:
            yield ViewColumn(
                f"staden_{self.name}",
                f"Hela staden, {self.label[:1].lower() + self.label[1:]}",
                "Samma mått för hela staden.",
                self.kind,
            )


class _Chart(_Declared):
    kind: Literal["bar", "line", "dot"]
    x: str
    y: str
    sort: str
    low: str | None = None
    high: str | None = None
    color: str | None = None


class _View(_Declared):
    title: str
    question: str = Field(pattern=r"\?$")
    how_to_read: str
    traps: str
    query: str
    chart: _Chart
    sources: tuple[str, ...] = Field(min_length=1)
    periods: tuple[PeriodKind, ...] = ("kvartal", "ar")
    key: tuple[str, ...] = Field(min_length=1)
    columns: tuple[_Column, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _with_shared_columns(cls, given: Any) -> Any:
        columns = [_shared(one) if isinstance(one, str) else one for one in given.get("columns", ())]
        return {**given, "columns": columns}

    @model_validator(mode="after")
    def _agrees(self) -> _View:
        names = [column.name for one in self.columns for column in one.columns()]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"twice: {', '.join(sorted(twice))}")
        charted = (self.chart.x, self.chart.y, self.chart.sort, self.chart.low, self.chart.high, self.chart.color)
        if lacking := {*self.key, *(name for name in charted if name), PERIOD_KIND, PERIOD} - set(names):
            raise ValueError(f"no such column: {', '.join(sorted(lacking))}")
        if unknown := set(self.sources) - set(load_marts()):
            raise ValueError(f"no such mart: {', '.join(sorted(unknown))}")
        tables = {"dim_period", *load_dimensions()}
        if unknown := {one.dimension for one in self.columns if one.dimension} - tables:
            raise ValueError(f"no such dimension: {', '.join(sorted(unknown))}")
        return self


def _shared(name: str) -> dict[str, Any]:
    columns = _read_yaml(COLUMNS_FILE)
    if name not in columns:
        raise ValueError(f"{name} is not in {COLUMNS_FILE.name}")
    return {"name": name, **columns[name]}


@lru_cache(maxsize=32)
def _read_yaml(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise DeclarationError(f"{path.name} holds no declaration")
    return found


@lru_cache(maxsize=1)
def load_views() -> tuple[View, ...]:
    """All views in the order of their names: of each declaration one per kind of period.

    Raises:
        DeclarationError: a file can't be read or contradicts itself; the message names it.
    """
    found: list[View] = []
    for path in sorted(FOLDER.glob(f"{PREFIX}*.yml")):
        try:
            declared = _View.model_validate(_read_yaml(path))
            found += _views(path.stem, declared, path.with_suffix(".sql").read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise DeclarationError(f"{path.name} can't be read: {error}") from error
        except ValidationError as error:
            raise DeclarationError(f"{path.name}: {problems(error)}") from error
    return tuple(found)


def _views(base: str, declared: _View, sql: str) -> Iterator[View]:
    columns = tuple(column for one in declared.columns for column in one.columns())
    for kind in declared.periods:
        # a question that has no quarters has its years under the plain name
        name = base if kind == declared.periods[0] else f"{base}{_ENDINGS[kind]}"
        yield View(
            name=name,
            title=f"{declared.title}, {_BY[kind]}",
            question=declared.question,
            how_to_read=declared.how_to_read.strip(),
            traps=declared.traps.strip(),
            query=re.sub(rf"\b{base}\b", name, declared.query.strip()),
            chart=Chart(**declared.chart.model_dump()),
            sources=declared.sources,
            columns=columns,
            sql=_in_words(sql, columns, declared.key, kind),
            key=declared.key,
            period_kind=kind,
            base=base,
        )


def _in_words(sql: str, columns: tuple[ViewColumn, ...], key: tuple[str, ...], kind: PeriodKind) -> str:
    """The rows of one kind of period, with labels instead of codes, in the order of the key's labels."""
    shown, joined, order = [], [], {}
    for column in columns:
        if column.dimension is None:
            shown.append(f"rows.{column.name}")
            order[column.name] = f"rows.{column.name}"
            continue
        table, alias = column.dimension, f"of_{column.name}"
        on = f"{alias}.{_key_of(table)} = rows.{column.name}"
        if table == "dim_period":
            on += f" and {alias}.period_kind = '{kind}'"
        joined.append(f"left join published.{table} as {alias} on {on}")
        shown.append(f"{alias}.{_label_of(table)} as {column.name}")
        order[column.name] = f"{alias}.sort_order"
    by = ", ".join(order[name] for name in (PERIOD, *key) if name in order)
    inner = sql.strip().rstrip(";")
    return (
        f"select {', '.join(shown)}\nfrom (\n{inner}\n) as rows\n"
        + "\n".join(joined)
        + f"\nwhere rows.{PERIOD_KIND} = '{kind}'\norder by {by}\n"
    )


def _key_of(table: str) -> str:
    return "period" if table == "dim_period" else load_dimensions()[table].key


def _label_of(table: str) -> str:
    """The column of labels, of which no two rows of the table have the same."""
    return "period_label" if table == "dim_period" else load_dimensions()[table].label
