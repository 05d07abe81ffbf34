"""Matching headers to the contract's columns, and finding what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.characters import garbled, likely_text, visible
from ingest.contracts import Contract, load_contracts
from ingest.findings import Finding, Unreadable, file_finding
from ingest.folding import fold
from ingest.persons.number_search import reads_as_number

_OF_NUMBERS = re.compile(
    r"(?:^|_)(?:p_?n(?:umme)?r|person_?n(?:umme)?r|personid|samordnings_?n(?:umme)?r|samnr|fodelse_?n(?:umme)?r"
    r"|sista_(?:fyra|4)|(?:fyra|4)_sista)(?:_|$)"
)
"""Headers of columns that hold numbers of persons, or the part of one that its birth date lacks."""
_IN_THE_NAME = {
    "Kvartalet": frozenset({
        "kvartal", "kvartalet", "kv", "rapportkvartal", "rapporteringskvartal", "period", "perioden", "rapportperiod",
        "rapporteringsperiod", "redovisningsperiod", "quarter",
    }),
    "Stadsdelen": frozenset({
        "stadsdel", "stadsdelen", "stadsdelsforvaltning", "stadsdelsnamnd", "stadsdelsomrade", "sdf", "sdo", "sdn",
        "forvaltning", "namnd", "distrikt", "rapportor",
    }),
}  # fmt: skip
"""What a file's name says, and words of a header for it, folded."""
COMPARED = 200
"""Characters of a header: none of ours is so long, and a cell may hold a whole file."""
_NAMED_PLACES, _MORE_OF_ANOTHER = 12, 3


@dataclass(frozen=True)
class MatchedHeaders:
    """What a file's headers mean.

    Attributes:
        names: contract column per header, None where unknown.
        missing: contract columns that no header means.
        hints: missing column → words on the unknown header that was probably meant; empty where a finding names its
            garbled header.
        findings: what is wrong with the headers.
    """

    names: list[str | None]
    missing: frozenset[str]
    hints: Mapping[str, str]
    findings: tuple[Finding, ...]


def column_place(position: int) -> str:
    """A column's position (from 1) as number and as Excel's letters: `12 (L)`."""
    letters, rest = "", position
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{position} ({letters})"


def _places(folded_or_names: list[str] | list[str | None], wanted: str) -> str:
    """Column positions in words. Headers are not quoted: a file without headers has its first row there."""
    return " och ".join(column_place(i) for i, found in enumerate(folded_or_names, start=1) if found == wanted)


def match_headers(
    headers: list[str],
    contract: Contract,
    unused: frozenset[int] = frozenset(),
    by_need: frozenset[str] = frozenset(),
) -> MatchedHeaders:
    """Match a file's headers to the contract's columns.

    Args:
        headers: as they are written.
        contract: says which are known.
        unused: positions (from 0) without header or any cell, which a workbook may have; nothing is said of them.
        by_need: columns that may be missing where no row needs them; the rows decide (`missing_columns`).
    """
    known, findings = contract.header_lookup(), []
    folded = [fold(header[:COMPARED]) for header in headers]
    names = [known.get(header) for header in folded]
    for name in sorted({n for n in names if n is not None and names.count(n) > 1}):
        label = f" (båda läses som {contract.column(name).label_sv})"
        findings.append(file_finding("FIL-011", column=name, places=_places(names, name), label=label))
    unknown = {f for f, n in zip(folded, names, strict=True) if n is None and f}
    for doubled in sorted(f for f in unknown if folded.count(f) > 1):
        findings.append(file_finding("FIL-011", places=_places(folded, doubled), label=""))
    missing = {column.name for column in contract.columns} - {n for n in names if n}
    broken = _garbled_headers(headers, names, known)
    if broken:
        findings.append(_about_garbled(headers, broken, contract))
    explained = set(broken.values())
    hints = dict.fromkeys(explained, "")  # that finding names them: no row is asked whether it needs them
    for column in contract.columns:
        if column.name not in missing or column.name in explained:
            continue
        close = difflib.get_close_matches(column.name, sorted(unknown), n=1, cutoff=0.75)
        if close:
            hints[column.name] = f" Menades kolumn {column_place(folded.index(close[0]) + 1)}? Rätta dess rubrik."
        if not column.optional and (column.name not in by_need or close):
            findings.append(missing_column(contract, column.name, hints))
    findings += [
        file_finding("FIL-015", header=f"rubriken i kolumn {column_place(position)}")
        for position, header in enumerate(headers, start=1)
        if reads_as_number(header)
    ]
    for index, (header, matched) in enumerate(zip(folded, names, strict=True)):
        if matched is None and _OF_NUMBERS.search(header):
            is_renamed = "Är det barnets nummer ska rubriken vara Personnummer; annars ta bort kolumnen."
            hint = is_renamed if contract.about_persons else "Ta bort kolumnen."
            findings.append(file_finding("FIL-050", position=column_place(index + 1), hint=hint))
        elif matched is None and index not in unused and index not in broken:
            close = difflib.get_close_matches(header, sorted(known), n=1, cutoff=0.75)
            hint = f" Närmaste rubrik: {contract.column(known[close[0]]).label_sv}." if close else _in_the_name(header)
            findings.append(file_finding("FIL-012", position=column_place(index + 1), hint=hint))
    return MatchedHeaders(names, frozenset(missing), hints, tuple(findings))


