"""Finding rows that are no rows of the table: repeated headers, lines of dashes, notes, signatures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.characters import visible
from ingest.checks.suites import always_filled
from ingest.contracts import Contract, load_contracts
from ingest.findings import Finding, file_finding
from ingest.folding import fold

_DASHES = re.compile(r"[-=_*~+.\u2013\u2014\u2500-\u257f|]+")
_NOTE = re.compile(r"\*|(källa|kalla|obs|anm|anmärkning|not|fotnot|kommentar|preliminär\w*)\b", re.IGNORECASE)
_SIGNED = re.compile(
    r"vid pennan|upp?gift(er|erna|slämnare|slamnare)?\b|(in)?rapportera[dt]|(in)?lämna[dt] av|sammanställ|ifyll[dt]"
    r"|(upp)?rättad|godkän[dt]|gransk(ad|at)|attest|underskrift|undertecknad|namnförtydligande|namnteckning|signatur"
    r"|sign\b|ort och datum|kontakt|handläggare\b|ansvarig|mvh\b|med vänlig|vänliga? häls|hälsning|tel(efon)?\b|tfn\b"
    r"|e-?post|mejl|utskriv(en|et)|uttag(et|en)?\b|skapad|sid(a|an)?\b",
    re.IGNORECASE,
)
"""How a line begins that says who reported."""
_DATE_LIKE = re.compile(r"\s*\d[\d./:TZ +,\u2013-]*")
_COUNT_LIKE = re.compile(r"\s*\d{1,3}(?:[ \u00a0]?\d{3})*\s*")
_REPEATED = "Raden upprepar rubrikerna. Ta bort den: rubrikerna ska bara stå på första raden."
_ANOTHER = "Här börjar en annan tabell, med rubrikerna för {}. Lämna den som en egen fil, och ta bort den ur den här."
_SEARCHED = 4
"""Code columns in which a repeated header or a dash is sought."""
_MOST_CANDIDATES = 10_000
"""Rows looked at one by one: where more seem odd, the file as a whole is, and its rows are left to the rules."""


@lru_cache(maxsize=64)
def _known(contract: Contract) -> frozenset[str]:
    return frozenset(contract.header_lookup())


@lru_cache(maxsize=64)
def _dates(contract: Contract) -> frozenset[str]:
    return frozenset(column.name for column in contract.columns if column.type == "date")


@lru_cache(maxsize=1)
def _every_header() -> frozenset[str]:
    return frozenset().union(*map(_known, load_contracts().values()))


def _another_table(folded: Sequence[str]) -> str:
    """The dataset whose headers these cells are; empty for none."""
    return next((name for name, one in load_contracts().items() if _known(one).issuperset(folded)), "")


@lru_cache(maxsize=256)
def fits_column(contract: Contract, name: str) -> Callable[[str], bool] | None:
    """Whether a cell may belong to a column: of codes (unless a district adds to them), of counts, of dates."""
    column = contract.column(name)
    if column.type == "date":
        return lambda text: _DATE_LIKE.fullmatch(text) is not None
    if column.type == "integer":
        return lambda text: _COUNT_LIKE.fullmatch(text) is not None
    if column.type != "code" or column.codes_from in ("areas", "interventions"):
        return None
    codes = contract.code_list(name, "")
    return lambda text: fold(text) in codes.lookup or fold(text) in codes.ambiguous


def _fitting(cells: Sequence[str], keys: Sequence[str], contract: Contract, *, with_dates: bool = True) -> int:
    """How many filled cells fit the columns that they are in, of those of which it can be said."""
    dates = frozenset() if with_dates else _dates(contract)
    named = [(cell, key) for cell, key in zip(cells, keys, strict=False) if key[:1] != "?" and key not in dates]
    tests = ((cell, fits_column(contract, key)) for cell, key in named)
    return sum(fits is not None and bool(visible(cell)) and fits(visible(cell)) for cell, fits in tests)


def odd_row(cells: Sequence[str], keys: Sequence[str], row: int, contract: Contract) -> Finding | None:
    """What a record is when it is no row of the table; None for one that may be.

    Args:
        cells: from the left; trailing ones may be lacking.
        keys: each cell's column of the contract, or `?n` for the n-th when it is none.
        row: as Excel numbers it.
        contract: the dataset's.
    """
    filled = [text for cell in cells if (text := visible(cell))]
    if len(filled) > 1 and all(_DASHES.fullmatch(text) for text in filled):
        return file_finding("FIL-066", row=row)
    known = _known(contract)
    folded = [fold(text[:200]) for text in filled]
    headers = sum(text in known for text in folded)
    if headers > 1 and 2 * headers >= len(filled):
        return file_finding("FIL-065", row=row, what=_REPEATED)
    if len(filled) > 2 and not headers and (other := _another_table(folded)):
        return file_finding("FIL-065", row=row, what=_ANOTHER.format(other))
    required = len(always_filled(contract))
    if len(filled) == 1 and required > 1:
        if _DASHES.fullmatch(filled[0]) and len(filled[0]) > 1:
            return file_finding("FIL-066", row=row)
        return None if other_separator(filled[0], required) else file_finding("FIL-067", row=row)
    is_said = len(filled) > 1 and bool(_NOTE.match(filled[0]) or _SIGNED.match(filled[0]))
    # The day of a signature may be in a column of dates: it says nothing for the row.
    if is_said and (len(filled) < required or not _fitting(cells, keys, contract, with_dates=False)):
        return file_finding("FIL-067", row=row)
    # Words in place of an identifier, and most of what every row has is lacking: a signature, or who to ring.
    if 2 * len(filled) < required and " " in visible(cells[0]) and contract.columns[0].type == "identifier":
        return file_finding("FIL-067", row=row)
    # A record that is cut short by a line break in a cell looks the same, and is reported by its width.
    if len(cells) >= len(keys) and 2 * len(filled) <= required and not _fitting(cells, keys, contract):
        return file_finding("FIL-067", row=row)
    return None


def other_separator(text: str, required: int) -> bool:
    """Whether one field holds so many separators of another kind that it is a whole record."""
    return max(text.count(separator) for separator in ";,\t|") >= max(required - 1, 2)


def odd_rows(
    table: pa.Table, contract: Contract, encoding: str, numbers: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Which rows of a table are none, and what they are.

    Only rows that come into question are looked at one by one: those with a header or a dash for a code, and those
    without any of the codes that every row must have.

    Args:
        table: cells as bytes, cleaned; columns are named after the contract's, or `?n` for the n-th when it is none.
        contract: the dataset's.
        encoding: of the bytes.
        numbers: each row as Excel numbers it.
    """
    required = always_filled(contract)
    named = [c for c in contract.columns if c.name in table.column_names and c.type != "person_number"]
    coded = sorted((c for c in named if c.type == "code"), key=lambda c: c.name not in required)[:_SEARCHED]
    maybe = np.zeros(table.num_rows, dtype=bool)
    needed = sum(c.name in required for c in coded)
    uncoded = np.full(table.num_rows, needed > 0)
    for column in coded:
        headed, known = _by_spelling(table[column.name], encoding, contract, column.name)
        maybe |= headed
        if column.name in required:
            uncoded &= ~known
    if maybe.sum() + uncoded.sum() <= _MOST_CANDIDATES:  # else all codes are other ones than ours
        maybe |= uncoded
    places = np.flatnonzero(maybe)
    found: list[Finding] = []
    is_odd = np.zeros(table.num_rows, dtype=bool)
    if not len(places) or len(places) > _MOST_CANDIDATES:
        return is_odd, found
    rows = table.take(pa.array(places)).to_pylist()
    for at, record in zip(places.tolist(), rows, strict=True):
        cells = [(cell or b"").decode(encoding) for cell in record.values()]
        if (odd := odd_row(cells, table.column_names, int(numbers[at]), contract)) is not None:
            is_odd[at] = True
            found.append(odd)
            if odd.message.startswith(_ANOTHER[:20]):  # what follows is of that table
                is_odd[at:] = True
                break
    return is_odd, found


def _by_spelling(
    column: pa.ChunkedArray, encoding: str, contract: Contract, name: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Cells that hold a header or nothing but dashes, and those with a code. Each spelling is looked at once."""
    fits, headers = fits_column(contract, name), _every_header() | _known(contract)
    found = [np.empty((0, 2), bool)]
    memo: dict[bytes, tuple[bool, bool]] = {}
    for chunk in column.chunks:
        verdicts = []
        for cell in chunk.dictionary.to_pylist():
            if cell not in memo:
                text = cell.decode(encoding).strip()[:200]
                is_code = bool(text) and fits is not None and fits(text)
                is_header = fold(text) in headers or _DASHES.fullmatch(text) is not None
                memo[cell] = bool(text) and is_header and not is_code, is_code
            verdicts.append(memo[cell])
        verdicts.append((False, False))
        table = np.array(verdicts, dtype=bool)
        found.append(table[chunk.indices.fill_null(len(verdicts) - 1).to_numpy(zero_copy_only=False)])
    headed, known = np.concatenate(found).T
    return headed, known
