"""A spooled file opens as it came or not at all, and no clear byte of it is on disk."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.persons.keys import Keys, throwaway_keys, with_original_key
from ingest.settings import Settings
from ingest.spooling import PIECE_BYTES, DamagedSpool, Spool

KEYS = throwaway_keys()
NAME = "ärenden 201803151234.csv"
HEAD = 10 + 2 + 32


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(Settings(home=tmp_path / "home", keys=tmp_path / "keys.json", inbox=str(tmp_path)))


def write(spool: Spool, upload_id: str, content: bytes, keys: Keys = KEYS) -> Path:
    with spool.write(upload_id, NAME, keys) as writer:
        for start in range(0, len(content), 700_001):
            writer.write(content[start : start + 700_001])
        writer.finish()
    return spool.path_of(upload_id)


def pieces_of(raw: bytes) -> list[bytes]:
    """The sealed pieces of a spooled file, each with its length."""
    pieces, place = [], HEAD
    while place < len(raw):
        length = 4 + int.from_bytes(raw[place : place + 4], "big")
        pieces.append(raw[place : place + length])
        place += length
    return pieces


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_what_was_written_is_read(spool: Spool, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    path = write(spool, "a", content[:size])
    assert spool.read("a", KEYS) == (NAME, content[:size])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(pieces_of(path.read_bytes())) == 1 + max(1, -(-size // PIECE_BYTES))


def test_no_clear_byte_is_on_disk_before_or_after_the_end(spool: Spool) -> None:
    secret = b"19110101-1233 Anna Andersson;" * 100_000
    with spool.write("a", NAME, KEYS) as writer:
        writer.write(secret)
        writer._handle.flush()
        (unfinished,) = spool.folder.iterdir()
        assert unfinished.stat().st_size > PIECE_BYTES
        assert b"Andersson" not in unfinished.read_bytes() and not spool.path_of("a").exists()
        writer.finish()
    whole = spool.path_of("a").read_bytes()
    assert b"Andersson" not in whole and b"201803151234" not in whole and len(whole) > len(secret)


def test_unfinished_file_is_removed(spool: Spool) -> None:
    with spool.write("a", NAME, KEYS) as writer:
        writer.write(b"x")
    assert list(spool.folder.iterdir()) == []
    with pytest.raises(DamagedSpool, match="upload a is missing"):
        spool.read("a", KEYS)


def changed(raw: bytes, kind: str) -> bytes:
    head, pieces = raw[:HEAD], pieces_of(raw)
    if kind == "cut in a piece":
        return raw[:-1]
    if kind == "cut in a length":
        return head + b"".join(pieces[:-1]) + pieces[-1][:3]
    if kind == "added to":
        return raw + b"\0"
    if kind == "a bit":
        return raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:]
    if kind == "an endless length":
        return head + b"\xff\xff\xff\xff" + raw[HEAD + 4 :]
    chosen = {
        "without its last piece": pieces[:-1],
        "without its name": pieces[1:],
        "without a middle piece": [pieces[0], *pieces[2:]],
        "with pieces swapped": [pieces[0], pieces[2], pieces[1], *pieces[3:]],
        "with a piece twice": [*pieces[:2], *pieces[1:]],
        "with more after its last": [*pieces, pieces[1]],
        "only a head": [],
    }[kind]
    return head + b"".join(chosen)


KINDS = [
    "cut in a piece", "cut in a length", "added to", "a bit", "an endless length", "without its last piece",
    "without its name", "without a middle piece", "with pieces swapped", "with a piece twice",
    "with more after its last", "only a head",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_file_that_was_changed_does_not_open(spool: Spool, kind: str) -> None:
    path = write(spool, "a", b"x" * (2 * PIECE_BYTES + 5))
    path.write_bytes(changed(path.read_bytes(), kind))
    with pytest.raises(DamagedSpool):
        spool.read("a", KEYS)


def test_file_opens_for_its_own_upload_and_keys_alone(spool: Spool) -> None:
    path = write(spool, "a", b"x")
    path.rename(spool.path_of("b"))
    for upload_id, keys in (("b", KEYS), ("b", throwaway_keys()), ("b", replace(KEYS, original_keys={9: b"k" * 32}))):
        with pytest.raises(DamagedSpool):
            spool.read(upload_id, keys)


def test_file_opens_after_a_rotation_and_the_next_is_under_the_new_key(spool: Spool) -> None:
    write(spool, "a", b"before")
    later = with_original_key(KEYS, 7)
    write(spool, "b", b"after", later)
    assert spool.read("a", later)[1] == b"before" and spool.read("b", later)[1] == b"after"
    with pytest.raises(DamagedSpool):
        spool.read("b", KEYS)
    assert spool.key_versions() == [1, 7]


def test_nothing_but_an_id_names_a_file(spool: Spool) -> None:
    for bad in ("../a", "a/b", "", ".a", "ä"):
        with pytest.raises(ValueError, match="no upload's id"):
            spool.path_of(bad)
