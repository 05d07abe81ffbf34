"""The contract with the districts: columns, types and codes of each dataset (expectations/<dataset>/contract.yml).

A contract has versions. What is new or ends with one has the quarter beside it (`valid_from`, `valid_to`); a file is
judged by the version of its quarter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from ingest.districts import load_districts
from ingest.folding import fold
from ingest.organisation import own_words
from ingest.organisation_tables import read_seed
from ingest.quarters import Quarter
from ingest.settings import DECLARED, first_complaint

EXPECTATIONS = DECLARED / "expectations"
ColumnType = Literal["identifier", "person_number", "code", "code_list", "date", "integer", "text"]
CodeSource = Literal[
    "areas", "sources", "reasons", "interventions", "languages",
    "ja_nej", "kon", "malgrupp", "rattslig_grund", "regi", "riktad_till",
]  # fmt: skip
"""Where a column's codes are listed when several datasets share them: seeds, and expectations/code_lists.yml."""
_SEED_KEYS = {
    "sources": "source_code",
    "reasons": "reason_code",
    "interventions": "intervention_code",
    "languages": "language_code",
}
_SHARED = ("ja_nej", "kon", "malgrupp", "rattslig_grund", "regi", "riktad_till")
"""The lists of code_lists.yml."""
PERSON_COLUMNS = ("personnummer", "lopnummer", "fodelsear")
"""Columns replaced by keys and birth date before anything is stored."""
_MOST_CODE_LISTS = 4096
ALL = "all"
"""In place of a version's first quarter: all versions together."""


class ContractError(Exception):
    """A declared contract is wrong: an error of ours, which tests of every contract find."""


