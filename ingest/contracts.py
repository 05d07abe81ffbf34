"""The contract with the districts: columns, types and codes of each dataset (expectations/<dataset>/contract.yml)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from ingest.districts import load_districts, read_seed
from ingest.folding import fold
from ingest.settings import ROOT

EXPECTATIONS = ROOT / "expectations"
ColumnType = Literal["identifier", "person_number", "code", "code_list", "date", "integer", "text"]
CodeSource = Literal[
    "areas", "sources", "reasons", "interventions", "languages",
    "ja_nej", "kon", "malgrupp", "regi", "riktad_till",
]  # fmt: skip
"""Where a column's codes are listed when several datasets share them: seeds, and expectations/code_lists.yml."""
_SEED_KEYS = {
    "sources": "source_code",
    "reasons": "reason_code",
    "interventions": "intervention_code",
    "languages": "language_code",
}
PERSON_COLUMNS = ("personnummer", "lopnummer", "fodelsear")
"""Columns replaced by keys and birth date before anything is stored."""
_MOST_CODE_LISTS = 4096


class ContractError(Exception):
    """A declared contract is wrong: an error of ours, which tests of every contract find."""


class Code(BaseModel):
    """One code of a list: its Swedish label and other spellings that mean it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_sv: str
    aliases: tuple[str, ...] = ()


class Column(BaseModel):
    """One column of a dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label_sv: str
    type: ColumnType
    optional: bool = False
    """May be left out of the file altogether."""
    personal: bool = False
    """Its cells are never quoted."""
    aliases: tuple[str, ...] = ()
    codes: dict[str, Code] = {}
    codes_from: CodeSource | None = None
    codes_except: tuple[str, ...] = ()
    code_aliases: dict[str, str] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    max_length: int | None = None
    """Most characters that a cell of free text may hold."""

    @model_validator(mode="after")
    def _codes_belong_to_code_columns(self) -> Column:
        if (self.type in ("code", "code_list")) != bool(self.codes or self.codes_from):
            raise ValueError(f"{self.name}: a column has codes exactly when it is a code column")
        return self

    @model_validator(mode="after")
    def _free_text_is_bounded(self) -> Column:
        if (self.type == "text") != (self.max_length is not None):
            raise ValueError(f"{self.name}: a column has a greatest length exactly when it is free text")
        return self


@dataclass(frozen=True)
class LocalName:
    """A district's own name of an intervention, added by the city beside the seed `intervention_aliases`.

    An empty `district_code` means every district.
    """

    district_code: str
    alias: str
    intervention_code: str


@dataclass(frozen=True)
class CodeList:
    """The codes one column may hold in one district.

    `lookup` maps a folded spelling to the code's position in `codes`; `ambiguous` maps a folded word to the codes it
    could mean.
    """

    codes: tuple[str, ...]
    labels: tuple[str, ...]
    lookup: dict[str, int]
    ambiguous: dict[str, tuple[str, ...]]

    def with_label(self, code: str) -> str:
        """A code as messages show it, with its label where that is another word: `okant (Okänt)`, `ja`."""
        label = self.labels[self.codes.index(code)]
        return code if label.lower() == code else f"{code} ({label})"


