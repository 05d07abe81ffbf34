"""The drill of docs/runbook.md ("Backup and restore") on a synthetic city of fourteen districts: `make drill`.

A city is received, built and released, with its ledger in a PostgreSQL and its releases served there too; then it is
backed up and restored into an empty place, as it is, after a rotation of keys, and after one person was erased. Each
time every table of core and marts is the same both ways, every file of the release byte for byte, every row of the
ledger. After the rotation no old key is in any file under the installation's folder, in the ledger, in PostgreSQL, its
tables and its files, or in any object of the backups.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # the rooms before the folders of their tests
from backed_up import BackedUpPlace, files_of, rows_of
from rehearsing import (
    OldKeys,
    ServedPlace,
    cells_of,
    explain_somebody,
    followup,
    is_explained,
    persons_in_rows,
    postgres,
    readers_rows,
    say,
    see_that_the_search_finds,
    send_again,
)

from followup.backup.restoring import restored_settings
from followup.backup.sealing import make_backup_key
from followup.build.building import build
from ingest.ledger import Ledger
from ingest.maintenance.erasing import erase_person
from ingest.persons.keys import load_keys, make_keys
from ingest.persons.numbers import key_maker, read_numbers
from ingest.quarters import Quarter
from ingest.recording import open_intake
from publish.serving.folder import current_folder
from synthetic.city import draw_city


def see_same(place: BackedUpPlace, back: Path) -> None:
    """A restored installation is the same as the running one."""
    with closing(place.ledger()) as before, closing(Ledger(f"sqlite:///{back}/ledger.sqlite")) as after:
        one, other = rows_of(before), rows_of(after)
    one.pop("build"), other.pop("build")  # restoring has built the marts
    one["act"], other["act"] = one["act"][:-1], other["act"][:-2]
    assert {name: rows[: len(other[name])] for name, rows in one.items()} == other
    stored = ("landing", "validated", "queries", "feedback", "proposed")
    assert files_of(back, *stored) == files_of(place.home, *stored)
    restored, current = current_folder(restored_settings(place.settings, back)), current_folder(place.settings)
    assert restored is not None and current is not None
    release = files_of(current, ".")
    assert files_of(restored, ".") == release
    rows = 0
    with duckdb.connect() as both:
        for name, home in (("before", place.home), ("after", back)):
            both.execute(f"attach '{home}/warehouse.duckdb' as {name} (read_only)")
        tables = [
            str(name)
            for (name,) in both.execute(
                "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'before' "
                "and schema_name in ('core', 'marts', 'keyed') order by 1"
            ).fetchall()
        ]
        for table in tables:
            for first, second in (("before", "after"), ("after", "before")):
                differing = f"select count(*) from (from {first}.{table} except all from {second}.{table})"
                assert both.execute(differing).fetchall() == [(0,)], table
            rows += both.execute(f"select count(*) from before.{table}").fetchall()[0][0]
    say(f"the same: {len(tables)} tables, {rows} rows, both ways; {len(release)} files of the release, byte for byte")


def restored(place: BackedUpPlace, name: str) -> Path:
    back = place.root / name
    followup(place, "restore", "--to", str(back))
    see_same(place, back)
    return back


def see_no_old_key(place: ServedPlace, back: Path, old: OldKeys) -> None:
    """No pseudonym and no key from before the rotation is anywhere."""
    with place.location() as location:
        names = set(location.sizes("objects")) - {".followup"}
        assert names == {piece.name for one in place.sets() for piece in one.pieces()}
    found = old.places(place, back)
    assert not any(found.values()), found
    say(
        f"none of {len(old.persons)} old person keys, and no secret: {', '.join(found)}; {len(names)} objects were read"
    )


def someone(drawn: Path) -> str:
    """A number in the drawn files of cases, of which some are not in UTF-8."""
    for path in sorted(drawn.glob("*/*_arenden_*.csv")):
        if found := re.search(rb"\b(?:19|20)\d{6}-?\d{4}\b", path.read_bytes()):
            return found[0].decode()
    raise AssertionError("no drawn file of cases has a number")


def drill(root: Path, place: ServedPlace, quarters: tuple[str, str], scale: float) -> None:
    place.backups.mkdir(parents=True)
    make_keys(place.root / "keys.json")
    make_backup_key(place.settings)
    draw_city(place.inbox, *map(Quarter.parse, quarters), scale=scale, seed=7)
    drawn = shutil.copytree(place.inbox, root / "drawn")
    for command in (["receive", "--inbox", str(place.inbox)], ["build"], ["publish", "--approve"], ["backup"]):
        followup(place, *command)
    shutil.rmtree(restored(place, "back1"))  # as the runbook says
    followup(place, "backup")  # sends only what is new
    explained, row_key = explain_somebody(place, quarters[1])
    keys = load_keys(place.root / "keys.json")
    secrets = (keys.person_keys[1], keys.original_keys[1])
    old = OldKeys(frozenset(persons_in_rows(place.home)), (*secrets, *(base64.b64encode(secret) for secret in secrets)))
    see_that_the_search_finds(place)
    before = {name: len(places) for name, places in old.places(place).items()}
    say(f"{len(old.persons)} person keys, before the rotation in: {before}")
    assert before["rows"] and before["marts and release"] and before["files"]
    readers = readers_rows(place)
    assert sum(map(len, readers.values())) > 1000
    followup(place, "keys", "rotate", "--yes")
    followup(place, "keys", "prune", "--yes")
    assert readers_rows(place) == readers
    again = send_again(place, drawn, explained)
    assert is_explained(place, again.submission_id, row_key)
    say("an explanation of a row about a person is carried to the next version of its file")
    build(place.settings)
    followup(place, "backup", "--drop-older")
    back = restored(place, "back2")
    see_no_old_key(place, back, old)
    shutil.rmtree(back)
    number, now = someone(drawn), place.settings.now().replace(tzinfo=None)
    with open_intake(place.settings) as intake:
        cells = pa.chunked_array([pa.array([number.encode()], pa.binary())])
        key = read_numbers(cells, now.date(), key_maker(intake.keys)).keys.to_pylist()[0]
        assert key in persons_in_rows(place.home)
        erased = erase_person(intake, number, now)
    say(f"one person erased: {erased.rows} rows of {erased.files} files, {erased.originals} originals")
    build(place.settings)
    followup(place, "backup", "--drop-older")
    back = restored(place, "back3")
    assert key not in persons_in_rows(back) and not any(key in cells for cells in cells_of(back / "warehouse.duckdb"))
    left = OldKeys(frozenset({key}), ()).places(place, back)
    assert not any(left.values()), left
    say(f"the person's key is nowhere: {', '.join(left)}")
    followup(place, "backup", "--verify")
    say("the drill is done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="first", default="2017Q4")
    parser.add_argument("--to", dest="last", default="2018Q1")
    parser.add_argument("--scale", type=float, default=0.3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="followup-drill-") as folder, postgres() as (server, running):
        drill(
            Path(folder), ServedPlace(Path(folder) / "place", server, running), (chosen.first, chosen.last),
            chosen.scale,
        )  # fmt: skip
