"""`followup audit-log`: who did what, and whether the log is whole."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Annotated

import typer

from followup.cli import output
from followup.cli.options import Exit, FormatOption, console, errors
from ingest.ledger import Ledger, acts
from ingest.settings import Settings

_HASH = re.compile(r"[0-9a-f]{64}")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    log = typer.Typer(help="The audit log: every act, who did it, when, on what and why.", no_args_is_help=True)
    log.command()(show)
    log.command()(verify)
    app.add_typer(log, name="audit-log")


def show(
    last: Annotated[int, typer.Option(min=1, metavar="N", help="The last N acts.")] = 50,
    format: FormatOption = output.Format.text,
) -> None:
    """Show the last acts, oldest first. Times are UTC, by the system's clock."""
    with closing(Ledger(Settings().ledger)) as ledger:
        found = acts.acts(ledger, last)
    if format is output.Format.json:
        listed = [vars(one) | {"acted_at": one.acted_at.isoformat(timespec="seconds") + "Z"} for one in found]
        console.print_json(json.dumps(listed, ensure_ascii=False))
        return
    for one in found:
        why = f"  ({one.why})" if one.why else ""
        line = f"{one.act_id}  {one.acted_at:%Y-%m-%d %H:%M:%S}  {one.actor}  {one.action}  {one.subject}{why}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not found:
        console.print("No act yet.")


def verify(
    noted: Annotated[
        str | None, typer.Option("--noted", metavar="HASH", help="A hash printed here before: is it still in the log?")
    ] = None,
) -> None:
    """Verify the whole log: that no act was changed, removed or put in. Exit 1 when one was."""
    if noted is not None and not _HASH.fullmatch(noted):
        raise typer.BadParameter("--noted takes the 64 hexadecimal digits that this command printed")
    with closing(Ledger(Settings().ledger)) as ledger:
        found = acts.verify(ledger, noted)
    for number in found.broken:
        errors.print(f"[red]Act {number} is not what was logged, or the acts before it are not.[/]", highlight=False)
    if found.is_noted_there is False:
        errors.print("[red]The noted hash is not in the log: acts were removed, or it is of another installation.[/]")
    if not found.holds:
        raise typer.Exit(Exit.REFUSED)
    console.print(f"{found.count} acts, none changed, removed or put in.", highlight=False)
    console.print(f"Note the last hash outside this machine: {found.head}", highlight=False, soft_wrap=True)
    console.print("With --noted HASH this command sees later that nothing was cut off at the end.", highlight=False)
