"""`followup extract`: a unit's own exact figures for its own staff, and who has taken which."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from followup.cli import output
from followup.cli.options import Exit, FormatOption, console, errors
from ingest.ledger import Ledger
from ingest.ledger.extracts import extracts
from ingest.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(extract)


def extract(
    district: Annotated[
        str | None, typer.Option(metavar="CODE", help="A unit of today's division, such as farsta.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write: an .xlsx that isn't there yet, or a folder; by default extracts/ in FOLLOWUP_HOME.",
        ),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the extracts that were made, and make none.")] = False,
    format: FormatOption = output.Format.text,
) -> None:
    """Skriv en enhets egna exakta siffror till Excel. Write a unit's own exact figures, for its own staff alone.

    The workbook has the unit's rows of all marts, as they are in the private warehouse: small counts are real. What
    compares units, or rests on what another unit did for the same child, is left out; the first sheet says so, and what
    the file's use obliges to. Only the user who runs this can open the file, and it never replaces one. Each extract
    is recorded in the ledger: who, when, which unit, how many rows, the file's checksum (--list shows them).
    Exit 1 when no extract can be made, 3 when there is no warehouse or no disk.
    """
    settings = Settings()
    if list_all:
        if district is not None or out is not None:
            raise typer.BadParameter("--list shows what was made, and takes neither --district nor --out")
        _list(settings, format)
        return
    if district is None:
        raise typer.BadParameter("say whose figures: --district CODE (or --list)")
    from publish.extract.choosing import ExtractRefused
    from publish.extract.extracting import extract as make_extract
    from publish.gate.passing import MartsMissing

    try:
        with output.progress(errors) as bar:
            made = make_extract(settings, district, out, on_step=bar)
    except (ExtractRefused, FileExistsError) as error:
        errors.print(f"[red]No extract:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.REFUSED) from None
    except MartsMissing as error:
        errors.print(f"[red]No extract:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.FAILED) from None
    if format is output.Format.json:
        answer = asdict(made.recorded) | {"file": str(made.path), "rows": made.rows, "notice": made.notice}
        console.file.write(json.dumps(answer, ensure_ascii=False, default=str) + "\n")
        return
    if made.notice:
        console.print(f"[bold]{escape(made.notice)}[/]", soft_wrap=True)
    lines = (
        f"{made.recorded.row_count} rows of {len(made.rows)} marts: {made.path}",
        f"sha256 {made.recorded.file_sha256}",
        f"Exact figures of {made.unit}, for its own staff alone. Recorded in the ledger as taken by "
        f"{made.recorded.os_user}. Hand the file over by a way that only they can read, then remove it here.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _list(settings: Settings, format: output.Format) -> None:
    with closing(Ledger(settings.ledger)) as ledger:
        found = extracts(ledger)
    if format is output.Format.json:
        console.file.write(json.dumps([asdict(one) for one in found], ensure_ascii=False, default=str) + "\n")
        return
    for one in found:
        login = f" (logged in as {one.login_user})" if one.login_user not in (None, one.os_user) else ""
        line = (
            f"{one.extracted_at:%Y-%m-%d %H:%M} UTC  {one.district_code}  {one.os_user}{login}  {one.row_count} rows  "
            f"{one.file_name}  sha256 {one.file_sha256}{'  synthetic' if one.is_synthetic else ''}"
        )
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if not found:
        console.print("No extract has been made.")
