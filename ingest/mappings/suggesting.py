"""Proposing a unit's mapping from one of its files: which header, code, date and word for "empty" means what.

Nothing personal is shown. Of a file's text only headers that are proposed are written, and of its values only such as
are like a word of ours or a bare short number, in columns that hold codes. Columns of persons, running numbers and free
text are never quoted, nor is a header row that may be a row of data.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.characters import visible
from ingest.conforming import read_date
from ingest.contracts import CodeList, Column, Contract
from ingest.findings import Unreadable
from ingest.folding import fold
from ingest.mappings.documents import LONGEST_WORD, quoted
from ingest.mappings.likeness import FileColumn, fit, is_as_free_text, likest
from ingest.mappings.suggesting_cells import CellProposal, is_absent, proposed_cells
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter
from ingest.reading.headers import column_place
from ingest.reading.records import records_of
from ingest.reading.tables import MOST_COLUMNS, SEPARATORS, find_encoding
from ingest.sentinels import DATE_BAD
from ingest.workbooks.sandbox import is_workbook, read_any_sheet

MOST_ROWS = 50_000
"""Rows of a file that are looked at."""
_SURE, _LIKELY, _MAYBE = 0.9, 0.65, 0.5
_TOO_NEAR = 0.05
"""Two columns for which as much speaks: neither is proposed as likely."""
_LIKE = 0.75
"""From here on a code is proposed for a word."""
_FEWEST_ROWS = 3
"""Rows in which a word must occur before it is shown: a name that somebody typed once is in one."""
_FEWEST_LETTERS = 5
"""Of a word of ours that another may be like without being a name."""
_BARE = re.compile(r"\d{1,3}|[a-z]")
_CODES = ("code", "code_list")


class NothingToSuggest(Exception):
    """A file from which no mapping can be proposed; the text says why, and holds nothing of the file."""


@dataclass(frozen=True)
class ColumnProposal:
    """A header, the column it may mean, how sure that is (`sure`, `likely`, `maybe`), and why, in English."""

    found: FileColumn
    column: str
    sure: str
    why: str


@dataclass(frozen=True)
class CodeProposal:
    """A unit's code in a column, the code it may mean (None: nobody knows), and why."""

    column: str
    spelling: str
    code: str | None
    why: str


@dataclass(frozen=True)
class Suggestion:
    """A proposed mapping.

    Attributes:
        columns: by position in the file; `codes` by column; `cells`: words for "empty" and forms of dates.
        notes: what is not proposed, and why; without anything of the file.
    """

    columns: tuple[ColumnProposal, ...]
    codes: tuple[CodeProposal, ...]
    notes: tuple[str, ...]
    cells: tuple[CellProposal, ...] = ()

    def as_yaml(self, district_code: str, dataset: str, quarter: Quarter) -> str:
        """A document for `followup mapping set`; what is only a guess is a comment."""
        lines = [
            "# Proposed from one file. Read every line, remove what is wrong, take away the # of what is right.",
            f"unit: {district_code}",
            f"valid_from: {quarter}",
            "datasets:",
            f"  {dataset}:",
        ]
        lines += ["    columns:"] if self.columns else []
        for one in self.columns:
            mark = "# " if one.sure == "maybe" else ""
            lines.append(f"      {mark}{quoted(visible(one.found.header))}: {one.column}  # {one.sure}: {one.why}")
        lines += ["    codes:"] if self.codes else []
        for column in dict.fromkeys(one.column for one in self.codes):
            of_column = [one for one in self.codes if one.column == column]
            lines.append(f"      {column}:")
            for code in of_column:
                mark, meaning = ("", code.code) if code.code else ("# ", "?")
                lines.append(f"        {mark}{quoted(code.spelling)}: {meaning}  # {code.why}")
        for kind in ("empty", "dates"):
            of_kind = [one for one in self.cells if one.kind == kind]
            lines += [f"    {kind}:"] if of_kind else []
            for cell in of_kind:
                mark, words = "# " if cell.is_open else "", ", ".join(map(quoted, cell.words))
                lines.append(f"      {mark}{cell.column}: [{words}]  # {cell.why}")
        lines += [f"# {note}" for note in self.notes]
        return "\n".join(lines) + "\n"


