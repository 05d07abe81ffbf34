"""`followup erase-expired`."""

from __future__ import annotations

from typing import Annotated

import typer

from followup.cli import output
from followup.cli.options import Exit, console, errors, is_agreed
from ingest.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("erase-expired")(erase_expired)


def erase_expired(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go; erase nothing.")] = False,
    reports: Annotated[bool, typer.Option("--reports", help="Print what went before, newest first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Gallra det som lagrats längre än inställt. Erase what is stored longer than the settings say, and report it.

    Figures that rows about persons are in are frozen first. Their quarters take no more files.
    """
    from followup import expiring
    from followup.build.building import BuildFailed
    from ingest.recording import open_intake

    with open_intake(Settings()) as intake:
        if reports:
            found = expiring.earlier_reports(intake, 12)
            for when, report in found:
                _print([f"{when:%Y-%m-%d}", *report.as_text(), ""])
            if not found:
                _print(["Ingenting har gallrats än."])
            return
        expected, lines = expiring.what_expires(intake)
        if dry_run or not yes:
            _print([*lines, *expected.as_text(is_dry_run=True)])
        if dry_run:
            return
        if not yes and not is_agreed("Erase it? It can't be undone."):
            console.print("Nothing is erased.")
            return
        try:
            with output.progress(errors, unit="models and tests") as bar:
                done = expiring.erase_expired(intake, lambda node: bar(None, None, node.name))
        except BuildFailed as failed:
            output.print_failed_build(errors, failed)
            raise typer.Exit(Exit.FAILED) from None
    _print(done.as_text())


def _print(lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
