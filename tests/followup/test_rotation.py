"""`followup keys rotate`, killed at any step and run again, ends as undisturbed; the marts count as before."""

from __future__ import annotations

import hashlib
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from city import Place, draw, marts, settle
from killing import run, spread
from marts_only import build_marts
from small_project import use_project, write_project
from typer.testing import CliRunner

from followup.build.building import build
from followup.cli.main import app
from ingest.ledger.rotations import rotations_under_way
from ingest.originals import decrypt_original, original_version
from ingest.persons.keys import load_keys
from ingest.persons.wrapping import unwrapped
from ingest.settings import Settings

ROTATE = ["keys", "rotate", "--yes"]
SAMPLE = 5
"""How many of a rotation's steps on disk are tried; spread evenly, first and last among them."""
PERSONS = ("person_key", "match_person_key")


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two quarters of two districts."""
    root = tmp_path_factory.mktemp("rotation")
    place = settle(root / "p", draw(root / "drawn", quarters=("2017Q4", "2018Q1")))
    place.followup("receive", "--inbox", str(place.inbox))
    return place


@pytest.fixture
def copy(received: Place, tmp_path: Path) -> Iterator[Place]:
    yield copied(received, tmp_path / "copy")


def copied(place: Place, root: Path) -> Place:
    shutil.copytree(place.root, root)
    return Place(root)


def followup(place: Place, *command: str) -> str:
    done = CliRunner().invoke(app, list(command), env=place.environment)
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.output


def state(place: Place) -> dict[str, object]:
    """What an installation holds, persons as what is unwrapped under the version in use; keys are drawn anew each time.

    Every file under home but the ledger's is named, and every version.
    """
    keys = load_keys(place.root / "keys.json")
    ledger = place.ledger()
    submissions = [replace(s, parquet_sha256=None) for s in ledger.submissions()]
    sums = {s.parquet_path: s.parquet_sha256 for s in ledger.submissions()}
    begun = rotations_under_way(ledger)
    ledger.close()
    rows = {}
    for path in sorted(place.home.glob("validated/**/*.parquet")):
        table, name = pq.read_table(path), str(path.relative_to(place.home))
        assert sums[name] == hashlib.sha256(path.read_bytes()).hexdigest()
        for column in set(PERSONS) & set(table.column_names):
            texts = table[column].cast(pa.string()).combine_chunks()
            values, ok = unwrapped(keys.person_keys[keys.person_version], texts)
            assert ok.all()
            table = table.set_column(table.column_names.index(column), column, pa.array([v.tobytes() for v in values]))
        rows[name] = hashlib.sha256("".join(map(str, table.to_pydict().values())).encode()).hexdigest()
    originals = {
        path.name: (original_version(path), hashlib.sha256(decrypt_original(path, path.stem, keys)).hexdigest())
        for path in place.home.glob("landing/*/*.bin")
    }
    found = [path for path in place.root.rglob("*") if path.is_file() and not path.name.startswith("ledger.sqlite")]
    return {
        "submissions": submissions,
        "rows": rows,
        "originals": originals,
        "keys": (sorted(keys.person_keys), keys.person_version, sorted(keys.original_keys), keys.original_version),
        "begun": begun,
        "files": sorted(str(path.relative_to(place.root)) for path in found),
    }


@pytest.mark.kill
def test_a_rotation_killed_at_any_step_and_run_again_ends_as_undisturbed(received: Place, tmp_path: Path) -> None:
    whole = copied(received, tmp_path / "whole")
    code, steps = run(ROTATE, whole.environment, whole.root)
    assert code == 0 and steps is not None and steps > 20
    expected = state(whole)
    assert expected["keys"] == ([1, 2], 2, [1, 2], 2) and expected["begun"] == {}
    before = state(received)
    assert list(before["rows"].values()) == list(expected["rows"].values())
    goes_on = 0
    for step in spread(steps, SAMPLE):
        place = copied(received, tmp_path / f"step{step}")
        code, _ = run(ROTATE, place.environment, place.root, step)
        assert code == -signal.SIGKILL, f"step {step} was not reached"
        goes_on += "The interrupted rotation goes on" in followup(place, *ROTATE)
        assert state(place) == expected, f"killed at step {step} of {steps}"
    assert goes_on >= SAMPLE - 1  # the first step is before anything has begun


def test_marts_count_the_same_under_new_keys_and_hold_no_old_ones(copy: Place) -> None:
    settings = Settings.model_validate(
        {"home": copy.home, "keys": copy.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )
    build_marts(settings)
    before, old = marts(settings.warehouse, "marts"), persons_in(settings.warehouse)
    assert old and sum(map(len, before.values())) > 1000
    assert "2 is in use" in followup(copy, *ROTATE, "--persons")
    assert marts(settings.warehouse, "marts") == before
    assert len(persons_in(settings.warehouse)) == len(old) and not persons_in(settings.warehouse) & old
    assert build(settings).status == "unchanged"
    printed = followup(copy, "keys", "status")
    # person keys 1 and 2 with the fixed secret, the key of originals, the noise secret
    secrets = [text for text in (copy.root / "keys.json").read_text().split('"') if len(text) > 40]
    assert "person key" in printed and len(secrets) == 5 and not any(secret in printed for secret in secrets)


def test_a_rotation_that_was_cut_off_after_the_person_keys_builds_the_marts_when_it_goes_on(
    copy: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_project(monkeypatch, write_project(tmp_path / "project"), tmp_path / "parsed")
    settings = Settings.model_validate(
        {"home": copy.home, "keys": copy.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )
    assert build(settings).status == "built"

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ingest.maintenance.rotating._rotate_originals", cut_off)
        assert CliRunner().invoke(app, ROTATE, env=copy.environment).exit_code == 130
    assert "The interrupted rotation goes on: key of originals." in followup(copy, *ROTATE)
    assert build(settings).status == "unchanged"


def persons_in(warehouse: Path) -> set[str]:
    """Every person key in any table of a warehouse."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() join duckdb_tables() "
            "using (schema_name, table_name) where column_name in ('person_key', 'match_person_key')"
        ).fetchall()
        assert columns
        return {
            key
            for schema, table, column in columns
            for (key,) in connection.execute(f'select distinct {column} from "{schema}"."{table}"').fetchall()
        }
