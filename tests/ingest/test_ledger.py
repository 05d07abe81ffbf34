"""The ledger: versions, leases, and that the migrations make the tables that the code declares."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from pydantic import ValidationError

from ingest.ledger import Ledger, LedgerError
from ingest.ledger.leases import LeaseBusy
from ingest.ledger.tables import METADATA
from ingest.settings import ROOT, Settings


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


def test_migrations_make_the_declared_tables(url: str) -> None:
    ledger = Ledger(url)
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_true_counts_of_earlier_releases_are_removed_from_the_file(url: str, tmp_path: Path) -> None:
    ledger = Ledger(url)
    with ledger.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(ROOT / "ingest" / "ledger" / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
        connection.execute(
            sa.text("insert into release values (1, 'released', '2019-01-01', null, null, false, '{}', null, null)")
        )
        connection.execute(
            sa.text("insert into release_cell values (1, :cell, 3, false, true, false)"),
            [{"cell": f"avslutad.offered|bromma|2018Q1|{number}"} for number in range(500)],
        )
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    assert b"avslutad.offered|bromma" in path.read_bytes()
    later = Ledger(url)
    assert "release_cell" not in sa.inspect(later.engine).get_table_names()
    later.close()
    assert b"avslutad.offered|bromma" not in b"".join(one.read_bytes() for one in tmp_path.glob("ledger.sqlite*"))


def test_ledger_of_a_newer_version_is_refused(url: str) -> None:
    ledger = Ledger(url)
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    ledger.close()
    with pytest.raises(LedgerError, match="newer version"):
        Ledger(url)


def test_unreachable_ledger_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(LedgerError, match="FOLLOWUP_LEDGER_URL"):
        Ledger(f"sqlite:///{tmp_path / 'folder'}")


@pytest.mark.parametrize("mark", ["?", "#", "{{ 3 }}", "{% x"])
@pytest.mark.parametrize("name", ["home", "published"])
def test_a_place_that_duckdb_cannot_use_is_refused_at_once(tmp_path: Path, name: str, mark: str) -> None:
    with pytest.raises(ValidationError, match="choose another"):
        Settings.model_validate({"home": tmp_path, name: tmp_path / f"en{mark}mapp"})


def test_lease_is_held_by_one_at_a_time(url: str) -> None:
    order: list[str] = []

    def work(name: str) -> None:
        ledger = Ledger(url)
        with ledger.lease("build"):
            order.append(f"{name} in")
            time.sleep(0.3)
            order.append(f"{name} out")

    Ledger(url).close()
    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 6
    assert all(order[i].split()[0] == order[i + 1].split()[0] for i in (0, 2, 4))


def test_busy_lease_gives_up_after_the_wait(url: str) -> None:
    ledger = Ledger(url)
    other = Ledger(url)
    failed = []

    def try_it() -> None:
        try:
            with other.lease("build", wait_seconds=0.5):
                pass
        except LeaseBusy as busy:
            failed.append(str(busy))

    with ledger.lease("build"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert failed and "build" in failed[0]


def test_lease_of_a_killed_process_is_taken_over_at_once(url: str) -> None:
    code = "import os, sys; from ingest.ledger import Ledger\n"
    code += "with Ledger(sys.argv[1]).lease('build'): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, url], check=False, env=os.environ)
    started = time.monotonic()
    with Ledger(url).lease("build", wait_seconds=5):
        assert time.monotonic() - started < 5
