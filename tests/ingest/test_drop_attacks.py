"""Links, pipes, devices and odd names in a drop location: nothing outside is read, written, emptied or awaited."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from drop_attacks import OTHERS, Outside, device_at, in_time, socket_at
from drop_servers import FolderPlace, SftpPlace
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.locations import local_folder, sources
from ingest.locations.sources import DropLocationUnreachable
from ingest.receiving import receive_district
from ingest.settings import Settings

pytestmark = pytest.mark.server
NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])


@pytest.fixture(params=["folder", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> FolderPlace:
    if request.param == "sftp":
        return SftpPlace(request.getfixturevalue("sshd"), tmp_path / "drop")
    return FolderPlace(tmp_path / "drop")


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def states(settings: Settings) -> list[str]:
    return in_time(lambda: [file.state for file in receive_district(settings, DISTRICT).files])


def linked(at: Path, outside: Outside) -> None:
    (at / f"{NAME}.txt").symlink_to(outside.rows)
    (at / f"{NAME}.txt.part").symlink_to(outside.ledger)
    (at / f"{NAME}.json").symlink_to(outside.folder / "mapp")
    (at / f"{NAME}.json.part").symlink_to(outside.pipe)


def hard_linked(at: Path, outside: Outside) -> None:
    for ending, path in {"txt": outside.rows, "txt.part": outside.ledger, "json.part": outside.inner}.items():
        os.link(path, at / f"{NAME}.{ending}")
    outside.seen()


def piped(at: Path, outside: Outside) -> None:
    for ending in ("txt", "txt.part", "json.part"):
        os.mkfifo(at / f"{NAME}.{ending}")
    socket_at(at / f"{NAME}.json")


def dangling(at: Path, outside: Outside) -> None:
    for ending in ("txt", "txt.part", "json", "json.part"):
        (at / f"{NAME}.{ending}").symlink_to(outside.folder / "made")


@pytest.mark.parametrize("placed", [linked, hard_linked, piped, dangling])
def test_answers_replace_what_has_their_names_and_leave_what_it_leads_to(
    placed: Callable[[Path, Outside], None], place: FolderPlace, installation: Installation, outside: Outside
) -> None:
    place.put(NAME, GOOD)
    answers = place.folder / "aterkoppling"
    answers.mkdir()
    placed(answers, outside)
    assert states(place.settings(installation.settings, DISTRICT)) == ["accepted"]
    made = [answers / f"{NAME}.json", answers / f"{NAME}.txt"]
    assert [path for path in sorted(answers.iterdir()) if not path.name.endswith(".part")] == made
    assert all(stat.S_ISREG(path.lstat().st_mode) and path.stat().st_nlink == 1 for path in made)
    assert b"TAS IN: 1 rad" in (answers / f"{NAME}.txt").read_bytes()
    outside.assert_untouched()


@pytest.mark.parametrize("is_link", [True, False])
def test_answers_folder_that_leads_elsewhere_is_never_written_to(
    is_link: bool, place: FolderPlace, installation: Installation, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    place.put(NAME, GOOD)
    answers = place.folder / "aterkoppling"
    (outside.folder / "mapp" / f"{NAME}.xlsx").write_bytes(OTHERS)  # what would be taken back
    outside.seen()
    answers.symlink_to(outside.folder / "mapp") if is_link else os.mkfifo(answers)
    assert states(place.settings(installation.settings, DISTRICT)) == ["accepted"], "and its answers are stored at home"
    assert "a file or link is where a folder should be" in caplog.text
    outside.assert_untouched()


@pytest.mark.parametrize(("folder", "options"), [("received", {"after_receipt": "move"}), ("for_stora", {})])
def test_taken_file_is_moved_to_no_folder_that_leads_elsewhere(
    folder: str, options: dict[str, object], place: FolderPlace, installation: Installation, outside: Outside
) -> None:
    content = GOOD if options else GOOD + b"x" * 1_100_000
    place.put(NAME, content)
    (place.folder / folder).symlink_to(outside.folder / "mapp")
    settings = place.settings(installation.settings, DISTRICT, **options)
    with pytest.raises(DropLocationUnreachable, match="a file or link is where a folder should be"):
        states(settings.model_copy(update={"max_file_megabytes": 1}))
    assert (place.folder / NAME).read_bytes() == content
    outside.assert_untouched()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_clock_s_name_may_be_anything(
    kind: str, place: FolderPlace, installation: Installation, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_folder, "_OWN_DISKS", frozenset())
    place.put(NAME, GOOD)
    clock = place.folder / ".klocka.part"
    if kind == "link":
        clock.symlink_to(outside.ledger)
    elif kind == "hard link":
        os.link(outside.ledger, clock)
    elif kind == "pipe":
        os.mkfifo(clock)
    else:
        clock.mkdir()
    outside.seen()
    assert states(place.settings(installation.settings, DISTRICT)) == ["accepted"]
    assert clock.exists() == (kind == "folder")
    outside.assert_untouched()


def test_what_is_no_file_of_its_own_is_never_read_and_named(
    place: FolderPlace, installation: Installation, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    """The names are those of good files. A pipe, socket or device must not even be opened."""
    folder, names = place.folder, [f"{DISTRICT}_arenden_2018Q{n}.csv" for n in (1, 2, 3, 4)]
    (folder / names[0]).symlink_to(outside.rows)
    os.link(outside.ledger, folder / names[1])
    os.mkfifo(folder / names[2])
    socket_at(folder / names[3])
    has_device = device_at(folder / f"{DISTRICT}_oppenvard_2018Q3.csv")
    outside.seen()
    with caplog.at_level(logging.WARNING):
        assert states(place.settings(installation.settings, DISTRICT)) == []
    said = ["a link", "a hard link: the file has another name too", "no file", "no file"]
    for name, what in zip(names, said, strict=True):
        assert f"{name} ({what})" in caplog.text
    assert not has_device or f"{DISTRICT}_oppenvard_2018Q3.csv (no file)" in caplog.text
    assert sorted(path.name for path in folder.iterdir() if "oppenvard" not in path.name) == names
    assert installation.ledger().submissions() == []
    outside.assert_untouched()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "file"])
def test_manifest_declares_only_as_a_file_of_its_own(
    kind: str, place: FolderPlace, installation: Installation, tmp_path: Path
) -> None:
    place.put(NAME, GOOD)
    manifest, other = place.folder / "SYNTETISK.json", tmp_path / "elsewhere.json"
    other.write_text(json.dumps({"files": {NAME: sha256(GOOD).hexdigest()}}))
    if kind == "link":
        manifest.symlink_to(other)
    elif kind == "hard link":
        os.link(other, manifest)
    elif kind == "pipe":
        os.mkfifo(manifest)
    elif kind == "folder":
        manifest.mkdir()
    else:
        manifest.write_bytes(other.read_bytes())
    assert states(place.settings(installation.settings, DISTRICT)) == ["accepted"]
    assert [found.is_synthetic for found in installation.ledger().in_force()] == [kind == "file"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_location_s_own_folder_is_no_link(
    kind: str, place: FolderPlace, installation: Installation, tmp_path: Path
) -> None:
    settings = place.settings(installation.settings, DISTRICT)
    place.folder.rename(tmp_path / "other")
    (tmp_path / "other" / NAME).write_bytes(GOOD)
    if kind == "pipe":
        os.mkfifo(place.folder)
    else:
        place.folder.symlink_to(tmp_path / ("other" if kind == "link" else "nowhere"))
    with pytest.raises(DropLocationUnreachable, match=f"{DISTRICT}.*a file or link is where a folder should be"):
        states(settings)
    assert [path.name for path in (tmp_path / "other").iterdir()] == [NAME]


def test_folders_above_the_location_may_be_links(
    place: FolderPlace, installation: Installation, tmp_path: Path
) -> None:
    """They are the operator's: an inbox that was moved to another disk."""
    (tmp_path / "disk").mkdir()
    place.folder.rename(tmp_path / "disk" / "drop")
    (tmp_path / "way").symlink_to(tmp_path / "disk")
    url = str(place.entry["url"]).removesuffix("/drop")
    settings = place.settings(installation.settings, DISTRICT, url=f"{url}/way/drop", after_receipt="move")
    (tmp_path / "disk" / "drop" / NAME).write_bytes(GOOD)
    os.utime(tmp_path / "disk" / "drop" / NAME, (1.6e9, 1.6e9))
    assert states(settings) == ["accepted"]
    assert (tmp_path / "disk" / "drop" / "received" / NAME).exists()
    assert (tmp_path / "disk" / "drop" / "aterkoppling" / f"{NAME}.txt").exists()


