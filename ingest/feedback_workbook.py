"""Feedback as an Excel workbook: what is wrong and what to do, and the district's own rows with the faults marked.

A cell is shown only in a column that holds nothing personal, and only if it reads as one of the contract's codes, a
date or a whole number. All others are `•••`: what a person wrote may be a name, in any column.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xlsxwriter

from ingest.checking import CheckReport
from ingest.checks.suites import ABOUT_ABSENT_ROWS, RuleOutcome
from ingest.contracts import Column, load_contracts
from ingest.feedback import SHOWN_ROWS, verdict, word_for
from ingest.findings import Finding, Severity, count_with_noun
from ingest.persons.number_search import reads_as_number
from ingest.sentinels import AMBIGUOUS, DATE_BAD

ENDING = "aterkoppling.xlsx"
"""Of the feedback's name, after the file's own."""
CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 (a workbook's times have no zone)
"""When workbooks say that they were made: always the same, so that the same report gives the same bytes."""
WHOLE_ROWS = 2_000
"""A file of at most so many rows comes back whole; of a larger one at most so many rows with faults."""
FIRST_OF_EACH = 100
"""Of a larger file, so many rows of each rule come before any rule shows more."""
MOST_COMMENTS = 1_000
"""Cells with a comment; the last column has every row's messages."""
MASK = "•••"
_SUGGESTED_ROWS = 2_000
"""Rows of a rule for which the summary lists suggestions."""
_NAMED_ROWS, _LINES_PER_RULE, _MESSAGES_PER_ROW = 30, 50, 12
_EPOCH, _EXCEL_EPOCH, _FIRST_EXCEL_DAY = date(1970, 1, 1), date(1899, 12, 30), date(1900, 3, 1)
_WORDS = {"error": "FEL", "query": "FRÅGA"}

Positions = npt.NDArray[np.int64]


@dataclass
class _RowMarks:
    """Messages about one row: in order, and by column, with the columns that have an error."""

    messages: list[str] = field(default_factory=list)
    by_column: dict[str | None, list[str]] = field(default_factory=dict)
    errors: set[str | None] = field(default_factory=set)

    def add(self, found: Finding, columns: frozenset[str]) -> None:
        column = found.column if found.column in columns else None
        text = f"{_WORDS[found.severity]} {found.rule}: {found.message}"
        self.messages.append(text)
        self.by_column.setdefault(column, []).append(text)
        if found.severity == "error":
            self.errors.add(column)


class _Styles:
    """The formats of a feedback workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        error, query = {"bg_color": "#F8C9C4"}, {"bg_color": "#FFE9A8"}
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.head = book.add_format(
            {"bold": True, "bg_color": "#E5E9EE", "border": 1, "text_wrap": True, "valign": "top"}
        )
        self.text = book.add_format({"text_wrap": True, "valign": "top"})
        self.marks = {
            (mark, kind): book.add_format({**look, **form, "valign": "top"})
            for mark, look in (("error", error), ("query", query), ("", {}))
            for kind, form in (("text", {"num_format": "@"}), ("date", {"num_format": "yyyy-mm-dd"}), ("number", {}))
        }


def as_workbook(shown_name: str, report: CheckReport) -> bytes:
    """The feedback on one file as a workbook.

    Args:
        shown_name: the file's name as it may be shown.
        report: from `check_file`.

    Returns:
        An .xlsx: a summary, and, when the file could be read, its rows with faults (all rows of a small file). The
        same report gives the same bytes.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": f"Återkoppling på {shown_name}", "created": CREATED})
        styles = _Styles(book)
        summary = book.add_worksheet("Sammanfattning")
        chosen, faulty = _chosen_rows(report)
        _write_summary(summary, styles, shown_name, report, chosen, faulty)
        if report.table is not None and report.raw is not None and len(chosen):
            _write_rows(book.add_worksheet("Rader"), styles, report, chosen)
    return out.getvalue()


@dataclass(frozen=True)
class _Line:
    rule: str
    severity: Severity
    count: int
    column: str
    message: str
    rows: str


def _label(report: CheckReport, column: str | None) -> str:
    if column is None or report.name.dataset is None:
        return ""
    columns = {c.name: c.label_sv for c in load_contracts(report.name.quarter)[report.name.dataset].columns}
    return columns.get(column, "")


