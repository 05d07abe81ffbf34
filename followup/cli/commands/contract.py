"""`followup contract try` and `followup contract apply`: a changed contract against what is in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from followup.cli import output
from followup.cli.marts import rebuild_marts
from followup.cli.options import Exit, FormatOption, QuarterOption, console, errors, print_line, refusal, sentence_of
from ingest.contracts import ContractError, load_contracts
from ingest.settings import Settings

if TYPE_CHECKING:
    from followup.build.figure_diff import MartDiff
    from followup.contract_trial import Trial
    from ingest.maintenance.checking_again import CheckedAgain

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


def require_whole() -> None:
    """Raise typer.BadParameter where a contract or a suite can't be read; the message says which and why."""
    from ingest.checks.suites import rules_of_all_versions

    try:
        for dataset, contract in load_contracts().items():
            rules_of_all_versions(dataset)
            for column in contract.columns:
                if column.codes or column.codes_from:
                    contract.code_list(column.name, "")
    except (ContractError, ValueError, KeyError, OSError) as error:
        raise typer.BadParameter(f"the changed contract can't be read: {error}") from None


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
    format: FormatOption = output.Format.text,
) -> None:
    """Show which submissions in force a changed contract would refuse or ask about, and which figures would move.

    FOLDER has changed files at the places that they have in expectations/ (serviceinsatser/contract.yml,
    code_lists.yml), and in seeds/ those of the warehouse (seeds/intervention_aliases.csv). Without FOLDER the deployed
    contract is tried. Nothing is stored. Exit 1 when a submission would be refused.
    """
    from followup import contract_trial

    settings = Settings()
    if folder is not None:
        given = {"--dataset": dataset, "--district": district, "--quarter": quarter, "--format": format.value}
        arguments = [part for name, value in given.items() if value is not None for part in (name, str(value))]
        try:
            done = contract_trial.in_process_of_its_own(
                settings, folder, [*arguments, "--figures" if figures else "--no-figures"]
            )
        except contract_trial.NoSuchDeclaration as error:
            raise typer.BadParameter(str(error)) from None
        raise typer.Exit(done.returncode)
    require_whole()
    with output.progress(errors) as bar:
        trial = contract_trial.try_contract(
            settings,
            dataset=_known(dataset),
            district=district,
            quarter=quarter,
            with_figures=figures,
            most=SHOWN_FIGURES,
            on_file=lambda found, number, total: bar(number, total, found.source_file_name),
        )
    if format is output.Format.json:
        console.file.write(json.dumps(as_json(trial), ensure_ascii=False) + "\n")
    else:
        for line in text_of(trial):
            print_line(line)
    raise typer.Exit(Exit.REFUSED if any(one.outcome == "refused" for one in trial.checked) else Exit.DONE)


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
        submissions = chosen(intake, _known(dataset), district, None if quarter is None else str(quarter))
        try:
            done = apply_it(
                intake, submissions, lambda found, number, total: bar(number, total, found.source_file_name)
            )
        except LeaseBusy as busy:
            raise refusal(sentence_of(busy)) from None
    for one in done.checked:
        print_line(line_of(one))
    for found in done.locked:
        print_line(f"locked: {found.district_code} {found.dataset} {found.reporting_quarter} is left as it is")
    print_line(f"{len(submissions)} submissions in force were checked; {len(done.recorded)} recorded anew.")
    if done.recorded:
        rebuild_marts(settings, outdated="what was in force before", with_what="with what is in force now.")
    raise typer.Exit(Exit.REFUSED if any(one.outcome == "refused" for one in done.checked) else Exit.DONE)


def line_of(one: CheckedAgain) -> str:
    """One submission and what its check comes to: `refused: bromma utbud 2025Q3: UTB-028 ×12`."""
    found = one.submission
    said = ", ".join(f"{rule} ×{count}" for rule, count in one.rules) or one.why
    rows = "" if not one.rows else f"{'; ' if said else ''}{one.rows} rows would be others"
    return f"{one.outcome}: {found.district_code} {found.dataset} {found.reporting_quarter}: {said}{rows}"


def text_of(trial: Trial) -> Iterator[str]:
    """Lines for people."""
    from ingest.maintenance.checking_again import Outcome

    counts = ", ".join(f"{len(trial.with_outcome(kind))} {kind}" for kind in Outcome)
    yield f"{len(trial.checked)} submissions in force: {counts}."
    yield from (line_of(one) for one in trial.checked if one.outcome is not Outcome.same)
    if trial.marts is None:
        return
    if not trial.marts:
        yield "No figure moves."
    for mart in trial.marts:
        yield f"{mart.mart}: {mart.here} figures move"
        yield from (f"  {line}" for line in _figures(mart))


def _figures(mart: MartDiff) -> Iterator[str]:
    from followup.build.figure_diff import WHOLE

    for figure in mart.figures:
        where = ", ".join(value for value in figure.key.values() if value not in (WHOLE, "False", "None"))
        yield f"{where}: {figure.measure} {figure.before} → {figure.after}"
    if mart.here > len(mart.figures):
        yield f"… and {mart.here - len(mart.figures)} more"


def as_json(trial: Trial) -> dict[str, Any]:
    """What `followup contract try --format json` prints."""
    return {
        "submissions": [
            {
                "submission_id": one.submission.submission_id,
                "district": one.submission.district_code,
                "dataset": one.submission.dataset,
                "quarter": one.submission.reporting_quarter,
                "outcome": one.outcome.value,
                "rules": dict(one.rules),
                "rows": one.rows,
                "why": one.why or None,
            }
            for one in trial.checked
        ],
        "marts": None if trial.marts is None else {mart.mart: mart.here for mart in trial.marts},
    }
