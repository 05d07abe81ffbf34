"""Reading bytes as a table of raw cells: CSV (encoding, separator, headers, records) or workbook; nothing is guessed.

Well-formed files go straight through pyarrow. Files with blank lines, stray quotes or ragged rows are first rewritten
record by record (`records.regularised`), which keeps the number that Excel gives each row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pcsv

from ingest.contracts import Contract
from ingest.findings import Finding, Unreadable, file_finding
from ingest.folding import fold
from ingest.reading.byte_columns import matching
from ingest.reading.cleaning import cleaned, garbled_texts
from ingest.reading.headers import COMPARED, match_headers, no_headers, refuse_another_dataset
from ingest.reading.needed_columns import decided_by_rows
from ingest.reading.odd_rows import odd_rows
from ingest.reading.records import records_of, regularised
from ingest.reading.spreadsheet_marks import spreadsheet_marks
from ingest.reading.totals import totals_rows
from ingest.workbooks.layouts import LOOKED_AT, other_layout
from ingest.workbooks.other_kinds import about_kind, unsupported_kind
from ingest.workbooks.sandbox import is_workbook, read_sheet, wrong_ending

SEPARATORS = (";", ",", "\t")
_SWEDISH_UTF8 = [letter.encode() for letter in "åäöÅÄÖéÉ"]
_UNDEFINED_CP1252 = [bytes([b]) for b in (0x81, 0x8D, 0x8F, 0x90, 0x9D)]
_NOTHING = b" \r\n\t\xef\xbb\xbf"
_BLOCK = 2 << 20
MOST_COLUMNS = 500
"""A header with more is no header of ours: refused before anything is compared."""
_SEARCHED_ROWS = 20
_HINT = re.compile(rb"\s*\"?sep=[;,\t|:]?\"?[;,\t]*\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class RawTable:
    """A file's cells as bytes.

    Attributes:
        columns: contract column → bytes per row, dictionary-encoded unless the column is mostly distinct.
        extra: position of the header (from 1) → cells, for columns that the contract doesn't know.
        encoding: how the bytes are decoded (`ascii`, `utf-8` or `cp1252`).
        row_numbers: int32, the row as Excel numbers it.
        missing: required or optional contract columns that the file lacks.
        hints: missing column → words on the unknown header that was probably meant.
        findings: faults and queries of the file as such.
        explained: contract column → rows (as Excel numbers them) about whose cell a finding names the cause: what
            rules say of that cell follows from it.
        header_of: contract column → its header, folded; it may be anything, and is not shown.
        titles: of a workbook's sheet: its name, and cells above the headers; they may be anything, and are not shown.
    """

    columns: dict[str, pa.ChunkedArray]
    extra: dict[int, pa.ChunkedArray]
    encoding: str
    row_numbers: npt.NDArray[np.int32]
    missing: frozenset[str]
    hints: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = field(default=())
    explained: Mapping[str, npt.NDArray[np.int32]] = field(default_factory=dict)
    header_of: Mapping[str, str] = field(default_factory=dict, repr=False)
    titles: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of records, blank ones aside."""
        return len(self.row_numbers)


def _line_of(raw: bytes, position: int) -> int:
    return raw.count(b"\n", 0, position) + 1