class Contract(BaseModel):
    """One dataset: its columns in template order, its row key, whether rows are about persons."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    prefix: str
    version: int
    title_sv: str
    grain: str
    row_key: tuple[str, ...]
    about_persons: bool
    reference_date: str | None = None
    """The date whose age limit applies (person datasets)."""
    columns: tuple[Column, ...]
    _code_lists: dict[tuple[str, str, tuple[LocalName, ...]], CodeList] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _is_whole(self) -> Contract:
        names = [column.name for column in self.columns]
        spellings = [fold(s) for c in self.columns for s in {c.name, fold(c.label_sv), *map(fold, c.aliases)}]
        if len(set(spellings)) != len(spellings):
            doubles = sorted({s for s in spellings if spellings.count(s) > 1})
            raise ValueError(f"{self.dataset}: headers that mean two columns: {doubles}")
        known = {*names, "person"} if self.about_persons else set(names)
        if not set(self.row_key) <= known:
            raise ValueError(f"{self.dataset}: the row key names unknown columns")
        return self

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """Columns that are stored under their own name: all but those replaced by keys and birth date."""
        return tuple(c for c in self.columns if not (self.about_persons and c.name in (*PERSON_COLUMNS, "id_typ")))

    def header_lookup(self) -> Mapping[str, str]:
        """Folded header spelling → column name."""
        return self._headers

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        return {
            fold(spelling): column.name
            for column in self.columns
            for spelling in (column.name, column.label_sv, *column.aliases)
        }

    def code_list(self, name: str, district_code: str, local_names: Sequence[LocalName] = ()) -> CodeList:
        """The codes of a column as one district may spell them (its areas, its local names of interventions).

        Args:
            name: the column's.
            district_code: whose spelling.
            local_names: names of interventions that the city has added; those of other districts are ignored.

        Raises:
            ContractError: an alias names a code that is not in the list.
        """
        key = name, district_code, tuple(local_names)
        if key not in self._code_lists:
            if len(self._code_lists) >= _MOST_CODE_LISTS:  # names that the city has added since are in the key
                self._code_lists.clear()
            self._code_lists[key] = _code_list(self.column(name), district_code, local_names)
        return self._code_lists[key]


@lru_cache(maxsize=1)
def _shared_lists() -> dict[str, dict[str, Code]]:
    """The lists of code_lists.yml, by name."""
    declared = yaml.safe_load((EXPECTATIONS / "code_lists.yml").read_text(encoding="utf-8"))
    return {
        name: {code: Code.model_validate(entry) for code, entry in entries.items()}
        for name, entries in declared.items()
    }


def _declared_codes(
    column: Column, district_code: str, local_names: Sequence[LocalName]
) -> list[tuple[str, str, tuple[str, ...]]]:
    """(code, label, other spellings) of a column in a district."""
    if column.codes_from == "areas":
        return [(area.code, area.name, ()) for area in load_districts().areas(district_code)]
    if column.codes_from not in _SEED_KEYS:
        entries = column.codes if column.codes_from is None else _shared_lists()[column.codes_from]
        return [(code, entry.label_sv, entry.aliases) for code, entry in entries.items()]
    rows = read_seed(column.codes_from)
    key = _SEED_KEYS[column.codes_from]
    found = [(row[key], row["name"], ()) for row in rows if row[key] not in column.codes_except]
    if column.codes_from != "interventions":
        return list(found)
    local: dict[str, list[str]] = {}
    for row in read_seed("intervention_aliases"):
        if row["district_code"] in ("", district_code):
            local.setdefault(row["intervention_code"], []).append(row["alias"])
    for added in local_names:
        if added.district_code in ("", district_code):
            local.setdefault(added.intervention_code, []).append(added.alias)
    return [(code, label, tuple(local.get(code, ()))) for code, label, _ in found]


def _code_list(column: Column, district_code: str, local_names: Sequence[LocalName]) -> CodeList:
    declared = _declared_codes(column, district_code, local_names)
    codes = tuple(code for code, _, _ in declared)
    lookup: dict[str, int] = {}
    for position, (code, label, aliases) in enumerate(declared):
        for spelling in (label, *aliases):
            lookup.setdefault(fold(spelling), position)
        lookup[fold(code)] = position
    for alias, code in column.code_aliases.items():
        if code not in codes:
            raise ContractError(f"{column.name}: the alias {alias} means {code}, which is no code")
        lookup[fold(alias)] = codes.index(code)
    ambiguous = {fold(word): meanings for word, meanings in column.ambiguous.items()}
    for word in ambiguous:
        lookup.pop(word, None)
    return CodeList(codes, tuple(label for _, label, _ in declared), lookup, ambiguous)


def read_contract(path: Path) -> Contract:
    """Read one contract.yml.

    Raises:
        ContractError: the file is no contract; the message says where.
    """
    try:
        return Contract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ContractError(f"{path}: {error}") from error


@lru_cache(maxsize=1)
def load_contracts() -> dict[str, Contract]:
    """All contracts by dataset, in the order of their folders' names."""
    found = {}
    for path in sorted(EXPECTATIONS.glob("*/contract.yml")):
        contract = read_contract(path)
        if contract.dataset != path.parent.name:
            raise ContractError(f"{path}: the dataset is called {contract.dataset} but the folder is not")
        found[contract.dataset] = contract
    return found
