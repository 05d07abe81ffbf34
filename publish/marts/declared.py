"""Declarations of the marts: the type of every column, the measure of every count, and how measures relate.

A file per mart (`mart_case_flow.yml`) names its columns by type. `measures.yml` names the measures: what is counted,
with which other measure it shares its figures, and in which family it is drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from publish.policy import DurationStatistic, problems

FOLDER = Path(__file__).parent
MEASURES_FILE = FOLDER / "measures.yml"
Read = TypeVar("Read", bound=BaseModel)
ColumnType = Literal[
    "key", "dimension", "person_count", "exact", "rate", "interval", "duration", "sum", "derived", "flag", "yes_no",
    "completeness", "not_published",
]  # fmt: skip


class DeclarationError(Exception):
    """A declaration can't be read or contradicts itself; the message names file and place."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Family(_Declared):
    """Measures that are drawn anew together: those that count the same records and are settled at the same time.

    A measure that ripens after the others (re-referral within a year) has a family of its own, so that its ripening
    does not draw the others anew. `follows` is the family whose records it counts: a correction draws both anew.
    """

    what: str
    follows: str | None = None


class Measure(_Declared):
    """A count of persons, cases, episodes, visits or participants.

    `drawn_as` is a measure of the same records: where both count the same, they are published as the same figure.
    """

    what: str
    drawn_as: str | None = None


class Flow(_Declared):
    """A stock is the stock before, more what came, less what went: so by `dimensions`, and by no others."""

    stock: str
    came: tuple[str, ...]
    went: tuple[str, ...]
    dimensions: tuple[str, ...] = ()


class Measures(_Declared):
    """All measures, their families, and the relations that no mart's columns say."""

    families: dict[str, Family]
    measures: dict[str, Measure]
    distinct: tuple[tuple[str, str], ...] = Field((), description="(cases, persons): persons do not add up")
    stocks: tuple[str, ...] = Field((), description="measures of a day: they do not add up over periods")
    flows: tuple[Flow, ...] = ()
    parts: tuple[tuple[str, str], ...] = Field((), description="(whole, part) beside those that columns say")

    @model_validator(mode="after")
    def _agrees(self) -> Measures:
        for name, family in self.families.items():
            if family.follows is not None and family.follows not in self.families:
                raise ValueError(f"families: {name} follows {family.follows}, which is no family")
        for name, measure in self.measures.items():
            if family_of(name) not in self.families:
                raise ValueError(f"{name}: {family_of(name)} is no family")
            drawn = measure.drawn_as
            if drawn is not None and (drawn not in self.measures or self.measures[drawn].drawn_as is not None):
                raise ValueError(f"{name}: {drawn} is no measure, or is drawn as another itself")
        named = {*self.stocks, *(name for pair in (*self.distinct, *self.parts) for name in pair)}
        named |= {name for flow in self.flows for name in (flow.stock, *flow.came, *flow.went)}
        if named - set(self.measures):
            raise ValueError(f"{', '.join(sorted(named - set(self.measures)))}: no such measure")
        return self

    def drawn_as(self, name: str) -> str:
        """The measure under whose name a measure's figures are drawn."""
        return self.measures[name].drawn_as or name

    def lineage(self, family: str) -> tuple[str, ...]:
        """A family and those that it follows, nearest first."""
        found: list[str] = []
        at: str | None = family
        while at is not None and at not in found:
            found.append(at)
            at = self.families[at].follows
        return tuple(found)


def family_of(measure: str) -> str:
    """The family of a measure: what its name has before the dot."""
    return measure.partition(".")[0]


class PersonCount(_Declared):
    """A count that is published with its cell's deviation.

    Attributes:
        measure: its measure; where that depends on the row, by the value of the mart's column `measure_by`. The rows
            of a value that is not listed count nobody in this column.
        where_cut: dimension → the measure of rows that are cut by it, where it is another one.
        part_of: the column of the same row whose part it is, where all of n would say something of each: it is capped
            below its whole in sensitive breakdowns. By the values of `measure_by` where it depends on the row.
        whole_where_cut: dimensions whose codes say of each in the whole whether it is in the part (an intervention: it
            was offered). Rows that are cut by one are not capped: they say no more than the code.
        repeated_by: dimensions that it is not broken down by: rows that are cut by one have the same count again.
        unit: the column of the unit in which is counted, where it is not `district_code`.
        keyed_by: `count` where the mart has no key sum: a figure of its own, that adds up to no other.
    """

    measure: str | dict[str, str]
    where_cut: dict[str, str] = Field(default_factory=dict)
    part_of: str | dict[str, str] | None = None
    whole_where_cut: tuple[str, ...] = ()
    repeated_by: tuple[str, ...] = ()
    unit: str | None = None
    keyed_by: Literal["key_sum", "count"] = "key_sum"

    def wholes(self) -> tuple[str, ...]:
        """The columns that it can be a part of."""
        return (
            tuple(self.part_of.values()) if isinstance(self.part_of, dict) else (self.part_of,) if self.part_of else ()
        )

    def measure_of(self, value: str | None) -> str | None:
        """Its measure in rows with a value of `measure_by`; None where they count nobody in this column."""
        return self.measure.get(value or "") if isinstance(self.measure, dict) else self.measure

    def measures(self) -> Iterator[str]:
        """All measures that it can be of."""
        yield from self.measure.values() if isinstance(self.measure, dict) else (self.measure,)
        yield from self.where_cut.values()