def test_odd_names_are_refused_answered_and_moved(
    place: FolderPlace, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    names = [
        b"rad\nbrytning\r\x1b[31m.csv",
        b"fel\xff\xfe bytes.csv",
        "å".encode() * 125 + b".csv",
        b"x." + b"y" * 253,
        b"%2e%2e%2fetc.csv",
        b"\xe2\x80\xaevsc.gnal.csv",
        b" ",
        b"-rf",
        b"*",
    ]
    settings = place.settings(installation.settings, DISTRICT, after_receipt="move")
    for content in (GOOD, GOOD + GOOD):  # the second time each name is taken in received/
        for name in names:
            path = os.fsencode(place.folder) + b"/" + name
            Path(os.fsdecode(path)).write_bytes(content)
            os.utime(path, (1.6e9, 1.6e9))
        assert states(settings) == ["refused"] * len(names)
    assert sorted(path.name for path in place.folder.iterdir()) == ["aterkoppling", "received"]
    stored = [os.fsencode(path.name) for path in (place.folder / "received").iterdir()]
    assert len(stored) == 2 * len(names) and set(names) < set(stored)
    assert not any(set(record.getMessage()) & set("\n\r\x1b") for record in caplog.records)
    assert all(path.name.isprintable() for path in (place.folder / "aterkoppling").iterdir())


def test_folder_of_too_many_names_is_given_up_at_once(
    place: FolderPlace, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_MOST_NAMES", 30)
    place.put(NAME, GOOD)
    for number in range(29):
        os.mknod(place.folder / f".{number}.csv")
    settings = place.settings(installation.settings, DISTRICT)
    assert states(settings) == ["accepted"], "as many as there may be"
    place.put(NAME, GOOD)
    os.mkfifo(place.folder / "a")
    with pytest.raises(DropLocationUnreachable, match="more than 30 names lie there: move away what"):
        states(settings)
    assert (place.folder / NAME).exists()


def test_file_of_holes_costs_no_more_than_a_large_file(place: FolderPlace, installation: Installation) -> None:
    """Eight terabytes, made at no cost: its beginning alone is read."""
    place.put(NAME, GOOD)
    os.truncate(place.folder / NAME, 8 << 40)
    os.utime(place.folder / NAME, (1.6e9, 1.6e9))
    settings = place.settings(installation.settings, DISTRICT).model_copy(update={"max_file_megabytes": 1})
    assert states(settings) == ["refused"]
    assert (place.folder / "for_stora" / NAME).stat().st_size == 8 << 40
    assert installation.ledger().submissions()[0].size_bytes == 8 << 40
