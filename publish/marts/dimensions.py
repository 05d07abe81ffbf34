"""Dimension tables of a release: which columns hold which codes, and what each code is called, in Swedish.

`dimensions.yml` names the tables. A label has one home: a contract, GLOSSARY.md, the warehouse, or that file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.contracts import load_contracts
from ingest.organisation import own_words
from publish.labels import label, load_terms
from publish.marts.declared import DeclarationError
from publish.policy import problems

DIMENSIONS_FILE = Path(__file__).with_name("dimensions.yml")
TOTAL = "alla"
CUT = "cut"
"""The column whose codes are the names of columns, with `+` between them."""
LIST_SEPARATOR = "|"


class FromWarehouse(BaseModel):
    """A table of the warehouse's schema `core` that has the codes and their labels, and more columns of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    columns: tuple[str, ...] = ()


class Dimension(BaseModel):
    """One kind of codes.

    Attributes:
        key: the column of marts that holds them, and the table's key.
        total: whether the code `alla` occurs.
        columns: further columns of marts that hold these codes.
        lists: columns that hold several codes, with `|` between them.
        contract: `dataset.column` whose codes and labels they are, in that order.
        glossary: codes whose labels are in GLOSSARY.md.
        titles: whether the codes are datasets, called as their contracts are.
        warehouse: where the codes come from, if not from here.
        codes: code → label of those that have no other home.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    total: bool = False
    columns: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    contract: str | None = Field(None, pattern=r"^\w+\.\w+$")
    glossary: tuple[str, ...] = ()
    titles: bool = False
    warehouse: FromWarehouse | None = None
    codes: Mapping[str, str] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The table's column of labels."""
        return f"{self.key.removesuffix('_code')}_label"

    def holds(self, column: str) -> bool:
        """Whether a column of a mart holds one of these codes in each row."""
        return column == self.key or column in self.columns

    def known(self) -> dict[str, str]:
        """Code → label of all codes that are declared, in their order; those of the warehouse are not among them.

        Raises:
            ContractError, KeyError: the contract is not there.
        """
        found = {TOTAL: "Alla"} if self.total else {}
        for code, said in self._of_others():
            found.setdefault(code, said)
        return found

    def _of_others(self) -> Iterator[tuple[str, str]]:
        if self.contract:
            dataset, _, column = self.contract.partition(".")
            listed = load_contracts()[dataset].code_list(column, "")
            yield from zip(listed.codes, listed.labels, strict=True)
        if self.titles:
            yield from ((name, contract.title_sv) for name, contract in load_contracts().items())
        for term in self.glossary:
            swedish = load_terms()[term].swedish
            yield term, swedish[:1].upper() + swedish[1:]
        yield from ((code, own_words(said)) for code, said in self.codes.items())


@dataclass(frozen=True)
class Reference:
    """Columns of a table whose values are rows of another one, found there in these columns."""

    columns: tuple[str, ...]
    table: str
    table_columns: tuple[str, ...]


@lru_cache(maxsize=1)
def load_dimensions() -> dict[str, Dimension]:
    """All dimension tables by name, as `dimensions.yml` declares them.

    Raises:
        DeclarationError: the file can't be read.
    """
    try:
        declared = yaml.safe_load(DIMENSIONS_FILE.read_text(encoding="utf-8"))
        return {name: Dimension.model_validate(one) for name, one in declared.items()}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise DeclarationError(f"{DIMENSIONS_FILE.name}: {error}") from error
    except ValidationError as error:
        raise DeclarationError(f"{DIMENSIONS_FILE.name}: {problems(error)}") from error


def references_of_codes(columns: Mapping[str, object] | tuple[str, ...]) -> Iterator[Reference]:
    """What columns refer to by their names: periods, quarters and codes; labels beside are not among them."""
    there = tuple(columns)
    if {"period_kind", "period"} <= set(there):
        yield Reference(("period_kind", "period"), "dim_period", ("period_kind", "period"))
    for column in there:
        if column.endswith(("reporting_quarter", "_counted_quarter")):
            yield Reference((column,), "dim_quarter", ("reporting_quarter",))
        for name, dimension in load_dimensions().items():
            if dimension.holds(column):
                yield Reference((column,), name, (dimension.key,))


def said_of_cut(cut: str, known: Mapping[str, str]) -> str:
    """A cut in words: what its columns are called."""
    if cut in known:
        return known[cut]
    words = [label(column) or column for column in cut.split("+")]
    return ", ".join([words[0], *(word[:1].lower() + word[1:] for word in words[1:])])
