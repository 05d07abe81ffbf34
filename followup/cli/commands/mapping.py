"""Units' own column names and codes: propose a mapping, try it, set it, look at it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from followup.cli.commands.city_decisions import reprocess_and_print
from followup.cli.options import Exit, console, errors, known_unit, quarter_of
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.ledger.mappings import mapping_of_version, mappings
from ingest.mappings.documents import MappingRefused, UnitMapping, as_yaml
from ingest.quarters import Quarter
from ingest.settings import Settings

mapping_app = typer.Typer(help="Units' own column names and codes.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, metavar="FILE")]
UnitArgument = Annotated[str, typer.Argument(metavar="UNIT", help="A unit's code, such as farsta.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(mapping_app, name="mapping")


def refused_mapping(error: MappingRefused) -> typer.Exit:
    """Print every mistake of a mapping on a line of its own."""
    for mistake in error.mistakes:
        errors.print(f"[red]{_escaped(mistake)}[/]", soft_wrap=True, highlight=False)
    errors.print("Nothing was changed.", highlight=False)
    return typer.Exit(Exit.USAGE)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


@mapping_app.command("suggest")
def suggest(
    file: FileArgument,
    unit: Annotated[str | None, typer.Option(metavar="UNIT", help="Where the file's name doesn't say it.")] = None,
    dataset: Annotated[str | None, typer.Option(metavar="DATASET", help="Likewise.")] = None,
    quarter: Annotated[
        Quarter | None, typer.Option("--quarter", "-q", parser=quarter_of, metavar="YYYYQn", help="Likewise.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it into this new file.")] = None,
) -> None:
    """Propose a mapping from one of the unit's files: by names, code lists, dates and numbers. Nothing is stored.

    Never shows personal data, or what is in columns of persons, running numbers or free text.
    """
    from ingest.mappings.suggesting import NothingToSuggest
    from ingest.mappings.suggesting import suggest as propose
    from ingest.naming import read_name
    from ingest.settings import MEGABYTE

    name, limit = read_name(file.name), Settings().max_file_megabytes * MEGABYTE
    unit, dataset, quarter = unit or name.district, dataset or name.dataset, quarter or name.quarter
    if unit is None or dataset is None or quarter is None:
        raise typer.BadParameter("the file's name doesn't say what it is: give --unit, --dataset and --quarter")
    if load_districts().get(unit) is None or dataset not in load_contracts():
        raise typer.BadParameter(f"there is no such unit or dataset; datasets are {', '.join(load_contracts())}")
    with file.open("rb") as handle:
        raw = handle.read(limit + 1)
    if len(raw) > limit:
        raise typer.BadParameter("the file is larger than FOLLOWUP_MAX_FILE_MEGABYTES: take one of fewer rows")
    try:
        document = propose(raw, load_contracts(quarter)[dataset], unit).as_yaml(unit, dataset, quarter)
    except NothingToSuggest as error:
        errors.print(f"[red]{error}[/]", soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.REFUSED) from None
    if out is None:
        typer.echo(document, nl=False)
    else:
        try:
            with out.open("x", encoding="utf-8") as new:
                new.write(document)
        except FileExistsError:
            raise typer.BadParameter(f"{out} is there already: what you have changed in it stays") from None
        console.print(f"Proposed in {out}: read it, then `followup mapping set {out}`.", markup=False, soft_wrap=True)


@mapping_app.command("set")
def set_from_file(
    file: FileArgument,
    reread: Annotated[
        bool, typer.Option("--reread", help="Also read files in force again that were read by other words.")
    ] = False,
) -> None:
    """Set a unit's mapping from its quarter on, and check the files that were refused for it again."""
    from followup.mapping import read_checked, read_otherwise, set_mapping
    from ingest.recording import open_intake

    with open_intake(Settings()) as intake:
        try:
            mapping = read_checked(file, intake.ledger)
        except MappingRefused as error:
            raise refused_mapping(error) from None
        done = set_mapping(intake, mapping)
        console.print(_line(done.mapping) + ("" if done.is_new else ": it was in use already"), highlight=False)
        if done.refused:
            reprocess_and_print(intake, done.refused)
        left = read_otherwise(intake.ledger, mapping.district_code)  # not what a file that came in now has followed
        if left and reread:
            reprocess_and_print(intake, left)
        elif left:
            console.print(
                "Files in force that were read by other words, and are unchanged; with --reread they are read again:",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
            for one in left:
                console.print(f"  {one.submission_id}  {one.source_file_name}", markup=False, highlight=False)


@mapping_app.command("list")
def list_versions(
    unit: Annotated[str | None, typer.Argument(metavar="UNIT", help="Only this unit's.")] = None,
) -> None:
    """List the versions of the units' mappings."""
    with closing(Ledger(Settings().ledger)) as ledger:
        found = mappings(ledger, known_unit(unit))
    for one in found:
        console.print(_line(one), markup=False, highlight=False)
    if not found:
        console.print("No mapping has been set.")


@mapping_app.command("show")
def show(
    unit: UnitArgument,
    version: Annotated[int | None, typer.Option(metavar="N", help="Without it the newest.")] = None,
) -> None:
    """Print a version of a unit's mapping as the document that sets it."""
    with closing(Ledger(Settings().ledger)) as ledger:
        newest = max((one.version for one in mappings(ledger, unit)), default=None)
        found = mapping_of_version(ledger, unit, version or newest)
    if found is None:
        errors.print("There is no such mapping; see `followup mapping list`.", highlight=False)
        raise typer.Exit(Exit.REFUSED)
    typer.echo(as_yaml(found), nl=False)


def _line(mapping: UnitMapping) -> str:
    words = sum(one.count for _, one in mapping.datasets)
    datasets = ", ".join(name for name, _ in mapping.datasets) or "no dataset"
    unit, number = mapping.district_code, mapping.version
    return f"{unit}: version {number}, from {mapping.valid_from}: {words} word{'s' * (words != 1)} in {datasets}"