class Rate(_Declared):
    """part / whole, both columns of the row; `may_exceed` where more can be in the part (participants of seats)."""

    part: str
    whole: str
    interval: bool = True
    may_exceed: bool = False


class Duration(_Declared):
    """Days of the n that a column counts; each statistic is a column.

    Attributes:
        n: column of the published count.
        statistics: statistic → column. A grouped median is interpolated from the published `bands`.
        private: the prefix of the private columns `<private>__sum`, `__sum__key`, `__largest`.
        number: the private or public column of the true number in the sum, where it is not n's.
        measure: of the sum, for its own shift; by the values of `measure_by` where n's is.
        band: the column that names the band of the grouped median.
    """

    n: str
    statistics: dict[DurationStatistic, str]
    private: str | None = None
    number: str | None = None
    measure: str | dict[str, str] | None = None
    bands: tuple[str, ...] = ()
    band: str | None = None

    @model_validator(mode="after")
    def _has_its_sources(self) -> Duration:
        if "mean" in self.statistics and (self.private is None or self.measure is None):
            raise ValueError("a mean needs `private`, the prefix of its sum's columns, and a measure of its own")
        if "grouped_median" in self.statistics and not self.bands:
            raise ValueError("a grouped median needs `bands`")
        return self


class Sum(_Declared):
    """A sum of which one child can give much: published with a shift by its largest contributor."""

    measure: str
    contributors: tuple[str, ...] = Field(min_length=1, description="columns that count who gives to it")


def _measure_alone(given: Any) -> Any:
    return {"measure": given} if isinstance(given, str) else given


def _names_alone(given: Any) -> Any:
    """A list of rates' names: their counts are `<rate>_numerator` and `<rate>_denominator`."""
    if isinstance(given, list):
        given = dict.fromkeys(given)
    return {
        name: {"part": f"{name}_numerator", "whole": f"{name}_denominator", **(one or {})}
        for name, one in given.items()
    }


