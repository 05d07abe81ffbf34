"""What send_reminders calls, and what is called when a run of any DAG has failed."""

from __future__ import annotations

import logging
from contextlib import closing

from followup.tasks.intake import settings_of_task
from ingest.failures import storage_failures_in_words
from ingest.ledger import Ledger

log = logging.getLogger(__name__)


class MailNotSent(Exception):
    """The mail server is at fault: what waits is sent by the next run of the same day. The message says why."""


@storage_failures_in_words
def remind_and_log() -> int:
    """Record today's reminders and the overview, and send what waits, with a line in the log for each.

    Returns:
        How many mails were sent; 0 where no mail is set up, which is no failure.

    Raises:
        MailNotSent: the mail server is at fault; run again, it sends the rest.
        SettingsError: a setting of mail is wrong.
    """
    from followup.reminding.reminders import remind
    from followup.reminding.settings import load_mail_settings

    settings, mail = settings_of_task(), load_mail_settings()
    if not mail.is_set_up:
        log.info("no mail is set up (FOLLOWUP_MAIL_HOST): nobody is reminded")
        return 0
    with closing(Ledger(settings.ledger)) as ledger:
        due, outcome = remind(settings, mail, ledger)
    for code in due.without_contact:
        log.warning("%s has something left and no contact: followup contact add", code)
    for key in outcome.sent:
        log.info("sent: %s", key)
    for key in outcome.refused:
        log.warning("refused by the mail server for good: %s", key)
    for key in outcome.unsure:
        log.warning("nobody knows whether the mail server took it, and it is not sent again: %s", key)
    if outcome.failure is not None:
        raise MailNotSent(outcome.failure)
    log.info("%d mails sent", len(outcome.sent))
    return len(outcome.sent)


def report_failure_and_log(dag_id: str, run_id: str) -> None:
    """Send the team a notice of a failed run, once for each DAG and day. What goes wrong here is only logged."""
    from followup.reminding.reminders import report_failure
    from followup.reminding.settings import load_mail_settings
    from ingest.ledger import LedgerError
    from ingest.settings import SettingsError

    try:
        settings, mail = settings_of_task(), load_mail_settings()
        if not mail.is_set_up or not mail.team_addresses:
            log.info("the team is sent nothing: FOLLOWUP_MAIL_HOST or FOLLOWUP_MAIL_TEAM is not set")
            return
        with closing(Ledger(settings.ledger)) as ledger:
            outcome = report_failure(settings, mail, ledger, dag_id, run_id)
    except (LedgerError, SettingsError) as error:
        log.error("the team is not sent that %s failed: %s", dag_id, error)
        return
    if outcome is None:
        log.info("the team has been sent today that %s failed", dag_id)
    elif outcome.failure is not None:
        log.error("the notice that %s failed waits for the next sending: %s", dag_id, outcome.failure)
