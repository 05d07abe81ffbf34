"""What the city's data team decides: exceptions, withdrawals, explanations, local names, reprocessing, erasing."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from followup.cli import output
from followup.cli.marts import rebuild_marts
from followup.cli.options import Exit, console, errors, is_agreed, is_terminal, quarter_of
from ingest.contracts import LocalName, load_contracts
from ingest.districts import load_districts, read_seed
from ingest.ledger import ChangeRefused, Ledger, Submission, decisions
from ingest.quarters import Quarter
from ingest.settings import Settings

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


def now_naive(settings: Settings) -> datetime:
    """The installation's clock as the ledger stores it: UTC, without zone."""
    return settings.now().astimezone(UTC).replace(tzinfo=None)


def _refused(message: str) -> typer.Exit:
    errors.print(f"[red]{message}[/]", soft_wrap=True, highlight=False)
    return typer.Exit(Exit.REFUSED)


def _known_district(code: str) -> str:
    if load_districts().get(code) is None:
        raise typer.BadParameter(f"{code} is no district; see dbt_project/seeds/districts.csv")
    return code


def _known_dataset(name: str | None) -> str | None:
    if name is not None and name not in load_contracts():
        raise typer.BadParameter(f"{name} is no dataset; there are {', '.join(load_contracts())}")
    return name


def _checked_reason(text: str) -> str:
    from ingest.persons.number_search import reads_as_number

    if not text.strip() or reads_as_number(text):
        raise typer.BadParameter("give a reason in words, without anything that reads as a personnummer")
    return text.strip()


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
    settings, last = Settings(), None
    if until is not None:
        with suppress(ValueError):
            last = date.fromisoformat(until)
        if last is None or last < settings.now_date():
            raise typer.BadParameter("--until is a day from today on, written YYYY-MM-DD")
    with closing(Ledger(settings.ledger)) as ledger:
        number = decisions.open_exception(
            ledger, quarter, _known_district(district), _known_dataset(dataset), until=last, why=_checked_reason(why),
            now=now_naive(settings),
        )  # fmt: skip
        is_locked = str(quarter) in decisions.locked_quarters(ledger)
    console.print(f"Exception {number} is open: {district} may submit {dataset or 'all datasets'} for {quarter}.")
    if not is_locked:
        console.print(f"[yellow]{quarter} is not locked: the exception matters only once it is.[/]")


@exception_app.command("close")
def exception_close(number: Annotated[int, typer.Argument(help="As `followup exception list` shows it.")]) -> None:
    """Close an exception."""
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        changed = decisions.close_exception(ledger, number, now_naive(settings))
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
    from ingest.rechecking import recheck_after
    from ingest.recording import open_intake

    settings = Settings()
    with open_intake(settings) as intake:
        found = _find_submission(intake.ledger, submission)
        quarter = Quarter.parse(found.reporting_quarter) if found.reporting_quarter else None
        if quarter is not None and found.dataset is not None:
            today = settings.now_date()
            if decisions.is_closed_to(intake.ledger, found.district_code, found.dataset, quarter, today):
                raise _refused(f"{quarter} is locked: open an exception for {found.district_code} first.")
        with intake.lease(found.district_code):
            if found.state == "withdrawn":
                console.print("It was withdrawn already.")
            else:
                try:
                    decisions.withdraw(intake.ledger, found, _checked_reason(why), now_naive(settings))
                except ChangeRefused as error:
                    raise _refused(str(error)) from None
            again = recheck_after(intake, found)
        left = intake.ledger.in_force(
            district=found.district_code, dataset=found.dataset, quarter=found.reporting_quarter
        )
    now_in_force = f"version {left[0].version} is in force again" if left else "nothing of that key is in force now"
    console.print(f"{found.submission_id} is withdrawn; {now_in_force}. The marts change with the next build.")
    for one in again:
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
                ledger, settings.home, found, rule.strip().upper(), text, now_naive(settings), row_key=row_key, row=row
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
    from ingest.folding import fold
    from ingest.maintenance.reprocessing import open_refusals
    from ingest.persons.number_search import reads_as_number
    from ingest.recording import open_intake

    catalogue = {row["intervention_code"] for row in read_seed("interventions")}
    if means not in catalogue:
        import difflib

        near = difflib.get_close_matches(means, sorted(catalogue), n=3)
        raise typer.BadParameter(
            f"{means} is no code of the catalogue" + (f"; near it: {', '.join(near)}" if near else "")
        )
    if not fold(name) or len(name) > 200 or reads_as_number(name):
        raise typer.BadParameter("that can't be the name of an intervention")
    if fold(name) in {fold(code) for code in catalogue} and fold(name) != fold(means):
        raise typer.BadParameter("that is another intervention's own code")
    code = "" if district is None else _known_district(district)
    with open_intake(Settings()) as intake:
        decisions.add_local_name(intake.ledger, LocalName(code, name.strip(), means), now_naive(intake.settings))
        console.print(f"{name.strip()} means {means} in {district or 'every district'}.", markup=False, highlight=False)
        rules = _rules_of_unknown_interventions()
        _reprocess(intake, open_refusals(intake.ledger, district=district, rules=rules))


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