def find_encoding(raw: bytes) -> str:
    """The one encoding in which the whole file reads.

    Raises:
        Unreadable: undecodable bytes (FIL-006), mixed encodings (FIL-007), no text (FIL-008); the first bad line named.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable(file_finding("FIL-008", kind="UTF-16"))
    if (found := raw.find(b"\0")) >= 0:
        raise Unreadable(file_finding("FIL-008", kind=f"tecknet NUL på rad {_line_of(raw, found)}"))
    if raw.isascii():
        return "ascii"
    try:
        raw.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        first_bad = error.start
    undefined = [found for byte in _UNDEFINED_CP1252 if (found := raw.find(byte)) >= 0]
    # a single byte is sought ten times as fast as two, and most files lack it
    letters = _SWEDISH_UTF8 if b"\xc3" in raw else []
    as_utf8 = [found for letter in letters if (found := raw.find(letter)) >= 0]
    if as_utf8:
        earliest = min(as_utf8)
        raise Unreadable(file_finding("FIL-007", line=_line_of(raw, max(earliest, first_bad))))
    if undefined:
        raise Unreadable(file_finding("FIL-006", line=_line_of(raw, min(undefined))))
    return "cp1252"


def _header(text: str, contract: Contract) -> tuple[str, list[str], int]:
    """Separator, header cells without trailing empty ones, and the header's record number."""
    known = contract.header_lookup()
    head = text[: 1 << 20]
    best: tuple[int, int, str, list[str], int] | None = None
    for separator in SEPARATORS:
        number = 0
        try:
            for cells in records_of(head, separator):
                number += 1
                if any(cell.strip() for cell in cells):
                    break
            else:
                continue
        except csv.Error:
            continue
        while cells and not cells[-1].strip():
            cells.pop()
        recognised = sum(fold(cell) in known for cell in cells[:MOST_COLUMNS])
        candidate = (recognised, len(cells), separator, cells, number)
        if best is None or candidate[:2] > best[:2]:
            best = candidate
    if best is None:
        raise Unreadable(file_finding("FIL-009", line=1))
    if best[0] < len(best[3]) and (odd := other_layout(_first_records(head, best[2]), known)):
        raise Unreadable(no_headers(contract, odd))
    if not best[0]:
        refuse_another_dataset(best[3], contract)
        raise Unreadable(no_headers(contract, _header_further_down(head, known)))
    if len(best[3]) > MOST_COLUMNS:
        raise Unreadable(file_finding("FIL-022", found=len(best[3]), limit=MOST_COLUMNS))
    return best[2], best[3], best[4]


def _first_records(head: str, separator: str) -> list[list[str]]:
    """Some records from the top, up to a broken quote."""
    found: list[list[str]] = []
    try:
        for cells in islice(records_of(head, separator), LOOKED_AT):
            found.append(cells[:MOST_COLUMNS])
    except csv.Error:
        pass
    return found


def _header_further_down(head: str, known: Mapping[str, str]) -> str:
    """Words on the row that seems to bear the headers, when the first one doesn't."""
    best, found = 1, 0
    for separator in SEPARATORS:
        try:
            for number, cells in enumerate(islice(records_of(head, separator), _SEARCHED_ROWS), start=1):
                recognised = sum(fold(cell) in known for cell in cells[:MOST_COLUMNS])
                if recognised > best:
                    best, found = recognised, number
        except csv.Error:
            continue
    return f" Rubrikerna verkar stå på rad {found}: ta bort raderna ovanför." if found else _other_dialect(head, known)


def _other_dialect(head: str, known: Mapping[str, str]) -> str:
    """Words on a first line that bears the headers, but between other signs than ours or quoted as a whole."""
    line = next((line for line in head.splitlines() if line.strip()), "")[: 64 * MOST_COLUMNS]
    if sum(fold(cell) in known for cell in line.split("|")) > 1:
        return " Skiljetecknet verkar vara |: spara filen med semikolon mellan fälten."
    bare = line.strip().strip('"').replace('""', '"')
    if line.strip().startswith('"') and any(
        sum(fold(cell.strip('"')) in known for cell in bare.split(separator)) > 1 for separator in SEPARATORS
    ):
        return " Hela raden verkar stå inom citattecken: spara om filen utan dem."
    return ""


