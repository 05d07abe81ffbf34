"""Reading a file in its unit's words: a contract that knows them, and which of them the file used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from ingest.contracts import Column, Contract, LocalName, load_contracts
from ingest.folding import fold
from ingest.mappings.documents import DatasetWords, MappingRefused, empty_word, mistakes_of
from ingest.mappings.settling import SettledCells
from ingest.reading.tables import RawTable
from ingest.reading.totals import distinct_cells


@dataclass(frozen=True)
class UsedColumn:
    """A header of a file as its unit's mapping writes it, and the column that it was read as."""

    header: str
    column: str
    label: str


@dataclass(frozen=True)
class UsedCode:
    """A code of a file as its unit's mapping writes it, the code that it was read as, and in which column."""

    column: str
    label: str
    spelling: str
    code: str


@dataclass(frozen=True)
class UsedCells:
    """In which column a file's cells were read as empty (`spellings`), or its dates by which forms, as mapped."""

    column: str
    label: str
    spellings: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


@dataclass(frozen=True)
class UsedWords:
    """The version of a mapping that a file was read by, and what of it the file used. All texts are the mapping's.

    One that is tried before it is set has version 0.
    """

    version: int
    columns: tuple[UsedColumn, ...] = ()
    codes: tuple[UsedCode, ...] = ()
    cells: tuple[UsedCells, ...] = ()

    def as_text(self) -> list[str]:
        """Swedish sentences for the sender; none where the file used nothing of the mapping."""
        lines = [f"Er kolumn ”{one.header}” läses som ”{one.column}”." for one in self.columns]
        for column, label in dict.fromkeys((one.column, one.label) for one in self.codes):
            said = ", ".join(f"”{one.spelling}” som ”{one.code}”" for one in self.codes if one.column == column)
            lines.append(f"I kolumnen {label} läses {said}.")
        for cells in self.cells:
            if cells.spellings:
                said = " och ".join(f"”{word}”" for word in cells.spellings)
                lines.append(f"I kolumnen {cells.label} läses {said} som tom cell.")
            if cells.forms:
                lines.append(f"I kolumnen {cells.label} läses datum som {' eller '.join(cells.forms)}.")
        if lines:
            said = f"version {self.version} av översättningen" if self.version else "den översättning som provas"
            lines.append(f"Så säger {said} för er enhet. Stämmer det inte? Säg till.")
        return lines

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "version": self.version,
            "columns": [vars(one) for one in self.columns],
            "codes": [vars(one) for one in self.codes],
            "cells": [asdict(one) for one in self.cells],
            "text": self.as_text(),
        }


def with_words(
    contract: Contract, words: DatasetWords, district_code: str, local_names: Sequence[LocalName] = ()
) -> Contract:
    """The contract, reading a unit's words beside its own. Words for what only other versions of it have are left out.

    Raises:
        MappingRefused: they contradict the contract, which has changed since they were set.
    """
    return _with_words(contract, words, district_code, tuple(local_names)) if words else contract


@lru_cache(maxsize=64)
def _with_words(
    contract: Contract, words: DatasetWords, district_code: str, local_names: tuple[LocalName, ...]
) -> Contract:
    words = _of_this_version(words, contract, district_code)
    if mistakes := mistakes_of(words, contract, district_code, local_names):
        raise MappingRefused(mistakes)
    known = contract.header_lookup()
    headers: dict[str, tuple[str, ...]] = {}
    for word in words.columns:
        if fold(word.header) not in known:  # else the contract reads it so already
            headers[word.column] = (*headers.get(word.column, ()), word.header)
    codes: dict[str, dict[str, str]] = {}
    for code in words.codes:
        codes.setdefault(code.column, {})[code.spelling] = code.code
    columns = tuple(_column(one, headers.get(one.name, ()), codes.get(one.name, {})) for one in contract.columns)
    parts = {name: getattr(contract, name) for name in Contract.model_fields}
    return Contract(**{**parts, "columns": columns})


def _of_this_version(words: DatasetWords, contract: Contract, district_code: str) -> DatasetWords:
    """A unit's words without those for columns and codes that this version lacks and another one has."""
    whole = load_contracts()[contract.dataset]
    elsewhere = {column.name for column in whole.columns} - {column.name for column in contract.columns}
    columns = tuple(word for word in words.columns if word.column not in elsewhere)
    codes = []
    for word in words.codes:
        if word.column in elsewhere:
            continue
        both = [one.code_list(word.column, district_code).codes for one in (contract, whole)]
        if word.code in both[0] or word.code not in both[1]:
            codes.append(word)
    empties = tuple(word for word in words.empties if word.column not in elsewhere)
    dates = tuple(one for one in words.dates if one.column not in elsewhere)
    return DatasetWords(columns, tuple(codes), empties, dates)


def _column(column: Column, headers: tuple[str, ...], codes: dict[str, str]) -> Column:
    if not headers and not codes:
        return column
    settled = {fold(spelling) for spelling in codes}
    return column.model_copy(
        update={
            "aliases": (*column.aliases, *headers),
            "code_aliases": {**column.code_aliases, **codes},
            "ambiguous": {word: meant for word, meant in column.ambiguous.items() if fold(word) not in settled},
        }
    )


def used_words(
    words: DatasetWords, version: int, read: SettledCells, table: RawTable, contract: Contract, district_code: str
) -> UsedWords:
    """Which of a unit's words a file used: the contract's own (it is the one without them) are not said.

    Args:
        words: of the unit.
        version: of its mapping.
        read: the table after its cells were settled; `table` before.
        contract: without the unit's words.
        district_code: the unit.
    """
    own = contract.header_lookup()
    columns = [
        UsedColumn(word.header, word.column, contract.column(word.column).label_sv)
        for word in words.columns
        if word.column in table.columns
        and table.header_of.get(word.column) == fold(word.header)
        and fold(word.header) not in own
    ]
    spelled: dict[str, set[str]] = {}
    for name in dict.fromkeys(word.column for word in words.codes):
        if name in table.columns:
            cells = (cell.decode(table.encoding) for cell in distinct_cells(table.columns[name]).to_pylist() if cell)
            is_list = contract.column(name).type == "code_list"
            spelled[name] = {fold(part) for cell in cells for part in (cell.split("|") if is_list else [cell])}
    codes = [
        UsedCode(word.column, contract.column(word.column).label_sv, word.spelling, word.code)
        for word in words.codes
        if (folded := fold(word.spelling)) in spelled.get(word.column, set())
        and folded not in contract.code_list(word.column, district_code).lookup
    ]
    settled = []
    for name in dict.fromkeys([one.column for one in words.empties] + [one.column for one in words.dates]):
        met = [one.spelling for one in words.empties if one.column == name]
        spellings = tuple(word for word in met if (name, empty_word(word)) in read.empties)
        forms = tuple(one.form for one in words.dates if one.column == name) if name in read.dates else ()
        if spellings or forms:
            settled.append(UsedCells(name, contract.column(name).label_sv, spellings, forms))
    return UsedWords(version, tuple(columns), tuple(codes), tuple(settled))
