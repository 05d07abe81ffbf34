"""Queries about a file that seems to be another quarter's or another unit's. Each of its rows may still be right.

Its rows are compared by sketches (`sketching`) with those of every file of the dataset in force; its dates are compared
with the quarter in its name. The limits were chosen on the synthetic city (docs/decisions/0048).
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa

from ingest.conforming import ConformedTable
from ingest.contracts import Contract, load_contracts
from ingest.districts import load_districts
from ingest.failures import in_words
from ingest.findings import Finding, count_with_noun, file_finding
from ingest.history import Past
from ingest.ledger import Submission
from ingest.name_guesses import quarter_in, unit_in
from ingest.quarters import Quarter
from ingest.reading.headers import column_place
from ingest.reading.tables import RawTable
from ingest.row_files import RowFiles
from ingest.sentinels import DATE_BAD, day_number
from ingest.sketching import MOST_HASHES, Sketch, read_sketch
from ingest.storing import damaged_rows

log = logging.getLogger(__name__)
SIMILAR_FILE = "FIL-086"
SAME_FROM_QUARTER_TO_QUARTER = ("rutiner", "utbud")
"""Datasets that describe how things are: a unit's next file is often the same."""
LEAST_BITS = 24.0
"""Evidence that the rows in common must hold together; small counts agree by chance."""
_EPOCH = date(1970, 1, 1)
_FOR_EVER = day_number(date(2200, 1, 1))
"""Systems write 9999-12-31 for what has no end."""


@dataclass(frozen=True)
class _Limit:
    """From which share of rows in common a unit's own other file is asked about, and from how many rows."""

    share: float = 0.75
    rows: int = 5


_OTHER_UNITS, _COUNTS = _Limit(rows=1), _Limit(rows=1)
_OWN = {"arenden": _Limit(), "grupper": _Limit(), "oppenvard": _Limit(share=0.9, rows=15)}
"""Rows that stay open are carried on from quarter to quarter as they were; counts are new each quarter."""


@dataclass(frozen=True)
class _Events:
    """Dates of what happens in the quarter, and how many rows a file needs to be judged by them.

    `planned` may be after the quarter.
    """

    columns: tuple[str, ...]
    least_rows: int
    planned: tuple[str, ...] = ()


_EVENTS = {
    "aktiviteter": _Events(("datum",), 3),
    "arenden": _Events(("inkom_datum", "forhandsbedomning_klar", "utredning_start", "utredning_slut"), 5),
    "grupper": _Events(("faktisk_start",), 15, ("planerad_start",)),
    "oppenvard": _Events(("ansokan_datum", "beslut_datum", "start_datum", "slut_datum", "uppfoljd_datum"), 20),
}
_TITLES = "Bladets namn eller raderna ovanför rubrikerna"
_MOST_NAMED = 12
"""Different cells of a column that says in which quarter or unit its rows are."""
_LATER_SHARE = 0.2
"""Share of rows with a date after the quarter from which the file seems to be a later one's, not a slip of the pen."""


def rows_in_common(one: Sketch, other: Sketch) -> tuple[float, float, int]:
    """How much two files have in common.

    Returns:
        The share of all different rows that both files have (exact when both are small, else estimated); the evidence
        in bits of the shared rows in the sketches; and how many these are.
    """
    if not len(one.hashes) or not len(other.hashes):
        return 0.0, 0.0, 0
    place = np.searchsorted(other.hashes, one.hashes).clip(max=len(other.hashes) - 1)
    shared = other.hashes[place] == one.hashes
    if not shared.any():  # as with nearly all files
        return 0.0, 0.0, 0
    union = np.union1d(one.hashes, other.hashes)
    if not (one.is_whole and other.is_whole):
        union = union[:MOST_HASHES]
    shared &= one.hashes <= union[-1]
    return float(shared.sum() / len(union)), float(one.bits[shared].sum()), int(shared.sum())


