"""Files that LibreOffice Calc 7.4 saved: every format of one table gives the same rows and the same findings.

They were made with `soffice --headless --convert-to` from the two files without a suffix: `text` with every column
imported as text, `general` as the program takes it by itself (which drops the zeros before a number for good: the file
holds none, in any format).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ingest.checking import CheckReport, Circumstances, check_file
from ingest.naming import read_name
from ingest.persons.keys import throwaway_keys

SAVED = Path(__file__).parent / "libreoffice"
KEYS = throwaway_keys()
FILES = sorted(path.name for path in SAVED.iterdir() if "_" in path.name)


def checked(name: str) -> CheckReport:
    dataset, _, _ = Path(name).stem.partition("_")
    right = read_name(f"bromma_{dataset}_2018Q3{Path(name).suffix}")
    return check_file((SAVED / name).read_bytes(), right, Circumstances(KEYS, date(2019, 1, 1), 200))


def cells(report: CheckReport, *, without_zeros: bool) -> dict[str, list[str]]:
    """Cells by column, as text; without the zeros before whole numbers where a spreadsheet dropped them."""
    assert report.raw is not None
    found = {}
    for name, column in report.raw.columns.items():
        texts = [(cell or b"").decode(report.raw.encoding) for cell in column.to_pylist()]
        found[name] = [t.lstrip("0") or t if without_zeros and t.isdigit() else t for t in texts]
    return found


def test_both_ways_of_opening_a_csv_are_there() -> None:
    assert len(FILES) == 12


@pytest.mark.parametrize("name", FILES)
def test_file_saved_by_libreoffice_gives_the_rows_of_the_file_it_was_made_of(name: str) -> None:
    dataset, _, way = Path(name).stem.partition("_")
    source, saved = checked(f"{dataset}.csv"), checked(name)
    is_general = way.startswith("general")
    assert cells(saved, without_zeros=is_general) == cells(source, without_zeros=is_general)
    assert saved.accepted and [c.rule for c in saved.counts()] == [c.rule for c in source.counts()]


STRUCK = {"one_row": "Rad 3 är överstruken", "two_rows": "2 rader är överstrukna, den första är rad 2", "one_cell": ""}


@pytest.mark.parametrize("ending", ["xls", "ods"])
@pytest.mark.parametrize("name", STRUCK)
def test_rows_struck_out_are_asked_about_in_every_format(name: str, ending: str) -> None:
    """Made from `files/struck/` by `soffice --headless --convert-to`."""
    raw = (SAVED / "struck" / f"{name}.{ending}").read_bytes()
    right = read_name(f"bromma_ungdomsmottagning_2018Q3.{ending}")
    report = check_file(raw, right, Circumstances(KEYS, date(2019, 1, 1), 200))
    messages = [found.message for found in report.findings() if found.rule == "FIL-071"]
    assert report.accepted and report.rows == 3 and len(messages) == bool(STRUCK[name])
    assert all(message.startswith(STRUCK[name]) for message in messages)
