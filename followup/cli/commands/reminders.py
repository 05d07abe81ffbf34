"""`followup remind` and `followup contact`: reminders by mail, and whom they are sent to."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from followup.cli.options import Exit, errors, known_unit, print_line, refusal
from followup.deciding import now_naive
from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.ledger.outbox import Mail
from ingest.settings import Settings

UnitArgument = Annotated[str, typer.Argument(metavar="UNIT", help="Code of a reporting unit, such as farsta.")]
AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address, without a name.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(remind)
    contact = typer.Typer(help="Whom each unit's reminders are sent to.", no_args_is_help=True)
    contact.command()(add)
    contact.command()(remove)
    contact.command("list")(list_contacts)
    app.add_typer(contact, name="contact")


def remind(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent; send and store nothing.")
    ] = False,
    sent: Annotated[bool, typer.Option("--sent", help="List the mails of the last 30 days instead.")] = False,
) -> None:
    """Remind units by mail of what is missing, refused and unanswered, and send the team the overview.

    Units are reminded on certain days before and after the deadline: run it daily. A second run of the same day sends
    nothing twice. Without a mail server set up it says so and ends with code 0.
    """
    from followup.reminding.reminders import due_today
    from followup.reminding.reminders import remind as remind_all
    from followup.reminding.settings import load_mail_settings
    from ingest.ledger.outbox import waiting_mail

    settings, mail = Settings(), load_mail_settings()
    with closing(Ledger(settings.ledger)) as ledger:
        if sent:
            _print_sent(ledger, settings)
            return
        if dry_run:
            due = due_today(settings, mail, ledger)
            waiting = [one for one in waiting_mail(ledger) if one.last_day >= settings.now_date()]
            for one in (*waiting, *due.mails):
                _print_mail(one)
            _print_without(due.without_contact)
            print_line(f"Mails that would be sent: {len(waiting) + len(due.mails)}.")
        if not mail.is_set_up:
            print_line("No mail is set up: set FOLLOWUP_MAIL_HOST and FOLLOWUP_MAIL_SENDER (docs/runbook.md).")
        if dry_run or not mail.is_set_up:
            return
        due, outcome = remind_all(settings, mail, ledger)
    _print_without(due.without_contact)
    for key in outcome.sent:
        print_line(f"sent: {key}")
    for key in outcome.refused:
        errors.print(f"refused by the mail server for good: {key}", style="red", markup=False, highlight=False)
    for key in outcome.unsure:
        errors.print(f"unsure, and never sent again: {key}", style="yellow", markup=False, highlight=False)
    if outcome.failure is not None:
        said = f"{outcome.failure}. What was not sent waits: run this again today."
        errors.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(Exit.FAILED)
    if not (outcome.sent or outcome.refused or outcome.unsure):
        print_line("Nobody is left to be reminded today.")
    if outcome.refused:
        raise typer.Exit(Exit.REFUSED)


def _print_mail(one: Mail) -> None:
    print_line(f"To: {', '.join(one.recipients)}")
    print_line(f"Subject: {one.subject}")
    print_line("")
    for line in one.body.splitlines():
        print_line(f"  {line}")
    print_line("")


def _print_without(codes: tuple[str, ...]) -> None:
    if codes:
        print_line(f"No contact, so no reminder: {', '.join(codes)} (followup contact add).")


def _print_sent(ledger: Ledger, settings: Settings) -> None:
    from ingest.ledger.outbox import mails_since

    found = mails_since(ledger, settings.now_date() - timedelta(days=30))
    for one in found:
        state = "unsure, never sent again" if one.is_unsure else one.state
        detail = f" ({one.detail})" if one.detail else ""
        print_line(f"{one.mail_key}: {state}, {len(one.recipients)} recipients{detail}")
    if not found:
        print_line("No mail in the last 30 days.")


def add(unit: UnitArgument, address: AddressArgument) -> None:
    """Add an address to which a unit's reminders are sent."""
    from followup.reminding.settings import checked_address
    from ingest.ledger.contacts import add_contact

    known_unit(unit)
    try:
        checked = checked_address(address)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        is_new = add_contact(ledger, unit, checked, now_naive(settings))
    print_line(f"{unit}: reminders go to {checked}{'' if is_new else ' already'}.")


def remove(unit: UnitArgument, address: AddressArgument) -> None:
    """Remove an address; mail that waits for it is still sent today."""
    from ingest.ledger.contacts import remove_contact

    with closing(Ledger(Settings().ledger)) as ledger:
        if not remove_contact(ledger, unit, address.strip()):
            raise refusal("That is no contact of the unit: `followup contact list` shows them.")
    print_line(f"{unit}: the contact is removed.")


def list_contacts() -> None:
    """List all units that report now, with their contacts."""
    from ingest.ledger.contacts import contacts
    from ingest.quarters import Quarter

    settings = Settings()
    with closing(Ledger(settings.ledger)) as ledger:
        found = contacts(ledger)
    registry = load_districts()
    expected = {one.code for one in registry.valid_in(Quarter.of(settings.now_date()).previous())}
    for code in sorted(expected | found.keys(), key=registry.place):
        print_line(f"{code}: {', '.join(found.get(code, ())) or '-'}")