def _named(rows: list[int]) -> str:
    more = f" … och {len(rows) - _NAMED_ROWS} till" if len(rows) > _NAMED_ROWS else ""
    return ", ".join(map(str, rows[:_NAMED_ROWS])) + more


def _lines(report: CheckReport) -> Iterator[_Line]:
    """A line per message of a rule, the suite's with their suggestions."""
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for found in report.file_findings:
        grouped.setdefault((found.rule, found.message), []).append(found)
    lines_of: dict[str, int] = {}
    for (rule, message), findings in grouped.items():
        lines_of[rule] = lines_of.get(rule, 0) + 1
        if lines_of[rule] <= _LINES_PER_RULE:
            rows = [f.row for f in findings if f.row is not None]
            label = _label(report, findings[0].column)
            yield _Line(rule, findings[0].severity, len(findings), label, message, _named(rows))
    for rule, count in lines_of.items():
        if count > _LINES_PER_RULE:
            severity = next(f.severity for f in report.file_findings if f.rule == rule)
            yield _Line(rule, severity, count - _LINES_PER_RULE, "", "Samma regel på fler ställen.", "")
    for outcome in report.outcomes:
        if not outcome.raised and len(outcome.rows):
            yield from _lines_of(report, outcome)
    for outcome in report.outcomes:
        if outcome.raised:
            found = next(f for f in report.findings(0) if f.rule == "FIL-020")
            yield _Line("FIL-020", "error", 1, "", found.message, "")


def _lines_of(report: CheckReport, outcome: RuleOutcome) -> Iterator[_Line]:
    """A rule's lines: one for each of its messages; past the limit, one for the rest with the rule's own message."""
    rule, label = outcome.rule, _label(report, outcome.rule.column)
    if rule.kind == ABOUT_ABSENT_ROWS:
        rows = _named(outcome.rows.tolist()) + " (i förra kvartalets fil)"
        yield _Line(rule.code, rule.severity, len(outcome.rows), label, report.message_of(rule), rows)
        return
    assert report.table is not None
    rows_of: dict[str, list[int]] = {}
    numbers = report.table.row_numbers[outcome.rows].tolist()
    for (_, found), number in zip(_findings_of(report, outcome, outcome.rows[:_SUGGESTED_ROWS]), numbers, strict=False):
        rows_of.setdefault(found.message, []).append(number)
    shown = list(rows_of)[:_LINES_PER_RULE]
    rest = [number for message in list(rows_of)[_LINES_PER_RULE:] for number in rows_of[message]]
    rest += numbers[_SUGGESTED_ROWS:]
    bare = report.message_of(rule)
    if rest and bare in shown:
        rows_of[bare], rest = sorted(rows_of[bare] + rest), []
    for message in shown:
        yield _Line(rule.code, rule.severity, len(rows_of[message]), label, message, _named(rows_of[message]))
    if rest:
        yield _Line(rule.code, rule.severity, len(rest), label, bare, _named(sorted(rest)))


def _findings_of(report: CheckReport, outcome: RuleOutcome, places: Positions) -> Iterator[tuple[int, Finding]]:
    """Findings of a rule in rows at some positions. A message is made once for each spelling of the cell."""
    made: dict[bytes | None, Finding] = {}
    cells = report.raw.columns.get(outcome.rule.column or "") if report.raw is not None else None
    taken = cells.take(pa.array(places)).to_pylist() if cells is not None else [None] * len(places)
    for place, cell in zip(places.tolist(), taken, strict=True):
        if cell not in made:
            made[cell] = report.finding(outcome.rule, place)
        yield place, made[cell]


