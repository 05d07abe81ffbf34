"""The tables of an organisation, read and checked: a wrong row is named by file and line before anything uses it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.organisation import (
    FILE,
    OWN,
    SEEDS,
    Code,
    Name,
    Organisation,
    OrganisationError,
    organisation_folder,
)
from ingest.settings import ORGANISATION

Row = Mapping[str, str]
_CODE, _NAME = TypeAdapter(Code), TypeAdapter(Name)
UNITS = ("districts", "district_successions", "areas", "intervention_aliases")
"""The tables that every process reads."""
_COLUMNS = {
    "districts": ("district_code", "name", "kind", "valid_from", "valid_to"),
    "district_successions": ("predecessor_code", "successor_code", "from_date"),
    "areas": ("district_code", "area_code", "name", "socioeconomic", "pilot_from"),
    "population": ("district_code", "area_code", "calendar_year", "age_band", "sex", "inhabitants", "is_synthetic"),
    "intervention_aliases": ("district_code", "alias", "intervention_code"),
}
_KINDS, _LEVELS = ("district", "citywide"), ("lag", "medel", "hog")
_AGES, _SEXES = ("0-5", "6-12", "13-17", "18-20", "vuxen"), ("kvinna", "man")


@lru_cache(maxsize=64)
def _rows(path: Path) -> Sequence[Row]:
    """A table's rows; every row has every column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            table = csv.DictReader(handle, strict=True)
            rows, found = tuple(table), tuple(table.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise OrganisationError(f"{path}: can't be read as CSV in UTF-8 ({error})") from None
    except OSError as error:
        raise OrganisationError(
            f"{path}: can't be read ({error.strerror}): {ORGANISATION} names the folder that has it"
        ) from None
    wanted = _COLUMNS.get(path.stem)
    if wanted is not None and found != wanted:
        raise OrganisationError(f"{path}: the first line must be {','.join(wanted)}")
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise OrganisationError(f"{path}, row {line}: it has not as many cells as there are columns")
    return rows


def read_seed(name: str) -> Sequence[Row]:
    """Rows of a seed as dictionaries of text, by the file's stem. Read once per process, as the contracts are.

    Raises:
        OrganisationError: the file can't be read or has other columns.
    """
    return _rows((organisation_folder() if name in OWN else SEEDS) / f"{name}.csv")


def check_tables(organisation: Organisation, *, whole: bool = True) -> None:
    """Check the tables of this process's organisation against each other and against its file.

    Args:
        organisation: of this process.
        whole: with `population`, the long one, which builds alone read.

    Raises:
        OrganisationError: what is wrong first, with its file and row.
    """
    folder = organisation_folder()
    for name in OWN if whole else UNITS:
        wrong = _CHECKS[name]
        for line, row in enumerate(read_seed(name), 2):
            for complaint in wrong(row):
                raise OrganisationError(f"{folder / name}.csv, row {line}: {complaint}")
    units = {row["district_code"]: row for row in read_seed("districts")}
    _check_units(folder, organisation, units, whole)
    _check_mergers(folder, units)


def _check_units(folder: Path, organisation: Organisation, units: Mapping[str, Row], whole: bool) -> None:
    listed = read_seed("districts")
    if not any(row["kind"] == "district" for row in listed):
        raise OrganisationError(f"{folder / 'districts.csv'}: has no unit of the kind district")
    for column in ("district_code", "name"):
        seen: set[str] = set()
        for line, row in enumerate(listed, 2):
            if row[column] in seen:
                raise OrganisationError(f"{folder / 'districts.csv'}, row {line}: {row[column]} is there twice")
            seen.add(row[column])
    if organisation.code in units:
        raise OrganisationError(
            f"{folder / FILE}: code: {organisation.code} is a unit's too; the whole needs one of its own"
        )
    named = [unit for group in organisation.groups for unit in group.units]
    for place, codes in (("groups", named), ("municipality_codes", list(organisation.municipality_codes))):
        known = units.keys() | ({organisation.code} if place == "municipality_codes" else set())
        unknown = next((code for code in codes if code not in known), None)
        if unknown is not None:
            raise OrganisationError(f"{folder / FILE}: {place}: {unknown} is no unit in districts.csv")
    for name, column in (
        ("district_successions", "predecessor_code"),
        ("district_successions", "successor_code"),
        ("areas", "district_code"),
        ("intervention_aliases", "district_code"),
        *([("population", "district_code")] if whole else []),
    ):
        for line, row in enumerate(read_seed(name), 2):
            if row[column] not in units and not (name == "intervention_aliases" and not row[column]):
                raise OrganisationError(
                    f"{folder / name}.csv, row {line}: {row[column] or 'an empty cell'} is no unit in districts.csv"
                )


def _check_mergers(folder: Path, units: Mapping[str, Row]) -> None:
    path, seen = folder / "district_successions.csv", set()
    for line, row in enumerate(read_seed("district_successions"), 2):
        before, after, since = (row[name] for name in _COLUMNS["district_successions"])
        where = f"{path}, row {line}"
        if before in seen:
            raise OrganisationError(f"{where}: {before} has a successor already")
        seen.add(before)
        ended = units[before]["valid_to"]
        if ended != (date.fromisoformat(since) - timedelta(days=1)).isoformat():
            raise OrganisationError(
                f"{where}: {before} becomes {after} on {since}, so its valid_to in districts.csv must be the day before"
            )
        if units[after]["valid_from"] > since:
            raise OrganisationError(f"{where}: {after} is not there yet on {since}, by districts.csv")


def _of_a_district(row: Row) -> Iterator[str]:
    yield from _not(row, "district_code", _fits(_CODE), "a code: a to z, 0 to 9 and hyphens, 40 at most")
    yield from _not(row, "name", _fits(_NAME), "a name: no quotation marks, brackets or control characters")
    yield from _not(row, "kind", _KINDS.__contains__, f"one of {', '.join(_KINDS)}")
    yield from _not(row, "valid_from", _is_date, "a date, YYYY-MM-DD")
    yield from _not(row, "valid_to", lambda text: not text or _is_date(text), "a date, YYYY-MM-DD, or empty")
    if row["valid_to"] and row["valid_to"] < row["valid_from"]:
        yield "valid_to is before valid_from"


def _of_an_area(row: Row) -> Iterator[str]:
    yield from _not(row, "area_code", lambda text: text.isidentifier(), "a code: letters, digits and _")
    yield from _not(row, "name", _fits(_NAME), "a name")
    yield from _not(row, "socioeconomic", _LEVELS.__contains__, f"one of {', '.join(_LEVELS)}")
    yield from _not(row, "pilot_from", lambda text: not text or _is_date(text), "a date, YYYY-MM-DD, or empty")


def _of_inhabitants(row: Row) -> Iterator[str]:
    yield from _not(row, "calendar_year", lambda text: len(text) == 4 and text.isdecimal(), "a year")
    yield from _not(row, "age_band", _AGES.__contains__, f"one of {', '.join(_AGES)}")
    yield from _not(row, "sex", _SEXES.__contains__, f"one of {', '.join(_SEXES)}")
    yield from _not(row, "inhabitants", lambda text: text.isascii() and text.isdecimal(), "a whole number")
    yield from _not(row, "is_synthetic", ("true", "false").__contains__, "true or false")


_CHECKS: Mapping[str, Callable[[Row], Iterator[str]]] = {
    "districts": _of_a_district,
    "district_successions": lambda row: _not(row, "from_date", _is_date, "a date, YYYY-MM-DD"),
    "areas": _of_an_area,
    "population": _of_inhabitants,
    "intervention_aliases": lambda row: _not(row, "alias", bool, "a word"),
}


def _not(row: Row, column: str, holds: Callable[[str], bool], expected: str) -> Iterator[str]:
    if not holds(row[column]):
        yield f"{column} must be {expected}"


def _fits(kind: TypeAdapter[str]) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            kind.validate_python(text)
        except ValidationError:
            return False
        return True

    return fits


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
