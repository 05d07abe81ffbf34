"""`followup user`: the portal's users, their passwords and sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followup.cli import output
from followup.cli.options import FormatOption, console, is_terminal, iso, print_line, refusal, sentence_of
from ingest.districts import load_districts
from ingest.ledger import ChangeRefused, Ledger, portal_users
from ingest.ledger import sessions as ledger_sessions
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import tokens
from ingest.ledger.portal_users import Role
from ingest.settings import Settings

if TYPE_CHECKING:
    from ingest.ledger.portal_users import PortalUser

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The user's name; `followup user list` shows them.")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take the password from this file: one line, yours, chmod 600."),
]
DrawOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw a password into this new file, for you alone.")
]
_SHOWN_TIME = "%Y-%m-%d %H:%M"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    user = typer.Typer(
        help="The portal's users: who may sign in and as what; their passwords and sessions.", no_args_is_help=True
    )
    user.command()(add)
    user.command("list")(list_users)
    user.command()(disable)
    user.command()(enable)
    user.command("set-password")(set_password)
    user.command()(sessions)
    user.command()(revoke)
    app.add_typer(user, name="user")


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and . _ @ + -; such as anna.berg.")],
    role: Annotated[Role, typer.Option(help="officer: a district's; city: the city's team; reader: figures only.")],
    unit: Annotated[
        list[str] | None, typer.Option("--unit", "-u", metavar="CODE", help="An officer's unit; may be repeated.")
    ] = None,
    password_file: PasswordFileOption = None,
    draw: DrawOption = None,
    oidc: Annotated[
        bool, typer.Option("--oidc", help="No password: signs in by the city's identity provider.")
    ] = False,
) -> None:
    """Add a user. Asks for the password twice, unless a file, --draw or --oidc is given."""
    units = _known_units(unit or [])
    if bool(units) != (role is Role.OFFICER):
        raise typer.BadParameter("--unit is for --role officer, which needs at least one")
    _only_one_of(password_file, draw, oidc)
    with _ledger() as (ledger, _):
        if portal_users.find_user(ledger, name) is not None:
            raise refusal("There is a user of that name already; nothing was changed.")
        with _new_password(name, password_file, draw, oidc=oidc) as password_hash:
            try:
                added = portal_users.add_user(ledger, name, role, units, password_hash, system_now())
            except ChangeRefused as refused:
                raise refusal(sentence_of(refused)) from None
    seen = ", ".join(sorted(portal_users.units_of(added, load_districts()))) if role is Role.OFFICER else ""
    print_line(f"{added.name} is added as {role}{f', and sees {seen}' if seen else ''}.")
    for code in added.units:
        for successor in _successors(code):
            print_line(f"{code} has ended: quarters after it are those of {successor}, which this user does not see.")


def list_users(format: FormatOption = output.Format.text) -> None:
    """List all users, the disabled ones too. No password or hash is shown."""
    with _ledger() as (ledger, _):
        found = portal_users.users(ledger)
    if format is output.Format.json:
        listed = [
            {
                "name": one.name, "role": one.role, "units": one.units,
                "signs_in_by": "oidc" if one.password_hash is None else "password",
                "created_at": iso(one.created_at), "disabled_at": iso(one.disabled_at),
            }
            for one in found
        ]  # fmt: skip
        console.print_json(json.dumps(listed, ensure_ascii=False))
        return
    for one in found:
        by = "  by OIDC" if one.password_hash is None else ""
        off = f"  disabled {one.disabled_at:{_SHOWN_TIME}}" if one.disabled_at else ""
        print_line(f"{one.name}  {one.role}  {' '.join(one.units) or '-'}{by}{off}")
    if not found:
        print_line("No user yet: `followup user add` adds one.")


def disable(name: NameArgument) -> None:
    """Disable a user: their sessions end at once, and they can't sign in."""
    with _ledger() as (ledger, _):
        user = _user(ledger, name)
        changed = portal_users.disable_user(ledger, user, system_now())
        made = [one for one in tokens(ledger) if one.created_by == f"user {user.name}" and one.is_alive(system_now())]
    print_line(
        f"{user.name} is disabled; every session has ended." if changed else f"{user.name} was disabled already."
    )
    if made:
        numbers = ", ".join(str(one.token_id) for one in made)
        print_line(
            f"Tokens that they made for programs are still taken: {numbers}. `followup token revoke N` ends one."
        )


def enable(name: NameArgument) -> None:
    """Let a disabled user sign in again. Also ends the wait after too many wrong passwords."""
    with _ledger() as (ledger, _):
        user = _user(ledger, name)
        changed = portal_users.enable_user(ledger, user)
    print_line(f"{user.name} is enabled." if changed else f"{user.name} was enabled; there is no wait on the name now.")