class Code(BaseModel):
    """One code of a list: its Swedish label, other spellings that mean it, and its first and last quarter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_sv: str
    aliases: tuple[str, ...] = ()
    valid_from: str | None = None
    valid_to: str | None = None


class Change(BaseModel):
    """A version after the first: from which quarter, and why in one Swedish sentence that senders read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    valid_from: str
    why_sv: str


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
    valid_from: str | None = None
    """Its first quarter, where it was not in the first version; `valid_to` is its last."""
    valid_to: str | None = None

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
    """One dataset in one version: its columns in template order, its row key, whether rows are about persons.

    Attributes:
        version: the version; where columns and codes of all versions are together, the newest one.
        since: its first quarter; None for the first version.
        changes: the versions after the first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    prefix: str
    version: int
    since: str | None = None
    changes: tuple[Change, ...] = ()
    title_sv: str
    grain: str
    row_key: tuple[str, ...]
    about_persons: bool
    reference_date: str | None = None
    """The date whose age limit applies (person datasets)."""
    columns: tuple[Column, ...]
    _code_lists: dict[tuple[str, str, tuple[LocalName, ...]], CodeList] = PrivateAttr(default_factory=dict)

    def __hash__(self) -> int:
        """By dataset and version: what is worked out of a contract is cached under it."""
        return hash((self.dataset, self.version, self.since, len(self.columns)))

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

    def why_new(self, column: Column) -> str:
        """Why there is a column that the first version lacks, for senders; empty for the others."""
        why = {change.valid_from: change.why_sv for change in self.changes}.get(column.valid_from or "")
        return f" Kolumnen ska finnas från och med {column.valid_from}: {why}" if why else ""

    @property
    def short_title_sv(self) -> str:
        """The title without what stands in brackets after it."""
        return self.title_sv.partition(" (")[0]

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """Columns that are stored under their own name: all but those replaced by keys and birth date."""
        return tuple(c for c in self.columns if not (self.about_persons and c.name in (*PERSON_COLUMNS, "id_typ")))

    @property
    def compared_columns(self) -> tuple[Column, ...]:
        """Stored columns by which rows of different quarters are compared: those of the first version."""
        return tuple(column for column in self.stored_columns if column.valid_from is None)

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
            self._code_lists[key] = _code_list(self.column(name), district_code, local_names, self.since)
        return self._code_lists[key]


def _in_own_words(declared: Any) -> Any:
    """What is declared, with its Swedish texts (`…_sv`) in the words of the organisation."""
    if isinstance(declared, Mapping):
        return {
            key: own_words(value) if isinstance(value, str) and str(key).endswith("_sv") else _in_own_words(value)
            for key, value in declared.items()
        }
    return [_in_own_words(one) for one in declared] if isinstance(declared, list) else declared


@lru_cache(maxsize=1)
def _shared_lists() -> dict[str, dict[str, Code]]:
    """The lists of code_lists.yml, by name.

    Raises:
        ContractError: one is missing, or is no list of codes.
    """
    path = EXPECTATIONS / "code_lists.yml"
    with mistakes_named(path):
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Code]] = {}
    for name in _SHARED:
        with mistakes_named(f"{path}: {name}"):
            found[name] = {code: Code.model_validate(_in_own_words(entry)) for code, entry in declared[name].items()}
    return found


def _declared_codes(
    column: Column, district_code: str, local_names: Sequence[LocalName], since: str | None = ALL
) -> list[tuple[str, str, tuple[str, ...]]]:
    """(code, label, other spellings) of a column in a district."""
    if column.codes_from == "areas":
        return [(area.code, area.name, ()) for area in load_districts().areas(district_code)]
    if column.codes_from not in _SEED_KEYS:
        entries = column.codes
        if column.codes_from is not None:
            listed = _shared_lists()[column.codes_from].items()
            entries = {c: e for c, e in listed if c not in column.codes_except and holds(e.model_dump(), since)}
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


def _code_list(column: Column, district_code: str, local_names: Sequence[LocalName], since: str | None) -> CodeList:
    declared = _declared_codes(column, district_code, local_names, since)
    codes = tuple(code for code, _, _ in declared)
    lookup: dict[str, int] = {}
    for position, (code, label, aliases) in enumerate(declared):
        for spelling in (label, *aliases):
            lookup.setdefault(fold(spelling), position)
        lookup[fold(code)] = position
    for alias, code in column.code_aliases.items():
        if code not in codes and column.codes_from == "areas":
            continue  # a unit's own word for its area: another unit's list lacks both
        if code not in codes:
            raise ContractError(f"{column.name}: the alias {alias} means {code}, which is no code")
        lookup[fold(alias)] = codes.index(code)
    ambiguous = {fold(word): meanings for word, meanings in column.ambiguous.items()}
    for word in ambiguous:
        lookup.pop(word, None)
    return CodeList(codes, tuple(label for _, label, _ in declared), lookup, ambiguous)


def holds(entry: Mapping[str, Any], since: str | None) -> bool:
    """Whether what has `valid_from` and `valid_to` belongs to the version that began in a quarter (None: the first)."""
    if since == ALL:
        return True
    first, last = entry.get("valid_from"), entry.get("valid_to")
    if since is None:
        return first is None
    start = Quarter.parse(since)
    return (first is None or Quarter.parse(first) <= start) and (last is None or start <= Quarter.parse(last))


def _in_version(declared: Mapping[str, Any], since: str | None) -> dict[str, Any]:
    """What a contract.yml declares for one version. Of a column declared for several, the newest is at its place."""
    columns: dict[str, dict[str, Any]] = {}
    for column in declared["columns"]:
        if not holds(column, since):
            continue
        codes = column.get("codes") or {}
        held = {code: entry for code, entry in codes.items() if holds(entry, since)}
        aliases = column.get("code_aliases") or {}
        kept = {alias: code for alias, code in aliases.items() if code not in codes or code in held}
        columns[column["name"]] = {**column, **({"codes": held} if codes else {}), "code_aliases": kept}
    changes = [c for c in declared.get("changes", ()) if since == ALL or (since and c["valid_from"] <= since)]
    return {
        **declared,
        "columns": list(columns.values()),
        "row_key": [name for name in declared["row_key"] if name == "person" or name in columns],
        "version": changes[-1]["version"] if changes else declared["version"],
        "since": since,
    }


def _require_versions(declared: Mapping[str, Any]) -> None:
    """Raise ValueError where versions are out of order, or something begins or ends between two of them."""
    changes = declared.get("changes", ())
    starts = [_quarter(change["valid_from"], "changes: valid_from") for change in changes]
    numbers = [declared["version"], *(change["version"] for change in changes)]
    if starts != sorted(set(starts)) or numbers != sorted(set(numbers)):
        listed = ", ".join(f"{change['version']} from {change['valid_from']}" for change in changes)
        raise ValueError(f"changes: versions and their quarters must rise: {declared['version']}, {listed}")
    if unknown := sorted({*declared["row_key"]} - {"person", *(column["name"] for column in declared["columns"])}):
        raise ValueError(f"row_key: {unknown[0]} is no column")
    types: dict[str, str] = {}
    for column in declared["columns"]:
        name = column["name"]
        if types.setdefault(name, column["type"]) != column["type"]:
            raise ValueError(f"{name}: a column has one type in all versions; a new type needs a new name")
        require_starts(column, starts, name)
        for code, entry in (column.get("codes") or {}).items():
            if not isinstance(entry, Mapping):
                raise ValueError(f"{name}: the code {code} must have a label_sv")
            require_starts(entry, starts, f"{name}, code {code}")
        for code, shared in _shared_lists().get(column.get("codes_from") or "", {}).items():
            require_starts(shared.model_dump(), starts, f"{name}, code {code} in code_lists.yml")


def _quarter(text: Any, what: str) -> Quarter:
    try:
        return Quarter.parse(str(text))
    except ValueError as error:
        raise ValueError(f"{what}: {text} is no quarter: {error}") from None


def require_starts(entry: Mapping[str, Any], starts: Collection[Quarter], what: str) -> None:
    """Require that what has a first or last quarter begins or ends with a version.

    Raises:
        ValueError: it does not; `what` says what it is.
    """
    for name in ("valid_from", "valid_to"):
        if not entry.get(name):
            continue
        given = _quarter(entry[name], f"{what}: {name}")
        first = given if name == "valid_from" else given.next()
        if first not in starts:
            listed = ", ".join(map(str, starts)) or "none"
            raise ValueError(
                f"{what}: {name} {given}: no version in `changes` begins with {first} (those there: {listed})"
            )


def read_contract(path: Path, since: str | None = ALL) -> Contract:
    """Read one contract.yml, of one version or with all.

    Args:
        path: the file.
        since: the version's first quarter; None for the first version, ALL for all together.

    Raises:
        ContractError: the file is no contract; the message says where.
    """
    with mistakes_named(path):
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
        _require_versions(declared)
        return Contract.model_validate(_in_own_words(_in_version(declared, since)))


@contextmanager
def mistakes_named(file: Path | str) -> Iterator[None]:
    """Say of a declared file that can't be read where it is wrong.

    Raises:
        ContractError: with the file, the place and the mistake.
    """
    try:
        yield
    except ValidationError as error:
        where, what = first_complaint(error)
        given = error.errors(include_url=False)[0]["input"]
        shown = f" (there is {given})" if isinstance(given, str | int) else ""
        raise ContractError(": ".join([str(file), *([".".join(where)] if where else []), what + shown])) from error
    except KeyError as error:
        raise ContractError(f"{file}: {error.args[0]} is missing") from error
    except (TypeError, AttributeError, IndexError) as error:
        raise ContractError(f"{file}: it is not laid out as the one that it would replace") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ContractError(f"{file}: {error}") from error


@lru_cache(maxsize=1)
def _all_versions() -> dict[str, Contract]:
    found = {}
    for path in sorted(EXPECTATIONS.glob("*/contract.yml")):
        contract = read_contract(path)
        if contract.dataset != path.parent.name:
            raise ContractError(f"{path}: the dataset is called {contract.dataset} but the folder is not")
        found[contract.dataset] = contract
    return found


@lru_cache(maxsize=64)
def _in_one_version(dataset: str, since: str | None) -> Contract:
    return read_contract(EXPECTATIONS / dataset / "contract.yml", since)


def versions_of(dataset: str) -> tuple[Contract, ...]:
    """A dataset's contract in each of its versions, the first one first.

    Raises:
        ContractError: the contract.yml is no contract.
    """
    starts = [None, *(change.valid_from for change in load_contracts()[dataset].changes)]
    return tuple(_in_one_version(dataset, since) for since in starts)


@lru_cache(maxsize=256)
def load_contracts(quarter: Quarter | None = None) -> dict[str, Contract]:
    """All contracts by dataset, in the order of their folders' names.

    Args:
        quarter: as they are for files of that quarter; without it, with the columns and codes of all versions.

    Raises:
        ContractError: a contract.yml is no contract.
    """
    if quarter is None:
        return _all_versions()
    found = {}
    for dataset, whole in _all_versions().items():
        begun = [change.valid_from for change in whole.changes if Quarter.parse(change.valid_from) <= quarter]
        found[dataset] = _in_one_version(dataset, begun[-1] if begun else None)
    return found
