"""`followup quarter`: whether a quarter is complete, and closing it."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from followup import deciding
from followup.cli import output
from followup.cli.marts import build_marts
from followup.cli.options import (
    Exit,
    FormatOption,
    console,
    errors,
    is_agreed,
    print_line,
    quarter_of,
    refusal,
    require_begun,
)
from ingest.ledger import Ledger
from ingest.ledger.decisions import locked_quarters
from ingest.quarters import Quarter
from ingest.settings import Settings

QuarterName = Annotated[Quarter, typer.Argument(parser=quarter_of, metavar="YYYYQn", help="Which quarter.")]
LONGEST_NOTE = 500
"""Characters of a revision's note."""


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    quarter = typer.Typer(help="Is a quarter complete, and closing it.", no_args_is_help=True)
    quarter.command()(report)
    quarter.command()(close)
    quarter.command()(revisions)
    quarter.command()(note)
    app.add_typer(quarter, name="quarter")


def report(
    quarter: QuarterName,
    format: FormatOption = output.Format.text,
) -> None:
    """Store and print a quarter's completeness report, in Swedish. Exit 1 while something is missing."""
    from followup.closing.completeness import completeness_in, in_swedish, store_report

    settings = Settings()
    require_begun(settings, quarter)
    with closing(Ledger(settings.ledger)) as ledger:
        found = completeness_in(ledger, settings, quarter)
    path = store_report(settings, found)
    if format is output.Format.json:
        console.file.write(found.as_json())
    else:
        print_line(in_swedish(found).rstrip())
        print_line(f"(stored: {path})")
    raise typer.Exit(Exit.DONE if found.is_complete else Exit.REFUSED)


def close(
    quarter: QuarterName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Close without asking; for scripts.")] = False,
) -> None:
    """Close a quarter: its completeness report, your yes, the lock, a build, and the release of its final figures.

    Run again after a failure it goes on where it stopped. Exit 1 when the marts or the attacks stop the release; the
    quarter is locked then.
    """
    from followup.cli.commands.releases import publish
    from followup.closing.closing import ChangedSince, ask
    from followup.closing.closing import close as close_asked
    from followup.closing.completeness import in_swedish
    from ingest.acting_user import current_actor

    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        try:
            question = ask(settings, ledger, quarter, current_actor().name, is_wanted=True)
            if question is not None:
                print_line(in_swedish(question.report).rstrip())
                print_line(f"(stored: {question.path})")
                if not yes and not is_agreed(f"Close {quarter} as it is?"):
                    print_line("Nothing is locked.")
                    return
                close_asked(settings, ledger, quarter, question.report.fingerprint)
        except deciding.DecisionRefused as refused:
            raise typer.BadParameter(str(refused)) from None
        except ChangedSince as changed:
            raise refusal(str(changed)) from None
        assert str(quarter) in locked_quarters(ledger)
    print_line(f"{quarter} is locked.")
    if build_marts(settings) is None:
        errors.print(f"{quarter} is locked, and its release waits: mend the build, then run this again.", style="red")
        raise typer.Exit(Exit.FAILED)
    publish(approve=True)


def revisions() -> None:
    """List the revisions of closed quarters: what opened them, the city's note, and the release that published each.

    Of an open one also why it waits.
    """
    from followup.closing.waiting import why_it_waits
    from followup.swedish import dataset_name
    from ingest.ledger.quarter_revisions import amendments
    from ingest.ledger.quarter_revisions import revisions as listed

    with closing(Ledger(Settings().ledger)) as ledger:
        found = listed(ledger)
        for one in found:
            state = "open" if one.release_id is None else f"published by release {one.release_id}"
            print_line(f"{one.reporting_quarter} revision {one.number}: {state}, opened {one.opened_at:%Y-%m-%d %H:%M}")
            for amended in amendments(ledger, one) if one.release_id is None else ():
                what = "withdrawn" if amended.is_withdrawn else "a new version"
                print_line(f"  {amended.district_code} {dataset_name(amended.dataset)}: {what} {amended.at:%Y-%m-%d}")
            if one.release_id is None:
                print_line(f"  waits: {why_it_waits(ledger, one)}")
            if one.note:
                print_line(f"  note: {one.note}")
    if not found:
        print_line("No closed quarter has been amended.")


def note(
    quarter: QuarterName,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What readers are to know, in Swedish; nothing personal.")],
) -> None:
    """Say to readers why a closed quarter is revised: published with its open revision, beside what was amended."""
    from ingest.ledger import ChangeRefused
    from ingest.ledger.quarter_revisions import set_note

    words = " ".join(text.split())
    try:
        deciding.checked_reason(words)
    except deciding.DecisionRefused as refused:
        raise typer.BadParameter(str(refused)) from None
    if len(words) > LONGEST_NOTE:
        raise typer.BadParameter(f"--text is at most {LONGEST_NOTE} characters")
    with closing(Ledger(Settings().ledger)) as ledger:
        try:
            number = set_note(ledger, str(quarter), words)
        except ChangeRefused as refused:
            raise refusal(f"{refused}.") from None
    print_line(f"The note of revision {number} of {quarter} is: {words}")
