"""What the city's data team decides: exceptions, withdrawals, explanations, local names, reprocessing, erasing."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from followup import deciding
from followup.cli import output
from followup.cli.commands.backup import remind_of_backups
from followup.cli.marts import rebuild_marts
from followup.cli.options import Exit, ask_for_person_number, console, errors, is_agreed, known_unit, quarter_of
from ingest.contracts import load_contracts
from ingest.ledger import ChangeRefused, Ledger, Submission, decisions
from ingest.quarters import Quarter
from ingest.settings import MOST_DAYS, Settings

if TYPE_CHECKING:
    from ingest.recording import IntakeContext

QuarterArgument = Annotated[Quarter, typer.Option("--quarter", "-q", parser=quarter_of, metavar="YYYYQn")]
DistrictOption = Annotated[str, typer.Option(metavar="CODE", help="A district's code, such as farsta.")]
DatasetOption = Annotated[str | None, typer.Option(metavar="DATASET", help="Only this dataset; without it all.")]
WhyOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, in words; never anything personal.")]
SubmissionArgument = Annotated[
    str, typer.Argument(metavar="SUBMISSION", help="Its id or the beginning of it, as `status` shows it.")
]
exception_app = typer.Typer(help="Let a district submit into a locked quarter.", no_args_is_help=True)
alias_app = typer.Typer(help="Districts' own names of interventions.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (withdraw, explain, reprocess, restore_rows, erase):
        app.command()(command)
    app.add_typer(exception_app, name="exception")
    app.add_typer(alias_app, name="alias")


def _refused(message: str) -> typer.Exit:
    errors.print(f"[red]{message}[/]", soft_wrap=True, highlight=False)
    return typer.Exit(Exit.REFUSED)


def _known_district(code: str) -> str:
    known_unit(code)
    return code


def _known_dataset(name: str | None) -> str | None:
    if name is not None and name not in load_contracts():
        raise typer.BadParameter(f"{name} is no dataset; there are {', '.join(load_contracts())}")
    return name


def _decided(refused: deciding.DecisionRefused) -> Exception:
    """How the command ends: what was typed is wrong, or does not fit what the ledger holds."""
    if refused.fault in (deciding.Fault.LOCKED, deciding.Fault.FROZEN, deciding.Fault.STATE):
        return _refused(str(refused))
    return typer.BadParameter(str(refused))


def _find_submission(ledger: Ledger, text: str) -> Submission:
    found = [s for s in ledger.submissions() if s.submission_id.startswith(text.strip().lower())] if text else []
    if len(found) != 1:
        which = "several submissions begin" if found else "no submission begins"
        raise typer.BadParameter(f"{which} so; `followup status --quarter YYYYQn --format json` lists their ids")
    return found[0]


@exception_app.command("open")
def exception_open(
    quarter: QuarterArgument,
    district: DistrictOption,
    why: WhyOption,
    dataset: DatasetOption = None,
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day on which it holds; without it until closed.")
    ] = None,
) -> None:
    """Open an exception: the district may submit into the locked quarter."""
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        code, which = _known_district(district), _known_dataset(dataset)
        try:
            number = deciding.open_exception(settings, ledger, quarter, code, which, until, why)
        except deciding.DecisionRefused as refused:
            raise _decided(refused) from None
        is_locked = str(quarter) in decisions.locked_quarters(ledger)
    console.print(f"Exception {number} is open: {district} may submit {dataset or 'all datasets'} for {quarter}.")
    if not is_locked:
        console.print(f"[yellow]{quarter} is not locked: the exception matters only once it is.[/]")


@exception_app.command("close")
def exception_close(number: Annotated[int, typer.Argument(help="As `followup exception list` shows it.")]) -> None:
    """Close an exception."""
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        changed = decisions.close_exception(ledger, number, deciding.now_naive(settings))
    if not changed:
        raise _refused(f"There is no open exception {number}.")
    console.print(f"Exception {number} is closed.")


@exception_app.command("list")
def exception_list() -> None:
    """List the exceptions that are open."""
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        found = decisions.open_exceptions(ledger, settings.now_date())
    for one in found:
        until = f"until {one.until_date}" if one.until_date else "until closed"
        what = one.dataset or "all datasets"
        console.print(
            f"{one.lock_exception_id}  {one.reporting_quarter}  {one.district_code}  {what}  {until}  {one.why}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if not found:
        console.print("No exception is open.")


def withdraw(submission: SubmissionArgument, why: WhyOption) -> None:
    """Take an accepted submission out of force; the version before it, if any, is in force again."""
    from ingest.recording import open_intake

    with open_intake(Settings()) as intake:
        found = _find_submission(intake.ledger, submission)
        try:
            done = deciding.withdraw(intake, found, why)
        except deciding.DecisionRefused as refused:
            raise _decided(refused) from None
    if not done.is_new:
        console.print("It was withdrawn already.")
    left = done.in_force
    now_in_force = (
        "nothing of that key is in force now" if left is None else f"version {left.version} is in force again"
    )
    console.print(f"{found.submission_id} is withdrawn; {now_in_force}. The marts change with the next build.")
    for one in done.again:
        console.print(f"  queries of {one.submission.source_file_name} were looked at again", highlight=False)


def explain(
    submission: SubmissionArgument,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The query's code, such as ARE-081.")],
    text: Annotated[str, typer.Option(metavar="TEXT", help="The district's explanation; never anything personal.")],
    row_key: Annotated[str | None, typer.Option(metavar="KEY", help="Only the rows with this key.")] = None,
    row: Annotated[int | None, typer.Option(metavar="N", help="Only this row, numbered as Excel does.")] = None,
) -> None:
    """Keep a district's explanation of a query. Without --row-key or --row: of all the rule's rows in the file."""
    from ingest.explaining import CannotBeExplained
    from ingest.explaining import explain as explain_queries

    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        found = _find_submission(ledger, submission)
        try:
            explained = explain_queries(
                ledger,
                settings.home,
                found,
                rule.strip().upper(),
                text,
                deciding.now_naive(settings),
                row_key=row_key,
                row=row,
            )
        except CannotBeExplained as error:
            raise _refused(str(error)) from None
    line = (
        f"{explained.explained} queries of {rule.upper()} are explained; {explained.still_open} of the file are open."
    )
    console.print(line, highlight=False)


@alias_app.command("add")
def alias_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The district's own name, as it is in its files.")],
    means: Annotated[str, typer.Option(metavar="CODE", help="The catalogue's code, such as rad_och_stod.")],
    district: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only in this district; without it in all.")
    ] = None,
) -> None:
    """Let a name mean an intervention of the catalogue, and check the files that were refused for it again."""
    from ingest.recording import open_intake

    code = None if district is None else _known_district(district)
    try:
        checked = deciding.checked_local_name(name, means, code)
    except deciding.DecisionRefused as refused:
        raise _decided(refused) from None
    with open_intake(Settings()) as intake:
        to_check = deciding.add_local_name(intake, checked)
        console.print(f"{checked.alias} means {means} in {code or 'every district'}.", markup=False, highlight=False)
        reprocess_and_print(intake, to_check)


@alias_app.command("list")
def alias_list() -> None:
    """List the names that the city has added (those of the seed intervention_aliases apart)."""
    with closing(Ledger(Settings().ledger)) as ledger:
        found = decisions.local_names(ledger)
    for one in found:
        where = one.district_code or "every district"
        console.print(f"{one.alias} = {one.intervention_code}  ({where})", markup=False, highlight=False)
    if not found:
        console.print("No name has been added.")


def reprocess(
    submission: Annotated[str | None, typer.Argument(metavar="SUBMISSION", help="Only this one.")] = None,
    district: Annotated[str | None, typer.Option(metavar="CODE")] = None,
    dataset: DatasetOption = None,
    quarter: Annotated[Quarter | None, typer.Option("--quarter", "-q", parser=quarter_of, metavar="YYYYQn")] = None,
    rule: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Only those refused by this rule.")] = None,
) -> None:
    """Check refused files again from their stored originals, when what refused them lay with the city."""
    from ingest.maintenance.reprocessing import open_refusals
    from ingest.recording import open_intake

    with open_intake(Settings()) as intake:
        refused = open_refusals(
            intake.ledger, district=None if district is None else _known_district(district),
            dataset=_known_dataset(dataset), quarter=None if quarter is None else str(quarter),
            rules=[one.upper() for one in rule or ()],
        )  # fmt: skip
        if submission is not None:
            wanted = _find_submission(intake.ledger, submission)
            refused = [one for one in refused if one.submission_id == wanted.submission_id]
            if not refused:
                raise _refused("It is not refused, a later one has followed it, or its original is erased.")
        if reprocess_and_print(intake, refused):
            raise typer.Exit(Exit.REFUSED)


def reprocess_and_print(intake: IntakeContext, refused: Collection[Submission]) -> int:
    """Check files again and print the outcome of each; returns how many are still refused."""
    from ingest.maintenance.reprocessing import reprocess as check_again

    with output.progress(errors) as bar:
        done = check_again(intake, refused, lambda s, n, total: bar(n, total, s.source_file_name))
    still = [one for one in done if one.state != "accepted"]
    for one in done:
        console.print(f"  {one.state}: {one.district_code} {one.source_file_name}", markup=False, highlight=False)
    console.print(f"Checked again: {len(done)}; in force now: {len(done) - len(still)}.", highlight=False)
    return len(still)


def restore_rows(submission: SubmissionArgument) -> None:
    """Store the rows of a submission again from its original, when their file is missing or damaged."""
    from ingest.maintenance.restoring_rows import restore_rows as store_again
    from ingest.recording import open_intake

    with open_intake(Settings()) as intake:
        found = _find_submission(intake.ledger, submission)
        try:
            done = store_again(intake, found)
        except ChangeRefused as error:
            raise _refused(str(error)) from None
    if not done.is_written:
        outcome = "are as they were stored: nothing was done."
    elif done.is_same:
        outcome = f"are stored again, {done.rows} of them, byte for byte as before."
    else:
        compared = (
            "the earlier file can't be read to compare with"
            if done.differing is None
            else (f"{done.differing} rows differ from those in the earlier file")
        )
        outcome = (
            f"are stored again as today's programs read the original: {done.rows} rows, {done.rows_before} before; "
            f"{compared}. Build the marts, and look at the district's figures."
        )
    console.print(f"The rows of {found.submission_id} {outcome}", highlight=False, soft_wrap=True)
    if done.queries is not None:
        console.print(f"Its queries were damaged or missing: {done.queries} are stored again.", highlight=False)


def erase(
    person: Annotated[
        bool, typer.Option("--person", help="One person, whose number is asked for (never an argument).")
    ] = False,
    originals: Annotated[
        bool, typer.Option("--originals", help="Encrypted originals past the configured time.")
    ] = False,
    older_than: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=MOST_DAYS, help="Instead of FOLLOWUP_ORIGINALS_KEPT_DAYS.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether originals shall be erased.")] = False,
) -> None:
    """Erase old originals, or one person from every version of every file, and build the marts again."""
    if person == originals:
        raise typer.BadParameter("say which: --originals or --person")
    settings = Settings()
    raise typer.Exit(_erase_person(settings) if person else _erase_originals(settings, older_than, yes))


def _erase_originals(settings: Settings, older_than: int | None, yes: bool) -> Exit:
    from ingest.maintenance.erasing import erase_originals
    from ingest.recording import open_intake

    days = settings.originals_kept_days if older_than is None else older_than
    before = deciding.now_naive(settings) - timedelta(days=days)
    if not yes and not is_agreed(f"Erase the originals of all that was submitted before {before:%Y-%m-%d}?"):
        console.print("Nothing is erased.")
        return Exit.DONE
    with open_intake(settings) as intake:
        done = erase_originals(intake, before, deciding.now_naive(settings))
    unknown = f" ({done.unknown} of them belonged to no submission in the ledger)" if done.unknown else ""
    console.print(f"{done.originals} originals are erased{unknown}. Rows in force stay as they are.", highlight=False)
    return Exit.DONE


def _erase_person(settings: Settings) -> Exit:
    from ingest.maintenance.erasing import NotAPersonNumber, erase_person
    from ingest.recording import open_intake

    number = ask_for_person_number()
    with open_intake(settings) as intake:
        try:
            with output.progress(errors) as bar:
                done = erase_person(intake, number, deciding.now_naive(settings), bar)
        except NotAPersonNumber as error:
            errors.print(f"[red]{error}[/]")
            return Exit.USAGE
    waited = f", with {done.spooled} files that waited in the portal" if done.spooled else ""
    said = f"{done.rows} rows are removed from {done.files} files, and {done.originals} originals that held the person "
    said += f"are erased{waited}."
    if not (done.rows or done.originals or done.spooled):
        said = "Nothing of that person is stored: no row, no original, no file that waits in the portal."
    console.print(said, highlight=False, soft_wrap=True)
    is_built = rebuild_marts(
        settings,
        outdated="the person's rows",
        with_what="without them. What is published changes with the next release.",
    )
    remind_of_backups(settings, "the person")
    return Exit.DONE if is_built else Exit.FAILED
