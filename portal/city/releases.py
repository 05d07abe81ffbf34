"""Builds and releases with their state; proposing, approving and rejecting a release."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup import deciding
from ingest.ledger import ChangeRefused
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.ledger.leases import LeaseBusy
from ingest.ledger.releases import ReleaseRow, current_release
from ingest.ledger.releases import releases as all_releases
from portal.city import working
from portal.city.asked import LONGEST_REASON, one_line, quarter_named
from portal.city.said import DONE, STATES, TOO_LONG, fault_of
from portal.city.tabs import of_releases
from portal.context import Portal, portal_of
from portal.pages.acts import action_of, actor_of
from portal.pages.numbers import number_named
from portal.pages.render import page, quarter_name, shown_again
from portal.signing_in.access import CityUser, NotHere, SentForm
from publish.release.certificate import Certificate, facts, read_certificate
from publish.serving.release_file import in_swedish

router = APIRouter()
_BUILDS = 50
_SHOWN_ABOVE = {
    "Utgåva", "Gjord", "Till och med kvartal", "Prövning", "Nya perioder", "Reviderade perioder",
    "Grupper av uppgifter som är nya", "Grupper som har ändrats", "Grupper vars rättelse väntar",
}  # fmt: skip
"""Lines of the certificate that the page has elsewhere."""
_PATIENCE_SECONDS = 3.0
"""How long a page waits for another process that releases."""


@dataclass(frozen=True)
class TableChange:
    """Rows of a published table, in the release and in the one that readers see; None where it isn't there."""

    name: str
    rows: int | None
    before: int | None


@router.get("/staden/byggen")
def builds(request: Request, user: CityUser) -> Response:
    """The last builds of the marts, and whether something has come since the newest good one."""
    portal = portal_of(request)
    built = portal.ledger.last_build()
    since = [one for one in portal.ledger.in_force() if built is not None and one.submitted_at > built.started_at]
    return page(
        request,
        "city/builds.html",
        tabs=of_releases("builds"),
        builds=portal.ledger.builds(_BUILDS),
        last=built,
        since=len(since),
    )


@router.get("/staden/publiceringar")
def releases(request: Request, user: CityUser, sagt: str = "") -> Response:
    """All releases, newest first, and the form that makes a proposal."""
    return _releases(request, done=DONE.get(sagt))


def _releases(request: Request, error: str = "", status: int = 200, done: str | None = None) -> Response:
    portal = portal_of(request)
    found = all_releases(portal.ledger)[::-1]
    current = current_release(portal.ledger)
    return page(
        request,
        "city/releases.html",
        status=status,
        tabs=of_releases("releases"),
        releases=[(one, _state(one, current)) for one in found],
        quarters=[(str(one), quarter_name(one)) for one in map(portal.newest_quarter.back, range(8))],
        work=_latest(portal),
        error=error,
        done=done,
    )


def _state(row: ReleaseRow, current: ReleaseRow | None) -> tuple[str, str]:
    """(state of the macros, Swedish)."""
    if row.state == "released" and current is not None and row.release_id != current.release_id:
        return "replaced", "Utgiven, ersatt av en senare"
    shown = {"released": "approved", "blocked": "rejected"}.get(row.state, row.state)
    return shown, STATES.get(row.state, "Ersatt av ett nyare förslag")


def _latest(portal: Portal) -> working.Work | None:
    return next((one for one in working.works(portal) if one.kind.lane == "release"), None)


@router.post("/staden/publiceringar")
def propose(request: Request, user: CityUser, form: SentForm) -> Response:
    """Make a release that waits for approval."""
    portal, until = portal_of(request), form.get("kvartal")
    if until:
        try:
            until = str(quarter_named(portal, until))
        except NotHere:
            return _releases(request, "Välj ett kvartal i listan.", 422)
    flags = {name: "1" if form.get(name) == "1" else "" for name in ("force", "yearly")}
    return _begin(request, user, working.Kind.PROPOSE, "/staden/publiceringar", quarter=until, **flags)


def _begin(request: Request, user: CityUser, kind: working.Kind, back: str, **about: str) -> Response:
    started = working.start(portal_of(request), user.user.name, kind, back=back, **about)
    if started is None:
        return _releases(request, working.BUSY, 409)
    return RedirectResponse(f"/staden/arbete/{started.work_id}", 303)


def _release_named(portal: Portal, text: str) -> ReleaseRow:
    number = number_named(text)
    found = next((one for one in all_releases(portal.ledger) if one.release_id == number), None)
    if found is None:
        raise NotHere
    return found


