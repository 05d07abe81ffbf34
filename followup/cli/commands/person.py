"""`followup person extract`: what is stored of one person, for the person (GDPR, article 15)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followup import deciding
from followup.cli import output
from followup.cli.options import Exit, ask_for_person_number, console, errors
from ingest.settings import Settings

person_app = typer.Typer(help="What is stored of one person.", no_args_is_help=True)


@person_app.callback()
def _group() -> None:
    """Keep `extract` a command of its own: typer makes a group of one command that command."""


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(person_app, name="person")


@person_app.command("extract")
def extract(
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An .html that isn't there yet; by default a new file in extracts/ in FOLLOWUP_HOME."
        ),
    ] = None,
) -> None:
    """Gör ett registerutdrag. Write what is stored of one person: submissions, rows and quarters, in Swedish.

    The number is asked for at the terminal, twice, and is never shown, stored or logged; the document is without it.
    Only the user who runs this can open the file. The log of acts says that an extract was made and how much was
    found, not of whom. Exit 1 when nothing is stored of the person, 2 when what is typed is no number.
    """
    from followup.person_extract import require_place, write_extract
    from ingest.maintenance.erasing import NotAPersonNumber
    from ingest.maintenance.finding_person import find_person
    from ingest.recording import open_intake

    settings = Settings()
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} is there already and is never overwritten")
    require_place(settings, out)
    number = ask_for_person_number()
    with open_intake(settings) as intake:
        try:
            with output.progress(errors) as bar:
                found = find_person(intake, number, deciding.now_naive(settings), bar)
        except NotAPersonNumber as error:
            errors.print(f"[red]{error}[/]")
            raise typer.Exit(Exit.USAGE) from None
    if not found.is_any:
        console.print(
            "Nothing is stored of a person with that number. Children without one have only their unit's running "
            "number: ask the unit. No file was written; the log of acts has the search, without the number.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(Exit.REFUSED)
    try:
        path = write_extract(settings, found, out)
    except FileExistsError:
        raise typer.BadParameter(f"{out} is there already and is never overwritten") from None
    lines = (
        f"{found.rows} rows of {len(found.submissions)} submissions: {path}",
        "Only this user can open it. Hand it over by a way that only the person can read, then remove it here.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
