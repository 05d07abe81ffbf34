"""`followup user`, as an administrator types it; sessions and hashes are real."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.acting_user import Actor, acting_as
from ingest.ledger import Ledger, acts
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope, add_token, revoke_token
from ingest.ledger.sessions import Browser, find
from ingest.portal_login.passwords import Passwords
from ingest.portal_login.signing_in import SignedIn, SignInRefused, Try, session_times, sign_in
from ingest.settings import Settings

SECRET = "fyra gröna hästar simmar"
Run = Callable[..., str]


@pytest.fixture
def followup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOLLOWUP_NOW", "2018-04-10T08:00:00")  # must move no session

    def run(*command: str, expect: int = 0, typed: str | None = None) -> str:
        done = CliRunner().invoke(app, ["user", *command], input=typed)
        assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        assert SECRET not in done.output and "$argon2" not in done.output
        return " ".join(done.output.replace("│", " ").split())

    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(SECRET + "\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def signed_in(name: str, password: str = SECRET) -> SignedIn:
    with closing(Ledger(Settings().ledger)) as ledger:
        browser = Browser("192.0.2.17", "[red]Firefox[/]")
        return sign_in(ledger, Passwords(), Try(name, password, browser), session_times(Settings()), system_now())


def is_alive(signed: SignedIn) -> bool:
    with closing(Ledger(Settings().ledger)) as ledger:
        return find(ledger, signed.token, session_times(Settings()), system_now()) is not None


def actions() -> list[str]:
    with closing(Ledger(Settings().ledger)) as ledger:
        return [one.action for one in acts.acts(ledger)]


def test_user_is_added_signs_in_is_listed_revoked_and_disabled(followup: Run, file: str) -> None:
    assert "No user yet" in followup("list") and "Nobody is signed in" in followup("sessions")
    printed = followup("add", "Anna.Berg", "--role", "officer", "-u", "Järva", "-u", "farsta", "--password-file", file)
    assert "anna.berg is added as officer, and sees farsta, jarva, rinkeby-kista, spanga-tensta." in printed
    assert "anna.berg officer farsta jarva" in followup("list")
    first, second = signed_in("anna.berg"), signed_in("anna.berg")
    listed = json.loads(followup("sessions", "--format", "json"))
    assert [(one["session"], one["name"], one["network"], one["agent"]) for one in listed] == [
        (number, "anna.berg", "192.0.2.0/24", "[red]Firefox[/]") for number in (1, 2)
    ]
    assert "192.0.2.0/24 [red]Firefox[/]" in followup("sessions", "anna.berg")
    assert "no session 3" in followup("revoke", "anna.berg", "--session", "3", expect=1)
    assert "1 sessions" in followup("revoke", "anna.berg", "--session", "1")
    assert (is_alive(first), is_alive(second)) == (False, True)
    assert "anna.berg is disabled" in followup("disable", "anna.berg")
    assert "was disabled already" in followup("disable", "anna.berg") and not is_alive(second)
    assert json.loads(followup("list", "--format", "json"))[0]["disabled_at"] is not None
    with pytest.raises(SignInRefused):
        signed_in("anna.berg")
    assert "is enabled" in followup("enable", "anna.berg")
    assert signed_in("anna.berg").user.name == "anna.berg"
    assert actions() == [
        "user.added", "session.begun", "session.begun", "session.revoked", "user.disabled", "login.refused",
        "user.enabled", "session.begun",
    ]  # fmt: skip


def test_password_is_asked_for_twice_and_never_taken_where_nobody_can_be_asked(
    followup: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no terminal" in followup("add", "berit", "--role", "city", expect=2)
    monkeypatch.setattr("followup.cli.commands.users.is_terminal", lambda: True)
    assert "too easy to guess" in followup("add", "berit", "--role", "city", typed="Sommar2026Sommar\n" * 2, expect=1)
    other = "sju blå getter dansar"
    followup("add", "berit", "--role", "city", typed=f"{SECRET}\n{other}\n{SECRET}\n{SECRET}\n")  # asked again
    assert signed_in("berit").user.role == "city"
    signed = signed_in("berit")
    assert "2 sessions have ended" in followup("set-password", "berit", typed=f"{other}\n{other}\n")
    assert not is_alive(signed) and signed_in("berit", other)
    with pytest.raises(SignInRefused):
        signed_in("berit")


def test_drawn_password_is_in_a_file_alone_which_is_removed_where_nobody_is_added(
    followup: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drawn"
    printed = followup("add", "berit", "--role", "administrator", "--draw", str(path))
    drawn = path.read_text(encoding="utf-8").strip()
    assert drawn not in printed and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signed_in("berit", drawn)
    assert "is there already" in followup("set-password", "berit", "--draw", str(path), expect=1)
    assert signed_in("berit", drawn)
    assert "already" in followup("add", "BERIT", "--role", "city", "--draw", str(tmp_path / "second"), expect=1)
    assert "name has" in followup("add", "b e", "--role", "city", "--draw", str(tmp_path / "second"), expect=1)
    assert not (tmp_path / "second").exists()
    followup("set-password", "berit", "--draw", str(tmp_path / "second"))
    with pytest.raises(SignInRefused):
        signed_in("berit", drawn)


def test_user_of_the_identity_provider_has_no_password(followup: Run, file: str) -> None:
    followup("add", "cia", "--role", "reader", "--oidc")
    assert "cia reader - by OIDC" in followup("list")
    assert "signs in by OIDC" in followup("set-password", "cia", "--password-file", file, expect=1)
    with pytest.raises(SignInRefused):
        signed_in("cia", "")


@pytest.mark.parametrize(
    ("command", "expect", "said"),
    [
        (("add", "x", "--role", "officer", "--oidc"), 2, "needs at least one"),
        (("add", "x", "--role", "city", "-u", "farsta", "--oidc"), 2, "for --role officer"),
        (("add", "x", "--role", "officer", "-u", "Atlantis", "--oidc"), 2, "Atlantis is no unit; there are bromma"),
        (("add", "x", "--role", "king", "--oidc"), 2, "king"),
        (("add", "x", "--role", "city", "--oidc", "--draw", "/nowhere/x"), 2, "one of"),
        (("add", "x", "--role", "city", "--draw", "/nowhere/x"), 1, "can't be made"),
        (("add", "x", "--role", "city", "--password-file", "/nowhere/x"), 1, "can't be read"),
        (("add", "x", "--role", "city", "--password", SECRET), 2, "No such option"),
        (("add", SECRET, "--role", "city", "--oidc"), 1, "name has 1 to 80"),
        (("disable", SECRET), 1, "no user of that name"),
        (("disable", "nobody"), 1, "no user of that name"),
        (("enable", "nobody"), 1, "no user of that name"),
        (("sessions", "nobody"), 1, "no user of that name"),
        (("revoke", "nobody"), 1, "no user of that name"),
        (("set-password", "nobody", "--draw", "/nowhere/x"), 1, "no user of that name"),
    ],
)
def test_wrong_commands_say_what_is_wrong_and_change_nothing(
    followup: Run, command: tuple[str, ...], expect: int, said: str
) -> None:
    assert said in followup(*command, expect=expect)
    assert actions() == []


def test_officer_of_a_unit_that_has_ended_is_added_with_a_hint(followup: Run) -> None:
    printed = followup("add", "x", "--role", "officer", "-u", "norrmalm", "--oidc")
    assert "sees norrmalm. norrmalm has ended: quarters after it are those of norra-innerstaden" in printed
    assert "ended" not in followup("add", "y", "--role", "officer", "-u", "norra-innerstaden", "--oidc")


def test_help_of_every_command_says_what_it_does(followup: Run) -> None:
    for command in ("add", "list", "disable", "enable", "set-password", "sessions", "revoke"):
        assert len(followup(command, "--help")) > 150


def test_disabling_a_user_names_the_tokens_that_they_made(followup: Run, file: str) -> None:
    followup("add", "anna", "--role", "officer", "-u", "farsta", "--password-file", file)
    with closing(Ledger(Settings().ledger)) as ledger, acting_as(Actor("user", "anna")):
        for name in ("one", "two"):
            add_token(ledger, name, "farsta", [Scope.READ], system_now())
        revoke_token(ledger, 1, system_now())
    assert "Tokens that they made for programs are still taken: 2." in followup("disable", "anna")