def set_password(name: NameArgument, password_file: PasswordFileOption = None, draw: DrawOption = None) -> None:
    """Set a user's password; their sessions end at once. Asks twice, unless a file or --draw is given."""
    _only_one_of(password_file, draw, False)
    with _ledger() as (ledger, _):
        user = _user(ledger, name)
        if user.password_hash is None:
            raise refusal(f"{user.name} signs in by OIDC and has no password; nothing was changed.")
        with _new_password(user.name, password_file, draw, oidc=False) as password_hash:
            assert password_hash is not None
            ended = portal_users.set_password(ledger, user, password_hash, system_now())
    print_line(f"The password of {user.name} is set; {ended} sessions have ended.")


def sessions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this user's.")] = None,
    format: FormatOption = output.Format.text,
) -> None:
    """List sessions: number, user, begin, last seen, latest end, network, browser. Times are UTC."""
    from ingest.portal_login.signing_in import session_times

    with _ledger() as (ledger, settings):
        number = None if name is None else _user(ledger, name).user_id
        found = ledger_sessions.sessions(ledger, session_times(settings), system_now(), number)
    if format is output.Format.json:
        listed = [
            {
                "session": one.session_id, "name": one.name, "created_at": iso(one.created_at),
                "last_seen_at": iso(one.last_seen_at), "expires_at": iso(one.expires_at),
                "network": one.network, "agent": one.agent,
            }
            for one in found
        ]  # fmt: skip
        console.print_json(json.dumps(listed, ensure_ascii=False))
        return
    for one in found:
        times = "  ".join(f"{at:{_SHOWN_TIME}}" for at in (one.created_at, one.last_seen_at, one.expires_at))
        print_line(f"{one.session_id}  {one.name}  {times}  {one.network}  {one.agent}")
    if not found:
        print_line("Nobody is signed in.")


def revoke(
    name: NameArgument,
    session: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only this session of theirs.")] = None,
) -> None:
    """End a user's sessions, or one of them. They can sign in again: `followup user disable` hinders that."""
    with _ledger() as (ledger, _):
        user = _user(ledger, name)
        ended = ledger_sessions.revoke(ledger, user.user_id, user.name, system_now(), session)
    if session is not None and not ended:
        raise refusal(f"{user.name} has no session {session} that goes on.")
    print_line(f"{ended} sessions of {user.name} have ended.")


@contextmanager
def _ledger() -> Iterator[tuple[Ledger, Settings]]:
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        yield ledger, settings


@contextmanager
def _new_password(name: str, file: Path | None, draw: Path | None, *, oidc: bool) -> Iterator[str | None]:
    """The hash of the new password, for the block that stores it; a drawn one's file is removed when that fails."""
    from ingest.portal_login.passwords import (
        PasswordRefused,
        Passwords,
        check_new_password,
        read_password_file,
        write_drawn_password,
    )

    if oidc:
        yield None
        return
    try:
        if draw is not None:
            password = write_drawn_password(draw)
        else:
            password = read_password_file(file) if file is not None else _asked()
            check_new_password(password, name)
    except PasswordRefused as refused:
        raise refusal(f"{sentence_of(refused)} Nothing was changed.") from None
    try:
        yield Passwords().hash(password)
    except BaseException:
        if draw is not None:
            draw.unlink(missing_ok=True)
        raise
    if draw is not None:
        print_line(f"The password is in {draw}, which only you can open: hand it over, then remove the file.")


def _asked() -> str:
    if not is_terminal():
        raise typer.BadParameter("there is no terminal to ask at: give --password-file or --draw")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt="Again"))


def _only_one_of(password_file: Path | None, draw: Path | None, oidc: bool) -> None:
    if (password_file is not None) + (draw is not None) + oidc > 1:
        raise typer.BadParameter("give one of --password-file, --draw and --oidc")


def _known_units(given: list[str]) -> list[str]:
    """Codes of the units that were named by code or by Swedish name.

    Raises:
        typer.BadParameter: one is none.
    """
    from ingest.folding import fold

    registry = load_districts()
    by_name = {fold(one.name): one.code for one in registry.districts}
    found = []
    for text in given:
        code = text if registry.get(text) is not None else by_name.get(fold(text))
        if code is None:
            known = ", ".join(one.code for one in registry.districts)
            raise typer.BadParameter(f"{text} is no unit; there are {known}")
        found.append(code)
    return found


def _successors(code: str) -> list[str]:
    """The units that replaced this one."""
    return [after for before, after, _ in load_districts().successions if before == code]


def _user(ledger: Ledger, name: str) -> PortalUser:
    try:
        return portal_users.require_user(ledger, name)
    except ChangeRefused as refused:
        raise refusal(sentence_of(refused)) from None