class Mart(_Declared):
    """What a release publishes of a mart. All names are columns of the mart, but where said otherwise."""

    mart: str
    published: Literal["complete", "in_force", "always"] = Field(
        description="complete: rows that no coming file or day can change. in_force: also those that still ripen. "
        "always: every row, as it counts no persons by itself"
    )
    keys: tuple[str, ...] = Field(min_length=1)
    period: str | None = Field("reporting_quarter", description="the key that is its quarter; none: the whole time")
    measure_by: str | None = None
    dimensions: tuple[tuple[str, ...], ...] = Field((), description="each from the outermost column in")
    sensitive: tuple[str, ...] = Field((), description="dimensions that say why, by whom or with what outcome")
    whole: tuple[str, ...] = Field((), description="counts, one of which must be large enough for sensitive breakdowns")
    shown_with: str | None = Field(None, description="rows where this count is published as 0 are left out")
    person_counts: dict[str, Annotated[PersonCount, BeforeValidator(_measure_alone)]] = Field(default_factory=dict)
    exact: tuple[str, ...] = Field((), description="counts and facts that are of no persons, published as they are")
    rates: Annotated[dict[str, Rate], BeforeValidator(_names_alone)] = Field(default_factory=dict)
    durations: tuple[Duration, ...] = ()
    sums: dict[str, Sum] = Field(default_factory=dict)
    derived: dict[str, str] = Field(default_factory=dict, description="column → from which published figures")
    private_counts: dict[str, Annotated[PersonCount, BeforeValidator(_measure_alone)]] = Field(
        default_factory=dict, description="private columns from which `derived` is made; not published themselves"
    )
    flags: tuple[str, ...] = ()
    yes_no: tuple[str, ...] = Field((), description="small counts of a file that are published as whether above 0")
    completeness: tuple[str, ...] = ()
    not_published: dict[str, str] = Field(default_factory=dict, description="column → why")

    @model_validator(mode="after")
    def _agrees(self) -> Mart:
        types = self.column_types()
        counts = {*self.person_counts, *self.exact}
        for name, count in self.person_counts.items():
            if set(count.wholes()) - set(self.person_counts):
                raise ValueError(f"{name}: {', '.join(count.wholes())} must be counts of persons")
            if isinstance(count.measure, dict) and self.measure_by is None:
                raise ValueError(f"{name}: its measure depends on the row, but there is no measure_by")
            if {*count.where_cut, *count.repeated_by, *count.whole_where_cut} - set(self.columns_of_dimensions):
                raise ValueError(f"{name}: where_cut, repeated_by or whole_where_cut names no dimension")
        for name, rate in self.rates.items():
            if {rate.part, rate.whole} - counts:
                raise ValueError(f"{name}: {rate.part} and {rate.whole} must be counts")
        wanted = {name for one in self.durations for name in (one.n, *one.bands)}
        wanted |= {name for one in self.sums.values() for name in one.contributors}
        wanted |= {*self.whole, *(() if self.shown_with is None else (self.shown_with,))}
        if wanted - set(self.person_counts):
            raise ValueError(f"{', '.join(sorted(wanted - set(self.person_counts)))}: no count of persons")
        if self.sensitive and not self.whole:
            raise ValueError("sensitive dimensions need a `whole`")
        if set(self.sensitive) - set(self.columns_of_dimensions):
            raise ValueError("sensitive names no dimension")
        for key in (self.period, self.measure_by):
            if key is not None and types.get(key) != "key":
                raise ValueError(f"{key} is no key")
        return self

    @property
    def columns_of_dimensions(self) -> tuple[str, ...]:
        """The columns of all dimensions."""
        return tuple(column for dimension in self.dimensions for column in dimension)

    @property
    def columns_of_rates(self) -> frozenset[str]:
        """Rates and the limits of their intervals."""
        return frozenset(f"{name}{end}" for name in self.rates for end in ("", "_low", "_high"))

    def column_types(self) -> dict[str, ColumnType]:
        """The type of each of the mart's columns.

        Raises:
            ValueError: a column has two types.
        """
        found: dict[str, ColumnType] = {}
        for name, kind in self._typed():
            if name in found:
                raise ValueError(f"{name} is both {found[name]} and {kind}")
            found[name] = kind
        return found

    def _typed(self) -> Iterator[tuple[str, ColumnType]]:
        listed: list[tuple[ColumnType, Any]] = [
            ("key", self.keys), ("dimension", self.columns_of_dimensions), ("person_count", self.person_counts),
            ("exact", self.exact), ("rate", self.rates), ("sum", self.sums), ("derived", self.derived),
            ("flag", self.flags), ("yes_no", self.yes_no), ("completeness", self.completeness),
            ("not_published", self.not_published),
        ]  # fmt: skip
        for kind, names in listed:
            yield from ((name, kind) for name in names)
        for name, rate in self.rates.items():
            if rate.interval:
                yield from ((f"{name}_{limit}", "interval") for limit in ("low", "high"))
        for duration in self.durations:
            yield from ((name, "duration") for name in duration.statistics.values())
            if duration.band is not None:
                yield duration.band, "duration"

    def measures(self) -> set[str]:
        """The measures of its counts, sums and means."""
        found = {
            name for one in (*self.person_counts.values(), *self.private_counts.values()) for name in one.measures()
        }
        found |= {one.measure for one in self.sums.values()}
        for duration in self.durations:
            if isinstance(duration.measure, dict):
                found |= set(duration.measure.values())
            elif duration.measure is not None:
                found.add(duration.measure)
        return found

    def parts(self) -> set[tuple[str, str]]:
        """(whole, part) of measures, as the columns say."""
        found: set[tuple[str, str]] = set()
        pairs = [(whole, name) for name, one in self.person_counts.items() for whole in one.wholes()]
        pairs += [(rate.whole, rate.part) for rate in self.rates.values() if not rate.may_exceed]
        for whole, part in pairs:
            if whole in self.person_counts and part in self.person_counts:
                found |= set(_paired(self.person_counts[whole].measure, self.person_counts[part].measure))
        return found


def _paired(whole: str | dict[str, str], part: str | dict[str, str]) -> Iterator[tuple[str, str]]:
    values = {*(whole if isinstance(whole, dict) else ()), *(part if isinstance(part, dict) else ())} or {""}
    for value in values:
        one = whole.get(value) if isinstance(whole, dict) else whole
        other = part.get(value) if isinstance(part, dict) else part
        if one is not None and other is not None and one != other:
            yield one, other


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise DeclarationError(f"{path.name} can't be read: {type(error).__name__}") from error
    except ValidationError as error:
        raise DeclarationError(f"{path.name}: {problems(error)}") from error


@lru_cache(maxsize=4)
def load_measures(path: Path = MEASURES_FILE) -> Measures:
    """The measures.

    Raises:
        DeclarationError: the file can't be read, or contradicts itself.
    """
    return _read(path, Measures)


@lru_cache(maxsize=4)
def load_marts(folder: Path = FOLDER) -> Mapping[str, Mart]:
    """Every mart's declaration, by the mart's name, in order.

    Raises:
        DeclarationError: a file can't be read or contradicts itself, or names a measure that measures.yml has not.
    """
    known, found = load_measures(folder / MEASURES_FILE.name), {}
    for path in sorted(folder.glob("mart_*.yml")):
        mart = _read(path, Mart)
        if mart.mart != path.stem:
            raise DeclarationError(f"{path.name} declares {mart.mart}")
        if mart.measures() - set(known.measures):
            raise DeclarationError(
                f"{path.name}: no such measure: {', '.join(sorted(mart.measures() - set(known.measures)))}"
            )
        found[mart.mart] = mart
    unused = set(known.measures) - {name for mart in found.values() for name in mart.measures()}
    if unused:
        raise DeclarationError(f"measures.yml: no mart has {', '.join(sorted(unused))}")
    return found
