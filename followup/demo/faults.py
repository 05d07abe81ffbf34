"""Broken files, one fault each: what districts do send, to see that intake says what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from followup.demo.draws import day_number
from followup.demo.habits import HABITS, dates
from followup.demo.writing import column_order, encoded
from ingest.districts import load_districts
from ingest.quarters import Quarter

CORRECTED = "_corrected"
"""Folder under the city's with the correct files, by district, to be dropped after the refusal."""


class Sheet:
    """A drawn file taken apart: header and rows of cells, which a fault then changes."""

    def __init__(self, unit: str, dataset: str, quarter: Quarter, content: bytes) -> None:
        self.unit, self.dataset, self.quarter = unit, dataset, quarter
        self.habit = HABITS[unit]
        text = content.decode(self.habit.encoding)
        read = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.habit.separator))
        self.header, self.rows = read[0], read[1:]
        self.order = column_order(unit, dataset)

    def place(self, column: str) -> int:
        """Position of a column, by the contract's name."""
        return self.order.index(column)

    def row(self, fits: Callable[[dict[str, str]], bool]) -> list[str]:
        """The first row that fits, else the first of all."""
        for row in self.rows:
            if fits(dict(zip(self.order, row, strict=False))):
                return row
        return self.rows[0]

    def set(self, row: list[str], column: str, text: str) -> None:
        """Put a text into a row's cell."""
        row[self.place(column)] = text

    def line(self, cells: list[str]) -> str:
        """Cells as a line without its end."""
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.habit.separator, lineterminator="").writerow(cells)
        return buffer.getvalue()

    def content(self) -> bytes:
        """The file's bytes as they now are."""
        return encoded(self.unit, map(self.line, [self.header, *self.rows]))


@dataclass(frozen=True)
class Fault:
    """A kind of broken file.

    `family` names the rules that must refuse it: file (name, size), reading (bytes, shape, headers), value (type,
    code, personnummer), rule (the suite); `rule` is the one that must be among its errors.
    """

    name: str
    dataset: str
    breaks: str
    family: str
    rule: str
    edit: Callable[[Sheet], bytes]
    prefers: tuple[str, ...] = ()
    """Districts whose way of writing suits the fault."""
    file_name: Callable[[Sheet], str] | None = None


@dataclass(frozen=True)
class PlantedFault:
    """A fault in one district's file: the name and bytes it is dropped with."""

    name: str
    file_name: str
    content: bytes


