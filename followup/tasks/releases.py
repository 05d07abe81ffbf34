"""What the tasks of publish_release and guard_readers call: a function each, logging and returning codes and counts."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from typing import Any

from followup.tasks.intake import settings_of_task
from ingest.failures import storage_failures_in_words
from ingest.ledger import ChangeRefused, Ledger
from ingest.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class Refused(Exception):
    """Nothing was released, and trying again as things are would not help; the message says why."""


class NothingNew(Exception):
    """The current release shows the same already, so none was made; no failure."""


@storage_failures_in_words
def is_release_due() -> bool:
    """Whether a quarter has been locked since the last release, so that its figures can be published."""
    from ingest.ledger.decisions import newest_lock
    from ingest.ledger.releases import current_release

    with closing(Ledger(settings_of_task().ledger)) as ledger:
        locked_at, current = newest_lock(ledger), current_release(ledger)
    if locked_at is None:
        return False
    return current is None or current.released_at is None or current.released_at < locked_at


@storage_failures_in_words
def check_and_log() -> str:
    """Check the current marts, with a line in the log for every error and warning.

    Returns:
        Which marts they are: the fingerprint of the build.

    Raises:
        Refused: the marts have errors, or there are none.
    """
    from publish.catalogue.manifest import ManifestMissing
    from publish.gate.passing import GateClosed, MartsMissing, in_lines, pass_gate

    settings = settings_of_task()
    fingerprint = _fingerprint(settings)
    try:
        warnings = pass_gate(settings)
    except GateClosed as closed:
        for finding in closed.findings:
            log.log(logging.ERROR if finding.severity == "error" else logging.WARNING, "%s", finding)
        raise Refused(str(closed)) from closed
    except (MartsMissing, ManifestMissing) as missing:
        raise Refused(str(missing)) from missing
    for line in in_lines(warnings):
        log.warning("%s", line)
    log.info("the marts are fit to go out: no errors, %d warnings", len(warnings))
    return fingerprint


def _fingerprint(settings: Settings) -> str:
    with closing(Ledger(settings.ledger)) as ledger:
        built = ledger.last_build()
    return built.fingerprint if built else ""


@storage_failures_in_words
def propose_and_log(quarter: str | None, checked: str) -> dict[str, Any]:
    """Make and attack a release, and put it where it waits for approval.

    Args:
        quarter: the newest to publish; None or empty means all that can be.
        checked: what `check_and_log` returned; marts built since are checked again.

    Returns:
        `release_id`, and `summary`: what would be published, a line per table.

    Raises:
        NothingNew: the current release shows the same.
        Refused: there is nothing to release, the attacks found too much, the noise secret is missing, or the marts have
            errors.
    """
    from publish.release.approving import ReleaseRefused
    from publish.release.keyed import NotKeyed
    from publish.release.releasing import ReleaseBlocked, release

    settings = settings_of_task()
    if _fingerprint(settings) != checked:
        log.info("the marts were built anew since they were looked at: they are looked at again")
        check_and_log()
    try:
        made = release(settings, approve=False, quarter=quarter or None, gate=lambda _: None, on_step=_log_step())
    except (ReleaseBlocked, ReleaseRefused, NotKeyed, SettingsError) as refusal:
        raise Refused(str(refusal)) from refusal
    if made.state == "unchanged":
        raise NothingNew(f"nothing new: release {made.release_id}, which readers see, shows the same; none is made")
    rates = {shown.name: (shown.rates, shown.too_few) for shown in made.certificate.tables} if made.certificate else {}
    lines = [
        f"- {name}: {made.tables[name]} rows, {few} of {all_} rates of too few"
        for name, (all_, few) in sorted(rates.items())
    ]
    lines.append(f"- {len(made.tables.keys() - rates.keys())} views and dimension tables of the same")
    for line in lines:
        log.info("%s", line)
    said = f"Up to {made.until_quarter}" + (", a revision of figures that were out" if made.is_revision else "")
    return {"release_id": made.release_id, "summary": "\n".join([made.notice, "", said, "", *lines]).strip()}


@storage_failures_in_words
def is_approved_already(asked: bool | None) -> bool:
    """Whether nobody is to be asked.

    The request said yes; or it said nothing, the installation approves by itself, and the last release is old enough.
    """
    from ingest.ledger.releases import current_release
    from publish.policy import load_policy

    if asked is not None:
        return asked
    settings, policy = settings_of_task(), load_policy()
    by_itself = settings.release_approves_itself
    if not (policy.approve_by_itself if by_itself is None else by_itself):
        return False
    with closing(Ledger(settings.ledger)) as ledger:
        current = current_release(ledger)
    if current is None or current.released_at is None:
        return True
    return settings.now().replace(tzinfo=None) >= current.released_at + timedelta(days=policy.days_between_releases)


@storage_failures_in_words
def serve_and_log(release_id: int) -> dict[str, Any]:
    """Approve and serve a release, with a line in the log for every table; goes on where a killed run stopped.

    Returns:
        `release_id`, and `tables`: name → rows.

    Raises:
        Refused: the release waits no more: another has taken its place.
        LeaseBusy, ServingError: see `publish.release.releasing`; tried again, it goes on where it stopped.
    """
    from ingest.ledger.releases import current_release
    from publish.release.approving import approve_release

    settings = settings_of_task()
    try:
        released = approve_release(settings, release_id, on_step=_log_step())
    except ChangeRefused as error:
        with closing(Ledger(settings.ledger)) as ledger:
            current = current_release(ledger)
        if current is None or current.release_id != release_id:
            raise Refused(str(error)) from error
        log.info("release %d had been approved before", release_id)
        return {"release_id": release_id, "tables": {}}
    for name, rows in sorted(released.tables.items()):
        log.info("%s: %d rows", name, rows)
    for note in released.served.notes if released.served else ():
        log.warning("%s", note)
    return {"release_id": release_id, "tables": released.tables}


def guard_and_log() -> None:
    """Undo what a reader of the database for BI did to the others, with a line in the log for each act.

    Raises:
        Refused: something had to be undone, so that the run is seen; it is undone.
        ServingError: the database could not be reached, or its owner may not do this.
    """
    from publish.serving import has_database
    from publish.serving.guarding import guard

    settings = settings_of_task()
    if not has_database(settings):
        log.info("there is no database for BI to guard")
        return
    found = guard(settings)
    for line in found.unknown:
        log.warning("not known: %s", line)
    for line in found.undone:
        log.error("undone: %s", line)
    if found.undone:
        raise Refused(f"{len(found.undone)} acts of a reader were undone; docs/runbook.md, PostgreSQL for BI")


def _log_step() -> Any:
    """Logs each step once, however often its progress is reported."""
    logged: list[str] = []

    def on_step(number: int | None, total: int | None, what: str) -> None:
        if logged[-1:] != [what]:
            logged.append(what)
            log.info("%s", what)

    return on_step
