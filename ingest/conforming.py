"""Conforming: raw cells become small numbers. Each distinct spelling of a code, date or number is parsed once.

A cell that can't be read gets a sentinel (BAD, AMBIGUOUS), which the rules report; no cell is blanked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.checks.arithmetic import by_value
from ingest.contracts import CodeList, Contract, LocalName
from ingest.folding import fold
from ingest.persons.keys import Keys
from ingest.persons.numbers import PersonNumbers, key_maker, read_numbers
from ingest.quarters import Quarter
from ingest.reading.tables import RawTable
from ingest.sentinels import AMBIGUOUS, BAD, DATE_BAD, DATE_EMPTY, EMPTY, day_number
from ingest.sketching import Sketch

IntArray = npt.NDArray[np.signedinteger]
_IDENTIFIER = r"^[A-Za-z0-9/_-]{1,40}$"
IDENTIFIER = re.compile(_IDENTIFIER)
"""The form of a running number."""
_YEAR_FIRST = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})", re.ASCII)
_WHOLE = re.compile(r"(\d{1,9})([.,]0{1,2})?", re.ASCII)
MIDYEAR = (7, 1)
"""Month and day used for a birth of which only the year is known."""


@dataclass(frozen=True)
class ConformedTable:
    """A file's cells as numbers, ready for rules.

    Attributes:
        values: per column: positions in its code list, whole numbers, days since 1970, positions in `texts`; with
            sentinels. Person datasets also have `person` (distinct persons within the file), `birth`,
            `birth_exact`, `year_by_number`, `sex_by_number`, `kind_by_number` (1 for a coordination number), and
            `id_typ`, filled in from the number where the file leaves it out.
        codes: code lists of the code columns.
        texts: identifier or free-text column → its distinct texts.
        code_sets: code_list column → the sets of codes that occur, as sorted tuples of positions.
        person_keys, match_keys: position in `person` → key (see `storing`); empty for counts.
        linkable: position in `person` → whether the key is a number's.
        sketch: of its rows as they are stored; None where it was not made.
    """

    values: dict[str, IntArray]
    codes: dict[str, CodeList]
    texts: dict[str, pa.Array]
    code_sets: dict[str, list[tuple[int, ...]]]
    row_numbers: npt.NDArray[np.int32]
    missing: frozenset[str]
    person_keys: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()), repr=False)
    match_keys: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()), repr=False)
    linkable: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    sketch: Sketch | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.row_numbers)


def read_date(text: str) -> int:
    """Days since 1970 of `2018-09-30`, `20180930`, `30.9.2018` or `30/9/2018`; DATE_BAD for anything else."""
    match = _YEAR_FIRST.fullmatch(text)
    if match and text.count("-") in (0, 2):
        year, month, day = match.groups()
    else:
        match = _DAY_FIRST.fullmatch(text)
        if match is None:
            return DATE_BAD
        day, _, month, year = match.groups()
    try:
        return day_number(date(int(year), int(month), int(day)))
    except ValueError:
        return DATE_BAD


def read_whole_number(text: str) -> int:
    """Read a whole number of zero or more, also `12,0` and `12,00`; BAD otherwise (`1.000` may mean a thousand)."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match else BAD


def read_code(codes: CodeList) -> Callable[[str], int]:
    """A parser of one column's spellings to positions in its code list."""

    def parse(text: str) -> int:
        folded = fold(text)
        found = codes.lookup.get(folded)
        if found is not None:
            return found
        return AMBIGUOUS if folded in codes.ambiguous else BAD

    return parse


class _CodeSets:
    """Parser of `a|b` cells: each distinct set of codes gets a position."""

    def __init__(self, codes: CodeList) -> None:
        self._one = read_code(codes)
        self._seen: dict[tuple[int, ...], int] = {}

    def __call__(self, text: str) -> int:
        parts = {self._one(part) for part in text.split("|") if part.strip()}
        if not parts:
            return EMPTY
        if min(parts) < 0:
            return BAD if BAD in parts else AMBIGUOUS
        return self._seen.setdefault(tuple(sorted(parts)), len(self._seen))

    @property
    def sets(self) -> list[tuple[int, ...]]:
        return list(self._seen)


