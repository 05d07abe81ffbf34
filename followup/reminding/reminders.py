"""Who is reminded today, and of what; recorded in the ledger's outbox first, then sent.

A unit is reminded on certain days before and after a deadline (`FOLLOWUP_MAIL_REMINDER_DAYS`), as long as it has
something left and the quarter is neither locked nor past the day when its lock is proposed. It gets one mail a day at
most, about all its quarters. A day on which nothing ran is made up for within a week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from followup.deciding import now_naive
from followup.reminding.letters import Letter, letter_of_failure, letter_to_city, letter_to_unit
from followup.reminding.settings import MailSettings
from followup.reminding.transport import NotTaken, Refused, Unsure, deliver, message_of
from followup.status import DAYS_UNTIL_LOCK, StatusLine, SubmissionStatus, status_in
from followup.swedish import day, unit_name
from ingest.districts import load_districts
from ingest.ledger import Ledger, outbox
from ingest.ledger.contacts import contacts
from ingest.ledger.decisions import locked_quarters
from ingest.ledger.outbox import Mail
from ingest.quarters import Quarter
from ingest.settings import Settings, SettingsError

MADE_UP_FOR = timedelta(days=7)
"""A reminder day on which nothing ran is made up for within this time."""
_FAILURE_DAYS = 3
_REMEMBERED = timedelta(days=14)
_LONGEST_SUBJECT = 200
_OLDEST = 4
"""Quarters before the newest that are looked at: day 60 after their end has passed for all older ones."""


@dataclass(frozen=True)
class Outcome:
    """What became of the mails that waited.

    Attributes:
        sent, refused, unsure: their keys.
        failure: why sending stopped; those that were left wait for the next run.
    """

    sent: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class Due:
    """What would be recorded today: the mails, and units that have something left and no contact."""

    mails: tuple[Mail, ...]
    without_contact: tuple[str, ...]


def due_today(settings: Settings, mail: MailSettings, ledger: Ledger) -> Due:
    """The reminders and the overview of today that are not recorded yet; nothing is changed."""
    today = settings.now_date()
    by_unit, status = _open_lines(settings, ledger, today)
    addresses, reminded = contacts(ledger), outbox.last_mailed(ledger, "reminder")
    mails, without = [], []
    for code, by_quarter in by_unit.items():
        due = {one for one in by_quarter if _is_due(one, mail.days, reminded.get(code), today)}
        if not due:
            continue
        letter = letter_to_unit(
            code,
            by_quarter,
            today,
            contact=settings.catalogue_contact,
            address=mail.portal_url,
            unnamed=status.unnamed_since(max(by_quarter), code),
        )
        if letter.left and code not in addresses:
            without.append(code)
        elif letter.left:
            mails.append(_mail(settings, "reminder", today, letter, addresses[code], code))
    last = outbox.last_mailed(ledger, "overview").get(None)
    is_due = any(_is_due(one, mail.days, last, today) for lines in by_unit.values() for one in lines)
    if mail.team_addresses and is_due:
        earlier = outbox.mails_since(ledger, today - _REMEMBERED)
        to = {one.district_code: len(one.recipients) for one in [*earlier, *mails] if _is_reminder_of(one, today)}
        to |= dict.fromkeys(without, 0)
        unsure = [_in_words(one) for one in earlier if one.is_unsure]
        known = {code: count for code, count in to.items() if code is not None}
        letter = letter_to_city(by_unit, known, today, contact=settings.catalogue_contact, unsure=unsure)
        mails.append(_mail(settings, "overview", today, letter, mail.team_addresses, None))
    return Due(tuple(mails), tuple(without))


def remind(settings: Settings, mail: MailSettings, ledger: Ledger) -> tuple[Due, Outcome]:
    """Record what is due today, and send all that waits. Can be run again at any time: nothing is sent twice."""
    due = due_today(settings, mail, ledger)
    for one in due.mails:
        outbox.record_mail(ledger, one)
    return due, send_waiting(settings, mail, ledger)


def report_failure(settings: Settings, mail: MailSettings, ledger: Ledger, dag_id: str, run_id: str) -> Outcome | None:
    """Send the team a notice of a failed run; one per DAG and day. None where it was recorded before."""
    if not mail.team_addresses:
        return None
    today = settings.now_date()
    letter = letter_of_failure(dag_id, run_id, settings.catalogue_contact)
    notice = _mail(settings, "failure", today, letter, mail.team_addresses, None, dag_id)
    if not outbox.record_mail(ledger, notice):
        return None
    return send_waiting(settings, mail, ledger)


def send_waiting(settings: Settings, mail: MailSettings, ledger: Ledger) -> Outcome:
    """Send what waits in the outbox, each mail by one process. Sending stops where the server is at fault."""
    outbox.expire_mail(ledger, settings.now_date())
    sent: list[str] = []
    refused: list[str] = []
    unsure: list[str] = []
    for one in outbox.waiting_mail(ledger):
        message = message_of(mail, one.mail_key, one.recipients, one.subject, one.body, settings.now())
        if not outbox.claim_mail(ledger, one.mail_key):
            continue  # another process sends it
        try:
            missed = deliver(mail, message, one.recipients)
        except Refused as error:
            outbox.mark_refused(ledger, one.mail_key, str(error))
            refused.append(one.mail_key)
        except Unsure as error:
            outbox.mark_unsure(ledger, one.mail_key, str(error))
            unsure.append(one.mail_key)
        except NotTaken as error:
            outbox.give_back(ledger, one.mail_key, str(error))
            return Outcome(tuple(sent), tuple(refused), tuple(unsure), str(error))
        except SettingsError:
            outbox.give_back(ledger, one.mail_key, "a setting is wrong")
            raise
        else:
            detail = f"not taken for {missed} of {len(one.recipients)} recipients" if missed else None
            outbox.mark_sent(ledger, one.mail_key, now_naive(settings), detail)
            sent.append(one.mail_key)
    return Outcome(tuple(sent), tuple(refused), tuple(unsure))


def _open_lines(
    settings: Settings, ledger: Ledger, today: date
) -> tuple[dict[str, dict[Quarter, Sequence[StatusLine]]], SubmissionStatus]:
    """Unit → quarter → its lines, of quarters that have ended, are not locked and not due to be; the newest's status.

    Where there is no such quarter, that status is empty.
    """
    locked, newest = locked_quarters(ledger), Quarter.of(today).previous()
    by_unit: dict[str, dict[Quarter, list[StatusLine]]] = {}
    status = SubmissionStatus((), ())
    for quarter in (newest.back(_OLDEST - place) for place in range(1, _OLDEST + 1)):
        if str(quarter) in locked or (today - quarter.end).days >= DAYS_UNTIL_LOCK:
            continue
        status = status_in(ledger, settings, quarter)
        for line in status.lines:
            by_unit.setdefault(line.district_code, {}).setdefault(quarter, []).append(line)
    return {code: dict(by_unit[code]) for code in sorted(by_unit, key=load_districts().place)}, status


def _is_due(quarter: Quarter, days: Sequence[int], last: date | None, today: date) -> bool:
    """Whether a reminder day of a quarter has come since the last mail, and not longer ago than is made up for."""
    first = today - MADE_UP_FOR if last is None else max(last, today - MADE_UP_FOR)
    return any(first < quarter.deadline + timedelta(days=after) <= today for after in days)


def _mail(
    settings: Settings, kind: str, today: date, letter: Letter, to: tuple[str, ...], code: str | None, about: str = ""
) -> Mail:
    key = " ".join(filter(None, (kind, str(today), code or about)))
    last = today + timedelta(days=_FAILURE_DAYS) if kind == "failure" else today
    subject = letter.subject[:_LONGEST_SUBJECT]
    return Mail(key, kind, today, code, to, subject, letter.text, now_naive(settings), last)


def _is_reminder_of(one: Mail, today: date) -> bool:
    return one.kind == "reminder" and one.mailed_on == today


def _in_words(one: Mail) -> str:
    kinds: Mapping[str, str] = {"reminder": "påminnelse", "overview": "översikt", "failure": "meddelande om fel"}
    to = f" till {unit_name(one.district_code)}" if one.district_code else ""
    return f"{kinds.get(one.kind, one.kind)}{to} {day(one.mailed_on)}"
