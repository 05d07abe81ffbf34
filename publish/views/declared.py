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

from ingest.organisation import own_words, whole_code
from publish.marts.declared import DeclarationError, load_marts
from publish.marts.dimensions import Reference, load_dimensions
from publish.policy import load_policy, problems

FOLDER = Path(__file__).parent
COLUMNS_FILE = FOLDER / "columns.yml"
PREFIX = "vy_"
CITY = "staden_"
"""How names of columns with the city's figures begin."""
NULLABLE = frozenset({"rate", "per_1000", "days", "number", "rank"})
"""The kinds of columns that have no value where too few are behind it; counts are always there."""
DISTRICT, PERIOD_KIND, PERIOD = "stadsdel", "periodtyp", "period"
TOO_FEW, WAITING, WHOLE_CITY, RELEASE = "for_fa", "vantar_pa_tid", "alla_stadsdelar", "utgava"
Kind = Literal["text", "code", "period", "date", "count", "rate", "per_1000", "days", "rank", "flag", "number", "whole"]
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
        kind: how its values are shown; `number` has one decimal and its unit in another column, `whole` is a whole
            number that is never summed (a release, an order, the city's count beside a district's).
        dimension: the dimension table whose labels its values are; None for most.
        absent_when: SQL over the view's columns: where it has no value for another reason than too few or time.
    """

    name: str
    label: str
    explanation: str
    kind: Kind
    dimension: str | None = None
    absent_when: str | None = None


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
    def periods(self) -> str:
        """Its kind of period, as its title says it: `per kvartal`."""
        return _BY[self.period_kind]

    @property
    def subject(self) -> str:
        """Its title without its kind of period, which its declaration's other views share."""
        return self.title.removesuffix(f", {self.periods}")

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
    absent_when: str | None = None

    def columns(self) -> Iterator[ViewColumn]:
        label, said = own_words(self.label), own_words(self.explanation.strip())
        yield ViewColumn(self.name, label, said, self.kind, self.dimension, self.absent_when)
        if self.interval:
            limits = (("lag", "undre", "Undre"), ("hog", "övre", "Övre"))
            for ending, word, first in limits:
                text = f"{first} gränsen för 95 procents säkerhet."
                name = f"{self.name}_{ending}"
                yield ViewColumn(name, f"{label}, {word} gräns", text, self.kind, None, self.absent_when)
        if self.city:
            yield ViewColumn(
                f"{CITY}{self.name}",
                own_words(f"Hela staden, {label[:1].lower() + label[1:]}"),
                own_words("Samma mått för hela staden."),
                # the same on every row: a sum of it is wrong
                "whole" if self.kind == "count" else self.kind,
                None,
                self.absent_when,
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
    place: int = Field(description="where readers meet it among the views: 1 the first")
    title: str
    question: str = Field(pattern=r"\?$")
    how_to_read: str
    traps: str
    query: str
    chart: _Chart
    sources: tuple[str, ...] = Field(min_length=1)
    periods: tuple[PeriodKind, ...] = ("kvartal", "ar")
    key: tuple[str, ...] = Field(min_length=1)
    whole_city: dict[str, str] = Field(
        default_factory=dict,
        description="mart → SQL: rows that say how many districts a period has; else the city's totals of the sources",
    )
    columns: tuple[_Column, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _with_shared_columns(cls, given: Any) -> Any:
        listed = (*given.get("columns", ()), RELEASE)
        columns = [_shared(one) if isinstance(one, str) else one for one in listed]
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
    """All views in the order in which readers meet them: of each declaration one per kind of period.

    Raises:
        DeclarationError: a file can't be read or contradicts itself; the message names it.
    """
    found: dict[int, list[View]] = {}
    for path in sorted(FOLDER.glob(f"{PREFIX}*.yml")):
        try:
            declared = _View.model_validate(_read_yaml(path))
            if declared.place in found:
                raise DeclarationError(f"{path.name} has the place of {found[declared.place][0].base}")
            sql = path.with_suffix(".sql").read_text(encoding="utf-8")
            found[declared.place] = list(_views(path.stem, declared, sql))
        except (OSError, yaml.YAMLError) as error:
            raise DeclarationError(f"{path.name} can't be read: {error}") from error
        except ValidationError as error:
            raise DeclarationError(f"{path.name}: {problems(error)}") from error
    return tuple(view for place in sorted(found) for view in found[place])


def _views(base: str, declared: _View, sql: str) -> Iterator[View]:
    columns = tuple(column for one in declared.columns for column in one.columns())
    for kind in declared.periods:
        # a question that has no quarters has its years under the plain name
        name = base if kind == declared.periods[0] else f"{base}{_ENDINGS[kind]}"
        yield View(
            name=name,
            title=f"{own_words(declared.title)}, {_BY[kind]}",
            question=own_words(declared.question),
            how_to_read=own_words(declared.how_to_read.strip()),
            traps=own_words(declared.traps.strip()),
            query=re.sub(rf"\b{base}\b", name, declared.query.strip()),
            chart=Chart(**declared.chart.model_dump()),
            sources=declared.sources,
            columns=columns,
            sql=_in_words(sql, columns, declared, kind),
            key=declared.key,
            period_kind=kind,
            base=base,
        )


def _in_words(sql: str, columns: tuple[ViewColumn, ...], declared: _View, kind: PeriodKind) -> str:
    """The rows of one kind of period, with labels instead of codes, in the order of the key's labels."""
    shown, joined, order = [], [], {}
    of_release = {
        RELEASE: f"{_release(declared.sources)} as {RELEASE}",
        WHOLE_CITY: f"{_whole_city(declared)} as {WHOLE_CITY}",
        TOO_FEW: f"{_too_few(columns, declared)} as {TOO_FEW}",
    }
    for column in columns:
        if column.dimension is None:
            shown.append(of_release.get(column.name, f"rows.{column.name}"))
            order[column.name] = f"rows.{column.name}"
            continue
        table, alias = column.dimension, f"of_{column.name}"
        on = f"{alias}.{_key_of(table)} = rows.{column.name}"
        if table == "dim_period":
            on += f" and {alias}.period_kind = '{kind}'"
        joined.append(f"left join published.{table} as {alias} on {on}")
        shown.append(f"{alias}.{_label_of(table)} as {column.name}")
        order[column.name] = f"{alias}.sort_order"
        if f"{column.name}_ordning" in {one.name for one in columns}:
            of_release[f"{column.name}_ordning"] = f"{alias}.sort_order as {column.name}_ordning"
    by = ", ".join(order[name] for name in (PERIOD, *declared.key) if name in order)
    inner = sql.strip().rstrip(";").replace("cap_of_policy()", str(load_policy().cell_keys.all_of_n_percent / 100))
    made = (
        f"select {', '.join(shown)}\nfrom (\n{inner}\n) as rows\n"
        + "\n".join(joined)
        + f"\nwhere rows.{PERIOD_KIND} = '{kind}'\norder by {by}\n"
    )
    return made.replace("whole_code()", f"'{whole_code()}'")


def _release(sources: tuple[str, ...]) -> str:
    """The number of the release, which every row of its marts says."""
    found = " union all ".join(f"select max(release_id) as release_id from published.{mart}" for mart in sources)
    return f"(select max(release_id) from ({found}))"


def _whole_city(declared: _View) -> str:
    """Whether all districts that should have delivered are in the figures of a row's period.

    The city has a total only where no district's time is left to wait for: so that it is there says as much.
    """
    total = "district_code = whole_code() and district_basis = 'today' and cut = 'total'"
    asked = declared.whole_city or dict.fromkeys(declared.sources, total)
    each = (
        f"exists (select 1 from published.{mart} as whole where whole.period_kind = rows.{PERIOD_KIND} "
        f"and whole.period = rows.{PERIOD} and whole.districts_in_force = whole.districts_expected "
        f"and ({where}))"
        for mart, where in asked.items()
    )
    return f"({' and '.join(each)})"


def _too_few(columns: tuple[ViewColumn, ...], declared: _View) -> str:
    """A row's own, or the city's figure beside it is missing though no time and no district is left to wait for."""
    names = {column.name for column in columns}
    lacking = " or ".join(
        f"(rows.{column.name} is null and not coalesce({_by_labels(column.absent_when or 'false', columns)}, false))"
        for column in columns
        if column.name.startswith(CITY) and column.kind in NULLABLE
    )
    if not lacking:
        return f"rows.{TOO_FEW}"
    waits = [f"not rows.{WAITING}"] if WAITING in names else []
    waits += [_whole_city(declared)] if WHOLE_CITY in names else []
    return f"(rows.{TOO_FEW} or ({' and '.join([*waits, f'({lacking})'])}))"


def _by_labels(condition: str, columns: tuple[ViewColumn, ...]) -> str:
    """A condition over a view's columns, inside the view: where readers see labels, `rows` has codes."""
    for column in columns:
        if column.dimension is not None:
            condition = re.sub(rf"\b{column.name}\b", f"of_{column.name}.{_label_of(column.dimension)}", condition)
    return condition


def _key_of(table: str) -> str:
    return "period" if table == "dim_period" else load_dimensions()[table].key


def _label_of(table: str) -> str:
    """The column of labels, of which no two rows of the table have the same."""
    return "period_label" if table == "dim_period" else load_dimensions()[table].label
