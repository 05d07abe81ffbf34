"""Killed at any step, a release leaves readers the old one or the new one whole. Real processes, real SIGKILL."""

from __future__ import annotations

import signal
from pathlib import Path

import duckdb
import pytest
from killing import Ended, die, spread

from ingest.ledger import Ledger
from ingest.ledger.releases import current_release
from ingest.persons.keys import make_keys
from ingest.settings import Settings
from tests.publish.keyed_city import cases, write_warehouse

pytestmark = pytest.mark.kill
STEPS = 6
_DRIVER = """
import sys
from datetime import UTC, datetime
from ingest.settings import Settings
from publish.release.releasing import release
from tests.publish.keyed_city import MARTS, MEASURES, quick_policy

release(
    Settings.model_validate({"home": sys.argv[1], "keys": sys.argv[1] + ".json"}), approve=True, declared=MARTS,
    measures=MEASURES, policy=quick_policy(), gate=lambda _: [], now=datetime(2020, 2, 20, tzinfo=UTC),
)
"""


def run(home: Path, fatal: int = 0) -> Ended:
    """Make a release in a process of its own."""
    done = die(_DRIVER, str(home), environment={}, watched=home, step=fatal)
    assert done.code in (0, -signal.SIGKILL), done.err[-2000:]
    return done


def served(home: Path) -> tuple[int, list[object]]:
    """The release that readers see, and its figures."""
    path = (home / "published").resolve() / "followup.duckdb"
    with duckdb.connect(str(path), read_only=True) as published:
        (number,) = published.execute("select value from published.about where key = 'release_id'").fetchone()
        figures = published.execute(
            "select * exclude (release_id, released_at) from published.mart_case_flow order by all"
        ).fetchall()
    return int(number), list(figures)


def test_release_killed_at_any_step_leaves_the_old_one_or_the_new_one_and_the_next_run_completes_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    make_keys(home.with_name("home.json"))
    write_warehouse(home / "warehouse.duckdb", cases(40))
    steps = run(home).steps
    assert steps > 20
    number, expected = served(home)
    for fatal in spread(steps, STEPS):
        run(home, fatal)
        after, figures = served(home)
        assert after >= number and figures == expected, f"torn by a kill at step {fatal} of {steps}"
        number = after
    assert run(home).code == 0
    number, figures = served(home)
    assert figures == expected
    ledger = Ledger(Settings.model_validate({"home": home, "keys": tmp_path / "keys.json"}).ledger)
    try:
        current = current_release(ledger)
    finally:
        ledger.close()
    assert current is not None and current.release_id == number
    assert [folder.name for folder in (home / "proposed").iterdir()] == [str(number)]
    assert not list((home / "releases").glob(".*"))
