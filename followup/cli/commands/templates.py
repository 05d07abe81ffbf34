"""`followup template`: an empty file of a dataset, to fill in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from followup.cli.options import Exit, QuarterOption, console, errors, known_unit
from ingest.contracts import LocalName, load_contracts
from ingest.districts import District, load_districts
from ingest.ledger import Ledger
from ingest.ledger.decisions import local_names
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.storing import write_new


class TemplateFormat(StrEnum):
    """What kind of file a template is."""

    csv = "csv"
    xlsx = "xlsx"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(template)


def template(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as arenden.")],
    district: Annotated[
        str | None, typer.Option(metavar="CODE", help="With this district's areas and own names of interventions.")
    ] = None,
    quarter: QuarterOption = None,
    format: Annotated[
        TemplateFormat, typer.Option("--format", "-f", help="xlsx with drop-downs and instructions, or csv.")
    ] = TemplateFormat.xlsx,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write: a file that isn't there yet, or a folder.")
    ] = None,
) -> None:
    """Skriv en mall att fylla i. Write an empty file of a dataset, named as it is submitted."""
    from followup.templates import as_csv, as_template, file_name

    contract = load_contracts(quarter or Quarter.of(Settings().now_date())).get(dataset)
    if contract is None:
        raise typer.BadParameter(f"{dataset} is no dataset; there are {', '.join(load_contracts())}")
    unit = _unit(district, quarter)
    path = out or Path()
    if path.is_dir():
        path = path / file_name(contract, unit, quarter, format.value)
    if format is TemplateFormat.csv:
        content = as_csv(contract)
    else:
        content = as_template(contract, unit, quarter, _added_names(Settings()))
    try:
        write_new(path, content)
    except FileExistsError:
        errors.print(f"[red]{path} is there already and is never overwritten.[/]", soft_wrap=True)
        raise typer.Exit(Exit.FAILED) from None
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def _unit(code: str | None, quarter: Quarter | None) -> District | None:
    """The district of that code.

    Raises:
        typer.BadParameter: there is none, or it does not report for the quarter.
    """
    unit = load_districts().get(known_unit(code) or "")
    if unit is None:
        return None
    if quarter is not None and not unit.is_valid_in(quarter):
        until = f" to {unit.valid_to}" if unit.valid_to else ""
        raise typer.BadParameter(f"{code} does not report for {quarter}: it is valid from {unit.valid_from}{until}")
    return unit


def _added_names(settings: Settings) -> tuple[LocalName, ...]:
    """Names of interventions that the city has added, where this installation has a ledger."""
    if settings.ledger_url is None and not (settings.home / "ledger.sqlite").exists():
        return ()
    ledger = Ledger(settings.ledger)
    try:
        return local_names(ledger)
    finally:
        ledger.close()
