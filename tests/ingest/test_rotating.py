"""Keys are rotated: what is stored goes over to them, persons are followed as before, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from files import DISTRICT, KEYS, Installation, base_row, csv_bytes
from hypothesis import given
from hypothesis import strategies as st
from test_explaining import OPEN, in_force, keys, submit

from followup.checking import check_paths
from followup.doctor import run_doctor
from ingest.explaining import explain
from ingest.ledger import Submission
from ingest.ledger.decisions import withdraw
from ingest.ledger.explanations import explanations_of
from ingest.ledger.rotations import ORIGINALS, PERSONS, person_version, rotations_under_way
from ingest.maintenance import rotating
from ingest.maintenance.erasing import erase_originals, erase_person
from ingest.maintenance.restoring_rows import restore_rows
from ingest.maintenance.rotating import Rotated, RotationRefused, key_uses, prune, rotate
from ingest.originals import decrypt_original, original_version, read_sent
from ingest.persons.keys import load_keys, replace_keys
from ingest.persons.numbers import key_maker
from ingest.persons.wrapping import WrongWrapping, rewrapped, unwrapped, wrapped
from ingest.receiving import receive_district
from ingest.recording import open_intake
from ingest.settings import SettingsError

NOW = datetime(2019, 2, 1)
BOTH = (PERSONS, ORIGINALS)
LATE = {"forhandsbedomning_klar": "2018-09-20", "utredning_start": "2018-09-20", **OPEN}
"""An investigation that began late: a query in every quarter while it is open."""
OTHER = "20120607-9822"


def turn(installation: Installation, *wanted: str) -> Rotated:
    with open_intake(installation.settings, is_rotating=True) as intake:
        return rotate(intake, wanted or BOTH)


def stored(installation: Installation) -> dict[str, tuple[Submission, pa.Table]]:
    """Submissions with rows about persons, by id, and the rows."""
    home = installation.settings.home
    return {
        s.submission_id: (s, pq.read_table(home / s.parquet_path))
        for s in installation.ledger().submissions()
        if s.parquet_path and s.dataset in ("arenden", "oppenvard")
    }


def persons_in(installation: Installation) -> set[str]:
    return {key for _, rows in stored(installation).values() for key in rows["person_key"].to_pylist()}


@pytest.fixture
def filled(installation: Installation) -> Installation:
    """Two quarters of cases, the first in two versions of which one is withdrawn, and a refused file."""
    submit(installation, "arenden", "2018Q3", [base_row("arenden", **LATE), base_row("arenden", arende_id="B-2",
           personnummer=OTHER, fodelsear="2012", kon="pojke")])  # fmt: skip
    second = submit(installation, "arenden", "2018Q3", [base_row("arenden", **LATE)])
    withdraw(installation.ledger(), second, "fel fil", NOW)
    submit(installation, "serviceinsatser", "2018Q3", [base_row("serviceinsatser")])
    installation.drop(f"{DISTRICT}_oppenvard_2018Q3.csv", b"x;y\r\n1;2\r\n")
    receive_district(installation.settings, DISTRICT)
    return installation


# wrapping


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=6))
def test_unwrapping_gives_what_the_library_gives(values: list[bytes]) -> None:
    wrapping = KEYS.person_keys[1]
    blocks = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 16)
    found, ok = unwrapped(wrapping, wrapped(wrapping, blocks))
    assert ok.all() and found.tobytes() == b"".join(values)
    sealed = [AESSIV(wrapping).encrypt(value, None) for value in values]
    assert [AESSIV(wrapping).decrypt(one, None) for one in sealed] == [value.tobytes() for value in found]


@pytest.mark.parametrize("text", ["", "A", "ö" * 43, "A" * 43, "A" * 44, "=" * 43])
def test_what_is_no_key_is_named_as_such(text: str) -> None:
    right = key_maker(KEYS)([b"a"])[0].as_py()
    swapped = ("B" if right[0] != "B" else "C") + right[1:]
    _, ok = unwrapped(KEYS.person_keys[1], pa.array([right, text, swapped, swapped[::-1]]))
    assert ok.tolist() == [True, False, False, False]
    with pytest.raises(WrongWrapping):
        rewrapped(KEYS.person_keys[1], bytes(64), pa.array([right, text]))


# rotating


def test_persons_go_over_and_all_else_stays(filled: Installation) -> None:
    before, persons = stored(filled), persons_in(filled)
    old = load_keys(filled.settings.keys)
    assert turn(filled).files == {PERSONS: 2, ORIGINALS: 4}
    new = load_keys(filled.settings.keys)
    assert (new.person_version, new.original_version) == (2, 2)
    assert new.person_secret == old.person_secret and new.person_keys[1] == old.person_keys[1]
    assert filled.settings.keys.stat().st_mode & 0o777 == 0o600
    after = stored(filled)
    for submission_id, (found, rows) in before.items():
        again, changed = after[submission_id]
        assert again == replace(
            found, person_key_version=2, parquet_path=again.parquet_path, parquet_sha256=again.parquet_sha256
        )
        assert changed.schema.equals(rows.schema, check_metadata=True)
        remaining = [name for name in rows.column_names if name not in ("person_key", "match_person_key")]
        assert changed.select(remaining).equals(rows.select(remaining))
        for name in ("person_key", "match_person_key"):
            texts = rows[name].cast(pa.string()).combine_chunks()
            expected = rewrapped(old.person_keys[1], new.person_keys[2], texts)
            assert changed[name].cast(pa.string()).combine_chunks().equals(expected)
    assert not persons & persons_in(filled)
    files = b"".join(path.read_bytes() for path in filled.settings.home.rglob("*") if path.is_file())
    assert not any(key.encode() in files for key in persons)
    for path in filled.settings.landing.glob("*/*.bin"):
        assert original_version(path) == 2
        assert decrypt_original(path, path.stem, new)
    assert rotations_under_way(filled.ledger()) == {} and person_version(filled.ledger()) == 2


def test_a_second_rotation_goes_on_from_the_first(filled: Installation) -> None:
    rows = {submission_id: table.drop_columns(["person_key", "match_person_key"])
            for submission_id, (_, table) in stored(filled).items()}  # fmt: skip
    turn(filled)
    assert turn(filled, PERSONS).versions == {PERSONS: 3}
    assert load_keys(filled.settings.keys).original_version == 2
    assert {s.person_key_version for s, _ in stored(filled).values()} == {3}
    for submission_id, (_, table) in stored(filled).items():
        assert table.drop_columns(["person_key", "match_person_key"]).equals(rows[submission_id])
    assert len(list(filled.settings.validated.glob("arenden/**/*.parquet"))) == 2


def test_explanations_of_persons_queries_are_carried_over_a_rotation(installation: Installation) -> None:
    first = submit(installation, "arenden", "2018Q3", [base_row("arenden", **LATE)])
    ((rule, _, key),) = [k for k in keys(installation, first) if k[1] is not None]
    explain(installation.ledger(), installation.settings.home, first, rule, "Semestertid", NOW, row_key=key)
    turn(installation)
    again = submit(installation, "arenden", "2018Q3", [base_row("arenden", **LATE), base_row("arenden", arende_id="B-9",
                                                       orsak="bostad")])  # fmt: skip
    second = submit(installation, "arenden", "2018Q4", [base_row("arenden", **LATE)])
    for found in (again, second):
        assert [(e.rule, e.row_key) for e in explanations_of(installation.ledger(), found.submission_id)] == [
            (rule, key)
        ]


def test_cases_are_followed_into_the_next_quarter_and_looked_at_again_after_a_rotation(
    installation: Installation,
) -> None:
    """A case that the next file lacks is asked for under the same key before and after; one that is there is not."""
    there = base_row("arenden", **OPEN)
    lost = base_row("arenden", arende_id="B-2", personnummer=OTHER, fodelsear="2012", kon="pojke", **OPEN)
    submit(installation, "arenden", "2018Q3", [there, lost])
    submit(installation, "arenden", "2018Q4", [there])
    before = keys(installation, in_force(installation, "arenden", "2018Q4"))
    assert [k for k in before if k[1] is None]
    turn(installation)
    submit(installation, "arenden", "2018Q4", [{**there, "orsak": "bostad"}])
    assert keys(installation, in_force(installation, "arenden", "2018Q4")) == before
    # the earlier quarter changes: the later one, keyed before the rotation, is looked at again
    submit(installation, "arenden", "2018Q3", [there])
    assert [k for k in keys(installation, in_force(installation, "arenden", "2018Q4")) if k[1] is None] == []


def test_a_resubmission_is_compared_with_rows_of_before_the_rotation(filled: Installation, tmp_path: Path) -> None:
    turn(filled)
    path = tmp_path / f"{DISTRICT}_arenden_2018Q3.csv"
    path.write_bytes(csv_bytes("arenden", [base_row("arenden", **LATE)]))
    ((_, report),) = check_paths(filled.settings, [path])
    assert report.changes is not None
    assert (report.changes.added.count, report.changes.changed.count, report.changes.gone.count) == (0, 0, 1)


@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_person_is_erased_after_a_rotation(filled: Installation, is_pruned: bool) -> None:
    turn(filled)
    if is_pruned:
        with open_intake(filled.settings) as intake:
            assert prune(intake) == {PERSONS: (1,), ORIGINALS: (1,)}
        assert set(load_keys(filled.settings.keys).person_keys) == {2}
    with open_intake(filled.settings) as intake:
        done = erase_person(intake, base_row("arenden")["personnummer"], NOW)
    assert (done.files, done.rows) == (2, 2)
    assert {rows.num_rows for _, rows in stored(filled).values()} == {0, 1}
    assert {k for s, _ in stored(filled).values() for k in keys(filled, s) if k[1] == 2} == set()


# what stands in the way


def test_a_damaged_original_is_named_and_the_others_go_over(filled: Installation) -> None:
    first, *others = sorted(filled.settings.landing.glob("*/*.bin"))
    broken = first.read_bytes()[:-1] + b"\0"
    first.write_bytes(broken)
    cut = others.pop()
    cut.write_bytes(b"FOLL")
    done = turn(filled, ORIGINALS)
    assert set(done.left) == {str(path.relative_to(filled.settings.home)) for path in (first, cut)}
    assert first.read_bytes() == broken and [original_version(path) for path in others] == [2] * len(others)
    assert rotations_under_way(filled.ledger()) == {}
    with open_intake(filled.settings) as intake:
        assert prune(intake)[ORIGINALS] == ()  # the damaged one may come back from a backup's other half


def test_damaged_rows_in_force_stop_a_rotation_that_has_changed_nothing(filled: Installation) -> None:
    in_use = in_force(filled, "arenden", "2018Q3")
    before = filled.ledger().submissions()
    path = filled.settings.home / (in_use.parquet_path or "")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(RotationRefused, match=in_use.submission_id):
        turn(filled)
    assert filled.ledger().submissions() == before
    assert not list(filled.settings.validated.glob("**/*.k2.parquet"))
    assert rotations_under_way(filled.ledger()) == {}
    path.write_bytes(whole)
    assert turn(filled).versions == {PERSONS: 3, ORIGINALS: 2}


def test_missing_rows_of_an_older_version_are_named_and_do_not_stop_a_rotation(filled: Installation) -> None:
    (withdrawn,) = [s for s, _ in stored(filled).values() if s.state == "withdrawn"]
    (filled.settings.home / (withdrawn.parquet_path or "")).unlink()
    done = turn(filled, PERSONS)
    assert done.left == (withdrawn.parquet_path,) and done.files == {PERSONS: 1}
    with open_intake(filled.settings) as intake:
        assert prune(intake)[PERSONS] == ()


def test_a_key_file_without_the_version_of_the_rows_stops_a_rotation(filled: Installation) -> None:
    turn(filled, PERSONS)
    keys = load_keys(filled.settings.keys)
    replace_keys(filled.settings.keys, replace(keys, person_keys={1: keys.person_keys[1]}, person_version=1))
    with pytest.raises(SettingsError, match="version 2, and the key file has version 1"):
        submit(filled, "arenden", "2018Q4", [base_row("arenden")])
    with pytest.raises(RotationRefused, match="lacks the key of persons of version 2"):
        turn(filled, PERSONS)
    replace_keys(filled.settings.keys, replace(keys, person_version=1))  # a copy from the middle of the rotation
    assert turn(filled, PERSONS).versions == {PERSONS: 3}


def test_files_that_waited_for_a_rotation_are_not_keyed_with_old_keys(filled: Installation) -> None:
    with open_intake(filled.settings) as intake:
        turn(filled)
        with pytest.raises(SettingsError, match="run it again"), intake.lease(DISTRICT):
            pass
        with pytest.raises(SettingsError, match="run it again"):
            erase_originals(intake, NOW, NOW)


# interrupted


class Cut(BaseException):
    """Stands for the end of the process: nothing of ours catches it but to clean up."""


def cut_at(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], None]:
    """Let a step of the rotation be the last; returns what takes that back."""

    def cut(*_: object) -> None:
        raise Cut

    with_patch = pytest.MonkeyPatch()
    with_patch.setattr(rotating, name, cut)
    return with_patch.undo


@pytest.mark.parametrize("step", ["remove_unrecorded_files", "end_rotation", "seal_again"])
def test_between_the_ledger_and_the_key_file_nobody_works_with_persons(
    filled: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    undo = cut_at(monkeypatch, step)
    with pytest.raises(Cut):
        turn(filled)
    undo()
    path = tmp_path / f"{DISTRICT}_arenden_2018Q3.csv"
    path.write_bytes(csv_bytes("arenden", [base_row("arenden")]))
    assert any("followup keys rotate" in one.message for one in run_doctor(filled.settings) if not one.is_good)
    if step != "seal_again":
        for act in (
            lambda: receive_district(filled.settings, DISTRICT),
            lambda: check_paths(filled.settings, [path]),
        ):
            with pytest.raises(SettingsError, match="followup keys rotate"):
                act()
    done = turn(filled, PERSONS)  # both are ended, whatever is asked for
    assert done.was_interrupted and load_keys(filled.settings.keys).original_version == 2
    assert load_keys(filled.settings.keys).person_version == 2 and rotations_under_way(filled.ledger()) == {}
    assert {original_version(path) for path in filled.settings.landing.glob("*/*.bin")} == {2}
    assert len(list(filled.settings.validated.glob("arenden/**/*.parquet"))) == 2
    assert not any("followup keys rotate" in one.message for one in run_doctor(filled.settings))


def test_status_counts_files_by_version_and_shows_no_key(filled: Installation) -> None:
    turn(filled, PERSONS)
    with open_intake(filled.settings) as intake:
        found = [(u.what, u.version, u.is_in_use, u.is_there, u.files) for u in key_uses(intake)]
    assert found == [(PERSONS, 1, False, True, 0), (PERSONS, 2, True, True, 2), (ORIGINALS, 1, True, True, 4)]


def test_a_key_file_is_replaced_whole_and_a_link_to_it_stays(installation: Installation, tmp_path: Path) -> None:
    link, keys = tmp_path / "link.json", load_keys(installation.settings.keys)
    link.symlink_to(installation.settings.keys)
    leftover = tmp_path / "keys.json.0badcafe.tmp"
    leftover.write_text("of a killed one")
    replace_keys(link, replace(keys, person_keys={**keys.person_keys, 7: bytes(64)}))
    assert link.is_symlink() and not leftover.exists() and len(list(tmp_path.glob("*.tmp"))) == 0
    assert set(load_keys(installation.settings.keys).person_keys) == {1, 7}


def test_originals_of_both_formats_go_over_in_their_format(filled: Installation) -> None:
    """The first format says nothing of when a file came."""
    first, second = sorted(filled.settings.landing.glob("*/*.bin"))[:2]
    with open_intake(filled.settings) as intake:
        sent = read_sent(second, second.stem, intake.keys)
        raw, nonce = decrypt_original(first, first.stem, intake.keys), bytes(12)
        sealed = AESGCM(intake.keys.original_keys[1]).encrypt(nonce, raw, first.stem.encode())
        first.write_bytes(b"FOLLOWUP1\0\1" + nonce + sealed)
    turn(filled, ORIGINALS)
    keys = load_keys(filled.settings.keys)
    assert decrypt_original(first, first.stem, keys) == raw and read_sent(first, first.stem, keys) is None
    assert sent is not None and read_sent(second, second.stem, keys) == sent
    assert first.read_bytes()[11:23] != nonce


def test_an_older_key_file_in_the_middle_of_a_rotation_is_refused(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key of the same number would be drawn, and what is stored under the lost one never be read again."""
    older = filled.settings.keys.read_bytes()
    undo = cut_at(monkeypatch, "end_rotation")
    with pytest.raises(Cut):
        turn(filled, ORIGINALS)
    undo()
    newer = filled.settings.keys.read_bytes()
    filled.settings.keys.write_bytes(older)
    with pytest.raises(RotationRefused, match="lacks the key of originals of version 2"):
        turn(filled)
    filled.settings.keys.write_bytes(newer)
    assert turn(filled).was_interrupted


def test_damaged_rows_are_restored_under_the_key_that_they_have(filled: Installation) -> None:
    turn(filled)
    found = in_force(filled, "arenden", "2018Q3")
    path = filled.settings.home / (found.parquet_path or "")
    whole = path.read_bytes()
    path.unlink()
    with open_intake(filled.settings) as intake:
        assert restore_rows(intake, found).rows == found.row_count
    again = pq.read_table(pa.BufferReader(path.read_bytes()))
    assert again["person_key"].to_pylist() == pq.read_table(pa.BufferReader(whole))["person_key"].to_pylist()
