"""A folder, SFTP (OpenSSH) and S3 (a server) behave the same: taken, answered, cleared, refused, cut off, resumed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from drop_servers import FolderPlace, Place, S3Place
from files import DISTRICT, Installation, base_row, csv_bytes

from followup.tasks.intake import collect_district, districts_to_collect
from ingest import taking_in
from ingest.districts import load_drop_locations
from ingest.locations.entries import Connection
from ingest.locations.sources import DropLocationUnreachable, FileNotReady, Source
from ingest.receiving import receive_district
from ingest.settings import Settings

pytestmark = pytest.mark.server
NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
BAD = csv_bytes("arenden", [base_row("arenden", orsak="hittepå")])
Open = Callable[..., Settings]


def states(settings: Settings) -> list[str]:
    return [file.state for file in receive_district(settings, DISTRICT).files]


def source(settings: Settings) -> Source:
    return Source(DISTRICT, load_drop_locations(settings)[DISTRICT])


def test_dropped_file_is_taken_answered_and_removed(place: Place, installation: Installation) -> None:
    settings = place.settings(installation.settings, DISTRICT)
    place.put(NAME, GOOD)
    assert states(settings) == ["accepted"]
    left = place.files()
    assert sorted(left) == [f"aterkoppling/{NAME}.json", f"aterkoppling/{NAME}.txt"]
    assert "TAS IN: 1 rad" in left[f"aterkoppling/{NAME}.txt"].decode()
    (found,) = installation.ledger().in_force()
    assert (found.row_count, found.size_bytes, found.is_source_cleared) == (1, len(GOOD), True)
    assert states(settings) == []


def test_empty_location_has_nothing_and_is_reached(place: Place, installation: Installation) -> None:
    assert states(place.settings(installation.settings, DISTRICT)) == []


def test_new_answer_replaces_the_old(place: Place, installation: Installation) -> None:
    settings = place.settings(installation.settings, DISTRICT)
    answers = []
    for content in (BAD, GOOD):
        place.put(NAME, content)
        states(settings)
        answers.append(place.files()[f"aterkoppling/{NAME}.txt"].decode())
        assert content is GOOD or f"aterkoppling/{NAME}.xlsx" in place.files()
    assert "TAS INTE IN" in answers[0] and "TAS IN: 1 rad" in answers[1]
    assert f"aterkoppling/{NAME}.xlsx" not in place.files(), "marks of faults that are mended"


def test_file_moved_to_received_never_overwrites_an_older_one(place: Place, installation: Installation) -> None:
    settings = place.settings(installation.settings, DISTRICT, after_receipt="move")
    sent = [GOOD, BAD, GOOD.replace(b"Alvik", b"alvik")]
    for content in sent:
        place.put(NAME, content)
        states(settings)
    stem = NAME.removesuffix(".csv")
    stored = {name: content for name, content in place.files().items() if not name.startswith("aterkoppling/")}
    assert stored == dict(
        zip([f"received/{NAME}", f"received/{stem}.2.csv", f"received/{stem}.3.csv"], sent, strict=True)
    )


def test_file_too_large_is_set_aside_whole(place: Place, installation: Installation) -> None:
    settings = place.settings(installation.settings, DISTRICT).model_copy(update={"max_file_megabytes": 1})
    large = GOOD + b"x" * 5_200_000
    place.put(NAME, large)
    assert states(settings) == ["refused"]
    assert place.files()[f"for_stora/{NAME}"] == large and NAME not in place.files()
    assert installation.ledger().submissions()[0].size_bytes == len(large)


def test_file_of_many_pieces_comes_through_whole(place: Place, installation: Installation) -> None:
    settings = place.settings(installation.settings, DISTRICT)
    content = bytes(range(256)) * 37_001  # 9.5 MB
    place.put("stor.csv", content)
    with source(settings) as opened:
        (file,) = opened.waiting()
        assert opened.read(file, 20_000_000) == content
        assert opened.read(file, 5_000_000) == content[:5_000_001]
        assert opened.measure(file, 20_000_000)[0] == len(content)


def test_manifest_marks_drawn_files(place: Place, installation: Installation) -> None:
    import hashlib
    import json

    place.put("SYNTETISK.json", json.dumps({"files": {NAME: hashlib.sha256(GOOD).hexdigest()}}).encode())
    place.put(NAME, GOOD)
    states(place.settings(installation.settings, DISTRICT))
    assert installation.ledger().in_force()[0].is_synthetic
    assert "SYNTETISK.json" in place.files()


def test_file_replaced_while_it_is_checked_is_taken_by_the_next_run(
    place: Place, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, newer = place.settings(installation.settings, DISTRICT), GOOD.replace(b"Alvik", b"alvik")
    place.put(NAME, GOOD)
    real = taking_in.check_file

    def slow(*arguments: object) -> object:
        place.put(NAME, newer, seconds_ago=7200)
        return real(*arguments)

    monkeypatch.setattr(taking_in, "check_file", slow)
    assert states(settings) == ["accepted"] and place.files()[NAME] == newer
    monkeypatch.undo()
    assert states(settings) == ["accepted"]
    assert installation.ledger().in_force()[0].version == 2 and NAME not in place.files()


def test_file_that_changed_since_it_was_listed_is_left_for_a_later_run(
    place: Place, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = place.settings(installation.settings, DISTRICT)
    place.put(NAME, GOOD[:200])
    real = Source.waiting

    def then_it_grows(self: Source) -> object:
        found = real(self)
        place.put(NAME, GOOD, seconds_ago=1800)
        return found

    monkeypatch.setattr(Source, "waiting", then_it_grows)
    assert states(settings) == ["waiting"]
    assert installation.ledger().submissions() == [] and place.files()[NAME] == GOOD
    monkeypatch.undo()
    assert states(settings) == ["accepted"]


def test_file_replaced_while_it_is_read_is_left(
    place: Place, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one and half of another is no file; nor is the list of what is drawn."""
    settings = place.settings(installation.settings, DISTRICT)
    old, new = b"a" * 4_500_000, b"b" * 4_500_000
    put = place.put if isinstance(place, S3Place) else partial(FolderPlace.put, place)  # not through slow SFTP
    put(NAME, old)
    put("SYNTETISK.json", b'{"files": {"x": "y"}}')
    with source(settings) as opened:
        real = type(opened._connection).pieces

        def pieces(connection: Connection, name: str, mark: str, at_most: int) -> Iterator[bytes]:
            for number, piece in enumerate(real(connection, name, mark, at_most)):
                if number == 0:
                    put(name, new, seconds_ago=1800)
                yield piece

        (file,) = opened.waiting()
        monkeypatch.setattr(type(opened._connection), "pieces", pieces)
        with pytest.raises(FileNotReady):
            opened.read(file, 10_000_000)
        assert isinstance(place, S3Place) or opened.synthetic_checksums() == frozenset()


