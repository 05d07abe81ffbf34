"""An installation that names only its home: no command reads or writes the default places of another one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from city import drawn_files
from typer.testing import CliRunner

from followup.cli.main import app
from followup.local.environment import followup_environment
from followup.local.orchestrator import main as orchestrator
from ingest.persons.keys import make_keys
from ingest.settings import ROOT, Settings

QUARTER = ("--quarter", "2018Q1")
COMMANDS = {
    "alias add": ("Kvällssoffan", "--means", "rad_och_stod"),
    "alias list": (),
    "audit": ("{out}/none.csv",),
    "audit-log show": (),
    "audit-log verify": (),
    "backup": ("{out}/backups",),
    "build": (),
    "check": ("{out}/alvsjo_arenden_2018Q1.csv",),
    "contact add": ("farsta", "anna@farsta.example"),
    "contact list": (),
    "contact remove": ("farsta", "anna@farsta.example"),
    "demo-data": ("--out", "{out}/drawn", "--from", "2018Q1", "--to", "2018Q1", "--scale", "0.01"),
    "doctor": (),
    "erase": ("--originals", "--yes"),
    "erase-expired": ("--yes",),
    "contract apply": (),
    "contract try": ("{out}",),
    "exception close": ("1",),
    "exception list": (),
    "exception open": (*QUARTER, "--district", "farsta", "--why", "w"),
    "explain": ("none", "ARE-001", "--text", "t"),
    "extract": ("--district", "farsta"),
    "keys noise": ("--draw-anew", "--yes"),
    "keys prune": ("--yes",),
    "keys rotate": ("--yes",),
    "keys status": (),
    "ledger copy": ("sqlite:///{out}/copied.sqlite", "--yes"),
    "ledger downgrade": ("0012", "--yes"),
    "ledger show": (),
    "ledger upgrade": (),
    "lock": QUARTER,
    "mapping list": (),
    "mapping set": ("{out}/mapping.yml",),
    "mapping show": ("alvsjo",),
    "mapping suggest": ("{out}/alvsjo_arenden_2018Q1.csv",),
    "person extract": ("--out", "{out}/utdrag.html"),
    "metrics": ("--out", "{out}/followup.prom"),
    "preview": ("{out}/alvsjo_arenden_2018Q1.csv",),
    "protect": ("{out}/none.csv", "--out", "{out}/safe.csv"),
    "publish": ("--approve",),
    "quarter close": ("2018Q1", "--yes"),
    "quarter note": ("2018Q1", "--text", "Rättat."),
    "quarter report": ("2018Q1",),
    "quarter revisions": (),
    "receive": (),
    "release approve": ("1",),
    "release guard": (),
    "release list": (),
    "release reject": ("1", "--why", "Fel kvartal."),
    "release serve": (),
    "remind": (),
    "reprocess": (),
    "restore": ("{out}/backups",),
    "restore-rows": ("none",),
    "run": ("--inbox", "{out}/inbox"),
    "service install": ("--to", "{out}/units"),
    "service remove": ("--to", "{out}/units"),
    "status": (),
    "template": ("arenden", "--out", "{out}/template.xlsx"),
    "unlock": QUARTER,
    "token add": ("journalsystem", "--unit", "farsta", "--scope", "check", "--draw", "{out}/token.txt"),
    "token list": (),
    "token revoke": ("1",),
    "user add": ("anna", "--role", "city", "--draw", "{out}/anna.txt"),
    "user disable": ("anna",),
    "user enable": ("anna",),
    "user list": (),
    "user revoke": ("anna",),
    "user sessions": (),
    "user set-password": ("anna", "--draw", "{out}/anew.txt"),
    "withdraw": ("none", "--why", "w"),
}
"""Every command, with what it must be given; `{out}` is a folder that its user chose."""
PARSED = os.environ["FOLLOWUP_PARSED"]
LEFT_OUT = {"__pycache__", "build", "node_modules"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    shutil.copytree(drawn_files(), folder / "inbox")
    shutil.copy(folder / "inbox" / "alvsjo" / "alvsjo_arenden_2018Q1.csv", folder)
    (folder / "mapping.yml").write_text("unit: alvsjo\nvalid_from: 2018Q1\ndatasets: {}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, out: Path) -> Path:
    """The folder of another installation: keys, and files that wait."""
    folder = tmp_path_factory.mktemp("elsewhere")
    make_keys(folder / "data" / "keys.json")
    shutil.copytree(out / "inbox", folder / "data" / "inbox")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("installation") / "home"


@pytest.fixture
def environment(home: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only FOLLOWUP_HOME is set, in the other installation's folder; nothing there or in the checkout changes."""
    for name in [name for name in os.environ if name.startswith("FOLLOWUP_") and "_TEST_" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FOLLOWUP_HOME", str(home))
    monkeypatch.chdir(elsewhere)
    before = files(elsewhere) | files(ROOT)
    yield
    assert files(elsewhere) | files(ROOT) == before


def files(root: Path) -> dict[str, int]:
    found = {}
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in LEFT_OUT and not name.startswith(".")]
        for name in names:
            path = Path(folder) / name
            found[str(path)] = path.stat().st_mtime_ns
        found[folder] = len(below)
    return found


