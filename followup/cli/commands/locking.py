"""`followup lock` and `followup unlock`."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from followup import deciding
from followup.cli import output
from followup.cli.commands.city_decisions import QuarterArgument
from followup.cli.options import Exit, console, errors, is_agreed
from followup.status import DAYS_UNTIL_LOCK, locked_out
from ingest.ledger import Ledger, decisions
from ingest.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(lock)
    app.command()(unlock)


def lock(
    quarter: QuarterArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Lock without asking; for scripts.")] = False,
) -> None:
    """Lock a quarter: from now on its files need an exception. Says first what that locks out, and asks."""
    settings = Settings()
    try:
        deciding.require_ended(settings, quarter)
    except deciding.DecisionRefused as refused:
        raise typer.BadParameter(str(refused)) from None
    with closing(Ledger(settings.ledger)) as ledger:
        if str(quarter) not in decisions.locked_quarters(ledger):
            output.print_locked_out(console, quarter, locked_out(settings, quarter))
            if not yes and not is_agreed(f"Lock {quarter}?"):
                console.print("Nothing is locked.")
                return
        changed = deciding.lock(settings, ledger, quarter)
    console.print(f"{quarter} is locked." if changed else f"{quarter} was locked already.", highlight=False)
    early = quarter.end + timedelta(days=DAYS_UNTIL_LOCK)
    if changed and settings.now_date() < early:
        console.print(f"(Locking is proposed from {early}, day {DAYS_UNTIL_LOCK} after its end.)", highlight=False)


def unlock(quarter: QuarterArgument) -> None:
    """Open a locked quarter again."""
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        try:
            changed = deciding.unlock(settings, ledger, quarter)
        except deciding.DecisionRefused as refused:
            errors.print(f"[red]{refused}[/]", soft_wrap=True, highlight=False)
            raise typer.Exit(Exit.REFUSED) from None
    console.print(f"{quarter} is open." if changed else f"{quarter} was not locked.", highlight=False)
