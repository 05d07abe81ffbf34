"""One unit's dataset of a quarter: every version, who handed it in, what was found, explanations, withdrawing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ingest.feedback_files import feedback_path
from ingest.findings import Finding
from ingest.ledger import Submission, decisions
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.ledger.acts import Act
from ingest.ledger.explanations import explanations_of
from ingest.ledger.store import Explanation, newest_accepted
from portal.city.asked import dataset_named, quarter_named, unit_named
from portal.city.tabs import of_quarter
from portal.context import Portal, portal_of
from portal.pages.acts import actor_of
from portal.pages.render import page
from portal.signing_in.access import CityUser, NotHere

router = APIRouter()
_ACTS_OF_A_KEY = 500
_LONGEST_FEEDBACK = 20_000_000


@dataclass(frozen=True)
class Version:
    """One submission of the key, with what the ledger has about it."""

    submission: Submission
    state: str
    actor: str
    withdrawal: decisions.Withdrawal | None
    withdrawn_by: str


@dataclass(frozen=True)
class RuleFound:
    """A rule that fired; `rows` are those stored, at most 200."""

    code: str
    severity: str
    message: str
    count: int
    rows: tuple[Finding, ...]


@dataclass(frozen=True)
class GivenExplanation:
    """A text that explains rows of a rule. `actor` is who gave it."""

    rule: str
    text: str
    keys: tuple[str, ...]
    first: Explanation
    actor: str


@router.get("/staden/{quarter}/{code}/{dataset}")
def cell(request: Request, user: CityUser, quarter: str, code: str, dataset: str, inlamning: str = "") -> Response:
    """All versions, and one of them whole: the one in force, or the newest, unless another is named."""
    portal = portal_of(request)
    when, unit, name = quarter_named(portal, quarter), unit_named(portal, code), dataset_named(dataset)
    found = portal.ledger.submissions(district=unit.code, dataset=name, quarter=str(when))
    found.sort(key=lambda one: one.sequence, reverse=True)
    versions = versions_of(portal, found)
    shown = _chosen(versions, inlamning)
    exceptions = [
        one
        for one in decisions.open_exceptions(portal.ledger, portal.today)
        if (one.reporting_quarter, one.district_code) == (str(when), unit.code) and one.dataset in (None, name)
    ]
    return page(
        request,
        "city/cell.html",
        tabs=of_quarter(when, "wall"),
        quarter=when,
        unit=unit,
        dataset=name,
        deadline=when.deadline,
        is_past=portal.today > when.deadline,
        is_expected=unit in portal.registry.valid_in(when),
        is_locked=str(when) in decisions.locked_quarters(portal.ledger),
        exceptions=exceptions,
        versions=versions,
        shown=shown,
        rules=rules_found(portal, shown.submission) if shown else [],
        explained=given_explanations(portal, shown.submission) if shown else [],
        skipped=_skipped(portal, shown.submission) if shown else [],
        has_workbook=shown is not None and workbook_of(portal, shown.submission) is not None,
    )


def versions_of(portal: Portal, found: list[Submission]) -> list[Version]:
    """Submissions of one key, with who did what."""
    ids = [one.submission_id for one in found]
    acts, _ = find_acts(portal.ledger, ActSearch(subjects=ids), limit=_ACTS_OF_A_KEY) if ids else ([], 0)
    withdrawn = decisions.withdrawals_of(portal.ledger, ids)
    in_force = {one.submission_id for one in newest_accepted(found)}
    made = []
    for one in found:
        state = one.state
        if state == "accepted" and one.submission_id not in in_force:
            state = "replaced"
        recorded = {f"submission.{name}" for name in ("accepted", "refused")}
        made.append(
            Version(
                one,
                state,
                _who(acts, one.submission_id, recorded),
                withdrawn.get(one.submission_id),
                _who(acts, one.submission_id, {"submission.withdrawn"}),
            )
        )
    return made


def _who(acts: list[Act], submission_id: str, actions: set[str]) -> str:
    own = (one for one in acts if one.action in actions and one.subject == submission_id)
    return next((actor_of(one) for one in own), "inte antecknat")


def _chosen(versions: list[Version], asked: str) -> Version | None:
    if asked:
        named = [one for one in versions if one.submission.submission_id == asked]
        if not named:
            raise NotHere
        return named[0]
    in_force = [one for one in versions if one.state == "accepted"]
    return next(iter(versions[:1] if versions and versions[0].state == "refused" else in_force or versions), None)


def rules_found(portal: Portal, found: Submission) -> list[RuleFound]:
    """The rules that fired in a submission, faults first; each with the places that are stored."""
    places: dict[str, list[Finding]] = {}
    for one in portal.ledger.findings(found.submission_id):
        places.setdefault(one.rule, []).append(one)
    explained = {one.rule for one in explanations_of(portal.ledger, found.submission_id)}
    listed = []
    for count in portal.ledger.rule_counts(found.submission_id):
        rows = places.get(count.rule, [])
        severity = "query" if count.severity == "query" else "error"
        is_explained = severity == "query" and count.rule in explained and found.open_query_count == 0
        listed.append(
            RuleFound(
                count.rule,
                "explained" if is_explained else severity,
                rows[0].message if rows else count.rule,
                count.row_count,
                tuple(rows),
            )
        )
    return sorted(listed, key=lambda one: (one.severity != "error", one.code))


def given_explanations(portal: Portal, found: Submission) -> list[GivenExplanation]:
    """The explanations of a submission: those with the same words of a rule together."""
    grouped: dict[tuple[str, str], list[Explanation]] = {}
    for one in explanations_of(portal.ledger, found.submission_id):
        grouped.setdefault((one.rule, one.text), []).append(one)
    if not grouped:
        return []
    origins = {one.carried_from or one.submission_id for same in grouped.values() for one in same}
    acts, _ = find_acts(portal.ledger, ActSearch(action="query.explained", subjects=origins), limit=_ACTS_OF_A_KEY)
    return [
        GivenExplanation(rule, text, tuple(one.row_key for one in same), same[0], _explainer(acts, same[0]))
        for (rule, text), same in grouped.items()
    ]


def _explainer(acts: Iterable[Act], given: Explanation) -> str:
    """Who explained: the newest act that names the submission and the rule."""
    origin = given.carried_from or given.submission_id
    own = (one for one in acts if one.subject.startswith(f"{origin}:") and given.rule in one.subject)
    return next((actor_of(one) for one in own), "inte antecknat")


def _skipped(portal: Portal, found: Submission) -> list[str]:
    """Rules that were not tried, as the feedback of the submission says."""
    path = feedback_path(portal.settings, found.district_code, found.submission_id, "json")
    try:
        if path.stat().st_size > _LONGEST_FEEDBACK:
            return []
        said = json.loads(path.read_text(encoding="utf-8"))
        return [str(one)[:20] for one in said["skipped"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def workbook_of(portal: Portal, found: Submission) -> bytes | None:
    """The marked workbook that the sender got; None where there is none."""
    try:
        return feedback_path(portal.settings, found.district_code, found.submission_id, "xlsx").read_bytes()
    except OSError:
        return None


def address_of(found: Submission) -> str:
    """The page of a submission's key."""
    if found.dataset is None or found.reporting_quarter is None:
        return f"/staden/inlamning/{found.submission_id}"
    return f"/staden/{found.reporting_quarter}/{found.district_code}/{found.dataset}"
