"""The drill of docs/runbook.md ("Backup and restore") on a synthetic city of fourteen districts: `make drill`.

A city is received, built and released; then it is backed up and restored into an empty place, as it is, after a
rotation of keys, and after one person was erased. Each time every table of core and marts is the same both ways, every
file of the release byte for byte, every row of the ledger. After the rotation no old key is in any file under the home,
in the ledger, or in any object of the backups.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # the rooms before the folders of their tests
from backed_up import BackedUpPlace, files_of, rows_of
from full_disk import run

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

BEGAN = time.monotonic()


def say(line: str) -> None:
    sys.stdout.write(f"{time.monotonic() - BEGAN:6.0f} s  {line}\n")
    sys.stdout.flush()


def followup(place: BackedUpPlace, *command: str) -> None:
    ended = run(place, list(command))
    say(f"followup {' '.join(command)}: {' '.join(ended.printed.split())[-200:]}")
    assert ended.code == 0, ended.printed


def persons_in_rows(home: Path) -> set[str]:
    """Every person key in a stored file of rows."""
    tables = (pq.read_table(path) for path in home.glob("validated/**/*.parquet"))
    return {
        key
        for rows in tables
        for name in {"person_key", "match_person_key"} & set(rows.column_names)
        for key in rows[name].to_pylist()
    }


def cells_of(warehouse: Path) -> Iterator[set[str]]:
    """The texts of every column of every table of a warehouse."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where data_type = 'VARCHAR' "
            "and not internal and database_name = current_database()"
        ).fetchall()
        for schema, table, column in columns:
            found = connection.execute(f'select distinct "{column}" from "{schema}"."{table}"').fetchall()
            yield {str(cell) for (cell,) in found}


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


def see_no_old_key(place: BackedUpPlace, back: Path, old: set[str], secrets: list[bytes]) -> None:
    """No pseudonym and no key from before the rotation is anywhere."""
    for home in (place.home, back):
        assert not persons_in_rows(home) & old
        for cells in cells_of(home / "warehouse.duckdb"):
            assert not cells & old
        for path in home.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert not any(secret in content for secret in secrets), path
    with closing(place.ledger()) as ledger:
        cells = {str(cell) for rows in rows_of(ledger).values() for row in rows for cell in row}
        assert not cells & old
    with place.location() as location:
        names = [name for name in location.sizes("objects") if name != ".followup"]
        needed = {piece.name for one in place.sets() for piece in one.pieces()}
        assert set(names) == needed
        for name in names:
            content = location.read("objects", name)
            assert not any(secret in content for secret in secrets)
    say(f"none of {len(old)} old person keys in rows, marts, ledger or backups; {len(names)} objects were read")


def someone(drawn: Path) -> str:
    """A number in the drawn files of cases, of which some are not in UTF-8."""
    for path in sorted(drawn.glob("*/*_arenden_*.csv")):
        if found := re.search(rb"\b(?:19|20)\d{6}-?\d{4}\b", path.read_bytes()):
            return found[0].decode()
    raise AssertionError("no drawn file of cases has a number")


def drill(root: Path, quarters: tuple[str, str], scale: float) -> None:
    place = BackedUpPlace(root / "place")
    place.backups.mkdir(parents=True)
    make_keys(place.root / "keys.json")
    make_backup_key(place.settings)
    draw_city(place.inbox, *map(Quarter.parse, quarters), scale=scale, seed=7)
    shutil.copytree(place.inbox, root / "drawn")
    for command in (["receive", "--inbox", str(place.inbox)], ["build"], ["publish", "--approve"], ["backup"]):
        followup(place, *command)
    restored(place, "back1")
    followup(place, "backup")  # sends only what is new
    old, keys = persons_in_rows(place.home), load_keys(place.root / "keys.json")
    followup(place, "keys", "rotate", "--yes")
    followup(place, "keys", "prune", "--yes")
    followup(place, "backup", "--drop-older")
    back = restored(place, "back2")
    see_no_old_key(place, back, old, [keys.person_keys[1], keys.original_keys[1]])
    number, now = someone(root / "drawn"), place.settings.now().replace(tzinfo=None)
    with open_intake(place.settings) as intake:
        import pyarrow as pa

        cells = pa.chunked_array([pa.array([number.encode()], pa.binary())])
        key = read_numbers(cells, now.date(), key_maker(intake.keys)).keys.to_pylist()[0]
        assert key in persons_in_rows(place.home)
        erased = erase_person(intake, number, now)
    say(f"one person erased: {erased.rows} rows of {erased.files} files, {erased.originals} originals")
    build(place.settings)
    followup(place, "backup", "--drop-older")
    back = restored(place, "back3")
    assert key not in persons_in_rows(back) and not any(key in cells for cells in cells_of(back / "warehouse.duckdb"))
    followup(place, "backup", "--verify")
    say("the drill is done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="first", default="2017Q4")
    parser.add_argument("--to", dest="last", default="2018Q1")
    parser.add_argument("--scale", type=float, default=0.3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="followup-drill-") as folder:
        drill(Path(folder), (chosen.first, chosen.last), chosen.scale)