def _in_the_name(header: str) -> str:
    """A hint for a column that says what the file's name says; empty for others."""
    words = set(header.split("_"))
    said = [what for what, spellings in _IN_THE_NAME.items() if words & spellings]
    return f" {said[0]} läses ur filens namn, inte ur en kolumn." if said else ""


def no_headers(contract: Contract, hint: str = "") -> Finding:
    """The fault of a file without a row of headers; names the template's first ones. `hint` says what was found."""
    example = "; ".join(column.label_sv for column in contract.columns[:3])
    return file_finding("FIL-021", example=example, hint=hint)


def refuse_another_dataset(headers: list[str], contract: Contract) -> None:
    """Refuse a table whose headers are another dataset's: the columns that lack need no finding each.

    Raises:
        Unreadable: they are; the dataset is named.
    """
    folded = {fold(header[:COMPARED]) for header in headers}
    own = {name for header in folded if (name := contract.header_lookup().get(header))}
    required = [column.name for column in contract.columns if not column.optional]
    if 2 * len(own) > len(required):
        return
    shares = {name: len(folded & set(other.header_lookup())) for name, other in load_contracts().items()}
    likely = max(shares, key=lambda name: shares[name])
    if shares[likely] >= max(len(own) + _MORE_OF_ANOTHER, _MORE_OF_ANOTHER):
        hint = (
            f" Rubrikerna är de som datasetet {likely} har, men filnamnet anger {contract.dataset}:"
            " rätta filnamnet, eller lämna rätt fil."
        )
        raise Unreadable(no_headers(contract, hint))


def missing_column(contract: Contract, name: str, hints: Mapping[str, str], need: str = "") -> Finding:
    """The fault of a column that the file lacks; `need` says which rows need it, where not all do."""
    column = contract.column(name)
    hint = hints.get(name, "") + contract.why_new(column)
    return file_finding("FIL-010", column=name, header=column.label_sv, need=need, hint=hint)


def _garbled_headers(headers: list[str], names: list[str | None], known: Mapping[str, str]) -> dict[int, str]:
    """Position (from 0) → column, of headers that are a known one but for garbled characters."""
    has_swedish = any(letter in header for header in headers for letter in "åäöÅÄÖ")
    found: dict[int, str] = {}
    for index, (header, name) in enumerate(zip(headers, names, strict=True)):
        text = visible(header[:COMPARED])
        if name is not None or garbled(text, has_swedish=has_swedish) is None:
            continue
        likely = fold(likely_text(text, has_swedish=has_swedish))
        pattern = re.compile("".join("[^_]" if c == "?" else re.escape(c) for c in likely))
        meant = {column for spelling, column in known.items() if pattern.fullmatch(spelling)}
        meant -= {n for n in names if n} | set(found.values())
        if len(meant) == 1:
            found[index] = meant.pop()
    return found


def _about_garbled(headers: list[str], broken: dict[int, str], contract: Contract) -> Finding:
    has_swedish = any(letter in header for header in headers for letter in "åäöÅÄÖ")
    said = [garbled(visible(headers[index][:COMPARED]), has_swedish=has_swedish) for index in broken]
    what = ", ".join(list(dict.fromkeys(g.in_words for g in said if g is not None))[:3])
    named = [f"{column_place(index + 1)} {contract.column(name).label_sv}" for index, name in broken.items()]
    more = f" och {len(named) - _NAMED_PLACES} till" if len(named) > _NAMED_PLACES else ""
    return file_finding("FIL-068", what=what, places=", ".join(named[:_NAMED_PLACES]) + more)
