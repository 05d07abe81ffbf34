"""What goes out, table by table, read from tables.yml: measures, what is part of what, cuts, derived measures.

A table has blocks; a block is a mart's rows of one kind (`where`), its counts and its cuts. Every subset of a cut goes
out with it, at each level of its dimensions: `[sex, age_band]` is sex × age band, each alone, and the total.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from publish.policy import told

TABLES_FILE = Path(__file__).with_name("tables.yml")
TOTAL = "alla"
Grain = Literal["quarter", "year"]


class TablesError(Exception):
    """tables.yml can't be read or contradicts itself; the message says where."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Declared):
    """A measure that counts some of those that another counts, cell by cell."""

    whole: str
    part: str
    protects: bool = True
    """Whether the rest is a figure to protect (a rate's complement), or only known to be not negative."""


class Derived(_Declared):
    """What is computed from counts: null as soon as one of them is hidden."""

    kind: Literal["rate", "mean", "median", "grouped_median", "p90"]
    of: tuple[str, ...] = Field(min_length=1, max_length=2, description="rate: numerator, denominator; else n")

    @model_validator(mode="after")
    def _has_its_counts(self) -> Derived:
        if len(self.of) != (2 if self.kind == "rate" else 1):
            raise ValueError("a rate is of a numerator and a denominator, a duration of its n")
        return self


class Block(_Declared):
    """Rows of one kind in a mart."""

    mart: str
    where: dict[str, str] = Field(default_factory=dict, description="columns of the mart, the same in every row")
    also: dict[str, str] = Field(default_factory=dict, description="published columns with one value in all rows")
    counts: dict[str, str] = Field(min_length=1, description="published column → measure")
    columns: dict[str, str] = Field(default_factory=dict, description="published column → expression over the mart's")
    cuts: tuple[tuple[str, ...], ...] = ((),)
    without: tuple[str, ...] = Field((), description="codes of the cuts that hold nobody who is counted")
    geography: Literal["all", "city"] = "all"
    ripens: bool = Field(
        True, description="false: settled by the quarter's own files, so it goes out before the mart's row has ripened"
    )

    @property
    def keys(self) -> dict[str, str]:
        """The columns that tell blocks of a table apart, with this block's values."""
        return {**self.where, **self.also}

    def expression(self, column: str) -> str:
        """The SQL of a published column over the mart's rows."""
        return self.columns.get(column, column)


