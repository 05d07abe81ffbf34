"""The command line `followup`. Each command calls one function; the same functions run in the DAGs."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from followup.cli import output
from followup.cli.commands import (
    audit_log,
    backup,
    city_decisions,
    closing,
    contract,
    expiring,
    extract,
    keys,
    ledger,
    locking,
    mapping,
    person,
    preview,
    releases,
    reminders,
    service,
    suppression,
    templates,
    tokens,
    users,
    watching,
)
from followup.cli.marts import build_marts
from followup.cli.options import (
    EXIT_CODES,
    Commands,
    Exit,
    FormatOption,
    InboxOption,
    QuarterOption,
    console,
    errors,
    failures_in_a_sentence,
    quarter_of,
    require_begun,
)
from followup.status import submission_status
from ingest.file_permissions import close_home, go_private
from ingest.logs import start_logging
from ingest.quarters import Quarter
from ingest.settings import ORGANISATION, Settings, SettingsError

app = typer.Typer(
    name="followup",
    cls=Commands,
    help="Follow-up data warehouse for a city's service interventions and assessed outpatient care. " + EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("demo-data")
def demo_data(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write DIR/<district>/<files>.")],
    first: Annotated[Quarter, typer.Option("--from", parser=quarter_of, metavar="YYYYQn")] = Quarter(2018, 1),  # noqa: B008
    last: Annotated[Quarter, typer.Option("--to", parser=quarter_of, metavar="YYYYQn")] = Quarter(2019, 4),  # noqa: B008
    scale: Annotated[float, typer.Option(min=0.01, max=1000, help="1 is a city of realistic size.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same files.")] = 7,
    faults: Annotated[bool, typer.Option("--faults", help="Plant a named set of broken files.")] = False,
    country: Annotated[
        bool, typer.Option("--country", help="A drawn country of 290 invented municipalities instead of the city.")
    ] = False,
) -> None:
    """Draw a synthetic city: the files that its districts would send. Nobody in it is real.

    With --country its organisation is written to DIR/_organisation; every other command then needs
    FOLLOWUP_ORGANISATION with that folder.
    """
    if country:
        from synthetic.country.writing import write_country

        if faults:
            raise typer.BadParameter("--faults are planted in the city's files, not with --country")
        # before the districts are read: a process has one organisation
        os.environ[ORGANISATION] = str(write_country(out).absolute())
    from synthetic.city import draw_city
    from synthetic.people import NumberSpaceFull

    if last < first:
        raise typer.BadParameter("--to is before --from")
    try:
        with output.progress(errors) as bar:
            drawn = draw_city(out, first, last, scale=scale, seed=seed, faults=faults, on_progress=bar)
    except NumberSpaceFull as error:
        raise typer.BadParameter(f"{error}: choose a smaller --scale or fewer quarters") from None
    console.print(output.city_report(drawn, out), soft_wrap=True)
    if country:
        console.print(f"FOLLOWUP_ORGANISATION={os.environ[ORGANISATION]}", soft_wrap=True, markup=False)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, metavar="FILE…")],
    format: Annotated[
        output.CheckFormat,
        typer.Option("--format", "-f", help="text for people, json for programs, xlsx for Excel (a file for each)."),
    ] = output.CheckFormat.text,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where --format xlsx writes; by default this folder.")
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option("--mapping", exists=True, dir_okay=False, metavar="FILE", help="A unit's own words, not yet set."),
    ] = None,
) -> None:
    """Kontrollera filer utan att lämna in dem. Check files; nothing is stored.

    Exit 0 when all would be accepted, 1 when some would be refused.
    """
    from followup.checking import check_paths, write_feedback
    from ingest.mappings.documents import MappingRefused

    if out is not None and format is not output.CheckFormat.xlsx:
        raise typer.BadParameter("--out belongs to --format xlsx")

    settings = Settings()
    with output.progress(errors) as bar:
        try:
            reports = check_paths(settings, files, bar, words)
        except MappingRefused as error:
            raise mapping.refused_mapping(error) from None
        written = []
        if format is output.CheckFormat.xlsx:
            written = write_feedback(out or Path(), [report for _, report in reports])
    output.print_checks(console, [(str(path), report) for path, report in reports], format, written)
    raise typer.Exit(Exit.DONE if all(report.accepted for _, report in reports) else Exit.REFUSED)


@app.command()
def receive(
    inbox: InboxOption = None,
    quarter: QuarterOption = None,
    from_landing: Annotated[
        bool,
        typer.Option("--from-landing", help="Take originals in again that the ledger lacks: it was lost, or is older."),
    ] = False,
) -> None:
    """Take in all that waits in the drop locations. Can be run again at any time."""
    if from_landing:
        if inbox is not None or quarter is not None:
            raise typer.BadParameter("--from-landing takes all originals that the ledger lacks, and looks nowhere else")
        raise typer.Exit(_receive_from_landing(Settings()))
    raise typer.Exit(_receive(Settings(), inbox, quarter))


def _receive_from_landing(settings: Settings) -> Exit:
    from ingest.maintenance.reimporting import reimport_originals
    from ingest.recording import open_intake

    with open_intake(settings) as intake, output.progress(errors) as bar:
        done = reimport_originals(intake, lambda one, number, total: bar(number, total, one.shown))
    output.print_reimported(console, done)
    if any(one.state in ("damaged", "nameless") for one in done):
        return Exit.FAILED
    return Exit.REFUSED if any(one.state == "refused" for one in done) else Exit.DONE


def _receive(settings: Settings, inbox: str | None, quarter: Quarter | None) -> Exit:
    from ingest.receiving import receive as receive_all

    with output.progress(errors) as bar:
        receipt = receive_all(
            settings,
            inbox=inbox,
            quarter=quarter,
            on_file=lambda district, file, number, total: bar(number, total, f"{district} {file.file_name}"),
        )
    output.print_receipt(console, settings, receipt)
    if receipt.unreachable:
        return Exit.FAILED
    return Exit.REFUSED if any(d.count("refused") for d in receipt.districts) else Exit.DONE


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Build although nothing has changed.")] = False,
) -> None:
    """Build the warehouse from all that is in force. A failed build leaves the last good marts."""
    raise typer.Exit(_build(Settings(), force))


def _build(settings: Settings, force: bool = False) -> Exit:
    result = build_marts(settings, force=force)
    if result is None:
        return Exit.FAILED
    output.print_build(console, settings, result)
    return Exit.DONE


@app.command()
def status(
    quarter: QuarterOption = None,
    queries: Annotated[bool, typer.Option("--queries", help="List the open queries one by one.")] = False,
    format: FormatOption = output.Format.text,
) -> None:
    """Show who has submitted what, what is missing, why files were refused, and which queries are open."""
    settings = Settings()
    require_begun(settings, quarter)
    output.print_status(console, submission_status(settings, quarter, with_queries=queries), format)


@app.command()
def run(
    inbox: Annotated[str, typer.Option(metavar="DIR", help="Files lie in DIR/<district>/.")],
    quarter: QuarterOption = None,
) -> None:
    """Receive and build, without Airflow."""
    settings = Settings()
    received = _receive(settings, inbox, quarter)
    built = _build(settings)
    raise typer.Exit(max(received, built))


@app.command()
def doctor(
    make_keys: Annotated[bool, typer.Option("--make-keys", help="Draw the secret keys; never overwrites.")] = False,
    make_folders: Annotated[
        bool, typer.Option("--make-folders", help="Make the drop locations that are local folders and missing.")
    ] = False,
    fix_modes: Annotated[
        bool,
        typer.Option("--fix-modes", help="Close to other users all that is not published; let readers open what is."),
    ] = False,
) -> None:
    """Look over the installation: settings, keys, ledger, drop locations, files in force, warehouse, disk."""
    from followup import permissions
    from followup.doctor import make_local_folders, run_doctor
    from ingest.persons.keys import make_keys as write_keys

    settings = Settings()
    if make_keys:
        if settings.keys.absolute().is_relative_to(settings.home.absolute()):
            raise SettingsError(f"FOLLOWUP_KEYS ({settings.keys}) is inside FOLLOWUP_HOME: keep keys apart from data")
        try:
            write_keys(settings.keys)
        except FileExistsError:
            errors.print(f"[red]{settings.keys} is there already and is never overwritten.[/]")
            raise typer.Exit(Exit.FAILED) from None
        console.print(
            f"Keys written to {settings.keys}. Back them up: without them no original can be read, and all published "
            "figures would be drawn anew."
        )
    if make_folders:
        made = make_local_folders(settings)
        console.print(f"{len(made)} drop folders made: {', '.join(made) or 'all were there'}", soft_wrap=True)
    if fix_modes:
        left = permissions.fix_modes(settings)
        not_ours = f": {len(left)} belong to another user, {left[0]} among them" if left else ""
        console.print(f"Permissions are set{not_ours}.", soft_wrap=True, highlight=False)
    findings = run_doctor(settings)
    output.print_findings(console, findings)
    raise typer.Exit(Exit.DONE if all(f.is_good for f in findings) else Exit.FAILED)


releases.register(app)
extract.register(app)
locking.register(app)
closing.register(app)
reminders.register(app)
city_decisions.register(app)
expiring.register(app)
mapping.register(app)
person.register(app)
templates.register(app)
preview.register(app)
contract.register(app)
suppression.register(app)
service.register(app)
keys.register(app)
audit_log.register(app)
ledger.register(app)
backup.register(app)
users.register(app)
watching.register(app)
tokens.register(app)


def main() -> None:
    """Run the command line."""
    go_private()
    try:
        with failures_in_a_sentence():
            with suppress(ValidationError):  # the command reports it, if it needs settings
                settings = Settings()
                close_home(settings.home)
                if settings.log_format == "json":
                    start_logging(settings, logging.INFO)
            app(prog_name="followup")  # also where it was started as a module
    except typer.Exit as ending:
        sys.exit(ending.exit_code)
    finally:
        # the process ends: a last search for cycles would take most of a second after a build
        gc.freeze()


if __name__ == "__main__":
    main()
