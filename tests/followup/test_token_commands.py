"""`followup token`, as an administrator types it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.ledger import Ledger, acts
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import find_token
from ingest.settings import Settings

Run = Callable[..., str]


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))

    def run(*command: str, expect: int = 0) -> str:
        done = CliRunner().invoke(app, ["token", *command])
        assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        assert "upf_" not in done.output
        return " ".join(done.output.replace("│", " ").split())

    return run


def is_taken(secret: str) -> bool:
    with closing(Ledger(Settings().ledger)) as ledger:
        return find_token(ledger, secret, system_now()) is not None


def test_token_is_made_into_a_file_listed_and_revoked(token: Run, tmp_path: Path) -> None:
    assert "No token yet" in token("list")
    path = tmp_path / "farsta.txt"
    said = token("add", "Journal", "--unit", "farsta", "--scope", "check", "--scope", "submit", "--draw", str(path))
    assert "Token 1 of farsta (check, submit) is taken until" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text().strip()
    assert is_taken(secret)
    assert "1 farsta journal check submit until" in token("list") and "never used" not in token("list")
    (one,) = json.loads(token("list", "--format", "json"))
    assert one["unit"] == "farsta" and one["scopes"] == ["check", "submit"] and one["created_by"].startswith("account ")
    assert token("revoke", "1") == "Token 1 is revoked." and not is_taken(secret)
    assert "There is no token 1" in token("revoke", "1", expect=1) and "revoked" in token("list")
    with closing(Ledger(Settings().ledger)) as ledger:
        assert [one.action for one in acts.acts(ledger)] == ["token.added", "token.revoked"]


def test_token_is_not_made_where_its_file_can_not_be(token: Run, tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_text("x")
    said = token("add", "journal", "-u", "farsta", "--scope", "read", "--draw", str(path), expect=1)
    assert "is there already" in said and "revoked again" in said and path.read_text() == "x"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["add", "x", "-u", "okänd", "--scope", "read"], "okänd is no unit"),
        (["add", "x", "-u", "farsta"], "--scope"),
        (["add", "x", "-u", "farsta", "--scope", "all"], "all"),
        (["add", "x", "-u", "farsta", "--scope", "read", "--days", "366"], "365"),
        (["add", "x", "-u", "farsta", "--scope", "read"], "give --draw"),
        (["add", "x"], "--unit"),
    ],
)
def test_what_can_not_be_is_refused(token: Run, command: list[str], said: str) -> None:
    assert said in token(*command, expect=2)


def test_name_that_reads_as_a_number_is_refused_and_not_repeated(token: Run, tmp_path: Path) -> None:
    said = token("add", "19500101-0007", "-u", "farsta", "--scope", "read", "--draw", str(tmp_path / "x"), expect=1)
    assert "0007" not in said and not (tmp_path / "x").exists()
