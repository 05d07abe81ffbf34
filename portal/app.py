"""The portal as one ASGI application: the guard before everything, then the rooms' pages."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ingest.ledger import Ledger, LedgerError
from ingest.portal_login.passwords import Passwords
from ingest.settings import Settings, SettingsError
from portal.accounts.routes import router as accounts
from portal.api.app import make_api
from portal.api.gate import PATH as API_PATH
from portal.api.keys_page import router as key_pages
from portal.api.problems import problem_of_status
from portal.city.routes import router as city
from portal.context import Portal
from portal.district import files, routes, submissions
from portal.figures.routes import router as figures
from portal.information.routes import router as information
from portal.pages.render import page
from portal.security.guard import API, BodyRefused, Guard, without_ledger
from portal.security.visit import Visit
from portal.settings import PortalSettings
from portal.signing_in.access import NeedsSignIn, NotHere
from portal.signing_in.oidc import provider_of
from portal.signing_in.oidc_routes import router as oidc_pages
from portal.signing_in.routes import local_address
from portal.signing_in.routes import router as signing_in

ROUTERS = (
    signing_in,
    oidc_pages,
    key_pages,
    information,
    routes.router,
    files.router,
    submissions.router,
    city,
    accounts,
    figures,
)
"""Of all pages."""
log = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "static"
_HEADINGS = {
    400: "Det gick inte att läsa",
    401: "Logga in först",
    403: "Det gick inte att göra",
    404: "Sidan finns inte",
    405: "Det går inte att göra här",
    408: "Det tog för lång tid",
    413: "För stort",
    415: "Det går inte att lämna här",
    429: "För många försök",
    500: "Något gick fel hos oss",
    503: "Något saknas hos oss",
}
_NOT_HERE = "Sidan finns inte, eller så är den inte för dig. Gå till startsidan och leta därifrån."
_OUR_FAULT = "Felet är vårt och har skrivits i loggen. Försök igen; fråga stadens team om det inte hjälper."


def make_app(settings: Settings, own: PortalSettings | None = None, passwords: Passwords | None = None) -> Guard:
    """The portal of an installation, behind its guard.

    Args:
        settings: the installation's.
        own: the portal's; read from the environment when not given.
        passwords: how they are hashed; as ADR 0068 says when not given.

    Raises:
        LedgerError: the ledger can't be opened.
        OidcUnusable: the identity provider's settings can't be used.
    """
    own = own or PortalSettings()
    oidc = provider_of(own)
    portal = Portal(settings, own, Ledger(settings.ledger), passwords or Passwords(), oidc)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.portal = portal
    for router in ROUTERS:
        app.include_router(router)
    app.mount(API_PATH, make_api(portal))
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_exception_handler(NeedsSignIn, _to_sign_in)
    app.add_exception_handler(NotHere, _not_here)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(BodyRefused, _body_refused)
    app.add_exception_handler(LedgerError, _no_ledger)
    app.add_exception_handler(SettingsError, _badly_set)
    app.add_exception_handler(Exception, _our_fault)
    return Guard(app, portal, _refuse_in(app), takes_files)


def takes_files(path: str) -> bool:
    """Whether a path takes a form with files."""
    parts = path.split("/")
    return len(parts) == 4 and parts[1] == "enhet" and parts[3] == "filer"


def error_page(request: Request, status: int, message: str) -> Response:
    """A page that says what went wrong and what to do; to a program that missed the API's address, a problem."""
    if request.url.path.startswith(API):
        return problem_of_status(status).response()
    heading = _HEADINGS.get(status, "Det gick inte")
    return page(request, "error.html", status=status, heading=heading, text=message)


def _refuse_in(app: FastAPI) -> Any:
    def refuse(scope: Scope, visit: Visit | None, status: int, message: str) -> Response:
        """The guard's answer: a page where a user is known, else a line that shows nothing of the portal."""
        if scope["path"].startswith(API):
            return problem_of_status(status, message).response()
        if visit is None:
            return PlainTextResponse(message, status)
        scope["app"] = app
        request = Request(scope)
        request.state.visit = visit
        return error_page(request, status, message)

    return refuse


def _to_sign_in(request: Request, error: Exception) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    till = local_address(back) if request.method == "GET" else None
    return RedirectResponse(f"/logga-in?till={quote(till)}" if till else "/logga-in", 303)


def _not_here(request: Request, error: Exception) -> Response:
    return error_page(request, 404, _NOT_HERE)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = _NOT_HERE if error.status_code == 404 else "Gå tillbaka och försök igen."
    return error_page(request, error.status_code, message)


def _unreadable(request: Request, error: Exception) -> Response:
    """A parameter of a path or query that can't be read; its value is not repeated."""
    return error_page(request, 404, _NOT_HERE)


def _body_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyRefused)
    response = error_page(request, error.status, error.message)
    response.headers["connection"] = "close"  # what is left of the body is not read
    return response


def _no_ledger(request: Request, error: Exception) -> Response:
    """Answered without a page: a page asks the ledger."""
    return without_ledger()


def _badly_set(request: Request, error: Exception) -> Response:
    """A setting or key that is missing: the log says which, whoever asked only that it is ours to mend."""
    log.error("%s", error)
    return error_page(request, 503, "Portalen är inte rätt inställd. Stadens team ser i loggen vad som saknas.")


def _our_fault(request: Request, error: Exception) -> Response:
    return error_page(request, 500, _OUR_FAULT)
