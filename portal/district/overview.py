"""A unit's quarter: the state of each dataset, how long is left, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from followup.status import StatusLine, status_in
from ingest.contracts import load_contracts
from ingest.districts import District
from ingest.findings import count_with_noun
from ingest.ledger import Submission
from ingest.ledger.decisions import is_closed_to, locked_quarters
from ingest.quarters import Quarter, quarters_between
from portal.context import Portal
from portal.pages.render import day

_QUARTERS_SHOWN = 12


@dataclass(frozen=True)
class DatasetState:
    """One dataset of the quarter.

    Attributes:
        state: in, late, queries, refused, missing or awaited.
        facts: version, rows and the like, Swedish; empty where nothing was handed in.
        next_step: what to do, Swedish.
        submission_id: what the page leads to: the newest file if it was refused, else what is in force.
        may_submit: whether a file would be received now.
    """

    dataset: str
    state: str
    facts: str
    next_step: str
    submission_id: str | None
    may_submit: bool


@dataclass(frozen=True)
class QuarterOverview:
    """A unit's quarter.

    Attributes:
        deadline_text: how long is left, Swedish.
        done: how many of the datasets are in force.
        quarters: that the unit has or had to report, newest first.
    """

    unit: District
    quarter: Quarter
    datasets: tuple[DatasetState, ...]
    deadline_text: str
    is_late: bool
    is_locked: bool
    done: int
    quarters: tuple[Quarter, ...]


def quarter_overview(portal: Portal, unit: District, quarter: Quarter) -> QuarterOverview:
    """The state of a unit's quarter by the installation's clock."""
    found = status_in(portal.ledger, portal.settings, quarter, district=unit.code)
    newest_refused = {one.submission.dataset: one.submission for one in found.refusals if one.submission.dataset}
    is_locked = str(quarter) in locked_quarters(portal.ledger)
    lines = {line.dataset: line for line in found.lines}
    datasets = []
    for dataset in load_contracts():
        line = lines.get(dataset)
        if line is None:  # the unit does not report in this quarter
            continue
        may_submit = not is_closed_to(portal.ledger, unit.code, dataset, quarter, portal.today)
        datasets.append(_dataset_state(line, newest_refused.get(dataset), quarter, may_submit=may_submit))
    return QuarterOverview(
        unit,
        quarter,
        tuple(datasets),
        deadline_text(quarter, portal.today),
        portal.today > quarter.deadline,
        is_locked,
        sum(one.state in ("in", "late", "queries") for one in datasets),
        reported_quarters(portal, unit),
    )


def reported_quarters(portal: Portal, unit: District) -> tuple[Quarter, ...]:
    """The quarters that a unit can choose among, newest first."""
    newest = portal.newest_quarter
    shown = quarters_between(newest.back(_QUARTERS_SHOWN - 1), newest)
    sent = {one.reporting_quarter for one in portal.ledger.submissions(district=unit.code)}
    earlier = [Quarter.parse(one) for one in sent if one is not None]
    chosen = {str(one): one for one in [*earlier, *shown] if unit.is_valid_in(one) and str(one) <= str(newest)}
    return tuple(chosen[name] for name in sorted(chosen, reverse=True))


def deadline_text(quarter: Quarter, today: date) -> str:
    """How long is left until the quarter's files are to be in."""
    if today <= quarter.end:
        return f"Kvartalet pågår. Filerna lämnas från den {day(quarter.end)} till den {day(quarter.deadline)}."
    left = (quarter.deadline - today).days
    if left < 0:
        ago = count_with_noun(-left, "dag", "dagar")
        return f"Sista dagen var {day(quarter.deadline)}, för {ago} sedan. Det som lämnas nu räknas som sent."
    if left == 0:
        return f"I dag, {day(quarter.deadline)}, är sista dagen."
    return f"{count_with_noun(left, 'dag', 'dagar')} kvar: sista dagen är {day(quarter.deadline)}."


def _dataset_state(line: StatusLine, refused: Submission | None, quarter: Quarter, *, may_submit: bool) -> DatasetState:
    """What stands of one dataset, and what follows."""
    facts = ""
    submission: str | None
    if line.state == "in_force":
        facts = f"Version {line.version}, {count_with_noun(line.rows, 'rad', 'rader')}"
    if refused is not None and line.refused:
        faults = count_with_noun(refused.error_count, "fel", "fel")
        step = f"Den senaste filen togs inte in: {faults}. Rätta och lämna in igen."
        if line.state == "in_force":
            step += f" Tills dess gäller version {line.version}."
        state, submission = "refused", refused.submission_id
    elif line.state == "in_force" and line.open_queries:
        asked = count_with_noun(line.open_queries, "fråga", "frågor")
        state, step, submission = "queries", f"Rätta eller förklara {asked}.", line.submission_id
    elif line.state == "in_force":
        state, step, submission = ("in" if line.is_on_time else "late"), "Inget mer att göra.", line.submission_id
    elif line.state == "missing":
        state, step, submission = "missing", "Lämna in nu.", None
    else:
        state, step, submission = "awaited", f"Lämna in senast {day(quarter.deadline)}.", None
    if not may_submit and state in ("refused", "missing", "awaited"):
        step = "Kvartalet är låst. Be stadens team om ett undantag."
    return DatasetState(line.dataset, state, facts, step, submission, may_submit)
