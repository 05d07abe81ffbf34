"""What spreadsheet programs leave in cells, in workbooks and in the CSV files saved from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contracts import Contract
from ingest.findings import Finding, file_finding

LISTED = 1_000
"""Rows named per column; all are counted."""
_ERRORS_EN = (
    "N/A REF! VALUE! NAME? DIV/0! NULL! NUM! SPILL! CALC! GETTING_DATA FIELD! BLOCKED! UNKNOWN! CONNECT! BUSY! PYTHON!"
)
_ERRORS_SV = "SAKNAS! REFERENS! VÄRDEFEL! NAMN? DIVISION/0! SKÄRNING! OGILTIGT! EXPANSION! BERÄKNA! FÄLT! ANSLUT!"
_ERRORS = frozenset("#" + name for names in (_ERRORS_EN, _ERRORS_SV) for name in names.split())
"""As Excel writes them in English and Swedish."""
_CHANGED = r"^\s*(\d{7}|\d{9}|[03-9]\d{7}|1[0-8]\d{6}|2[1-9]\d{6}|\d([.,]\d+)?E\+\d+)\s*$"
"""Seven to nine digits that are no date, or scientific notation."""


def excel_marks(
    columns: dict[str, pa.ChunkedArray],
    contract: Contract,
    encoding: str,
    numbers: npt.NDArray[np.int32],
    *,
    has_marks: bool,
) -> list[Finding]:
    """Error values in any column, and person numbers that a spreadsheet turned into numbers of fewer digits.

    Args:
        columns: contract column → cells as bytes.
        contract: the dataset's.
        encoding: of the cells.
        numbers: each row as Excel numbers it.
        has_marks: False when it is known that no cell holds `#` or `E+`.
    """
    found = []
    for name, cells in columns.items():
        column = contract.column(name)
        if has_marks:
            rows = numbers[_error_values(cells, encoding)].tolist()
            found += [file_finding("FIL-028", row=row, column=name, header=column.label_sv) for row in rows[:LISTED]]
            if len(rows) > LISTED:
                more = f"{column.label_sv} (och {len(rows) - LISTED} rader till)"
                found.append(file_finding("FIL-028", column=name, header=more))
        if column.type == "person_number":
            rows = numbers[_changed_numbers(cells, has_marks)].tolist()
            if rows:
                facts = {"header": column.label_sv, "count": len(rows), "first": rows[0]}
                found.append(file_finding("FIL-038", column=name, **facts))
    return found


def _error_values(cells: pa.ChunkedArray, encoding: str) -> npt.NDArray[np.bool_]:
    """Cells that hold nothing but an error value; each distinct spelling is looked at once."""
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    parts = [np.empty(0, bool)]
    for chunk in cells.chunks:
        spellings = chunk.dictionary
        is_error = np.zeros(len(spellings) + 1, bool)
        for place in np.flatnonzero(pc.match_substring(spellings, "#").to_numpy(zero_copy_only=False)):
            text = spellings[int(place)].as_py()[:64].decode(encoding, "ignore")
            is_error[place] = text.strip().upper() in _ERRORS
        if is_error.any():
            index = chunk.indices.fill_null(len(spellings)).to_numpy(zero_copy_only=False)
            parts.append(is_error[index])
        else:
            parts.append(np.zeros(len(chunk), bool))
    return np.concatenate(parts)


def _changed_numbers(cells: pa.ChunkedArray, has_marks: bool) -> npt.NDArray[np.bool_]:
    """Cells as `_CHANGED` says; only those of a length that comes into question are looked at."""
    length = pc.binary_length(cells).fill_null(0).to_numpy()
    found = np.zeros(len(cells), dtype=bool)
    maybe = np.flatnonzero(((length >= 7) & (length <= 9)) | (has_marks & (length > 3)))
    if len(maybe):
        hits = pc.match_substring_regex(cells.take(pa.array(maybe)), _CHANGED, ignore_case=True)
        found[maybe] = hits.fill_null(False).to_numpy()
    return found
