"""What the city decides, with what each decision requires: for the command line and the portal, the same."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from ingest.contracts import LocalName, load_contracts
from ingest.folding import fold
from ingest.ledger import ChangeRefused, Ledger, Submission, decisions
from ingest.organisation_tables import read_seed
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter
from ingest.settings import Settings

if TYPE_CHECKING:
    from ingest.rechecking import Rechecked
    from ingest.recording import IntakeContext

LONGEST_NAME = 200
"""Characters of a district's own name of an intervention."""


class Fault(StrEnum):
    """Why a decision was refused."""

    REASON = "reason"
    """No reason was given, or it reads as a personal number."""
    DAY = "day"
    """The last day of an exception has passed."""
    NOT_BEGUN = "not_begun"
    """The quarter to report on has not begun."""
    NOT_ENDED = "not_ended"
    """The quarter to lock has not ended."""
    LOCKED = "locked"
    """The quarter is locked, and no exception is open."""
    FROZEN = "frozen"
    """The quarter's figures are frozen."""
    STATE = "state"
    """The submission is not accepted."""
    CODE = "code"
    """No such code in the catalogue of interventions."""
    NAME = "name"
    """The text can't be the name of an intervention."""
    OTHER_CODE = "other_code"
    """The name is another intervention's own code."""


class DecisionRefused(Exception):
    """A decision that was not made, and why; nothing was changed."""

    def __init__(self, fault: Fault, message: str) -> None:
        """The message says what to do, in English, and never repeats a reason."""
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal came to.

    Attributes:
        is_new: whether it was in force until now; False where it had been withdrawn before.
        in_force: the version that is in force now, if any.
        again: submissions whose queries were looked at again.
    """

    is_new: bool
    in_force: Submission | None
    again: tuple[Rechecked, ...]


def now_naive(settings: Settings) -> datetime:
    """The installation's clock as the ledger stores it: UTC, without zone."""
    return settings.now().astimezone(UTC).replace(tzinfo=None)


def checked_reason(text: str) -> str:
    """A reason as it is stored.

    Raises:
        DecisionRefused: it is empty, or reads as a personal number.
    """
    if not text.strip() or reads_as_number(text):
        raise DecisionRefused(Fault.REASON, "give a reason in words, without anything that reads as a personnummer")
    return text.strip()


def require_begun(settings: Settings, quarter: Quarter) -> None:
    """Require that something can be known of a quarter.

    Raises:
        DecisionRefused: it has not begun.
    """
    if settings.now_date() < quarter.start:
        raise DecisionRefused(Fault.NOT_BEGUN, f"{quarter} has not begun: it begins on {quarter.start}")


def require_ended(settings: Settings, quarter: Quarter) -> None:
    """Require that a quarter can be locked.

    Raises:
        DecisionRefused: it has not ended.
    """
    if settings.now_date() <= quarter.end:
        raise DecisionRefused(Fault.NOT_ENDED, f"{quarter} has not ended: its last day is {quarter.end}")


def lock(settings: Settings, ledger: Ledger, quarter: Quarter) -> bool:
    """Lock a quarter.

    Returns:
        Whether it was open until now.

    Raises:
        DecisionRefused: it has not ended.
    """
    require_ended(settings, quarter)
    return decisions.lock_quarter(ledger, quarter, now_naive(settings))


