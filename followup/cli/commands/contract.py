"""`followup contract try` and `followup contract apply`: a changed contract against what is in force."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from followup.cli import output
from followup.cli.marts import rebuild_marts
from followup.cli.options import (
    Exit,
    FormatOption,
    QuarterOption,
    console,
    errors,
    known_unit,
    print_line,
    refusal,
    sentence_of,
)
from followup.contract_report import as_json, line_of, rules_in, text_of
from ingest.contracts import ContractError, load_contracts
from ingest.organisation import OrganisationError
from ingest.settings import DECLARED, Settings

SHOWN_FIGURES = 20
contract_app = typer.Typer(help="Try a changed contract, and put it in use.", no_args_is_help=True)
DatasetOption = Annotated[str | None, typer.Option(metavar="DATASET", help="Only this dataset; without it all.")]
DistrictOption = Annotated[str | None, typer.Option(metavar="CODE", help="Only this district; without it all.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(contract_app, name="contract")


def _known(dataset: str | None) -> str | None:
    if dataset is not None and dataset not in load_contracts():
        raise typer.BadParameter(f"{dataset} is no dataset; there are {', '.join(load_contracts())}")
    return dataset


@contract_app.command("try")
def try_contract(
    folder: Annotated[
        Path | None,
        typer.Argument(exists=True, file_okay=False, metavar="FOLDER", help="Changed files, as in expectations/."),
    ] = None,
    dataset: DatasetOption = None,
    district: DistrictOption = None,
    quarter: QuarterOption = None,
    figures: Annotated[bool, typer.Option(help="Build the marts as they would be, and compare.")] = True,
    mappings: Annotated[
        list[Path] | None,
        typer.Option("--mapping", exists=True, dir_okay=False, metavar="FILE", help="A unit's own words, not yet set."),
    ] = None,
    format: FormatOption = output.Format.text,
) -> None:
    """Show which submissions in force a changed contract would refuse or ask about, and which figures would move.

    FOLDER has changed files at the places that they have in expectations/ (serviceinsatser/contract.yml,
    code_lists.yml), in seeds/ those of the warehouse (seeds/intervention_aliases.csv), and in mappings/ units' own
    words as they would be set. Without FOLDER the deployed contract is tried. Nothing is stored. Exit 1 when a
    submission would be refused, or a unit's next file for its mapping; 2 when the contract or a mapping can't be used.
    """
    from followup import contract_trial
    from followup.mapping import read_checked
    from ingest.ledger import Ledger
    from ingest.mappings.documents import MappingRefused

    settings = Settings()
    if folder is not None:
        given = {"--dataset": dataset, "--district": district, "--quarter": quarter, "--format": format.value}
        arguments = [part for name, value in given.items() if value is not None for part in (name, str(value))]
        arguments += [part for path in mappings or () for part in ("--mapping", str(path.absolute()))]
        try:
            done = contract_trial.in_process_of_its_own(
                settings, folder, [*arguments, "--figures" if figures else "--no-figures"]
            )
        except contract_trial.NoSuchDeclaration as error:
            raise typer.BadParameter(str(error)) from None
        raise typer.Exit(done.returncode)
    try:
        dataset, district = _known(dataset), known_unit(district)
        with closing(Ledger(settings.ledger)) as ledger:
            words = [read_checked(path, ledger) for path in mappings or ()]
        with output.progress(errors) as bar:
            trial = contract_trial.try_contract(
                settings,
                dataset=dataset,
                district=district,
                quarter=quarter,
                with_figures=figures,
                most=SHOWN_FIGURES,
                mappings=words,
                on_file=lambda found, number, total: bar(number, total, found.source_file_name),
            )
    except (ContractError, OrganisationError) as error:
        said = str(error).replace(f"{DECLARED}{os.sep}", "")  # a copy with the changes, which is removed
        raise typer.BadParameter(f"the changed contract can't be used: {said}") from None
    except MappingRefused as error:
        raise typer.BadParameter(f"a mapping can't be used: {error}") from None
    if format is output.Format.json:
        console.file.write(json.dumps(as_json(trial), ensure_ascii=False) + "\n")
    else:
        for line in text_of(trial):
            print_line(line)
    raise typer.Exit(Exit.REFUSED if trial.is_refused else Exit.DONE)


@contract_app.command("apply")
def apply_contract(
    dataset: DatasetOption = None, district: DistrictOption = None, quarter: QuarterOption = None
) -> None:
    """Check what is in force again under the deployed contract, and record what comes out otherwise; then build.

    A submission that is refused now stays in force, and its district is told what to correct. Locked quarters are left
    alone. It can be run again. Exit 1 when a submission is refused.
    """
    from followup.contract_trial import chosen
    from ingest.ledger.leases import LeaseBusy
    from ingest.maintenance.checking_again import apply_contract as apply_it
    from ingest.recording import open_intake

    settings = Settings()
    with open_intake(settings) as intake, output.progress(errors) as bar:
        submissions = chosen(intake, _known(dataset), known_unit(district), None if quarter is None else str(quarter))
        try:
            done = apply_it(
                intake, submissions, lambda found, number, total: bar(number, total, found.source_file_name)
            )
        except LeaseBusy as busy:
            raise refusal(sentence_of(busy)) from None
    for one in done.checked:
        print_line(line_of(one))
    for line in rules_in(done.checked):
        print_line(line)
    for found in done.locked:
        print_line(f"locked: {found.district_code} {found.dataset} {found.reporting_quarter} is left as it is")
    print_line(f"{len(submissions)} submissions in force were checked; {len(done.recorded)} recorded anew.")
    if done.recorded:
        rebuild_marts(settings, outdated="what was in force before", with_what="with what is in force now.")
    raise typer.Exit(Exit.REFUSED if any(one.outcome == "refused" for one in done.checked) else Exit.DONE)