def suggest(raw: bytes, contract: Contract, district_code: str) -> Suggestion:
    """Propose a mapping of a file's headers and codes.

    Args:
        raw: the whole file, CSV or workbook.
        contract: the dataset's; headers and codes that it knows need no mapping.
        district_code: whose areas and local names.

    Raises:
        NothingToSuggest: it can't be read as a table, or its first row is none of headers.
    """
    columns = file_columns(raw)
    _refuse_data_as_headers(columns)
    lists = {c.name: contract.code_list(c.name, district_code) for c in contract.columns if c.type in _CODES}
    known = contract.header_lookup()
    own = {name: one for one in columns if (name := known.get(fold(one.header[:LONGEST_WORD])))}
    unknown = [one for one in columns if one not in own.values() and fold(one.header)]
    free = [column for column in contract.columns if column.name not in own]
    proposals = _columns(unknown, free, contract, lists)
    read = {**own, **{one.column: one.found for one in proposals if one.sure != "maybe"}}
    notes = [_not_proposed(one) for one in unknown if one not in [p.found for p in proposals]]
    codes, cells = [], []
    for column in contract.columns:
        if column.name in read:
            cells += proposed_cells(read[column.name], column, contract, district_code)
        if column.type in _CODES and not column.personal and column.name in read:
            found, left = _codes(read[column.name], column, lists[column.name])
            codes += found
            notes += left
    lacking = [c.name for c in free if not c.optional and c.name not in {p.column for p in proposals}]
    if lacking:
        notes.append(f"No header of the file seems to mean: {', '.join(lacking)}.")
    return Suggestion(tuple(proposals), tuple(codes), tuple(notes), tuple(cells))


def file_columns(raw: bytes) -> list[FileColumn]:
    """A file's columns by its first row with most cells filled.

    Raises:
        NothingToSuggest: it can't be read as a table.
    """
    try:
        headers, rows = _workbook(raw) if is_workbook(raw) else _text(raw)
    except (Unreadable, csv.Error) as error:
        rule = error.finding.rule if isinstance(error, Unreadable) else "FIL-009"
        raise NothingToSuggest(f"the file can't be read ({rule}): `followup check` says why") from None
    if len(headers) < 2 or len(headers) > MOST_COLUMNS:
        raise NothingToSuggest(f"a table of 2 to {MOST_COLUMNS} columns is due; the file's has {len(headers)}")
    values: list[Counter[str]] = [Counter() for _ in headers]
    for row in rows:
        for counter, cell in zip(values, row, strict=False):
            if text := visible(cell[:LONGEST_WORD]):
                counter[text] += 1
    return [FileColumn(i, header, values[i - 1]) for i, header in enumerate(headers, start=1)]


def _workbook(raw: bytes) -> tuple[list[str], Iterator[list[str]]]:
    headers, body = read_any_sheet(raw, MOST_COLUMNS)
    return headers, _rows(io.StringIO(body.decode(), newline="").read(), ";")


def _text(raw: bytes) -> tuple[list[str], Iterator[list[str]]]:
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    text = raw.decode(find_encoding(raw))
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=head.count)
    rows = _rows(text, separator)
    headers = next((row for row in rows if any(cell.strip() for cell in row)), [])
    while headers and not headers[-1].strip():
        headers.pop()
    return headers, rows


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    for number, row in enumerate(records_of(text, separator)):
        if number > MOST_ROWS:
            return
        yield row


def _refuse_data_as_headers(columns: Sequence[FileColumn]) -> None:
    """Refuse a first row that may be one of data: it would be quoted as headers.

    Raises:
        NothingToSuggest: a cell of it is a date or a number, reads as a personal number, or occurs below itself again.
    """
    for one in columns:
        header = visible(one.header)
        is_number = header.replace(",", "").replace(".", "").isdigit()
        is_data = is_number or read_date(header) != DATE_BAD or reads_as_number(header) or header in one.values
        if header and is_data:
            raise NothingToSuggest(
                f"column {column_place(one.position)} has no header, or a row of data in its place: write the headers "
                "in the first row"
            )


