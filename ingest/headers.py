"""Which column of the contract each header means, and what is wrong with a file's headers."""

from __future__ import annotations

import difflib
import re

from ingest.contracts import Contract
from ingest.findings import Finding, file_finding
from ingest.folding import fold
from ingest.number_search import reads_as_number

_OF_NUMBERS = re.compile(
    r"(?:^|_)(?:p_?n(?:umme)?r|person_?n(?:umme)?r|personid|samordnings_?n(?:umme)?r|samnr|fodelse_?n(?:umme)?r"
    r"|sista_(?:fyra|4)|(?:fyra|4)_sista)(?:_|$)"
)
"""Headers of columns that hold numbers of persons, or the part of one that its birth date lacks."""
_COMPARED = 200
"""Characters of a header: none of ours is so long, and a cell may hold a whole file."""


def place(position: int) -> str:
    """A column's position (from 1) as number and as Excel's letters: `12 (L)`."""
    letters, rest = "", position
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{position} ({letters})"


def _places(folded_or_names: list[str] | list[str | None], wanted: str) -> str:
    """Column positions in words. Headers are not quoted: a file without headers has its first row there."""
    return " och ".join(place(i) for i, found in enumerate(folded_or_names, start=1) if found == wanted)


def match_headers(
    headers: list[str], contract: Contract, unused: frozenset[int] = frozenset()
) -> tuple[list[str | None], set[str], list[Finding]]:
    """Match a file's headers to the contract's columns.

    Args:
        headers: as they stand.
        contract: says which are known.
        unused: positions (from 0) without header or any cell, which a workbook may have; nothing is said of them.

    Returns:
        Contract column per header (None where unknown), the columns missing, and what is wrong with the headers.
    """
    known, findings = contract.header_lookup(), []
    folded = [fold(header[:_COMPARED]) for header in headers]
    names = [known.get(header) for header in folded]
    for name in sorted({n for n in names if n is not None and names.count(n) > 1}):
        label = f" (båda läses som {contract.column(name).label_sv})"
        findings.append(file_finding("FIL-011", column=name, places=_places(names, name), label=label))
    unknown = {f for f, n in zip(folded, names, strict=True) if n is None and f}
    for doubled in sorted(f for f in unknown if folded.count(f) > 1):
        findings.append(file_finding("FIL-011", places=_places(folded, doubled), label=""))
    missing = {column.name for column in contract.columns} - {n for n in names if n}
    for column in contract.columns:
        if column.name in missing and not column.optional:
            close = difflib.get_close_matches(column.name, sorted(unknown), n=1, cutoff=0.75)
            hint = f" Menades kolumn {place(folded.index(close[0]) + 1)}? Rätta dess rubrik." if close else ""
            findings.append(file_finding("FIL-010", column=column.name, header=column.label_sv, hint=hint))
    findings += [
        file_finding("FIL-015", header=f"rubriken i kolumn {place(position)}")
        for position, header in enumerate(headers, start=1)
        if reads_as_number(header)
    ]
    for index, (header, matched) in enumerate(zip(folded, names, strict=True)):
        if matched is None and _OF_NUMBERS.search(header):
            is_renamed = "Är det barnets nummer ska rubriken vara Personnummer; annars ta bort kolumnen."
            hint = is_renamed if contract.about_persons else "Ta bort kolumnen."
            findings.append(file_finding("FIL-050", position=place(index + 1), hint=hint))
        elif matched is None and index not in unused:
            close = difflib.get_close_matches(header, sorted(known), n=1, cutoff=0.75)
            hint = f" Närmaste rubrik: {contract.column(known[close[0]]).label_sv}." if close else ""
            findings.append(file_finding("FIL-012", position=place(index + 1), hint=hint))
    return names, missing, findings