def test_unfinished_names_are_left_alone(place: Place, installation: Installation) -> None:
    names = [f"{NAME}.part", f"{NAME}.filepart", ".hidden.csv"]
    for name in names:
        place.put(name, GOOD, seconds_ago=10)
    assert states(place.settings(installation.settings, DISTRICT)) == []
    assert sorted(place.files()) == sorted(names)


def test_missing_location_names_the_district_and_why(place: Place, installation: Installation) -> None:
    url = str(place.entry["url"])
    gone = url.replace("s3://stadsdel", "s3://borta") if url.startswith("s3") else f"{url}/borta"
    settings = place.settings(installation.settings, DISTRICT, url=gone)
    with pytest.raises(DropLocationUnreachable, match=f"{DISTRICT}.*(folder|bucket) is not there"):
        states(settings)


def test_collection_s_task_takes_from_any_place_with_secrets_from_the_environment(
    place: Place, installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What each task of `collect_submissions` calls, with an entry as an operator writes it."""
    secret = str(place.entry.get("secret_key", "no secret"))
    changes = {"secret_key": "${DROP_TEST_SECRET}"} if "secret_key" in place.entry else {}
    settings = place.settings(installation.settings, DISTRICT, **changes)
    for name, value in {
        "HOME": settings.home, "KEYS": settings.keys, "DISTRICTS": settings.districts, "NOW": installation.now,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FOLLOWUP_{name}", str(value))
    monkeypatch.setenv("DROP_TEST_SECRET", secret)
    place.put(NAME, GOOD)
    with caplog.at_level(logging.DEBUG, logger="followup"), caplog.at_level(logging.DEBUG, logger="ingest"):
        assert districts_to_collect() == [DISTRICT]
        assert collect_district(DISTRICT) == ("2018Q3",)
    assert "bromma: 1 accepted" in caplog.text and secret not in caplog.text