@lru_cache(maxsize=8192)
def _sketch_in(files: RowFiles, name: str, checksum: str, dataset: str) -> Sketch:
    """The sketch of a stored file, which never changes under its checksum."""
    contract = load_contracts()[dataset]
    if (path := files.local(name)) is not None:
        return read_sketch(path, contract)
    content = files.read(name)
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError("it is not what was stored")
    return read_sketch(pa.BufferReader(content), contract)


def _sketches(files: RowFiles, others: Sequence[Submission]) -> Iterator[Sketch | Exception]:
    """The sketch of each, or why it can't be read."""

    def one(other: Submission) -> Sketch | Exception:
        try:
            return _sketch_in(files, other.parquet_path or "", other.parquet_sha256 or "", other.dataset or "")
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            return error

    with ThreadPoolExecutor(files.at_once) as threads:
        yield from threads.map(one, others)


def _family(district_code: str) -> set[str]:
    """A unit, those it replaced and those that replaced it: open rows go from one to the other."""
    pairs = [(before, after) for before, after, _ in load_districts().successions]
    return {district_code} | {b for b, a in pairs if a == district_code} | {a for b, a in pairs if b == district_code}


def find_similar_files(table: ConformedTable, contract: Contract, past: Past | None) -> list[Finding]:
    """A query when the file equals, or nearly equals, one in force of another quarter or unit; the most alike is named.

    An earlier version of the same file is never compared, nor a file without rows that say anything. A stored file that
    can't be read is passed over with a warning: it is no fault of this one.
    """
    mine = table.sketch
    if past is None or mine is None or not mine.rows:
        return []
    family = _family(past.district_code)
    found: list[tuple[bool, float, Submission]] = []
    is_compared_with_own = contract.dataset not in SAME_FROM_QUARTER_TO_QUARTER
    compared = [
        other
        for other in past.others(contract.dataset)
        if other.parquet_path is not None and (is_compared_with_own or other.district_code not in family)
    ]
    for other, theirs in zip(compared, _sketches(past.files, compared), strict=True):
        limit = _OWN.get(contract.dataset, _COUNTS) if other.district_code in family else _OTHER_UNITS
        if isinstance(theirs, Exception):
            is_of_disk = isinstance(theirs, OSError) and theirs.errno not in (
                None,
                errno.ENOENT,
                errno.ENOTDIR,
                errno.EISDIR,
            )
            log.warning("%s", (in_words(theirs) if is_of_disk else None) or damaged_rows(past.files, other))
            continue
        share, bits, rows = rows_in_common(mine, theirs)
        if share >= limit.share and rows >= limit.rows and bits >= LEAST_BITS:
            same = mine.rows == theirs.rows and mine.digest == theirs.digest
            found.append((same, share, other))
    if not found:
        return []
    this = str(past.quarter)
    same, share, other = max(
        found, key=lambda one: (*one[:2], one[2].reporting_quarter == this, one[2].reporting_quarter or "")
    )
    others = count_with_noun(len(found) - 1, "annan fil", "andra filer")
    more = f" Även {others} är lika." if len(found) > 1 else ""
    return [
        file_finding(
            SIMILAR_FILE,
            row_key=f"{other.district_code}|{other.reporting_quarter}",
            share="Alla rader" if same else f"{min(int(100 * share), 99)} % av raderna",
            dataset=contract.dataset,
            unit=_unit_name(other.district_code),
            quarter=other.reporting_quarter,
            more=more,
        )
    ]