def test_every_command_is_tried() -> None:
    def names(command: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
        for name, below in getattr(command, "commands", {}).items():
            yield from names(below, (*above, name))
        if not hasattr(command, "commands"):
            yield " ".join(above)

    assert set(names(typer.main.get_command(app))) == set(COMMANDS)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_writes_where_it_is_asked_or_says_which_variable_to_set(
    command: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWUP_PARSED", PARSED)  # parsing takes most of a build's time
    arguments = [argument.replace("{out}", str(out)) for argument in COMMANDS[command]]
    done = CliRunner().invoke(app, [*command.split(), *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if "is not set" in done.output:
        assert done.exit_code == 3
        unset = ("KEYS", "INBOX", "BACKUP_KEY")
        assert any(f"FOLLOWUP_{name} is not set: " in done.output for name in unset), done.output


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (["doctor", "--make-keys"], "FOLLOWUP_KEYS"),
        (["doctor", "--make-folders"], "FOLLOWUP_INBOX"),
        (["receive"], "FOLLOWUP_INBOX"),
        (["run", "--inbox", "{out}/inbox"], "FOLLOWUP_KEYS"),
    ],
)
def test_what_needs_a_place_that_is_not_named_is_refused(arguments: list[str], variable: str, out: Path) -> None:
    done = CliRunner().invoke(app, [argument.replace("{out}", str(out)) for argument in arguments])
    assert done.exit_code == 3
    assert f"{variable} is not set: where FOLLOWUP_HOME is, set it too, to " in done.output


@pytest.mark.usefixtures("environment")
def test_the_doctor_says_it_and_looks_at_the_rest() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 3
    assert "look  keys: FOLLOWUP_KEYS is not set" in done.output
    assert "look  drop locations: FOLLOWUP_INBOX is not set" in done.output
    assert "good  disk" in done.output


@pytest.mark.usefixtures("environment")
def test_servers_are_stored_in_that_home_and_not_started_without_keys(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings()
    assert (settings.airflow_home, settings.postgres_home) == (home / "airflow", home / "postgres")
    assert settings.published == home / "published"
    assert orchestrator(["up", "--no-postgres"]) == 3
    assert "FOLLOWUP_KEYS is not set" in capsys.readouterr().err
    assert orchestrator(["down", "--no-postgres"]) == 0


@pytest.mark.usefixtures("environment")
def test_a_districts_file_of_its_own_needs_no_inbox(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "districts.yml").write_text(f"districts:\n  bromma: {{url: '{tmp_path}/bromma'}}\n", encoding="utf-8")
    monkeypatch.setenv("FOLLOWUP_DISTRICTS", str(tmp_path / "districts.yml"))
    monkeypatch.setenv("FOLLOWUP_KEYS", str(tmp_path / "keys.json"))
    done = CliRunner().invoke(app, ["doctor", "--make-keys", "--make-folders"])
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600, done.output
    assert (tmp_path / "bromma").stat().st_mode & 0o777 == 0o700
    assert "FOLLOWUP_INBOX" not in followup_environment()


@pytest.mark.usefixtures("environment")
def test_keys_are_never_made_in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_KEYS", str(home / "keys.json"))
    done = CliRunner().invoke(app, ["doctor", "--make-keys"])
    assert done.exit_code == 3
    assert "is inside FOLLOWUP_HOME" in done.output
    assert not (home / "keys.json").exists()


def test_an_installation_that_names_nothing_has_its_places_under_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("FOLLOWUP_") and "_TEST_" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--make-keys", "--make-folders"])
    assert "good  keys" in done.output, done.output
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["home", "inbox", "keys.json"]
    assert oct((tmp_path / "data").stat().st_mode & 0o777) == "0o711"
    assert Settings().published == Path("data/published")
