"""No personnummer that was sent in is found afterwards, in any spelling, anywhere under FOLLOWUP_HOME or in any output.

Airflow's logs and database are searched the same way in tests/dags.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from city import Place, drawn_files, settle
from numbers_sent import numbers_in, search


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, set[str], str]:
    """Good and broken files with numbers in all sorts of places, taken in, built and published; what was printed."""
    inbox = shutil.copytree(drawn_files(), tmp_path_factory.mktemp("drawn") / "inbox")
    sent = numbers_in(inbox)
    planted = sorted(sent)[:6]
    broken = inbox / "alvsjo" / "alvsjo_arenden_2018Q1.csv"
    lines = broken.read_bytes().split(b"\r\n")
    lines[3] = planted[0].encode() + b";" + lines[3]
    lines[5] = lines[5].replace(b";", b";" + planted[1].encode(), 1)
    broken.write_bytes(b"\r\n".join(lines))
    (inbox / "norrmalm" / f"norrmalm_{planted[2]}_2018Q1.csv").write_bytes(planted[3].encode() * 3)
    episodes = inbox / "norrmalm" / "norrmalm_oppenvard_2018Q1.csv"
    episodes.write_bytes(episodes.read_bytes() + f'"{planted[4]}\r\n'.encode())
    place = settle(tmp_path_factory.mktemp("place") / "p", inbox)
    checked = place.followup("check", *map(str, sorted(inbox.glob("*/*.csv"))), expect=1)
    checked += place.followup("check", "--format", "json", *map(str, sorted(inbox.glob("*/*.csv"))), expect=1)
    printed = place.followup("run", "--inbox", str(place.inbox), expect=1)
    printed += (
        place.followup("status") + place.followup("status", "--format", "json") + place.followup("publish", "--approve")
    )
    file_names = {path.name for path in inbox.glob("*/*.csv")}
    for name in file_names:  # what was typed on the command line is repeated as typed by --format json
        checked = checked.replace(name, "")
    return place, sent, checked + printed


def test_there_were_numbers_to_find(taken_in: tuple[Place, set[str], str], tmp_path: Path) -> None:
    _, sent, _ = taken_in
    assert len(sent) > 40
    one = sorted(sent)[0]
    for spelling in (one, one[2:], f"{one[:8]}-{one[8:]}", f"{one[2:8]}+{one[8:]}", f"{one[2:8]} {one[8:]}"):
        (tmp_path / "file.bin").write_bytes(b"\x00\xff" + spelling.encode() + b"\x01")
        assert search([tmp_path], sent) == [tmp_path / "file.bin"]


def test_no_number_is_under_home(taken_in: tuple[Place, set[str], str]) -> None:
    place, sent, _ = taken_in
    assert search([place.home], sent) == []
    assert len([p for p in place.home.glob("**/*") if p.is_file()]) > 20


def test_no_number_was_printed(taken_in: tuple[Place, set[str], str], tmp_path: Path) -> None:
    _, sent, printed = taken_in
    (tmp_path / "printed").write_text(printed, encoding="utf-8")
    assert len(printed) > 1000
    assert search([tmp_path], sent) == []
