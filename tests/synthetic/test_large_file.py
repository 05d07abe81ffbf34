"""The one large file for measuring intake."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from readback import quarter, read_file

from ingest.checking import Circumstances, check_file
from ingest.naming import read_name
from ingest.persons.keys import throwaway_keys
from synthetic import large_file
from synthetic.large_file import draw_cases_file
from synthetic.people import People


def test_draw_cases_file_gives_rows_as_asked_and_the_same_bytes_again(tmp_path: Path) -> None:
    path = tmp_path / "farsta_arenden_2018Q3.csv"
    draw_cases_file(path, "farsta", quarter("2018Q3"), 3000, seed=3)
    first = path.read_bytes()
    file = read_file(path)
    assert len(file.rows) == 3000
    assert len({(row["arende_id"], row["personnummer"] or row["lopnummer"]) for row in file.rows}) == 3000
    assert "Ärende-ID".encode("cp1252") in first
    assert list(json.loads((tmp_path / "SYNTETISK.json").read_text(encoding="utf-8"))["files"]) == [path.name]
    draw_cases_file(path, "farsta", quarter("2018Q3"), 3000, seed=3)
    assert path.read_bytes() == first


def test_draw_cases_file_spoils_the_share_asked_for(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    draw_cases_file(good, "farsta", quarter("2018Q3"), 3000, seed=3, encoding="utf-8")
    draw_cases_file(bad, "farsta", quarter("2018Q3"), 3000, seed=3, bad_share=0.2, encoding="utf-8")
    pairs = zip(
        good.read_text(encoding="utf-8").splitlines(), bad.read_text(encoding="utf-8").splitlines(), strict=True
    )
    changed = sum(a != b for a, b in pairs)
    assert 0.17 * 3000 < changed < 0.23 * 3000


def test_draw_cases_file_holds_nobody_over_20_although_birth_months_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crowded(People):
        def __init__(self) -> None:
            super().__init__()
            self._taken += 5 * 31  # every month's reserved numbers are given: children are born months earlier

    monkeypatch.setattr(large_file, "People", Crowded)
    path = tmp_path / "farsta_arenden_2018Q3.csv"
    draw_cases_file(path, "farsta", quarter("2018Q3"), 2000, seed=3)
    name = read_name(path.name)
    report = check_file(path.read_bytes(), name, Circumstances(throwaway_keys(), date(2019, 1, 1), 200))
    assert report.rows == 2000
    assert report.accepted
