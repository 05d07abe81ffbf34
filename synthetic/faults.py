"""Broken files, one fault each, as districts do send them: intake must refuse each by its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synthetic import fault_edits
from synthetic.sheets import Sheet
from synthetic.tables import DrawnTable

CORRECTED = "_corrected"
"""Folder under the city's with the correct files, by district, to be dropped after the refusal."""


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
    ending: str = "csv"


@dataclass(frozen=True)
class PlantedFault:
    """A fault in one district's file: the name and bytes it is dropped with."""

    name: str
    file_name: str
    content: bytes


FAULTS: tuple[Fault, ...] = (
    Fault(
        "mixed_encodings",
        "arenden",
        "one row of a UTF-8 file is Windows-1252",
        "reading",
        "FIL-007",
        fault_edits.mixed_encodings,
        ("ostermalm", "kungsholmen", "norra-innerstaden"),
    ),
    Fault(
        "unknown_code",
        "arenden",
        "an orsak that no list holds",
        "value",
        "ARE-033",
        fault_edits.cell("orsak", "Trolldom"),
        ("farsta",),
    ),
    Fault(
        "ambiguous_code",
        "arenden",
        "orsak Missbruk: the child's or the adult's",
        "value",
        "ARE-034",
        fault_edits.cell("orsak", "Missbruk"),
        ("bromma",),
    ),
    Fault(
        "wrong_check_digit",
        "arenden",
        "a personnummer with another last digit",
        "value",
        "ARE-005",
        fault_edits.wrong_check_digit,
        ("hasselby-vallingby",),
    ),
    Fault(
        "american_date",
        "arenden",
        "a date with the month first",
        "value",
        "ARE-021",
        fault_edits.american_date,
        ("skarpnack",),
    ),
    Fault(
        "future_date",
        "arenden",
        "a case received after the quarter's end",
        "rule",
        "ARE-022",
        fault_edits.future_date,
        ("skarholmen",),
    ),
    Fault(
        "personnummer_elsewhere",
        "arenden",
        "a personnummer as case number",
        "value",
        "FIL-015",
        fault_edits.number_elsewhere,
        ("sodermalm",),
    ),
    Fault(
        "duplicate_row_key",
        "arenden",
        "the same case and child twice",
        "rule",
        "ARE-080",
        fault_edits.repeated_row,
        ("enskede-arsta-vantor",),
    ),
    Fault(
        "missing_intervention",
        "arenden",
        "an offer without its intervention",
        "rule",
        "ARE-072",
        fault_edits.cell("insats", "", lambda cells: bool(cells["insats"])),
        ("kungsholmen",),
    ),
    Fault(
        "missing_running_number",
        "arenden",
        "a child without personnummer has no running number",
        "rule",
        "ARE-009",
        fault_edits.cell("lopnummer", "", lambda cells: bool(cells["lopnummer"])),
        ("norrmalm", "norra-innerstaden"),
    ),
    Fault(
        "missing_column",
        "oppenvard",
        "beslut_datum is left out",
        "reading",
        "FIL-010",
        fault_edits.missing_column,
        ("bromma",),
    ),
    Fault(
        "end_before_start",
        "oppenvard",
        "an episode ends before it starts",
        "rule",
        "OPP-041",
        fault_edits.end_before_start,
        ("farsta",),
    ),
    Fault("short_row", "oppenvard", "a row lacks a field", "reading", "FIL-013", fault_edits.short_row, ("skarpnack",)),
    Fault(
        "other_district",
        "oppenvard",
        "the file's name is another district's",
        "file",
        "FIL-002",
        fault_edits.unchanged,
        ("hasselby-vallingby",),
        fault_edits.other_district,
    ),
    Fault(
        "waiting_counts",
        "serviceinsatser",
        "the waiting counts don't add up",
        "rule",
        "SER-037",
        fault_edits.waits_do_not_add_up,
        ("skarholmen",),
    ),
    Fault(
        "totals_row",
        "serviceinsatser",
        "a row of sums at the end",
        "reading",
        "FIL-014",
        fault_edits.totals_row,
        ("sodermalm",),
    ),
    Fault(
        "headers_alike",
        "serviceinsatser",
        "two headers that mean the same column",
        "reading",
        "FIL-011",
        fault_edits.headers_alike,
        ("enskede-arsta-vantor",),
    ),
    Fault("empty_file", "serviceinsatser", "no bytes at all", "file", "FIL-004", lambda _: b"", ("kungsholmen",)),
    Fault(
        "unreadable_name",
        "serviceinsatser",
        "a name of the district's own",
        "file",
        "FIL-001",
        fault_edits.unchanged,
        ("farsta",),
        lambda sheet: f"Serviceinsatser {sheet.quarter.year} kvartal {sheet.quarter.number} (slutlig).csv",
    ),
    Fault(
        "more_finish_than_came",
        "grupper",
        "more stay to the end than took part",
        "rule",
        "GRU-048",
        fault_edits.more_stay_than_came,
        ("hasselby-vallingby", "enskede-arsta-vantor", "bromma"),
    ),
    Fault(
        "offered_twice",
        "utbud",
        "the same line twice",
        "rule",
        "UTB-020",
        fault_edits.repeated_row,
        ("norrmalm", "kungsholmen"),
    ),
    Fault(
        "merged_cells",
        "utbud",
        "a workbook with merged cells in the table",
        "reading",
        "FIL-030",
        fault_edits.merged_cells,
        ("farsta", "skarpnack"),
        ending="xlsx",
    ),
    Fault(
        "digital_beyond_visits",
        "ungdomsmottagning",
        "more digital visits than visits",
        "rule",
        "UNG-021",
        fault_edits.more_digital_than_visits,
        ("sodermalm",),
    ),
    Fault(
        "activity_outside_quarter",
        "aktiviteter",
        "an activity before the quarter",
        "rule",
        "AKT-017",
        fault_edits.before_the_quarter,
        ("kungsholmen", "bromma"),
    ),
    Fault(
        "followed_up_beyond_home",
        "skyddsuppfoljning",
        "more children followed up than went home",
        "rule",
        "SKY-015",
        fault_edits.more_followed_up_than_went_home,
        ("skarholmen",),
    ),
    Fault(
        "revised_though_missing",
        "rutiner",
        "a routine that is not in place was revised",
        "rule",
        "RUT-009",
        fault_edits.revised_though_planned,
        ("enskede-arsta-vantor",),
    ),
)


def plant(drawn: dict[tuple[str, str], DrawnTable]) -> dict[tuple[str, str], PlantedFault]:
    """Break one file for each fault.

    Args:
        drawn: a quarter's files by district and dataset.

    Returns:
        The broken files by district and dataset; all others stay as they are. In a city so small that too few files
        have rows, some faults are left out.
    """
    planted: dict[tuple[str, str], PlantedFault] = {}
    with_rows = [key for key, table in drawn.items() if table.rows]
    for fault in FAULTS:
        wished = [(district, fault.dataset) for district in fault.prefers]
        free = [key for key in [*wished, *with_rows] if key in with_rows and key not in planted]
        key = next((key for key in free if key[1] == fault.dataset), None)
        if key is None:
            continue
        sheet = Sheet(drawn[key])
        name = fault.file_name(sheet) if fault.file_name else f"{key[0]}_{key[1]}_{sheet.quarter}.{fault.ending}"
        planted[key] = PlantedFault(fault.name, name, fault.edit(sheet))
    return planted
