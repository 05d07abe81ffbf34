"""Edits that break a drawn file: each takes a sheet and returns the bytes that are sent instead.

`faults` says what each means, and which rule must refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from ingest.districts import load_districts
from synthetic.draws import day_number
from synthetic.habits import dates, spellings
from synthetic.routines import IN_PLACE, STATUSES
from synthetic.sheets import Sheet
from synthetic.workbooks import workbook_bytes
from synthetic.writing import encoded


def mixed_encodings(sheet: Sheet) -> bytes:
    """One row in the middle in the other encoding."""
    row = sheet.rows[len(sheet.rows) // 2]
    sheet.set(row, "uppgiftslamnare", "Vårdnadshavare")
    other = "cp1252" if sheet.habit.encoding.startswith("utf-8") else "utf-8"
    before, after = sheet.rows[: len(sheet.rows) // 2], sheet.rows[len(sheet.rows) // 2 + 1 :]
    head = encoded(sheet.unit, map(sheet.line, [sheet.header, *before]))
    tail_encoding = sheet.habit.encoding.removesuffix("-sig")
    tail = encoded(sheet.unit, map(sheet.line, after), tail_encoding)
    return head + encoded(sheet.unit, [sheet.line(row)], other) + tail


def cell(column: str, text: str, fits: Callable[[dict[str, str]], bool] = lambda _: True) -> Callable[[Sheet], bytes]:
    """An edit that puts a text into the first fitting row."""

    def edit(sheet: Sheet) -> bytes:
        sheet.set(sheet.row(fits), column, text)
        return sheet.content()

    return edit


def wrong_check_digit(sheet: Sheet) -> bytes:
    """A personnummer with another last digit."""
    row = sheet.row(lambda cells: bool(cells["personnummer"]))
    number = row[sheet.place("personnummer")]
    sheet.set(row, "personnummer", number[:-1] + str((int(number[-1]) + 1) % 10))
    return sheet.content()


def american_date(sheet: Sheet) -> bytes:
    """A date of receipt with the month first."""
    end = sheet.quarter.end
    sheet.set(sheet.row(lambda cells: not cells["forhandsbedomning_klar"]), "inkom_datum", f"{end:%m/%d/%Y}")
    return sheet.content()


def future_date(sheet: Sheet) -> bytes:
    """A date of receipt after the quarter's end."""
    late = np.array([day_number(sheet.quarter.end + timedelta(days=40))])
    row = sheet.row(lambda cells: not cells["forhandsbedomning_klar"] and not cells["utredning_inledd"])
    sheet.set(row, "inkom_datum", dates(sheet.unit, late)[0])
    return sheet.content()


def number_elsewhere(sheet: Sheet) -> bytes:
    """A personnummer as case number."""
    row = sheet.row(lambda cells: bool(cells["personnummer"]))
    sheet.set(row, "arende_id", row[sheet.place("personnummer")])
    return sheet.content()


def repeated_row(sheet: Sheet) -> bytes:
    """The first row once more at the end."""
    sheet.rows.append(list(sheet.rows[0]))
    return sheet.content()


def missing_column(sheet: Sheet) -> bytes:
    """Without `beslut_datum`."""
    place = sheet.place("beslut_datum")
    for row in [sheet.header, *sheet.rows]:
        del row[place]
    return sheet.content()


def end_before_start(sheet: Sheet) -> bytes:
    """An episode's start and end exchanged."""
    row = sheet.row(lambda cells: bool(cells["start_datum"] and cells["slut_datum"] not in ("", cells["start_datum"])))
    start, end = row[sheet.place("start_datum")], row[sheet.place("slut_datum")]
    sheet.set(row, "start_datum", end)
    sheet.set(row, "slut_datum", start)
    return sheet.content()


def short_row(sheet: Sheet) -> bytes:
    """A row without one of its fields."""
    del sheet.row(lambda cells: bool(cells["uppfoljningsmetod"]))[sheet.place("malgrupp")]
    return sheet.content()


def unchanged(sheet: Sheet) -> bytes:
    """The file as it is; its name is what is wrong."""
    return sheet.content()


def other_district(sheet: Sheet) -> str:
    """A file name with another district's code."""
    others = [d.code for d in load_districts().valid_in(sheet.quarter) if d.code != sheet.unit]
    return f"{others[0]}_{sheet.dataset}_{sheet.quarter}.csv"


def waits_do_not_add_up(sheet: Sheet) -> bytes:
    """Three more who waited than are new."""
    row = sheet.row(lambda cells: cells["antal_nya"] not in ("", "0"))
    sheet.set(row, "vantade_0_7", str(int(row[sheet.place("vantade_0_7")]) + 3))
    return sheet.content()


def totals_row(sheet: Sheet) -> bytes:
    """A row of sums at the end."""
    first = sheet.place("antal_nya")
    totals = [str(sum(int(row[place] or 0) for row in sheet.rows)) for place in range(first, len(sheet.order))]
    sheet.rows.append(["Summa", *[""] * (first - 1), *totals, *[""] * (len(sheet.header) - len(sheet.order))])
    return sheet.content()


def headers_alike(sheet: Sheet) -> bytes:
    """A second column whose header folds to that of the first."""
    place = sheet.place("antal_nya")
    sheet.header.append(sheet.header[place].swapcase().replace(" ", "-"))
    for row in sheet.rows:
        row.append(row[place])
    return sheet.content()


def more_digital_than_visits(sheet: Sheet) -> bytes:
    """More digital visits than visits."""
    row = sheet.row(lambda cells: cells["besok"] not in ("", "0"))
    sheet.set(row, "digitala_besok", str(int(row[sheet.place("besok")]) + 2))
    return sheet.content()


def more_stay_than_came(sheet: Sheet) -> bytes:
    """A group that more finish than took part in."""
    row = sheet.row(lambda cells: cells["fullfoljt"] not in ("", "0"))
    came = sum(int(row[sheet.place(f"deltagare_{who}")] or 0) for who in ("flickor", "pojkar", "mammor", "pappor"))
    sheet.set(row, "fullfoljt", str(came + 1))
    return sheet.content()


def before_the_quarter(sheet: Sheet) -> bytes:
    """An activity nine days before the quarter."""
    early = np.array([day_number(sheet.quarter.start - timedelta(days=9))])
    sheet.set(sheet.rows[0], "datum", dates(sheet.unit, early)[0])
    return sheet.content()


def more_followed_up_than_went_home(sheet: Sheet) -> bytes:
    """More children followed up within three days than went home."""
    row = sheet.rows[-1]
    sheet.set(row, "antal_uppfoljda_inom_tre_dygn", str(int(row[sheet.place("antal_hem_utan_placering")]) + 1))
    return sheet.content()


def revised_though_planned(sheet: Sheet) -> bytes:
    """A day of revision for a routine that is not in place."""
    day = np.array([day_number(sheet.quarter.start)])
    in_place = spellings(sheet.unit, sheet.dataset, "rutin", STATUSES)[IN_PLACE]
    planned = sheet.row(lambda cells: cells["rutin"] != in_place)
    sheet.set(planned, "senast_reviderad", dates(sheet.unit, day)[0])
    return sheet.content()


def merged_cells(sheet: Sheet) -> bytes:
    """The workbook with two cells merged."""
    return workbook_bytes(sheet.unit, sheet.dataset, sheet.quarter, sheet.columns, merged="malgrupp")