def _mixed_encodings(sheet: Sheet) -> bytes:
    row = sheet.rows[len(sheet.rows) // 2]
    sheet.set(row, "uppgiftslamnare", "Vårdnadshavare")
    other = "cp1252" if sheet.habit.encoding.startswith("utf-8") else "utf-8"
    before, after = sheet.rows[: len(sheet.rows) // 2], sheet.rows[len(sheet.rows) // 2 + 1 :]
    head = encoded(sheet.unit, map(sheet.line, [sheet.header, *before]))
    tail_encoding = sheet.habit.encoding.removesuffix("-sig")
    tail = encoded(sheet.unit, map(sheet.line, after), tail_encoding)
    return head + encoded(sheet.unit, [sheet.line(row)], other) + tail


def _cell(column: str, text: str, fits: Callable[[dict[str, str]], bool] = lambda _: True) -> Callable[[Sheet], bytes]:
    """An edit that puts a text into the first fitting row."""

    def edit(sheet: Sheet) -> bytes:
        sheet.set(sheet.row(fits), column, text)
        return sheet.content()

    return edit


def _wrong_check_digit(sheet: Sheet) -> bytes:
    row = sheet.row(lambda cells: bool(cells["personnummer"]))
    number = row[sheet.place("personnummer")]
    sheet.set(row, "personnummer", number[:-1] + str((int(number[-1]) + 1) % 10))
    return sheet.content()


def _american_date(sheet: Sheet) -> bytes:
    end = sheet.quarter.end
    sheet.set(sheet.row(lambda cells: not cells["forhandsbedomning_klar"]), "inkom_datum", f"{end:%m/%d/%Y}")
    return sheet.content()


def _future_date(sheet: Sheet) -> bytes:
    late = np.array([day_number(sheet.quarter.end + timedelta(days=40))])
    row = sheet.row(lambda cells: not cells["forhandsbedomning_klar"] and not cells["utredning_inledd"])
    sheet.set(row, "inkom_datum", dates(sheet.unit, late)[0])
    return sheet.content()


def _number_elsewhere(sheet: Sheet) -> bytes:
    row = sheet.row(lambda cells: bool(cells["personnummer"]))
    sheet.set(row, "arende_id", row[sheet.place("personnummer")])
    return sheet.content()


def _repeated_row(sheet: Sheet) -> bytes:
    sheet.rows.append(list(sheet.rows[0]))
    return sheet.content()


def _missing_column(sheet: Sheet) -> bytes:
    place = sheet.place("beslut_datum")
    for row in [sheet.header, *sheet.rows]:
        del row[place]
    return sheet.content()


def _end_before_start(sheet: Sheet) -> bytes:
    row = sheet.row(lambda cells: bool(cells["start_datum"] and cells["slut_datum"] not in ("", cells["start_datum"])))
    start, end = row[sheet.place("start_datum")], row[sheet.place("slut_datum")]
    sheet.set(row, "start_datum", end)
    sheet.set(row, "slut_datum", start)
    return sheet.content()


def _short_row(sheet: Sheet) -> bytes:
    del sheet.row(lambda cells: bool(cells["uppfoljningsmetod"]))[sheet.place("malgrupp")]
    return sheet.content()


def _unchanged(sheet: Sheet) -> bytes:
    return sheet.content()


def _other_district(sheet: Sheet) -> str:
    others = [d.code for d in load_districts().valid_in(sheet.quarter) if d.code != sheet.unit]
    return f"{others[0]}_{sheet.dataset}_{sheet.quarter}.csv"


def _waits_do_not_add_up(sheet: Sheet) -> bytes:
    row = sheet.row(lambda cells: cells["antal_nya"] not in ("", "0"))
    sheet.set(row, "vantade_0_7", str(int(row[sheet.place("vantade_0_7")]) + 3))
    return sheet.content()


def _totals_row(sheet: Sheet) -> bytes:
    first = sheet.place("antal_nya")
    totals = [str(sum(int(row[place] or 0) for row in sheet.rows)) for place in range(first, len(sheet.order))]
    sheet.rows.append(["Summa", *[""] * (first - 1), *totals, *[""] * (len(sheet.header) - len(sheet.order))])
    return sheet.content()


def _headers_alike(sheet: Sheet) -> bytes:
    place = sheet.place("antal_nya")
    sheet.header.append(sheet.header[place].swapcase().replace(" ", "-"))
    for row in sheet.rows:
        row.append(row[place])
    return sheet.content()


FAULTS: tuple[Fault, ...] = (
    Fault(
        "mixed_encodings",
        "arenden",
        "one row of a UTF-8 file is Windows-1252",
        "reading",
        "FIL-007",
        _mixed_encodings,
        ("ostermalm", "kungsholmen", "norra-innerstaden"),
    ),
    Fault(
        "unknown_code",
        "arenden",
        "an orsak that no list holds",
        "value",
        "ARE-033",
        _cell("orsak", "Trolldom"),
        ("farsta",),
    ),
    Fault(
        "ambiguous_code",
        "arenden",
        "orsak Missbruk: the child's or the adult's",
        "value",
        "ARE-034",
        _cell("orsak", "Missbruk"),
        ("bromma",),
    ),
    Fault(
        "wrong_check_digit",
        "arenden",
        "a personnummer with another last digit",
        "value",
        "ARE-005",
        _wrong_check_digit,
        ("hasselby-vallingby",),
    ),
    Fault(
        "american_date", "arenden", "a date with the month first", "value", "ARE-021", _american_date, ("skarpnack",)
    ),
    Fault(
        "future_date",
        "arenden",
        "a case received after the quarter's end",
        "rule",
        "ARE-022",
        _future_date,
        ("skarholmen",),
    ),
    Fault(
        "personnummer_elsewhere",
        "arenden",
        "a personnummer as case number",
        "value",
        "FIL-015",
        _number_elsewhere,
        ("sodermalm",),
    ),
    Fault(
        "duplicate_row_key",
        "arenden",
        "the same case and child twice",
        "rule",
        "ARE-080",
        _repeated_row,
        ("enskede-arsta-vantor",),
    ),
    Fault(
        "missing_intervention",
        "arenden",
        "an offer without its intervention",
        "rule",
        "ARE-072",
        _cell("insats", "", lambda cells: bool(cells["insats"])),
        ("kungsholmen",),
    ),
    Fault(
        "missing_running_number",
        "arenden",
        "a child without personnummer has no running number",
        "rule",
        "ARE-009",
        _cell("lopnummer", "", lambda cells: bool(cells["lopnummer"])),
        ("norrmalm", "norra-innerstaden"),
    ),
    Fault(
        "missing_column", "oppenvard", "beslut_datum is left out", "reading", "FIL-010", _missing_column, ("bromma",)
    ),
    Fault(
        "end_before_start",
        "oppenvard",
        "an episode ends before it starts",
        "rule",
        "OPP-041",
        _end_before_start,
        ("farsta",),
    ),
    Fault("short_row", "oppenvard", "a row lacks a field", "reading", "FIL-013", _short_row, ("skarpnack",)),
    Fault(
        "other_district",
        "oppenvard",
        "the file's name is another district's",
        "file",
        "FIL-002",
        _unchanged,
        ("hasselby-vallingby",),
        _other_district,
    ),
    Fault(
        "waiting_counts",
        "serviceinsatser",
        "the waiting counts don't add up",
        "rule",
        "SER-037",
        _waits_do_not_add_up,
        ("skarholmen",),
    ),
    Fault(
        "totals_row", "serviceinsatser", "a row of sums at the end", "reading", "FIL-014", _totals_row, ("sodermalm",)
    ),
    Fault(
        "headers_alike",
        "serviceinsatser",
        "two headers that mean the same column",
        "reading",
        "FIL-011",
        _headers_alike,
        ("enskede-arsta-vantor",),
    ),
    Fault("empty_file", "serviceinsatser", "no bytes at all", "file", "FIL-004", lambda _: b"", ("kungsholmen",)),
    Fault(
        "unreadable_name",
        "serviceinsatser",
        "a name of the district's own",
        "file",
        "FIL-001",
        _unchanged,
        ("farsta",),
        lambda sheet: f"Serviceinsatser {sheet.quarter.year} kvartal {sheet.quarter.number} (slutlig).csv",
    ),
)


def plant(drawn: dict[tuple[str, str], tuple[bytes, int]], quarter: Quarter) -> dict[tuple[str, str], PlantedFault]:
    """Break one file for each fault.

    Args:
        drawn: content and row count of a quarter's files by district and dataset.
        quarter: that quarter.

    Returns:
        The broken files by district and dataset; all others stay as they are. In a city so small that too few files
        have rows, some faults are left out.
    """
    planted: dict[tuple[str, str], PlantedFault] = {}
    with_rows = [key for key, (_, rows) in drawn.items() if rows]
    for fault in FAULTS:
        wished = [(district, fault.dataset) for district in fault.prefers]
        free = [key for key in [*wished, *with_rows] if key in with_rows and key not in planted]
        key = next((key for key in free if key[1] == fault.dataset), None)
        if key is None:
            continue
        sheet = Sheet(*key, quarter, drawn[key][0])
        name = fault.file_name(sheet) if fault.file_name else f"{key[0]}_{key[1]}_{quarter}.csv"
        planted[key] = PlantedFault(fault.name, name, fault.edit(sheet))
    return planted