def _write_summary(
    sheet: Any, styles: _Styles, shown_name: str, report: CheckReport, chosen: Positions, faulty: int
) -> None:
    sheet.set_column("A:B", 10)
    sheet.set_column("C:C", 8)
    sheet.set_column("D:D", 22)
    sheet.set_column("E:E", 90)
    sheet.set_column("F:F", 40)
    sheet.write_string(0, 0, f"Återkoppling på {shown_name}", styles.title)
    sheet.write_string(1, 0, verdict(report))
    at = 2
    for text in _advice(report, chosen, faulty):
        sheet.write_string(at, 0, text)
        at += 1
    at += 1
    lines = sorted(_lines(report), key=lambda line: line.severity != "error")
    if lines:
        for place, head in enumerate(
            ("Regel", "Slag", "Antal", "Kolumn", "Vad som är fel och vad ni gör", "Rader i er fil")
        ):
            sheet.write_string(at, place, head, styles.head)
        for line in lines:
            at += 1
            style = styles.marks[line.severity, "text"]
            sheet.write_string(at, 0, line.rule, style)
            sheet.write_string(at, 1, word_for(report, line.rule, line.severity), style)
            sheet.write_number(at, 2, line.count)
            for place, text in ((3, line.column), (4, line.message), (5, line.rows)):
                sheet.write_string(at, place, text[:32_000], styles.text)
        at += 2
    if report.used_words is not None:
        for text in report.used_words.as_text():
            sheet.write_string(at, 0, text[:32_000])
            at += 1
        at += 1
    if report.skipped:
        skipped = "Ej prövade regler (tidigare kvartal eller kolumn saknas): " + ", ".join(report.skipped)
        sheet.write_string(at, 0, skipped[:32_000])
        at += 2
    if report.changes is not None:
        for text in report.changes.as_text(SHOWN_ROWS):
            sheet.write_string(at, 0, text.strip()[:32_000])
            at += 1


def _advice(report: CheckReport, chosen: Positions, faulty: int) -> Iterator[str]:
    """What to do, in order, and how to read the sheet with rows."""
    if not report.accepted:
        yield "Rätta alla fel i er egen fil och lämna hela filen igen: inget av den är intaget."
    if report.total("query") > sum(report.explained.values()):
        yield "Frågor (gula): rätta dem och lämna filen igen, eller förklara dem. De hindrar inte att filen tas in."
    if not len(chosen):
        return
    yield "Bladet Rader: röda celler har fel, gula har frågor. Peka på en cell med röd hörna för att läsa varför."
    if report.rows > WHOLE_ROWS:
        wrong, rows = count_with_noun(faulty, "rad", "rader"), count_with_noun(report.rows, "rad", "rader")
        yield f"Bladet visar {len(chosen)} av {wrong} med fel eller frågor; filen har {rows}."
    yield f"Personuppgifter, fri text och det som inte går att läsa visas som {MASK}: slå upp raden i er egen fil."


def _row_outcomes(report: CheckReport) -> list[RuleOutcome]:
    return [o for o in report.outcomes if not o.raised and o.rule.kind != ABOUT_ABSENT_ROWS and len(o.rows)]


def _places_in_file(report: CheckReport) -> list[tuple[int, Finding]]:
    """Findings about the file that name one of its rows, with the row's position in the table."""
    if report.table is None:
        return []
    numbers = report.table.row_numbers
    named = [(found.row, found) for found in report.file_findings if found.row is not None]
    at = np.searchsorted(numbers, np.array([row for row, _ in named], np.int32)).tolist()
    return [
        (place, found)
        for place, (row, found) in zip(at, named, strict=True)
        if place < len(numbers) and numbers[place] == row
    ]


def _chosen_rows(report: CheckReport) -> tuple[Positions, int]:
    """Positions of the rows that are shown, in order, and how many rows have faults at all."""
    if report.table is None or report.raw is None:
        return np.empty(0, np.int64), 0
    is_faulty = np.zeros(report.table.rows, bool)
    first = np.zeros(report.table.rows, bool)
    for outcome in _row_outcomes(report):
        is_faulty[outcome.rows] = True
        first[outcome.rows[:FIRST_OF_EACH]] = True
    for number, (place, _) in enumerate(_places_in_file(report)):
        is_faulty[place] = True
        first[place] |= number < FIRST_OF_EACH
    faulty = int(is_faulty.sum())
    if report.table.rows <= WHOLE_ROWS:
        return np.arange(report.table.rows), faulty
    chosen = np.flatnonzero(first)[:WHOLE_ROWS]
    others = np.flatnonzero(is_faulty & ~first)[: WHOLE_ROWS - len(chosen)]
    return np.sort(np.concatenate([chosen, others])), faulty


