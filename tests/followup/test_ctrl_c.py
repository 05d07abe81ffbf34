"""Ctrl-C ends a command with a sentence and exit code 130, whatever it does at that moment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from small_project import use_project, write_project
from typer.testing import CliRunner

from followup.build.building import build
from followup.cli import entry
from followup.cli.main import app
from ingest.ledger import Ledger
from ingest.settings import Settings

SAID = "interrupted: nothing half-done counts, so run it again"


@pytest.fixture(autouse=True)
def is_heard() -> Iterator[None]:
    """As in a terminal: whoever started the tests in the background made them deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


class PressedOnImport:
    """A finder of modules: Ctrl-C is pressed while the command line is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "followup.cli.main":
            press()


def test_ctrl_c_while_the_command_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "followup.cli.main")
    monkeypatch.setattr(sys, "meta_path", [PressedOnImport(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, f"{SAID}\n")


def test_ctrl_c_while_a_command_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path))
    monkeypatch.setattr("followup.cli.main.submission_status", press)
    done = CliRunner().invoke(app, ["status"])
    assert (done.exit_code, done.output) == (130, f"{SAID}\n")


def test_ctrl_c_while_a_model_is_built_is_no_failed_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_project(monkeypatch, write_project(tmp_path / "project"), tmp_path / "parsed")
    settings = Settings.model_validate({"home": tmp_path / "home", "keys": tmp_path / "keys.json"})
    with pytest.raises(KeyboardInterrupt):
        build(settings, on_node=press)
    ledger = Ledger(settings.ledger)
    assert ledger.builds(5) == []
    ledger.close()
    assert build(settings).status == "built"