def last_day(settings: Settings, text: str) -> date:
    """The last day of an exception, from `YYYY-MM-DD`.

    Raises:
        DecisionRefused: it is no day, or has passed.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day < settings.now_date():
        raise DecisionRefused(Fault.DAY, "--until is a day from today on, written YYYY-MM-DD")
    return day


def open_exception(
    settings: Settings,
    ledger: Ledger,
    quarter: Quarter,
    district: str,
    dataset: str | None,
    until: str | None,
    why: str,
) -> int:
    """Let a known unit submit into a locked quarter.

    Args:
        settings, ledger: the installation's.
        quarter: which.
        district: code of a unit.
        dataset: only this one; None: all.
        until: last day, `YYYY-MM-DD`; None: until it is closed.
        why: the reason.

    Returns:
        The exception's number.

    Raises:
        DecisionRefused: the day has passed, the reason can't be stored, or the quarter is frozen.
    """
    last, reason = None if until is None else last_day(settings, until), checked_reason(why)
    try:
        return decisions.open_exception(
            ledger, quarter, district, dataset, until=last, why=reason, now=now_naive(settings)
        )
    except ChangeRefused as frozen:
        raise DecisionRefused(Fault.FROZEN, str(frozen)) from None


def unlock(settings: Settings, ledger: Ledger, quarter: Quarter) -> bool:
    """Open a locked quarter again.

    Returns:
        Whether it was locked until now.

    Raises:
        DecisionRefused: the quarter is frozen.
    """
    try:
        return decisions.unlock_quarter(ledger, quarter, now_naive(settings))
    except ChangeRefused as frozen:
        raise DecisionRefused(Fault.FROZEN, str(frozen)) from None


def require_withdrawable(settings: Settings, ledger: Ledger, found: Submission) -> None:
    """Require that a submission can be withdrawn, or has been.

    Raises:
        DecisionRefused: its quarter is frozen, or is locked and no exception is open for it, or it was refused.
    """
    if found.state not in ("accepted", "withdrawn"):
        raise DecisionRefused(
            Fault.STATE, f"submission {found.submission_id} is {found.state}: only an accepted one is withdrawn"
        )
    if found.reporting_quarter is not None and found.dataset is not None:
        quarter, today = Quarter.parse(found.reporting_quarter), settings.now_date()
        try:
            decisions.require_changeable(ledger, quarter)
        except ChangeRefused as frozen:
            raise DecisionRefused(Fault.FROZEN, str(frozen)) from None
        if decisions.is_closed_to(ledger, found.district_code, found.dataset, quarter, today):
            raise DecisionRefused(
                Fault.LOCKED, f"{quarter} is locked: open an exception for {found.district_code} first."
            )


def withdraw(intake: IntakeContext, found: Submission, why: str) -> Withdrawn:
    """Take an accepted submission out of force, and look again at the queries that look at it; safe to repeat.

    Raises:
        DecisionRefused: see `require_withdrawable` and `checked_reason`.
        LeaseBusy: another process does something with the unit's files.
    """
    from ingest.rechecking import recheck_after

    require_withdrawable(intake.settings, intake.ledger, found)
    is_new = found.state == "accepted"
    with intake.lease(found.district_code):
        if is_new:
            try:
                decisions.withdraw(intake.ledger, found, checked_reason(why), now_naive(intake.settings))
            except ChangeRefused as error:
                raise DecisionRefused(Fault.STATE, str(error)) from None
        again = recheck_after(intake, found)
    left = intake.ledger.in_force(district=found.district_code, dataset=found.dataset, quarter=found.reporting_quarter)
    return Withdrawn(is_new, left[0] if left else None, tuple(again))


def checked_local_name(name: str, means: str, district: str | None) -> LocalName:
    """A district's own name of an intervention, as it is stored; `district` None: in every one.

    Raises:
        DecisionRefused: there is no such code, or the name can't be one.
    """
    catalogue = {row["intervention_code"] for row in read_seed("interventions")}
    if means not in catalogue:
        near = difflib.get_close_matches(means, sorted(catalogue), n=3)
        said = f"; near it: {', '.join(near)}" if near else ""
        raise DecisionRefused(Fault.CODE, f"{means} is no code of the catalogue{said}")
    if not fold(name) or len(name) > LONGEST_NAME or reads_as_number(name):
        raise DecisionRefused(Fault.NAME, "that can't be the name of an intervention")
    if fold(name) in {fold(code) for code in catalogue} and fold(name) != fold(means):
        raise DecisionRefused(Fault.OTHER_CODE, "that is another intervention's own code")
    return LocalName(district or "", name.strip(), means)


def add_local_name(intake: IntakeContext, name: LocalName) -> list[Submission]:
    """Let a name (from `checked_local_name`) mean an intervention.

    Returns:
        The files that were refused for an unknown intervention, to be checked again.
    """
    from ingest.maintenance.reprocessing import open_refusals

    decisions.add_local_name(intake.ledger, name, now_naive(intake.settings))
    return open_refusals(intake.ledger, district=name.district_code or None, rules=rules_of_unknown_interventions())


def rules_of_unknown_interventions() -> set[str]:
    """Codes of the rules that refuse a file for an unknown intervention."""
    from ingest.checks.suites import load_rules

    found = set()
    for dataset, contract in load_contracts().items():
        named = {column.name for column in contract.columns if column.codes_from == "interventions"}
        found |= {r.code for r in load_rules(dataset) if r.kind == "expect_values_to_be_readable" and r.column in named}
    return found
