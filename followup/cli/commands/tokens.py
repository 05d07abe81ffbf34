"""`followup token`: tokens with which a unit's programs use the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from followup.cli import output
from followup.cli.options import FormatOption, console, iso, known_unit, print_line, refusal, sentence_of
from ingest.ledger import ChangeRefused, Ledger, api_tokens
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import DAYS, MOST_DAYS, Scope
from ingest.settings import Settings

_SHOWN_TIME = "%Y-%m-%d %H:%M"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    token = typer.Typer(help="Tokens with which a unit's programs use the portal's API.", no_args_is_help=True)
    token.command()(add)
    token.command("list")(list_tokens)
    token.command()(revoke)
    app.add_typer(token, name="token")


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, such as journalsystem.")],
    unit: Annotated[str, typer.Option("--unit", "-u", metavar="CODE", help="The unit that it acts for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How long it is taken.")] = DAYS,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the token into this new file, for you alone.")
    ] = None,
) -> None:
    """Make a token. It is shown this once, or written into a file (--draw): the ledger has only its hash."""
    from ingest.portal_login.passwords import PasswordRefused, write_secret

    known_unit(unit)
    if draw is None and not console.is_terminal:
        raise typer.BadParameter("there is no terminal to show it at: give --draw")
    with _ledger() as ledger:
        try:
            new = api_tokens.add_token(ledger, name, unit, scope, system_now(), days)
        except ChangeRefused as refused:
            raise refusal(sentence_of(refused)) from None
        if draw is not None:
            try:
                write_secret(draw, new.secret, "token")
            except PasswordRefused as refused:
                api_tokens.revoke_token(ledger, new.token.token_id, system_now())
                raise refusal(f"{sentence_of(refused)} The token was revoked again.") from None
    scopes = ", ".join(sorted(new.token.scopes))
    print_line(
        f"Token {new.token.token_id} of {unit} ({scopes}) is taken until {new.token.expires_at:{_SHOWN_TIME}} UTC."
    )
    if draw is not None:
        print_line(f"It is in {draw}, which only you can open: hand it over, then remove the file.")
    else:
        print_line("It is shown this once:")
        print_line(new.secret)


def list_tokens(format: FormatOption = output.Format.text) -> None:
    """List all tokens, those that are over too. No token or hash is shown. Times are UTC."""
    with _ledger() as ledger:
        found = api_tokens.tokens(ledger)
    now = system_now()
    if format is output.Format.json:
        listed = [
            {
                "token": one.token_id, "name": one.name, "unit": one.district_code, "scopes": sorted(one.scopes),
                "created_at": iso(one.created_at), "created_by": one.created_by, "expires_at": iso(one.expires_at),
                "last_used_on": one.last_used_on.isoformat() if one.last_used_on else None,
                "revoked_at": iso(one.revoked_at),
            }
            for one in found
        ]  # fmt: skip
        console.print_json(json.dumps(listed, ensure_ascii=False))
        return
    for one in found:
        state = f"until {one.expires_at:{_SHOWN_TIME}}"
        if one.revoked_at is not None:
            state = f"revoked {one.revoked_at:{_SHOWN_TIME}}"
        elif not one.is_alive(now):
            state = f"expired {one.expires_at:{_SHOWN_TIME}}"
        used = f"last used {one.last_used_on}" if one.last_used_on else "never used"
        print_line(f"{one.token_id}  {one.district_code}  {one.name}  {' '.join(sorted(one.scopes))}  {state}  {used}  "
               f"by {one.created_by}")  # fmt: skip
    if not found:
        print_line("No token yet: `followup token add` makes one.")


def revoke(number: Annotated[int, typer.Argument(metavar="N", help="As `followup token list` shows it.")]) -> None:
    """Revoke a token: it is not taken from now on."""
    with _ledger() as ledger:
        if not api_tokens.revoke_token(ledger, number, system_now()):
            raise refusal(f"There is no token {number} that is not revoked.")
    print_line(f"Token {number} is revoked.")


@contextmanager
def _ledger() -> Iterator[Ledger]:
    with closing(Ledger(Settings().ledger)) as ledger:
        yield ledger
