"""The drawn files as bytes: repeatable, marked as synthetic, and written as differently as districts write."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from readback import decode, quarter, table

from ingest.checking import Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.naming import read_name
from ingest.persons.keys import load_keys, make_keys
from synthetic.city import CityDrawn, draw_city
from synthetic.faults import FAULTS

Drawn = tuple[Path, CityDrawn]


def ending(district: str, dataset: str) -> str:
    """Three districts keep by hand, in Excel, what no case system exports."""
    by_hand = dataset not in ("arenden", "oppenvard", "serviceinsatser")
    return "xlsx" if by_hand and district in ("farsta", "ostermalm", "skarpnack") else "csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_draw_city_writes_every_valid_district_quarter_and_dataset(drawn: Drawn) -> None:
    folder, city = drawn
    wanted = {
        f"{d.code}/{d.code}_{dataset}_{q}.{ending(d.code, dataset)}"
        for q in {file.quarter for file in city.files}
        for d in load_districts().valid_in(q)
        for dataset in load_contracts()
    }
    assert len(wanted) == 9 * (3 * 14 + 2 * 13)
    assert {name for name in contents(folder) if not name.endswith(".json")} == wanted
    assert {str(file.path.relative_to(folder)) for file in city.files} == wanted
    for file in city.files:
        assert len(table(file.path)) == file.rows + 1


def test_draw_city_gives_the_same_bytes_in_another_process(broken: Drawn, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ingest.quarters import Quarter;"
        "from synthetic.city import draw_city;"
        "q = Quarter.parse('2018Q1'); draw_city(Path(sys.argv[1]), q, q, scale=0.1, faults=True)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment, timeout=60)
    assert contents(tmp_path) == contents(broken[0])


def test_draw_city_differs_with_another_seed(broken: Drawn, tmp_path: Path) -> None:
    city = draw_city(tmp_path, quarter("2018Q1"), quarter("2018Q1"), scale=0.1, seed=8)
    clean = {f.path.name: f for f in broken[1].files if f.fault is None}
    same = Counter(
        f.dataset
        for f in city.files
        if f.path.name in clean and f.path.read_bytes() == clean[f.path.name].path.read_bytes()
    )
    # In so small a city two may have had no activity, or as few interviews at Barnahus.
    assert set(same) <= {"aktiviteter", "skyddsuppfoljning"}
    assert all(count < 7 for count in same.values())


def test_draw_city_keeps_common_quarters_when_drawn_longer_or_from_another_start(tmp_path: Path) -> None:
    for name, first, last in (("a", "2018Q1", "2018Q3"), ("b", "2018Q1", "2018Q4"), ("c", "2018Q3", "2018Q4")):
        draw_city(tmp_path / name, quarter(first), quarter(last), scale=0.05)
    short, long, later = ({k: v for k, v in contents(tmp_path / n).items() if not k.endswith(".json")} for n in "abc")
    assert short.items() <= long.items()
    same = {name: content for name, content in later.items() if "_oppenvard_" not in name}
    assert len(same) == 8 * 2 * 14
    assert same.items() <= long.items()


def test_manifest_lists_every_file_with_its_checksum(drawn: Drawn, broken: Drawn) -> None:
    for folder, _ in (drawn, broken):
        for place in {path.parent for path in folder.rglob("*_*Q*")}:
            manifest = json.loads((place / "SYNTETISK.json").read_text(encoding="utf-8"))
            assert "yntetiska uppgifter" in manifest["notice"]
            files = {name: digest for name, digest in manifest["files"].items() if "/" not in name}
            assert files == {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in place.iterdir()
                if path.suffix != ".json"
            }


def test_manifest_is_added_to_when_more_quarters_are_drawn(tmp_path: Path) -> None:
    for text in ("2018Q1", "2018Q2"):
        draw_city(tmp_path, quarter(text), quarter(text), scale=0.02)
    listed = json.loads((tmp_path / "farsta" / "SYNTETISK.json").read_text(encoding="utf-8"))["files"]
    assert list(listed) == sorted(path.name for path in (tmp_path / "farsta").glob("farsta_*"))
    assert len(listed) == 18


def test_districts_write_in_their_own_ways(drawn: Drawn) -> None:
    folder, _ = drawn
    texts = {path: path.read_bytes() for path in folder.glob("*/*_arenden_2020Q1.csv")}
    assert len(texts) == 14
    boms = [path for path, raw in texts.items() if raw.startswith(b"\xef\xbb\xbf")]
    windows = []
    for path, raw in texts.items():
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            windows.append(path)
            assert "Ärende".encode("cp1252") in raw or b"\xe5" in raw or b"\xf6" in raw or b"\xe4" in raw
    assert len(windows) >= 7
    assert len(boms) >= 2
    first_lines = [decode(raw).splitlines()[0] for raw in texts.values()]
    assert sum(";" in line for line in first_lines) >= 10
    assert any(line.count(",") > 10 for line in first_lines)
    assert any(line.count("\t") > 10 for line in first_lines)
    assert any(b"\r\n" not in raw for raw in texts.values())
    cells = "\n".join(decode(raw) for raw in texts.values())
    for form in (
        r"\b2020-0\d-\d\d\b",
        r"[;,\t]2020\d{4}[;,\t]",
        r"\b\d{1,2}\.\d{1,2}\.2020\b",
        r"\b\d{1,2}/\d{1,2}/2020\b",
    ):
        assert re.search(form, cells), form
    for word in ("Flicka", "Kvinna", "kvinna", "KVINNA"):
        assert word in cells


def test_every_fault_is_planted_with_the_correct_file_aside(broken: Drawn, tmp_path: Path) -> None:
    folder, city = broken
    clean = draw_city(tmp_path, quarter("2018Q1"), quarter("2018Q1"), scale=0.1)
    right = {(f.district, f.dataset): f.path.read_bytes() for f in clean.files}
    assert {f.fault for f in city.files if f.fault} == {fault.name for fault in FAULTS}
    for file in city.files:
        correct = right[file.district, file.dataset]
        if file.fault is None:
            assert file.path.read_bytes() == correct
            continue
        name = f"{file.district}_{file.dataset}_2018Q1.{ending(file.district, file.dataset)}"
        assert (folder / "_corrected" / file.district / name).read_bytes() == correct
        assert (file.path.name, file.path.read_bytes()) != (name, correct)
        listed = json.loads((folder / file.district / "SYNTETISK.json").read_text(encoding="utf-8"))["files"]
        assert hashlib.sha256(correct).hexdigest() in listed.values()


def test_intake_accepts_the_clean_files_and_refuses_each_fault_by_its_rule(broken: Drawn, tmp_path: Path) -> None:
    folder, city = broken
    make_keys(tmp_path / "keys.json")
    keys = load_keys(tmp_path / "keys.json")
    today = quarter("2018Q2").start

    def errors(path: Path, district: str) -> set[str]:
        report = check_file(path.read_bytes(), read_name(path.name, district), Circumstances(keys, today, 200))
        return {count.rule for count in report.counts() if count.severity == "error"}

    rules = {fault.name: fault.rule for fault in FAULTS}
    for file in city.files:
        found = errors(file.path, file.district)
        if file.fault is None:
            assert found == set(), file.path.name
            continue
        assert found == {rules[file.fault]}, file.fault
        name = f"{file.district}_{file.dataset}_2018Q1.{ending(file.district, file.dataset)}"
        corrected = folder / "_corrected" / file.district / name
        assert errors(corrected, file.district) == set()


@pytest.mark.parametrize(("first", "last", "scale"), [("2018Q2", "2018Q1", 1.0), ("2018Q1", "2018Q1", 0.0)])
def test_draw_city_refuses_an_empty_window_or_scale(tmp_path: Path, first: str, last: str, scale: float) -> None:
    with pytest.raises(ValueError, match="must"):
        draw_city(tmp_path, quarter(first), quarter(last), scale=scale)


def test_draw_city_refuses_a_negative_seed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed"):
        draw_city(tmp_path, quarter("2018Q1"), quarter("2018Q1"), seed=-1)
