"""Pages for everybody: accessibility, and whether the portal answers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from portal.context import portal_of
from portal.pages.render import page
from portal.signing_in.access import Anybody

router = APIRouter()


@router.get("/tillganglighet")
def accessibility(request: Request, visit: Anybody) -> Response:
    """The accessibility statement that the law asks for (SFS 2018:1937)."""
    return page(request, "tillganglighet.html")


@router.get("/halsa")
def health(request: Request, visit: Anybody) -> Response:
    """Whether the portal answers and its ledger can be written; says nothing else."""
    portal_of(request).ledger.require_writable()
    return PlainTextResponse("ok")
