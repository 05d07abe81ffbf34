"""Pages for everybody: accessibility, and whether the portal answers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from followup.metrics import CONTENT_TYPE, metrics_text
from portal.context import portal_of
from portal.information.watching import may_watch
from portal.pages.render import page
from portal.signing_in.access import Anybody, NotHere

router = APIRouter()


@router.get("/tillganglighet")
def accessibility(request: Request, visit: Anybody) -> Response:
    """The accessibility statement that the law asks for (SFS 2018:1937)."""
    return page(request, "tillganglighet.html")


@router.get("/health")
@router.get("/halsa")
def health(request: Request, visit: Anybody) -> Response:
    """Whether the portal answers and its ledger can be written; says nothing else."""
    portal_of(request).ledger.require_writable()
    return PlainTextResponse("ok")


@router.get("/metrics")
def metrics(request: Request, visit: Anybody) -> Response:
    """The installation's metrics for Prometheus: to this machine, or to who has the token."""
    portal = portal_of(request)
    peer = request.client.host if request.client else ""
    if not may_watch(portal.own, request.headers, peer):
        raise NotHere
    return PlainTextResponse(metrics_text(portal.settings, portal.ledger), media_type=CONTENT_TYPE)