class _FreeTexts:
    """Parser of free text: each distinct text gets a position; BAD when it is too long.

    In a text that is part of the row key, a run of spaces counts as one space, so that a clinic typed with two is the
    same clinic.
    """

    def __init__(self, most: int, *, is_key: bool) -> None:
        self._most = most
        self._is_key = is_key
        self._seen: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        if self._is_key:
            text = " ".join(text.split())
        return BAD if len(text) > self._most else self._seen.setdefault(text, len(self._seen))

    @property
    def texts(self) -> pa.Array:
        return pa.array(list(self._seen), pa.string())


def _by_distinct(
    column: pa.ChunkedArray, parse: Callable[[str], int], empty: int, kind: type[np.signedinteger], encoding: str
) -> IntArray:
    """Apply a parser once per distinct spelling of a dictionary-encoded column."""
    memo: dict[bytes, int] = {}
    parts: list[IntArray] = []
    for chunk in column.chunks:
        values = []
        for cell in chunk.dictionary.to_pylist():
            value = memo.get(cell)
            if value is None:
                text = cell.decode(encoding).strip()
                value = memo[cell] = parse(text) if text else empty
            values.append(value)
        values.append(empty)
        table = np.array(values, kind)
        index = chunk.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
        parts.append(table[index])
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _identifiers(column: pa.ChunkedArray) -> tuple[IntArray, pa.Array]:
    """Positions among the distinct identifiers; BAD where the form is wrong (≤ 40 of A–Z a–z 0–9 - / _)."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    distinct = encoded.dictionary
    count = len(distinct)
    try:
        text = pc.ascii_trim_whitespace(distinct.cast(pa.string()))
    except pa.ArrowInvalid:
        shown = [v if v.isascii() else b"?" for v in distinct.to_pylist()]
        text = pc.ascii_trim_whitespace(pa.array(shown, pa.binary()).cast(pa.string()))
    unique = pc.dictionary_encode(text)
    position = np.full(count + 1, EMPTY, np.int32)
    position[:count] = unique.indices.to_numpy(zero_copy_only=False)
    formed = pc.match_substring_regex(text, _IDENTIFIER).to_numpy(zero_copy_only=False)
    blank = pc.equal(pc.binary_length(text), 0).to_numpy(zero_copy_only=False)
    position[:count][~formed] = BAD
    position[:count][blank] = EMPTY
    index = encoded.indices.fill_null(count).to_numpy(zero_copy_only=False)
    return position[index], unique.dictionary


_TYPES: dict[str, tuple[int, type[np.signedinteger]]] = {
    "date": (DATE_EMPTY, np.int32),
    "integer": (EMPTY, np.int32),
    "code": (EMPTY, np.int8),
    "code_list": (EMPTY, np.int32),
    "identifier": (EMPTY, np.int32),
    "person_number": (EMPTY, np.int8),
    "text": (EMPTY, np.int32),
}


def conform(
    raw: RawTable,
    contract: Contract,
    district_code: str,
    quarter: Quarter,
    keys: Keys,
    local_names: Sequence[LocalName] = (),
) -> ConformedTable:
    """Read a table's cells by the contract's types.

    Args:
        raw: from `read_table`.
        contract: the dataset's.
        district_code: whose codes (areas, local names) and whose running numbers.
        quarter: decides the century of ten-digit numbers.
        keys: for person keys.
        local_names: districts' own names of interventions, beside those of the seed.

    Returns:
        The conformed table. Columns that the file lacks are empty throughout and named in `missing`.
    """
    values: dict[str, IntArray] = {}
    codes: dict[str, CodeList] = {}
    texts: dict[str, pa.Array] = {}
    code_sets: dict[str, list[tuple[int, ...]]] = {}
    numbers: PersonNumbers | None = None
    for column in contract.columns:
        empty, kind = _TYPES[column.type]
        if column.type in ("code", "code_list"):
            codes[column.name] = contract.code_list(column.name, district_code, local_names)
        if column.name not in raw.columns:
            values[column.name] = np.full(raw.rows, empty, kind)
            if column.type in ("identifier", "text"):
                texts[column.name] = pa.array([], pa.string())
            if column.type == "code_list":
                code_sets[column.name] = []
            if column.type == "person_number":
                numbers = read_numbers(
                    pa.chunked_array([pa.nulls(raw.rows, pa.binary())]), quarter.end, key_maker(keys)
                )
            continue
        cells = raw.columns[column.name]
        if column.type == "identifier":
            values[column.name], texts[column.name] = _identifiers(cells)
        elif column.type == "person_number":
            numbers = read_numbers(cells, quarter.end, key_maker(keys), raw.encoding)
            values[column.name] = numbers.status
        elif column.type == "code_list":
            parser = _CodeSets(codes[column.name])
            values[column.name] = _by_distinct(cells, parser, empty, kind, raw.encoding)
            code_sets[column.name] = parser.sets
        elif column.type == "text":
            assert column.max_length is not None
            free = _FreeTexts(column.max_length, is_key=column.name in contract.row_key)
            values[column.name] = _by_distinct(cells.dictionary_encode(), free, empty, kind, raw.encoding)
            texts[column.name] = free.texts
        else:
            parse = {"date": read_date, "integer": read_whole_number}.get(column.type) or read_code(codes[column.name])
            values[column.name] = _by_distinct(cells, parse, empty, kind, raw.encoding)
    table = ConformedTable(values, codes, texts, code_sets, raw.row_numbers, raw.missing)
    if not contract.about_persons or numbers is None:
        return table
    return _with_persons(table, numbers, district_code, keys)


def _midyear(years: IntArray) -> IntArray:
    """The day in the middle of each year, used where only the year is known."""
    months = (years.astype(np.int64) - 1970) * 12 + MIDYEAR[0] - 1
    found: IntArray = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + MIDYEAR[1] - 1
    return found


def _year(days: IntArray) -> IntArray:
    """The year of each day."""
    found: IntArray = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return found


def _with_persons(table: ConformedTable, numbers: PersonNumbers, district_code: str, keys: Keys) -> ConformedTable:
    """Add `person`, `birth`, `sex_by_number`, and fill in `id_typ` from the number."""
    values, codes = dict(table.values), table.codes["id_typ"].codes
    running = values["lopnummer"]
    used = np.unique(running[(numbers.person < 0) & (running >= 0)])
    place = np.full(len(table.texts["lopnummer"]) + 1, EMPTY, np.int32)
    place[used] = np.arange(len(used), dtype=np.int32) + len(numbers.keys)
    make = key_maker(keys)
    local = pc.take(table.texts["lopnummer"], pa.array(used)).to_pylist() if len(used) else []
    own = make([f"local\0{district_code}\0{number}".encode() for number in local])
    match = make([f"running\0{number}".encode() for number in local])
    values["person"] = np.where(numbers.person >= 0, numbers.person, np.where(running >= 0, place[running], EMPTY))

    kind = values["id_typ"]
    by_number = np.where(numbers.coordination, codes.index("samordningsnummer"), codes.index("personnummer"))
    values["id_typ"] = np.where((kind == EMPTY) & (numbers.status != EMPTY), by_number, kind).astype(np.int8)
    year = values["fodelsear"]
    midyear_day = by_value(np.clip(year, 1800, 2200), _midyear)
    known_year = (year >= 1850) & (year <= 2200)
    values["birth"] = np.where(
        numbers.birth != DATE_EMPTY, numbers.birth, np.where(known_year, midyear_day, DATE_EMPTY)
    ).astype(np.int32)
    values["birth_exact"] = numbers.exact.astype(np.int8)
    values["sex_by_number"] = numbers.sex
    read = numbers.status == 0
    values["year_by_number"] = np.where(read, by_value(np.where(read, numbers.birth, 0), _year), EMPTY).astype(np.int32)
    values["kind_by_number"] = np.where(read, numbers.coordination.astype(np.int8), EMPTY).astype(np.int8)
    linkable = np.r_[np.ones(len(numbers.keys), bool), np.zeros(len(own), bool)]
    return ConformedTable(
        values,
        table.codes,
        table.texts,
        table.code_sets,
        table.row_numbers,
        table.missing,
        pa.concat_arrays([numbers.keys, own]),
        pa.concat_arrays([numbers.keys, match]),
        linkable,
    )