def _marks(report: CheckReport, chosen: Positions) -> dict[int, _RowMarks]:
    """Messages about each chosen row."""
    assert report.raw is not None
    found: dict[int, _RowMarks] = {}
    shown, columns = set(chosen.tolist()), frozenset(report.raw.columns)
    for place, finding in _places_in_file(report):
        if place in shown:
            found.setdefault(place, _RowMarks()).add(finding, columns)
    for outcome in _row_outcomes(report):
        for place, finding in _findings_of(report, outcome, outcome.rows[np.isin(outcome.rows, chosen)]):
            found.setdefault(place, _RowMarks()).add(finding, columns)
    return found


def _shown_cells(report: CheckReport, column: Column, chosen: Positions) -> list[str | int | date]:
    """A column's cells as they may be shown, empty ones as empty text."""
    assert report.raw is not None and report.table is not None
    taken = report.raw.columns[column.name].take(pa.array(chosen)).to_pylist()
    texts = [" ".join((cell or b"").decode(report.raw.encoding).split()) for cell in taken]
    values = report.table.values[column.name][chosen].tolist()
    show = _SHOWN.get(column.type)
    if column.personal or show is None:
        return [MASK if text else "" for text in texts]
    memo: dict[str, str | int | date] = {"": ""}
    for text, value in zip(texts, values, strict=True):
        if text not in memo:
            memo[text] = MASK if reads_as_number(text, without_zero=True) else show(text, value)
    return [memo[text] for text in texts]


def _shown_date(text: str, value: int) -> date | str:
    return _EPOCH + timedelta(days=value) if value > DATE_BAD else MASK


def _shown_number(text: str, value: int) -> int | str:
    return value if value >= 0 else MASK


def _shown_code(text: str, value: int) -> str:
    return text if value >= 0 or value == AMBIGUOUS else MASK


_SHOWN: dict[str, Callable[[str, int], str | int | date]] = {
    "date": _shown_date,
    "integer": _shown_number,
    "code": _shown_code,
    "code_list": _shown_code,
}
"""Column types whose readable cells may be shown."""


def _write_rows(sheet: Any, styles: _Styles, report: CheckReport, chosen: Positions) -> None:
    assert report.raw is not None and report.table is not None and report.name.dataset is not None
    contract = load_contracts(report.name.quarter)[report.name.dataset]
    columns = [contract.column(name) for name in report.raw.columns]
    marks = _marks(report, chosen)
    numbers = report.table.row_numbers[chosen].tolist()
    shown = [_shown_cells(report, column, chosen) for column in columns]
    messages_at, comments = len(columns) + 1, 0
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 0, 8)
    sheet.set_column(1, len(columns), 15)
    sheet.set_column(messages_at, messages_at, 110)
    for place, head in enumerate(("Rad", *(column.label_sv for column in columns), "Vad som är fel")):
        sheet.write_string(0, place, head, styles.head)
    for at, (position, number) in enumerate(zip(chosen.tolist(), numbers, strict=True), start=1):
        said = marks.get(position, _RowMarks())
        for place, name in enumerate((None, *(column.name for column in columns))):
            texts = said.by_column.get(name, [])
            mark = "" if not texts else "error" if name in said.errors else "query"
            cell = number if place == 0 else shown[place - 1][at - 1]
            _write_cell(sheet, styles, at, place, cell, mark)
            if texts and comments < MOST_COMMENTS:
                comments += 1
                sheet.write_comment(at, place, "\n".join(texts[:_MESSAGES_PER_ROW])[:2_000], {"x_scale": 3})
        if said.messages:
            spare = len(said.messages) - _MESSAGES_PER_ROW
            lines = [*said.messages[:_MESSAGES_PER_ROW], *([f"… och {spare} till"] if spare > 0 else [])]
            sheet.write_string(at, messages_at, "\n".join(lines), styles.marks["", "text"])
    sheet.autofilter(0, 0, len(chosen), messages_at)


def _write_cell(sheet: Any, styles: _Styles, row: int, column: int, cell: str | int | date, mark: str) -> None:
    if isinstance(cell, date) and cell >= _FIRST_EXCEL_DAY:
        sheet.write_number(row, column, (cell - _EXCEL_EPOCH).days, styles.marks[mark, "date"])
    elif isinstance(cell, int):
        sheet.write_number(row, column, cell, styles.marks[mark, "number"])
    elif cell or mark:
        sheet.write_string(row, column, str(cell), styles.marks[mark, "text"])
