"""Who can read the answers: whoever can enter the drop folder, and nobody else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from files import DISTRICT

from ingest.districts import DropLocation
from ingest.locations.entries import modes_below
from ingest.locations.local_folder import put_file
from ingest.locations.sources import Source
from synthetic.writing import write_manifest


@pytest.mark.parametrize(
    ("folder", "is_own", "file", "made"),
    [
        (0o700, True, 0o600, 0o700),
        (0o750, True, 0o640, 0o750),
        (0o2770, True, 0o640, 0o770),
        (0o755, True, 0o640, 0o750),  # never for others where all others can enter
        (0o1777, True, 0o640, 0o770),
        (0o740, True, 0o600, 0o700),  # the group can't enter
        (0o700, False, 0o604, 0o705),  # the owner is the district: to our files a stranger, and the only one
        (0o2770, False, 0o644, 0o775),
        (0o755, False, 0o640, 0o750),
    ],
)
def test_modes_below_follow_from_the_drop_folder_s(folder: int, is_own: bool, file: int, made: int) -> None:
    assert modes_below(folder, is_own) == (file, made)


@pytest.mark.parametrize("umask", [0o077, 0o000])
@pytest.mark.parametrize(("folder", "file", "made"), [(0o700, 0o600, 0o700), (0o2770, 0o640, 0o2770)])
def test_answers_have_their_modes_whatever_the_umask(
    folder: int, file: int, made: int, umask: int, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    drop.chmod(folder)
    before = os.umask(umask)
    try:
        with Source(DISTRICT, DropLocation(url=str(drop))) as source:
            source.leave_feedback("svar.txt", b"svar")
            put_file(drop, "fil.csv", b"rader")
    finally:
        os.umask(before)
    answers = drop / "aterkoppling"
    assert stat.S_IMODE(answers.stat().st_mode) == made
    assert (
        stat.S_IMODE((answers / "svar.txt").stat().st_mode) == stat.S_IMODE((drop / "fil.csv").stat().st_mode) == file
    )
    assert answers.stat().st_gid == (answers / "svar.txt").stat().st_gid == drop.stat().st_gid


def test_synthetic_files_replace_links_and_leave_what_they_lead_to(tmp_path: Path) -> None:
    """`followup demo-data` may write into real drop folders."""
    drop, other = tmp_path / "drop", tmp_path / "other"
    drop.mkdir()
    other.write_bytes(b"{}")
    for name in ("fil.csv", "fil.csv.part", "SYNTETISK.json"):
        (drop / name).symlink_to(other)
    put_file(drop, "fil.csv", b"rader")
    write_manifest(drop, {"fil.csv": "a"}, "notis")
    write_manifest(drop, {"annan.csv": "b"}, "notis")
    assert other.read_bytes() == b"{}" and (drop / "fil.csv").read_bytes() == b"rader"
    assert json.loads((drop / "SYNTETISK.json").read_text())["files"] == {"annan.csv": "b", "fil.csv": "a"}
    (drop / "SYNTETISK.json").unlink()
    os.mkfifo(drop / "SYNTETISK.json")
    write_manifest(drop, {"fil.csv": "a"}, "notis")
    assert sorted(path.name for path in drop.iterdir()) == ["SYNTETISK.json", "fil.csv"]
    (tmp_path / "link").symlink_to(drop)
    with pytest.raises(NotADirectoryError):
        put_file(tmp_path / "link", "fil.csv", b"andra rader")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_answers_in_a_closed_folder_of_another_user_can_be_read_by_it(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    os.chown(drop, 12345, 12345)
    drop.chmod(0o2770)
    with Source(DISTRICT, DropLocation(url=str(drop))) as source:
        source.leave_feedback("svar.txt", b"svar")
    answer = drop / "aterkoppling" / "svar.txt"
    assert stat.S_IMODE(answer.stat().st_mode) == 0o644 and answer.stat().st_gid == 12345
    assert stat.S_IMODE(answer.parent.stat().st_mode) == 0o2775