def _parse(
    body: bytes | memoryview,
    names: list[str],
    kinds: dict[str, pa.DataType],
    separator: str,
    *,
    quoted: bool,
    block: int = _BLOCK,
) -> pa.Table:
    return pcsv.read_csv(
        pa.BufferReader(body),
        pcsv.ReadOptions(column_names=names, block_size=block),
        pcsv.ParseOptions(delimiter=separator, newlines_in_values=quoted),
        pcsv.ConvertOptions(
            column_types=kinds, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


def _parsed_straight(raw: bytes, names: list[str], kinds: dict[str, pa.DataType], separator: str) -> pa.Table | None:
    """The records after the header line if the n-th is Excel's row n + 1 throughout; else None."""
    end = raw.find(b"\n")
    head, body = raw[:end].rstrip(b"\r"), memoryview(raw)[end + 1 :]
    if end <= 0 or b'"' in raw or b"\r" in head or head.endswith(separator.encode()):
        return None
    if not len(body):
        return pa.table({key: pa.chunked_array([], kind) for key, kind in kinds.items()})
    try:
        table = _parse(body, names, kinds, separator, quoted=False)
    except pa.ArrowInvalid:
        return None
    lines = raw.count(b"\n") - 1 + (not raw.endswith(b"\n"))
    # pyarrow passes over blank lines, and takes a bare carriage return for a line's end
    return table if lines == table.num_rows else None


def _blank(column: pa.ChunkedArray, encoding: str) -> npt.NDArray[np.bool_]:
    """Cells that are empty or hold nothing but white space."""
    if pa.types.is_dictionary(column.type):
        parts = []
        for chunk in column.chunks:
            blank = np.array([not cell.decode(encoding).strip() for cell in chunk.dictionary.to_pylist()] + [True])
            parts.append(blank[chunk.indices.fill_null(len(blank) - 1).to_numpy(zero_copy_only=False)])
        return np.concatenate(parts) if parts else np.empty(0, dtype=bool)
    found: npt.NDArray[np.bool_] = column.is_null().to_numpy().copy()
    unprinted = matching(column, r"^[^!-~]*$")
    for place in np.flatnonzero(unprinted):
        found[place] = not column[int(place)].as_py().decode(encoding).strip()
    return found


def _all_empty(table: pa.Table, encoding: str) -> npt.NDArray[np.bool_]:
    """Records in which every cell is blank."""
    empty = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        if not empty.any():
            break
        empty &= _blank(column, encoding)
    return empty


@dataclass(frozen=True)
class _Layout:
    """The columns of a file: keys are contract columns, or `?n` for the n-th column when the contract lacks it."""

    headers: list[str]
    keys: list[str]
    kinds: dict[str, pa.DataType]
    missing: frozenset[str]
    hints: Mapping[str, str]
    findings: tuple[Finding, ...]


def _lay_out(headers: list[str], contract: Contract, unused: frozenset[int] = frozenset()) -> _Layout:
    refuse_another_dataset(headers, contract)
    matched = match_headers(headers, contract, unused, decided_by_rows(contract))
    names = matched.names
    keys = [name if name is not None and names.index(name) == i else f"?{i}" for i, name in enumerate(names)]
    distinct = {c.name for c in contract.columns if c.type in ("identifier", "person_number")}
    kinds = {key: pa.binary() if key in distinct else pa.dictionary(pa.int32(), pa.binary()) for key in keys}
    return _Layout(headers, keys, kinds, matched.missing, matched.hints, matched.findings)


def read_table(raw: bytes, contract: Contract, ending: str = "") -> RawTable:
    """Read the bytes of a CSV file or workbook as the contract's columns. The bytes decide which, not the file's name.

    Args:
        raw: the whole file.
        contract: says which headers are known.
        ending: of the file's name, without full stop; a query is made when it contradicts the bytes.

    Returns:
        The cells, with every fault found on the way in `findings`. Rows with a wrong number of fields are left out
        of the table (their finding refuses the file).

    Raises:
        Unreadable: the bytes are no table: empty, undecodable, no known header, broken quotes, a damaged or locked
            workbook.
        WorkbookReaderFailed: a fault of ours.
    """
    if not raw[:_BLOCK].strip(_NOTHING) and not raw.strip(_NOTHING):
        raise Unreadable(file_finding("FIL-004"))
    if kind := unsupported_kind(raw):
        raise Unreadable(about_kind(kind))
    if is_workbook(raw):
        return _read_workbook(raw, contract, ending)
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    raw = _without_hint(raw)
    encoding = find_encoding(raw)
    separator, headers, header_record = _header(raw[: 1 << 20].decode(encoding, errors="ignore"), contract)
    layout, findings = _lay_out(headers, contract), wrong_ending(ending, "csv")

    table = _parsed_straight(raw, layout.keys, layout.kinds, separator) if header_record == 1 else None
    if table is not None:
        numbers = np.arange(2, table.num_rows + 2, dtype=np.int32)
    else:
        regular = regularised(raw.decode(encoding), separator, layout.keys, contract, header_record)
        findings.extend(regular.findings)
        encoding, numbers = "utf-8", regular.numbers
        table = _parsed_body(regular.body, layout, separator)
    has_marks = b"#" in raw or (b"+" in raw and (b"E+" in raw or b"e+" in raw))
    return _table_of_rows(table, layout, contract, encoding, numbers, findings, has_marks=has_marks)


def _read_workbook(raw: bytes, contract: Contract, ending: str) -> RawTable:
    sheet = read_sheet(raw, contract, MOST_COLUMNS)
    layout = _lay_out(sheet.headers, contract, sheet.unused)
    table = _parsed_body(sheet.body, layout, ";")
    findings = [*wrong_ending(ending, sheet.kind), *sheet.findings]
    numbers = sheet.row_numbers
    read = _table_of_rows(
        table, layout, contract, "utf-8", numbers, findings, has_marks=True, unused=sheet.unused, days=sheet.days
    )
    return replace(read, titles=sheet.titles)


def _without_hint(raw: bytes) -> bytes:
    """The file without the hint `sep=;` on its first line, which Excel doesn't count as a row."""
    hint = _HINT.match(raw)
    return raw[hint.end() :] if hint else raw


def _parsed_body(body: bytes, layout: _Layout, separator: str) -> pa.Table:
    """Records that all have as many fields as there are columns."""
    if not body:
        return pa.table({key: pa.chunked_array([], kind) for key, kind in layout.kinds.items()})
    try:
        return _parse(body, layout.keys, layout.kinds, separator, quoted=True)
    except pa.ArrowInvalid:  # a record is longer than a block: the records themselves are known to be regular
        return _parse(body, layout.keys, layout.kinds, separator, quoted=True, block=len(body) + 1)


def _table_of_rows(
    table: pa.Table,
    layout: _Layout,
    contract: Contract,
    encoding: str,
    numbers: npt.NDArray[np.int32],
    findings: list[Finding],
    *,
    has_marks: bool,
    unused: frozenset[int] = frozenset(),
    days: dict[str, list[tuple[int, str]]] | None = None,
) -> RawTable:
    """The table without invisible characters, blank rows, totals and notes; with findings on these and on odd cells."""
    table = cleaned(table, contract, encoding)
    blank = _all_empty(table, encoding)
    if blank.any():
        table, numbers = table.filter(pa.array(~blank)), numbers[~blank]
    totals = totals_rows(table, contract, encoding)
    row_findings = [file_finding("FIL-014", row=int(numbers[i])) for i in np.flatnonzero(totals.certain)]
    row_findings += [file_finding("FIL-085", row=int(numbers[i])) for i in np.flatnonzero(totals.likely)]
    if totals.certain.any():
        table, numbers = table.filter(pa.array(~totals.certain)), numbers[~totals.certain]
    is_odd, odd = odd_rows(table, contract, encoding, numbers)
    if odd:
        table, numbers, row_findings = table.filter(pa.array(~is_odd)), numbers[~is_odd], [*row_findings, *odd]
    columns = {key: table[key] for key in layout.keys if not key.startswith("?")}
    row_findings += garbled_texts(columns, contract, encoding, numbers, layout.headers)
    marks = spreadsheet_marks(columns, contract, encoding, numbers, has_marks=has_marks, days=days or {})
    places = [int(key[1:]) for key in layout.keys if key.startswith("?")]
    extra = {at + 1: table[f"?{at}"] for at in places if at not in unused}
    found = (*layout.findings, *findings, *row_findings, *marks.findings)
    header_of = {key: fold(h[:COMPARED]) for key, h in zip(layout.keys, layout.headers, strict=False)}
    return RawTable(
        marks.columns, extra, encoding, numbers, layout.missing, layout.hints, found, marks.explained, header_of
    )