def find_dates_outside_quarter(table: ConformedTable, contract: Contract, quarter: Quarter) -> list[Finding]:
    """A query when no event of the file is in the quarter, or many are after it; it says in which quarter they are.

    Files with few rows are not judged: in one of them nothing may have happened.
    """
    events = _EVENTS.get(contract.dataset)
    if events is None or table.rows < events.least_rows:
        return []
    start, end = day_number(quarter.start), day_number(quarter.end)
    newest = np.max([table.values[name] for name in events.columns], axis=0)
    read = newest > DATE_BAD
    after = newest[(newest > end) & (newest < _FOR_EVER)]
    if len(after) >= max(events.least_rows, _LATER_SHARE * table.rows):
        quarters = Counter(_quarter_of(int(day)) for day in after.tolist())
        where, rows = quarters.most_common(1)[0]
        what = f"{count_with_noun(rows, 'rad', 'rader')} har datum i {where}, efter {quarter}."
        return [file_finding("FIL-087", row_key=str(where), what=what)]
    reached = np.max([newest, *(table.values[name] for name in events.planned)], axis=0)
    if read.sum() < events.least_rows or (reached >= start).any():
        return []
    where = _quarter_of(int(newest[read].max()))
    what = f"De senaste datumen i filen ligger i {where}, inga i {quarter}."
    return [file_finding("FIL-087", row_key=str(where), what=what)]


def find_other_titles(titles: Sequence[str], district_code: str, quarter: Quarter) -> list[Finding]:
    """A query when a sheet's name or title names another quarter or unit than the file's name, and never the file's.

    Only quarters and units as we write them are said, nothing of the titles.
    """
    quarters = [found for found in map(quarter_in, titles) if found]
    units = [found for found in map(unit_in, titles) if found]
    said = []
    if quarters and quarter not in quarters:
        said.append(str(quarters[0]))
    if units and not _family(district_code) & set(units):
        said.append(_unit_name(units[0]))
    if not said:
        return []
    return [_said_otherwise(_TITLES, said, district_code, quarter)]


def find_other_columns(table: RawTable, district_code: str, quarter: Quarter) -> list[Finding]:
    """A query for each column that no dataset has and that names another quarter or unit than the file's name.

    Every cell must name a quarter, or all the same unit: a column may also say where a child lives.
    """
    found = []
    for position, column in table.extra.items():
        cells = column.unique()
        if pa.types.is_dictionary(cells.type):
            cells = cells.dictionary_decode()
        texts = [text for cell in cells.slice(0, _MOST_NAMED + 2).to_pylist() if (text := _text(cell, table.encoding))]
        if not 0 < len(texts) <= _MOST_NAMED:
            continue
        quarters, units = {quarter_in(text) for text in texts}, {unit_in(text) for text in texts}
        said: list[str] = []
        if None not in quarters:
            said = sorted(str(other) for other in quarters if other != quarter)
        elif len(units) == 1 and None not in units and not _family(district_code) & units:
            said = [_unit_name(unit) for unit in units if unit]
        if said:
            found.append(_said_otherwise(f"Kolumn {column_place(position)}", said, district_code, quarter))
    return found


def _text(cell: bytes | None, encoding: str) -> str:
    return (cell or b"").decode(encoding).strip()


def _unit_name(code: str) -> str:
    unit = load_districts().get(code)
    return code if unit is None else unit.name


def _said_otherwise(where: str, said: Sequence[str], district_code: str, quarter: Quarter) -> Finding:
    what = " och ".join(said)
    return file_finding("FIL-088", row_key=what, where=where, what=what, named=f"{district_code} {quarter}")


def find_wrong_file(
    table: RawTable, conformed: ConformedTable, contract: Contract, past: Past | None, name: tuple[str, Quarter]
) -> list[Finding]:
    """All queries about a file that seems to be another one; what follows from the likeness to a file is left out.

    Args:
        table, conformed: the file as it was read.
        contract: the dataset's.
        past: what is in force; None when it isn't known.
        name: unit and quarter that the file's name says.
    """
    similar = find_similar_files(conformed, contract, past)
    others = [
        *find_other_titles(table.titles, *name),
        *find_other_columns(table, *name),
        *find_dates_outside_quarter(conformed, contract, name[1]),
    ]
    if similar:
        unit, _, quarter = (similar[0].row_key or "").partition("|")
        same = {quarter, unit, _unit_name(unit)} - {str(name[1])}
        others = [one for one in others if not set((one.row_key or "").split(" och ")) <= same]
    return [*similar, *others]


def _quarter_of(day: int) -> Quarter:
    return Quarter.of(_EPOCH + timedelta(days=day))
