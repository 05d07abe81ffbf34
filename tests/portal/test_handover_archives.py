"""An archive is unpacked into its files within limits; a hostile one gives a reason and leaves nothing."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import openpyxl
import pytest
from handing_over import Office, arenden, csv, form

from portal.handover.archives import ArchiveRefused, Entry, entries_of, is_archive
from portal.handover.receiving import Limits

LIMITS = Limits(1_000_000, 1_500_000, 10_000_000, files=4)
CASES, EPISODES = "bromma_arenden_2018Q3.csv", "bromma_oppenvard_2018Q3.csv"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(content := io.BytesIO(), "w", method) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return content.getvalue()


def workbook() -> bytes:
    openpyxl.Workbook().save(content := io.BytesIO())
    return content.getvalue()


def listed(raw: bytes) -> list[Entry]:
    return list(entries_of(raw, LIMITS))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.ledger.close()


def test_files_of_an_archive_are_taken_in_as_if_sent_one_by_one(office: Office) -> None:
    sent = zipped(
        {
            f"kvartal 3/{EPISODES}": csv(EPISODES, []),
            f"kvartal 3/{CASES}": arenden("A1"),
            "kvartal 3/": b"",
            "__MACOSX/kvartal 3/._x": b"x",
            "kvartal 3/.DS_Store": b"x",
            "kvartal 3/mina ärenden.csv": arenden("A2"),
        }
    )
    batch = office.hand_in({"kvartal 3.zip": sent})
    assert [(one.file_name, one.state) for one in batch] == [
        ("kvartal 3.zip", "unpacked"), ("mina ärenden.csv", "unnamed"), (CASES, "accepted"), (EPISODES, "accepted"),
    ]  # fmt: skip
    unnamed = batch[1]
    assert office.left() == [f"{unnamed.upload_id}.bin"] and all(one.sender.name == "anna" for one in batch)
    assert all(one.submitted_at == batch[0].submitted_at for one in batch)
    assert office.spool.read(unnamed.upload_id, office.keys) == ("mina ärenden.csv", arenden("A2"))


def test_workbook_is_no_archive(office: Office) -> None:
    book = workbook()
    assert not is_archive("a.xlsx", book) and not is_archive("a.zip", book) and not is_archive("a", book)
    assert not is_archive("a.ods", zipped({"a.csv": b"x"})) and is_archive("a", zipped({"a.csv": b"x"}))
    assert not is_archive("a.csv", b"PK;1") and is_archive("a.zip", b"PK;1") and not is_archive("a.zip", b"1;2")
    assert [entry.name for entry in listed(zipped({"a.xlsx": book}))] == ["a.xlsx"]
    (one,) = office.hand_in({"bromma_arenden_2018Q3.xlsx": book}, "check")
    assert one.state == "checked" and not one.is_accepted


def test_names_are_read_as_programs_write_them() -> None:
    content = zipped({"\u00e4/\u00f6.csv": b"x"})
    by_apple = content.replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00")  # without the mark of UTF-8
    by_windows = zipped({"x.csv": b"x"}).replace(b"x.csv", "\u00f6.csv".encode("cp437").ljust(5, b"_"))
    for raw in (content, by_apple):
        assert [entry.name for entry in listed(raw)] == ["\u00f6.csv"]
    assert listed(by_windows)[0].name[0] == "\u00f6"


def bomb() -> bytes:
    return zipped({"a.csv": bytes(1_400_000)})


def with_size_of(raw: bytes, claimed: int) -> bytes:
    """The archive, whose headers claim another size unpacked."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        size = archive.infolist()[0].file_size
    return raw.replace(size.to_bytes(4, "little"), claimed.to_bytes(4, "little"))


def linked() -> bytes:
    entry = zipfile.ZipInfo("a.csv")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return content.getvalue()