def _columns(
    unknown: Sequence[FileColumn], free: Sequence[Column], contract: Contract, lists: dict[str, CodeList]
) -> list[ColumnProposal]:
    """The likest column for each header, each column once: the surest first."""
    scored = []
    for one in unknown:
        if reads_as_number(one.header) or len(one.header) > LONGEST_WORD:
            continue
        fits = {column.name: fit(one, column, lists.get(column.name)) for column in contract.columns}
        for column in free:
            score, why = _score(one, column, fits)
            if score >= _MAYBE:
                scored.append((score, one, column.name, why))
    scored.sort(key=lambda entry: (-entry[0], entry[1].position, entry[2]))
    taken: set[str] = set()
    done: dict[int, ColumnProposal] = {}
    for score, one, name, why in scored:
        if one.position in done or name in taken:
            continue
        beside = {other: s for s, o, other, _ in scored if o is one and other != name and other not in taken}
        rivals = [other for other, s in beside.items() if s > score - _TOO_NEAR]
        sure = "sure" if score >= _SURE else "likely" if score >= _LIKELY else "maybe"
        if rivals:
            sure, why = "maybe", f"{why}; as much speaks for {', '.join(rivals[:3])}"
        taken.add(name)
        done[one.position] = ColumnProposal(one, name, sure, f"{score:.2f}, {why}")
    return [done[position] for position in sorted(done)]


def _score(one: FileColumn, column: Column, fits: dict[str, float]) -> tuple[float, str]:
    """How much speaks for a header's meaning a column, 0 to 1, and what."""
    words = [(fold(spelling), "") for spelling in (column.name, column.label_sv, *column.aliases)]
    by_name, ours, _ = likest(fold(one.header[:LONGEST_WORD]), words)
    by_name = by_name if by_name >= _MAYBE else 0.0
    share = fits[column.name]
    others = sum(other >= 0.8 for name, other in fits.items() if name != column.name)
    by_values = 0.0 if share < 0.8 else share * (0.7 if not others else 0.35)
    reasons = [f"like {ours}"] if by_name else []
    if share and column.type != "text":
        reasons.append(f"{share:.0%} of its values fit{'' if not others else ', as they fit other columns'}")
    if one.filled and column.type in ("date", "person_number", "integer") and share < 0.2:
        return 0.0, ""
    if column.type in _CODES and share < 0.5 and is_as_free_text(one):
        return 0.0, ""
    score = max(by_name, by_values) + (0.15 if by_name and by_values else 0.0)
    return min(score, 1.0), ", ".join(reasons)


def _may_be_a_name(spelling: str, ours: str) -> bool:
    """Whether a word that is like ours may be a name by chance: it is short, as first names are (`Anna`, `annan`), or
    a later word begins with a capital, as surnames do and Swedish codes do not."""
    if len(ours) < _FEWEST_LETTERS or len(spelling) <= _FEWEST_LETTERS:
        return True
    later = re.split(r"[^\w]+", spelling)[1:]
    return any(word[:1].isupper() and not word.isupper() for word in later)


def _not_proposed(one: FileColumn) -> str:
    return f"Column {column_place(one.position)}: no column of the contract is like it."


def _codes(found: FileColumn, column: Column, codes: CodeList) -> tuple[list[CodeProposal], list[str]]:
    """Codes of ours for a column's unknown words, and notes on those that are not shown."""
    known = [(word, codes.codes[place]) for word, place in codes.lookup.items()]
    counts: Counter[str] = Counter()
    for value, count in found.values.items():
        for part in value.split("|") if column.type == "code_list" else [value]:
            counts[visible(part)] += count
    proposals, near, silent = [], 0, 0
    for spelling, count in counts.items():
        folded = fold(spelling)
        if not folded or folded in codes.lookup or (is_absent(spelling) and folded not in codes.ambiguous):
            near += count
            continue
        if folded in codes.ambiguous:
            meanings = " or ".join(codes.ambiguous[folded])
            proposals.append(CodeProposal(column.name, spelling, None, f"may mean {meanings}"))
            near += count
            continue
        score, ours, code = likest(folded, known)
        if reads_as_number(spelling):
            silent += 1
        elif score >= _LIKE and count >= _FEWEST_ROWS and not _may_be_a_name(spelling, ours):
            proposals.append(CodeProposal(column.name, spelling, code, f"{score:.2f}, like {ours}"))
            near += count
        elif _BARE.fullmatch(folded) and count >= _FEWEST_ROWS:
            proposals.append(CodeProposal(column.name, spelling, None, f"in {count} rows; the case system knows"))
        else:
            silent += 1
    is_coded = 2 * near >= sum(counts.values())
    if not is_coded:  # another column than it seems: its words may be names
        shown = [one for one in proposals if _BARE.fullmatch(fold(one.spelling))]
        silent += len(proposals) - len(shown)
        proposals = shown
    notes = []
    if silent:
        notes.append(
            f"{column.name}: {silent} words are not shown, since they are like no code, occur in few rows, or may be "
            "names. `followup check` names their rows."
        )
    return sorted(proposals, key=lambda one: (one.code is None, one.spelling)), notes