def _rules_of_unknown_interventions() -> set[str]:
    """Codes of the rules that refuse a file for an unknown intervention."""
    from ingest.checks.suites import load_rules

    found = set()
    for dataset, contract in load_contracts().items():
        named = {column.name for column in contract.columns if column.codes_from == "interventions"}
        found |= {r.code for r in load_rules(dataset) if r.kind == "expect_values_to_be_readable" and r.column in named}
    return found


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
            intake.ledger, district=district, dataset=_known_dataset(dataset),
            quarter=None if quarter is None else str(quarter), rules=[one.upper() for one in rule or ()],
        )  # fmt: skip
        if submission is not None:
            wanted = _find_submission(intake.ledger, submission)
            refused = [one for one in refused if one.submission_id == wanted.submission_id]
            if not refused:
                raise _refused("It is not refused, a later one has followed it, or its original is erased.")
        if _reprocess(intake, refused):
            raise typer.Exit(Exit.REFUSED)


def _reprocess(intake: IntakeContext, refused: list[Submission]) -> int:
    """Check refused files again and print the outcome of each; returns how many are still refused."""
    from ingest.maintenance.reprocessing import reprocess as check_again

    with output.progress(errors) as bar:
        done = check_again(intake, refused, lambda s, n, total: bar(n, total, s.source_file_name))
    still = [one for one in done if one.state != "accepted"]
    for one in done:
        console.print(f"  {one.state}: {one.district_code} {one.source_file_name}", markup=False, highlight=False)
    console.print(f"{len(done)} refused files were checked again; {len(done) - len(still)} are in force now.")
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
        int | None, typer.Option(metavar="DAYS", min=0, help="Instead of FOLLOWUP_ORIGINALS_KEPT_DAYS.")
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
    before = now_naive(settings) - timedelta(days=days)
    if not yes and not is_agreed(f"Erase the originals of all that was submitted before {before:%Y-%m-%d}?"):
        console.print("Nothing is erased.")
        return Exit.DONE
    with open_intake(settings) as intake:
        done = erase_originals(intake, before, now_naive(settings))
    unknown = f" ({done.unknown} of them belonged to no submission in the ledger)" if done.unknown else ""
    console.print(f"{done.originals} originals are erased{unknown}. Rows in force stay as they are.", highlight=False)
    return Exit.DONE


def _erase_person(settings: Settings) -> Exit:
    from ingest.maintenance.erasing import NotAPersonNumber, erase_person
    from ingest.recording import open_intake

    if not is_terminal():  # a number in a pipe would be in a file or a history
        raise typer.BadParameter("there is no terminal to ask for the number at: run it at one")
    number = typer.prompt("Personnummer (nothing is shown while you type)", hide_input=True, confirmation_prompt=True)
    with open_intake(settings) as intake:
        try:
            with output.progress(errors) as bar:
                done = erase_person(intake, number, now_naive(settings), bar)
        except NotAPersonNumber as error:
            errors.print(f"[red]{error}[/]")
            return Exit.USAGE
    console.print(
        f"{done.rows} rows are removed from {done.files} files, and {done.originals} originals that held the person "
        "are erased.", highlight=False, soft_wrap=True,
    )  # fmt: skip
    is_built = rebuild_marts(
        settings,
        outdated="the person's rows",
        with_what="without them. What is published changes with the next release.",
    )
    return Exit.DONE if is_built else Exit.FAILED