def flagged(bit: int) -> bytes:
    """An archive whose entry has a flag set in both headers."""
    raw = bytearray(zipped({"a.csv": b"x" * 50}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + place] |= bit
    return bytes(raw)


def overlapping() -> bytes:
    """Many entries over the same bytes, as in a flat bomb."""
    raw = zipped({"a.csv": bytes(900_000)})
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    tail = bytearray(raw[end:])
    tail[8:12] = (3).to_bytes(2, "little") * 2
    tail[12:16] = (3 * (end - start)).to_bytes(4, "little")
    return raw[:start] + raw[start:end] * 3 + bytes(tail)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "too large unpacked": (lambda: zipped({"a.csv": b"x;y\n" * 300_000}), "för stort"),
    "too large together": (lambda: zipped({f"{n}.csv": bytes(range(256)) * 3_500 for n in range(3)}), "för stort"),
    "a bomb": (bomb, "för stort"),
    "a bomb that claims to be small": (lambda: with_size_of(bomb(), 10), "skadat|för stort"),
    "entries over the same bytes": (overlapping, "skadat|för stort"),
    "too many files": (lambda: zipped({f"{n}.csv": b"x" for n in range(5)}), "fler än 4"),
    "very many entries": (lambda: zipped({f"{n}/": b"" for n in range(1100)}), "för många"),
    "empty": (lambda: zipped({}), "ingen fil"),
    "only folders": (lambda: zipped({"a/": b""}), "ingen fil"),
    "a path up": (lambda: zipped({"../a.csv": b"x"}), "leder ut"),
    "a path up by Windows": (lambda: zipped({"a\\..\\..\\a.csv": b"x"}), "leder ut"),
    "an absolute path": (lambda: zipped({"/etc/a.csv": b"x"}), "leder ut"),
    "a drive": (lambda: zipped({"C:/a.csv": b"x"}), "leder ut"),
    "a link": (linked, "länk"),
    "a zip in it": (lambda: zipped({"b.zip": b"x"}), "annat arkiv"),
    "a zip under another name": (lambda: zipped({"b.csv": zipped({"c.csv": b"x"})}), "annat arkiv"),
    "another archive in it": (lambda: zipped({"b.7z": b"x"}), "annat arkiv"),
    "a password": (lambda: flagged(0x1), "lösenord"),
    "strong encryption": (lambda: flagged(0x41), "lösenord"),
    "a compression of its own": (lambda: zipped({"a.csv": b"x" * 50}).replace(b"\x08\x00", b"\x63\x00"), "inte läses"),
    "cut off": (lambda: zipped({"a.csv": bytes(range(256)) * 40})[:-30], "skadat"),
    "a changed byte": (lambda: zipped({"a.csv": b"secret" * 9}, 0).replace(b"secret", b"sekret", 1), "skadat"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archive_that_is_not_unpacked_says_why(kind: str) -> None:
    make, why = HOSTILE[kind]
    raw = make()
    assert is_archive("a.zip", raw)
    with pytest.raises(ArchiveRefused, match=why) as caught:
        listed(raw)
    assert str(caught.value).startswith("Arkivet ") and crc32(raw) is not None


@pytest.mark.parametrize("purpose", ["check", "submit"])
def test_refused_archive_leaves_none_of_its_files(office: Office, purpose: str) -> None:
    sent = zipped({CASES: arenden("A1"), "b.zip": b"x"})
    (one,) = office.hand_in({"allt.zip": sent}, purpose)
    assert (one.state, one.submission_id, one.is_settled) == ("refused", None, True)
    assert one.detail is not None and "annat arkiv" in one.detail
    assert office.left() == [] and office.ledger.submissions() == []
    assert office.handover.report(one.upload_id) is None and office.handover.workbook(one.upload_id) is None


def test_limits_are_those_of_the_installation(office: Office) -> None:
    assert Limits.of(office.settings) == Limits(200_000_000, 400_000_000, 2_000_000_000)
    received = office.send(form([("a.zip", zipped({f"{n}.csv": b"x" for n in range(61)}))]))
    office.work_all()
    assert office.one(received.upload_ids[0]).state == "refused"


@pytest.mark.parametrize("limits", [{"unit_files": 3}, {"unit_bytes": 3_000}])
def test_archive_takes_no_more_room_than_its_files_would(office: Office, limits: dict[str, int]) -> None:
    office.limits = replace(Limits.of(office.settings), **limits)
    (one,) = office.hand_in({"allt.zip": zipped({f"{at}.csv": b"x" * 1_000 for at in range(4)})}, "check")
    assert (one.state, office.left()) == ("refused", [])
    assert one.detail is not None and "För många filer väntar redan" in one.detail
