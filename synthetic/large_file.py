"""One `arenden` file with any number of rows, for measuring intake."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.districts import load_districts
from ingest.file_permissions import make_folder
from ingest.quarters import Quarter, quarters_between
from synthetic.arrivals import newcomers
from synthetic.cases import CourseDraw
from synthetic.districts import UNIT_INDEX, districts_of
from synthetic.draws import Ints, Table, day_number, stream
from synthetic.file_columns import Columns, case_columns, cases_shown
from synthetic.people import People, age_years
from synthetic.writing import NOTICE, NOTICE_OTHER_SERIALS, encoded, header_line, lines, sha256, write_manifest

_STREAM = 9
_EVENTS_AT_A_TIME = 60_000
_QUARTERS_BEFORE = 2
"""Cases that are still open may have been received this many quarters earlier."""


def draw_cases_file(
    path: Path,
    district: str,
    quarter: Quarter,
    rows: int,
    seed: int,
    bad_share: float = 0.0,
    encoding: str = "cp1252",
) -> str:
    """Write one `arenden` file with a given number of rows, and a list beside it that says it is synthetic.

    Rows are drawn and written some tens of thousands at a time, so memory stays modest. Equal arguments give equal
    bytes. The file holds newcomers only: nobody comes back in it.

    Args:
        path: the file; its folder is made.
        district: a reporting unit: its areas, codes and way of writing.
        quarter: the file shows the cases as they are at this quarter's end.
        rows: rows besides the header.
        seed: not negative.
        bad_share: share of rows (0–1) with one error each: an unknown code, an impossible date, a wrong check digit, a
            missing source, or a date of receipt after the quarter's end.
        encoding: any of Python's; Windows-1252 and UTF-8 are what intake reads.

    Returns:
        The notice that the file is synthetic, in Swedish.

    Raises:
        ValueError: there is no such unit, or bad_share is not within 0–1.
        NumberSpaceFull: more rows than there are numbers for children.
    """
    if load_districts().get(district) is None or district not in UNIT_INDEX or not 0 <= bad_share <= 1:
        raise ValueError("the district must be a district administration, and bad_share within 0–1")
    rng = stream(seed, _STREAM, quarter.year * 4 + quarter.number)
    people = People()
    make_folder(path.parent)
    written = numbered = outside = 0
    with path.open("wb") as handle:
        handle.write(encoded(district, [header_line(district, "arenden", quarter)], encoding))
        while written < rows:
            cases = _cases(rng, people, district, quarter)
            cases["number"] += numbered
            numbered = int(cases["number"].max(initial=numbered))
            shown = _not_over_20(people, cases_shown(district, quarter, cases))[: rows - written]
            columns = case_columns(district, quarter, people, shown)
            _plant_errors(rng, columns, _positions(rng, bad_share, shown.size), quarter)
            plain = encoding.replace("-sig", "")
            handle.write(encoded(district, lines(district, "arenden", quarter, columns), plain))
            written += shown.size
            outside += people.with_other_serial(shown["person"])
    notice = NOTICE
    if outside:
        notice += NOTICE_OTHER_SERIALS.format(count=outside)
    write_manifest(path.parent, {path.name: sha256(path.read_bytes())}, notice)
    return notice


def _positions(rng: np.random.Generator, share: float, size: int) -> Ints:
    return np.flatnonzero(rng.random(size) < share)


def _cases(rng: np.random.Generator, people: People, district: str, quarter: Quarter) -> Table:
    """Cases of newcomers received in the quarter or shortly before it, numbered from 1."""
    indices = np.array(districts_of(district))
    parts: list[Table] = []
    events = 0
    for received in quarters_between(quarter.back(_QUARTERS_BEFORE), quarter):
        size = _EVENTS_AT_A_TIME // (_QUARTERS_BEFORE + 1)
        arrivals = newcomers(rng, people, received, indices[rng.integers(0, indices.size, size)], 1.0)
        cases, _ = CourseDraw(rng, people, arrivals).run(None)
        cases["lop"] = people.running_numbers(cases["person"].astype("int64"), cases["district"].astype("int64"))
        cases["unit"], cases["year"] = UNIT_INDEX[district], received.year
        cases["number"] = cases["event"] + events + 1
        events += size
        parts.append(cases[cases["closed"] >= day_number(quarter.start)])
    return np.concatenate(parts)


def _not_over_20(people: People, cases: Table) -> Table:
    """Keep cases of children up to 20: where a month has no numbers left, a child gets an earlier month of birth."""
    return cases[age_years(people.rows["birth"][cases["person"]], cases["receipt"]) <= 20]


def _plant_errors(rng: np.random.Generator, columns: Columns, rows: Ints, quarter: Quarter) -> None:
    """Put one error into each of the rows."""
    kinds = rng.integers(0, 5, rows.size)
    for row, kind in zip(rows.tolist(), kinds.tolist(), strict=True):
        number = columns["personnummer"][row]
        if kind == 0 and number:
            columns["personnummer"][row] = number[:-1] + str((int(number[-1]) + 1) % 10)
        elif kind == 1:
            columns["inkom_datum"][row] = f"{quarter.year}-02-31"
        elif kind == 2:
            columns["uppgiftslamnare"][row] = ""
        elif kind == 3:
            columns["inkom_datum"][row] = f"{quarter.year + 1}-01-15"
        else:
            columns["orsak"][row] = "Trolldom"