@router.get("/staden/publiceringar/{number}")
def release(request: Request, user: CityUser, number: str) -> Response:
    """One release: its state, what it changes, its certificate, and what can be decided."""
    portal = portal_of(request)
    return _release(request, _release_named(portal, number))


def _release(request: Request, row: ReleaseRow, error: str = "", why: str = "", status: int = 200) -> Response:
    portal = portal_of(request)
    current = current_release(portal.ledger)
    certificate = read_certificate(row.certificate)
    before = None
    if row.state in ("proposed", "rejected") and current is not None:
        before = read_certificate(current.certificate)
    acts, _ = find_acts(portal.ledger, ActSearch(things=["release"], subjects=[str(row.release_id)]), limit=20)
    return page(
        request,
        "city/release.html",
        status=status,
        tabs=of_releases("releases"),
        row=row,
        state=_state(row, current),
        current=current,
        is_current=current is not None and current.release_id == row.release_id,
        certificate=certificate,
        facts=[one for one in facts(certificate) if one[0] not in _SHOWN_ABOVE] if certificate is not None else [],
        notice=in_swedish(certificate.notice) if certificate is not None else "",
        tables=table_changes(certificate, before) if certificate is not None else [],
        has_before=before is not None,
        acts=[(one, action_of(one.action), actor_of(one)) for one in acts],
        work=working.under_way(portal, "release"),
        error=error,
        why=shown_again(why),
        longest=LONGEST_REASON,
        days=_days_between(row),
    )


def table_changes(certificate: Certificate, before: Certificate | None) -> list[TableChange]:
    """Rows per table of a release beside those of another."""
    new = {one.name: one.rows for one in certificate.tables}
    old = {one.name: one.rows for one in before.tables} if before is not None else {}
    return [TableChange(name, new.get(name), old.get(name)) for name in sorted(new.keys() | old.keys())]


def _days_between(row: ReleaseRow) -> int | None:
    try:
        return int(json.loads(row.policy)["days_between_releases"])
    except (ValueError, KeyError, TypeError):
        return None


@router.post("/staden/publiceringar/{number}/godkann")
def approve(request: Request, user: CityUser, number: str, form: SentForm) -> Response:
    """Approve a proposal: a work of its own, since it writes files and the database for readers."""
    row = _release_named(portal_of(request), number)
    address = f"/staden/publiceringar/{row.release_id}"
    if row.state != "proposed":
        return _release(request, row, "Utgåvan väntar inte längre på att godkännas.", status=409)
    return _begin(request, user, working.Kind.APPROVE, address, release=str(row.release_id))


@router.post("/staden/publiceringar/{number}/avvisa")
def reject(request: Request, user: CityUser, number: str, form: SentForm) -> Response:
    """Reject a proposal."""
    from publish.release.approving import reject_release  # 80 MB, which only who rejects needs

    portal, why = portal_of(request), one_line(form.get("why"))
    row = _release_named(portal, number)
    if len(why) > LONGEST_REASON:
        return _release(request, row, TOO_LONG.format(LONGEST_REASON), why, 422)
    try:
        with user.acting():
            reject_release(
                portal.settings, row.release_id, deciding.checked_reason(why), wait_seconds=_PATIENCE_SECONDS
            )
    except deciding.DecisionRefused as refused:
        return _release(request, row, fault_of(refused), why, 422)
    except ChangeRefused:
        row = _release_named(portal, number)
        return _release(request, row, "Utgåvan väntar inte längre på att godkännas.", status=409)
    except LeaseBusy:
        return _release(request, row, working.BUSY, why, 409)
    return RedirectResponse("/staden/publiceringar?sagt=avvisad", 303)


@router.post("/staden/publiceringar/{number}/lagg-ut")
def serve(request: Request, user: CityUser, number: str, form: SentForm) -> Response:
    """Serve the current release once more."""
    row = _release_named(portal_of(request), number)
    current = current_release(portal_of(request).ledger)
    if current is None or current.release_id != row.release_id:
        return _release(request, row, "Bara den utgåva som gäller kan läggas ut igen.", status=409)
    return _begin(request, user, working.Kind.SERVE, f"/staden/publiceringar/{row.release_id}")


@router.get("/staden/arbete/{work_id}")
def work(request: Request, user: CityUser, work_id: str) -> Response:
    """How far a work has come, or how it ended."""
    found = working.find(portal_of(request), work_id)
    if found is None:
        raise NotHere
    return page(request, "city/work.html", work=found)
