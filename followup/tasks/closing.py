"""What close_quarter and its announcements call: a function each, logging and returning codes and counts."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

from followup.tasks.intake import settings_of_task
from followup.tasks.releases import NothingNew, Refused
from ingest.failures import storage_failures_in_words
from ingest.ledger import Ledger
from ingest.quarters import Quarter

log = logging.getLogger(__name__)
_WHY = {
    "complete": "Alla filer har kommit in.",
    "due": "Dagen då kvartalet ska låsas har kommit.",
    "asked": "Någon har bett om det.",
}


@storage_failures_in_words
def complete_units_now() -> list[tuple[str, str]]:
    """(unit, quarter) of all whose expected files are in force, as long as nobody is asked to close the quarter."""
    from followup.closing.closing import complete_units

    settings = settings_of_task()
    with closing(Ledger(settings.ledger)) as ledger:
        return complete_units(settings, ledger)


@storage_failures_in_words
def quarters_to_close() -> list[str]:
    """Quarters that are complete or due to be locked, and that nobody has been asked about as they are."""
    from followup.closing.closing import quarters_to_ask_about

    settings = settings_of_task()
    with closing(Ledger(settings.ledger)) as ledger:
        return [str(one) for one in quarters_to_ask_about(settings, ledger)]


@storage_failures_in_words
def ask_and_log(quarter: str | None, asked_by: str, *, is_wanted: bool) -> dict[str, Any]:
    """Store the completeness report of a quarter and record that somebody is asked whether to close it.

    Args:
        quarter: which.
        asked_by: the run that asks; run again it asks the same question.
        is_wanted: a person has asked for it, whatever its state.

    Returns:
        `quarter`, `fingerprint` of the report, and `subject` and `body` of the question, in Swedish.

    Raises:
        NothingNew: it is locked, not to be closed yet, or asked about already.
        Refused: it has not ended, or none is named.
    """
    from followup.closing.closing import ask
    from followup.closing.completeness import in_swedish, summary_of
    from followup.deciding import DecisionRefused
    from followup.swedish import quarter_name

    if not quarter:
        raise Refused("say which quarter: by the param quarter, or by a partition key such as 2018Q3")
    settings, asked = settings_of_task(), Quarter.parse(quarter)
    with closing(Ledger(settings.ledger)) as ledger:
        try:
            question = ask(settings, ledger, asked, asked_by, is_wanted=is_wanted)
        except DecisionRefused as refused:
            raise Refused(str(refused)) from refused
    if question is None:
        raise NothingNew(f"{asked} is locked, is not to be closed yet, or somebody is asked about it already")
    log.info("%s: %s; the report is in %s", asked, summary_of(question.report), question.path)
    body = (
        f"{_WHY[question.reason]} Ett ja låser kvartalet och ger ut dess slutliga siffror, om prövningen godkänner "
        f"utgåvan. Nya filer för kvartalet behöver sedan ett undantag.\n\n```\n{in_swedish(question.report)}```"
    )
    subject = f"Stänga {quarter_name(asked)}?"
    return {"quarter": str(asked), "fingerprint": question.report.fingerprint, "subject": subject, "body": body}


@storage_failures_in_words
def lock_and_log(quarter: str, fingerprint: str) -> None:
    """Lock a quarter in the state that somebody said yes to; one that is locked already stays so.

    Raises:
        NothingNew: something has changed since; it is asked again.
    """
    from followup.closing.closing import ChangedSince, close

    settings = settings_of_task()
    with closing(Ledger(settings.ledger)) as ledger:
        try:
            is_new = close(settings, ledger, Quarter.parse(quarter), fingerprint)
        except ChangedSince as changed:
            raise NothingNew(str(changed)) from changed
    log.info("%s is locked", quarter) if is_new else log.info("%s was locked already", quarter)


@storage_failures_in_words
def make_final_release_and_log() -> int:
    """Build what is in force, look at the marts, and propose the release of the final figures.

    Returns:
        The release's number.

    Raises:
        NothingNew: the current release shows the same figures, final as they are.
        Refused: the build failed, or nothing may be released; see `followup.tasks.releases.propose_and_log`.
    """
    from followup.build.building import BuildFailed
    from followup.tasks.intake import build_and_log
    from followup.tasks.releases import check_and_log, propose_and_log
    from ingest.storing import DamagedRows

    try:
        build_and_log()
    except (BuildFailed, DamagedRows) as failure:
        raise Refused(str(failure)) from failure
    return int(propose_and_log(None, check_and_log())["release_id"])
