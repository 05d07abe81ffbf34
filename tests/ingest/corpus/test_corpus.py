"""Every file of the corpus gets exactly the verdict and the rules that the manifest declares."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redraw
import yaml

from ingest.checking import Circumstances, check_file
from ingest.feedback import as_json, as_text
from ingest.naming import read_name
from ingest.persons.keys import throwaway_keys

ENTRIES: list[dict[str, Any]] = yaml.safe_load(redraw.MANIFEST.read_text(encoding="utf-8"))
CIRCUMSTANCES = Circumstances(throwaway_keys(), date(2019, 1, 1), 200)
FEWEST = 150


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
def test_file_gets_its_verdict_and_exactly_its_rules(entry: dict[str, Any]) -> None:
    raw = (redraw.FILES / entry["file"]).read_bytes()
    report = check_file(raw, read_name(entry["name"], entry.get("lies_with")), CIRCUMSTANCES)
    reported = "\n".join(as_text(entry["file"], report))
    assert (report.accepted, sorted({count.rule for count in report.counts()})) == (
        entry["accepted"], entry["rules"],
    ), reported  # fmt: skip
    assert as_json(entry["file"], report)["accepted"] is entry["accepted"]


def test_the_manifest_and_the_folder_hold_the_same_files() -> None:
    stored = {str(path.relative_to(redraw.FILES)) for path in redraw.FILES.rglob("*") if path.is_file()}
    assert stored == {entry["file"] for entry in ENTRIES}
    assert len(ENTRIES) >= FEWEST


def test_no_file_has_two_defects() -> None:
    times = Counter(entry["file"] for entry in ENTRIES)
    assert [file for file, count in times.items() if count > 1] == []


def test_files_and_manifest_are_as_they_are_drawn() -> None:
    cases = list(redraw.drawn())
    assert redraw.MANIFEST.read_text(encoding="utf-8") == redraw.manifest(cases), "run tests/ingest/corpus/redraw.py"
    text = [case for case in cases if Path(case.file).suffix == ".csv"]
    assert [c.file for c in text if (redraw.FILES / c.file).read_bytes() != c.content] == [], (
        "run tests/ingest/corpus/redraw.py"
    )