class Table(_Declared):
    """A published table of counts of persons or cases."""

    grain: Grain
    blocks: tuple[Block, ...] = Field(min_length=1)
    derived: dict[str, Derived] = Field(default_factory=dict)
    leave_out_zero: str | None = Field(None, description="a row where this count is 0, and shown, does not go out")

    @model_validator(mode="after")
    def _is_of_one_shape(self) -> Table:
        first = self.blocks[0]
        for block in self.blocks:
            if list(block.counts) != list(first.counts) or set(block.keys) != set(first.keys):
                raise ValueError("all blocks of a table must have the same counts and the same keys")
        for name, derived in self.derived.items():
            unknown = set(derived.of) - set(first.counts)
            if unknown:
                raise ValueError(f"{name} derives from {', '.join(sorted(unknown))}, which is no count of the table")
            if derived.of[-1] != self.leave_out_zero:
                raise ValueError(f"{name} is of nobody where {derived.of[-1]} is 0: name it in leave_out_zero")
            if self.grain == "year" and derived.kind not in ("rate", "mean"):
                raise ValueError(f"{name}: medians of quarters make no median of a year")
        if self.leave_out_zero is not None and self.leave_out_zero not in first.counts:
            raise ValueError(f"leave_out_zero: {self.leave_out_zero} is no count of the table")
        return self

    @property
    def period(self) -> str:
        """The published column of its quarters or years."""
        return "reporting_quarter" if self.grain == "quarter" else "calendar_year"

    @property
    def counts(self) -> tuple[str, ...]:
        """Published columns that are counts."""
        return tuple(self.blocks[0].counts)

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that tell the blocks apart."""
        return tuple(self.blocks[0].keys)


class OpenTable(_Declared):
    """A published table that counts no persons: it goes out as the mart has it, without protection."""

    mart: str
    why: str
    columns: tuple[str, ...] = Field(min_length=1, description="columns beside district, division and quarter")
    where: str = "true"
    completeness: tuple[str, ...] = ("districts_in_force", "districts_expected", "late", "open_queries")


class Tables(_Declared):
    """All that goes out."""

    dimensions: dict[str, tuple[str, ...]]
    measures: dict[str, str]
    parts: tuple[Part, ...] = ()
    tables: dict[str, Table]
    open_tables: dict[str, OpenTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> Tables:
        for part in self.parts:
            for name in (part.whole, part.part):
                if name not in self.measures:
                    raise ValueError(f"parts: {name} is no measure")
        used = {m for table in self.tables.values() for block in table.blocks for m in block.counts.values()}
        if used - set(self.measures):
            raise ValueError(f"{', '.join(sorted(used - set(self.measures)))}: no such measure")
        if set(self.measures) - used:
            raise ValueError(f"{', '.join(sorted(set(self.measures) - used))}: a measure that no table holds")
        if set(self.tables) & set(self.open_tables):
            raise ValueError("a table is listed as protected and as open")
        for family in self.families():
            edges = [edge for found, edge in self._margins() if found & family]
            if not is_acyclic(edges):
                raise ValueError(
                    f"the cuts of {', '.join(sorted(family))} make a cycle: more could be concluded from them together "
                    "than the relations between published cells tell"
                )
        return self

    def names(self) -> list[str]:
        """The published tables."""
        return [*self.tables, *self.open_tables]

    def marts(self) -> set[str]:
        """The marts that something goes out of."""
        found = {block.mart for table in self.tables.values() for block in table.blocks}
        return found | {table.mart for table in self.open_tables.values()}

    def families(self) -> list[set[str]]:
        """Measures by what they are parts of: those of one family count among the same persons or cases."""
        families: list[set[str]] = [{measure} for measure in self.measures]
        for part in self.parts:
            joined = [family for family in families if part.whole in family or part.part in family]
            families = [family for family in families if family not in joined] + [set().union(*joined)]
        return families

    def _margins(self) -> Iterable[tuple[set[str], frozenset[str]]]:
        """Each margin that goes out: its measures, and the variables it is a margin over."""
        parts = {part.part for part in self.parts}
        for table in self.tables.values():
            for block in table.blocks:
                measures = set(block.counts.values())
                places = {"district"} if block.geography == "all" else set()
                times = {"quarter", "year"} if table.grain == "quarter" else {"year"}
                for cut in block.cuts:
                    columns = {column for name in cut for column in self.columns_of(name)}
                    yield measures, frozenset(places | times | columns | (measures & parts))

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The columns of a cut's dimension from the outermost in: of a dimension, or down to one of its levels."""
        if name in self.dimensions:
            return self.dimensions[name]
        for columns in self.dimensions.values():
            if name in columns:
                return columns[: columns.index(name) + 1]
        return (name,)

    def dimension_of(self, column: str) -> str:
        """The dimension that a column is a level of."""
        return next((name for name, columns in self.dimensions.items() if column in columns), column)

    def dimension_columns(self, table: Table) -> tuple[str, ...]:
        """All columns that a table is cut by, in the order in which they are first named."""
        found: dict[str, None] = {}
        for block in table.blocks:
            for cut in block.cuts:
                for name in cut:
                    found.update(dict.fromkeys(self.columns_of(name)))
        return tuple(found)


def is_acyclic(edges: Iterable[frozenset[str]]) -> bool:
    """Whether margins over these variables are decomposable: what agrees on shared margins always fits together.

    The reduction of Graham, Yu and Özsoyoğlu (M. H. Graham, 1979; C. T. Yu and M. Z. Özsoyoğlu, COMPSAC 1979).
    """
    left = [set(edge) for edge in set(edges)]
    while True:
        before = sorted(map(sorted, left))
        for edge in left:
            edge -= {v for v in edge if sum(v in other for other in left) == 1}
        left = [e for i, e in enumerate(left) if not any(e < o or (e == o and j < i) for j, o in enumerate(left))]
        if sorted(map(sorted, left)) == before:
            return len(left) <= 1


@lru_cache(maxsize=4)
def load_tables(path: Path = TABLES_FILE) -> Tables:
    """What goes out.

    Raises:
        TablesError: the file can't be read, or contradicts itself.
    """
    try:
        return Tables.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TablesError(f"{path.name} can't be read: {type(error).__name__}") from error
    except ValidationError as error:
        raise TablesError(f"{path.name}: {told(error)}") from error
