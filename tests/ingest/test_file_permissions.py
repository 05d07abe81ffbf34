"""What an installation writes is for its service's user alone, whatever umask its processes were started with."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from followup.tasks.intake import settings_of_task
from ingest.file_permissions import close_home, close_to_others, find_open_to_others, go_private, make_folder
from ingest.ledger import Ledger
from ingest.settings import ROOT

ENTRY_POINTS = {
    "followup.cli.main": "import followup.cli.main as m; sys.argv = ['followup', '--help']; m.main()",
    "followup.cli.entry": "import followup.cli.entry as m; sys.argv = ['followup', '--help']; m.main()",
    "followup.local.orchestrator": "import followup.local.orchestrator as m; m.main(['status', '--no-postgres'])",
    "followup.local.supervisor": "import followup.local.supervisor as m; sys.argv[1:] = ['/nowhere']; m.main()",
    "followup.local.rehearsal": "import followup.local.rehearsal as m; m.rehearse = lambda *_: None; m.main()",
    "ingest.workbooks.process": "import ingest.workbooks.process as m; m._limit()",
    "portal.__main__": "os.environ['FOLLOWUP_PORTAL_PORT'] = 'x'; import portal.__main__ as m; m.main()",
    "portal.handover.worker": "os.environ['FOLLOWUP_PORTAL_PORT'] = 'x'; import portal.handover.worker as m; m.main()",
    "portal.city.work": "import portal.city.work as m; sys.argv[1:] = ['1']; m.run = lambda *_: None; m.main()",
}
"""Modules that are run as programs: how each begins, its work left out."""
NO_DATA = {"ingest.rulebook", "portal.data_protection.__main__"}
"""Write pages of the checkout."""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("code", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_an_entry_point_sets_the_umask_first(code: str, tmp_path: Path) -> None:
    program = f"import os, sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('umask', oct(os.umask(0)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "FOLLOWUP_AIRFLOW_HOME": str(tmp_path)},
        umask=0o022,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("umask 0o77\n"), done.stdout + done.stderr


def test_no_entry_point_is_forgotten() -> None:
    found = set()
    for folder in ("ingest", "publish", "synthetic", "followup", "portal"):
        for path in (ROOT / folder).rglob("*.py"):
            if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
                found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert found == set(ENTRY_POINTS) | NO_DATA


@pytest.mark.parametrize("name", ["intake", "releases", "backups"])
def test_every_task_gets_its_settings_where_the_umask_is_set(name: str) -> None:
    module = ast.parse((ROOT / "followup" / "tasks" / f"{name}.py").read_text(encoding="utf-8"))
    for function in (line for line in module.body if isinstance(line, ast.FunctionDef)):
        made = any(ast.unparse(call) == "Settings()" for call in ast.walk(function))
        assert made == (function.name == "settings_of_task"), function.name


def test_a_task_closes_what_it_writes_and_what_was_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path))
    tmp_path.chmod(0o755)
    assert settings_of_task().home == tmp_path
    (tmp_path / "new").touch()
    assert (mode(tmp_path), mode(tmp_path / "new")) == (0o700, 0o600)


def test_what_is_made_is_closed_and_the_way_to_it_can_be_passed(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "data" / "inbox", "bromma", "a")
    assert made == tmp_path / "data" / "inbox" / "bromma" / "a"
    assert mode(tmp_path / "data") == 0o711
    assert {mode(folder) for folder in (made, made.parent, made.parent.parent)} == {0o700}
    (tmp_path / "given").mkdir(mode=0o755)
    make_folder(tmp_path / "given")
    assert mode(tmp_path / "given") == 0o755, "what an operator has made is the operator's"


def test_what_is_open_is_found_and_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "validated" / "deep").mkdir(parents=True)
    (home / "validated" / "deep" / "rows.parquet").write_bytes(b"rows")
    (home / "warehouse.duckdb").write_bytes(b"")
    os.mkfifo(home / "pipe", 0o644)
    outside = tmp_path / "outside"
    outside.write_text("another's")
    (home / "link").symlink_to(outside)
    names = ["home", "pipe", "validated", "deep", "rows.parquet", "warehouse.duckdb"]
    assert [path.name for path in find_open_to_others([home, tmp_path / "missing"])] == names
    close_home(home)
    assert [path.name for path in find_open_to_others([home])] == ["deep", "rows.parquet"], "nobody can pass to these"
    assert all(close_to_others(path) for path in list(find_open_to_others([home])))
    assert list(find_open_to_others([home])) == []
    assert mode(outside) == 0o644, "links are not followed"
    assert not close_to_others(tmp_path / "missing")


def test_closing_a_home_leaves_the_locks_of_its_ledger(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    other = (
        f"import sqlite3; sqlite3.connect({str(tmp_path / 'ledger.sqlite')!r}, timeout=0).execute('begin immediate')"
    )
    with ledger.engine.begin():
        (tmp_path / "ledger.sqlite").chmod(0o644)
        close_home(tmp_path)
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    ledger.close()
    assert "locked" in done.stderr
    assert mode(tmp_path / "ledger.sqlite") == 0o600


def test_a_ledger_that_was_open_to_others_gets_closed_files_beside_it(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}").close()
    (tmp_path / "ledger.sqlite").chmod(0o644)
    go_private()
    close_home(tmp_path)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("create table more (number integer)")
        assert {path.name for path in tmp_path.iterdir()} == {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
        assert list(find_open_to_others([tmp_path])) == []
    ledger.close()
