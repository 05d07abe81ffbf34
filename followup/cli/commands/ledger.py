"""`followup ledger`: the revision of its tables, bringing them up to date or back, and moving the ledger."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from followup.cli.options import console, is_agreed
from ingest.ledger import Ledger
from ingest.ledger.opening import open_engine, shown_location
from ingest.settings import Settings

YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    ledger = typer.Typer(
        help="The ledger's tables: their revision, an upgrade and its undoing, and a move to another database.",
        no_args_is_help=True,
    )
    for command in (show, upgrade, downgrade, copy):
        ledger.command()(command)
    app.add_typer(ledger, name="ledger")


def show() -> None:
    """Show where the ledger is, and which revisions of its tables it has."""
    from ingest.ledger.revisions import revisions

    engine = open_engine(Settings().ledger)
    console.print(f"The ledger is at {shown_location(engine.url)}.", highlight=False, soft_wrap=True)
    for one in revisions(engine):
        state = "in use" if one.is_in_use else "missing: followup ledger upgrade"
        console.print(f"{one.number}  {one.what}  ({state})", highlight=False, soft_wrap=True)


def upgrade() -> None:
    """Bring the tables up to this version, once, when nothing else uses the ledger; all of it or nothing."""
    from ingest.ledger.revisions import upgrade as upgrade_tables

    before, now = upgrade_tables(open_engine(Settings().ledger))
    said = f"is of revision {now}" if before == now else f"went from revision {before or 'none'} to {now}"
    console.print(f"The ledger {said}.", highlight=False)


def downgrade(
    to: Annotated[str, typer.Argument(metavar="REVISION", help="An earlier revision, as 0012: followup ledger show.")],
    lose: Annotated[
        list[str] | None,
        typer.Option("--lose", metavar="NAME", help="Table or table.column whose values may go; can be repeated."),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Bring the tables back to an earlier revision, before an earlier version of followup is started again.

    What that version knows stays as it is. What it has no place for is named first, and goes only when it is named.
    """
    from ingest.ledger.revisions import downgrade as downgrade_tables

    if not yes and not is_agreed(f"Is the ledger backed up, and shall it go back to revision {to}?"):
        console.print("Nothing is changed.")
        return
    gone = downgrade_tables(open_engine(Settings().ledger), to, frozenset(lose or ()))
    console.print(f"The ledger is of revision {to}.", highlight=False)
    if gone:
        console.print(f"Gone: {', '.join(gone)}.", highlight=False, soft_wrap=True)


def copy(
    url: Annotated[str, typer.Argument(metavar="URL", help="An empty database: postgresql://user@server/name")],
    yes: YesOption = False,
) -> None:
    """Copy the ledger whole into an empty database, to which FOLLOWUP_LEDGER_URL is then set.

    Nothing may use the ledger meanwhile. A password is better in a file that libpq reads (~/.pgpass) than in the URL,
    which every user of this machine can read while the command runs.
    """
    from ingest.ledger.copying import copy_ledger

    if not yes and not is_agreed("Are Airflow and the portal stopped, and shall the ledger be copied?"):
        console.print("Nothing is copied.")
        return
    with closing(Ledger(Settings().ledger)) as source, closing(Ledger(url)) as target:
        copied = copy_ledger(source, target)
        place = shown_location(target.engine.url)
    console.print(f"{sum(copied.values())} rows of {len(copied)} tables are at {place} too.", highlight=False)
    console.print("Set FOLLOWUP_LEDGER_URL to it on every machine, then start; keep the old ledger as a backup.")
