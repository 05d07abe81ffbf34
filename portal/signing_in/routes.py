"""Pages: sign in, sign out, one's own sessions; and where each role begins."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingest.ledger import sessions
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import PortalUser, Role
from ingest.organisation import own_words
from ingest.persons.number_search import reads_as_number
from ingest.portal_login.signing_in import SignInMustWait, SignInRefused, Try, sign_in
from portal.context import portal_of
from portal.pages.render import page
from portal.security.visit import begin_session, end_session, set_visitor, visit_of, with_visitor
from portal.signing_in.access import Anybody, SentForm, SomeUser

router = APIRouter()
_REFUSED = "Namnet eller lösenordet stämmer inte. Försök igen, eller fråga den som har gett dig kontot."


def first_page(user: PortalUser) -> str:
    """The address at which a user begins."""
    match user.role:
        case Role.OFFICER:
            return f"/enhet/{user.units[0]}/"
        case Role.CITY:
            return "/staden"
        case Role.ADMINISTRATOR:
            return "/konton"
    return "/siffror"


@router.get("/")
def start(request: Request, visit: Anybody) -> Response:
    """Lead each user to their first page."""
    if visit.user is not None:
        return RedirectResponse(first_page(visit.user), 303)
    return RedirectResponse("/siffror" if portal_of(request).own.figures_are_open else "/logga-in", 303)


@router.get("/logga-in")
def sign_in_page(request: Request, visit: Anybody, till: str = "") -> Response:
    """The page with name and password."""
    if visit.user is not None:
        return RedirectResponse(local_address(till) or first_page(visit.user), 303)
    return sign_in_form(request, till)


def sign_in_form(request: Request, back: str, status: int = 200, error: str = "") -> Response:
    """The page with name and password, and what was wrong."""
    request.state.visit = with_visitor(visit_of(request))
    own = portal_of(request).own
    elsewhere = own_words(own.oidc_label) if portal_of(request).oidc is not None else None
    response = page(
        request, "signing_in/sign_in.html", status=status, error=error, back=local_address(back) or "",
        elsewhere=elsewhere,
    )  # fmt: skip
    set_visitor(response, own, visit_of(request))
    return response


@router.post("/logga-in")
def signed(request: Request, visit: Anybody, form: SentForm) -> Response:
    """Sign in."""
    portal, back = portal_of(request), form.get("till")
    given = Try(form.get("namn"), form.get("losenord"), visit.browser, device=visit.device, session=visit.session_token)
    try:
        new = sign_in(portal.ledger, portal.passwords, given, portal.times, system_now())
    except SignInMustWait as busy:
        return must_wait(request, busy, back)
    except SignInRefused:
        return sign_in_form(request, back, 403, _REFUSED)
    response = RedirectResponse(local_address(back) or first_page(new.user), 303)
    begin_session(response, portal.own, new.token, new.device)
    return response


def must_wait(request: Request, busy: SignInMustWait, back: str) -> Response:
    """The same page after too many tries."""
    seconds = max(1, round(busy.wait.total_seconds()))
    waited = f"{seconds} sekunder" if seconds < 120 else f"{round(seconds / 60)} minuter"
    response = sign_in_form(request, back, 429, f"För många försök. Vänta {waited} och försök sedan igen.")
    response.headers["retry-after"] = str(seconds)
    return response


@router.post("/logga-ut")
def sign_out(request: Request, visit: Anybody, form: SentForm) -> Response:
    """End the session."""
    portal = portal_of(request)
    if visit.signed_in is not None and visit.session_token is not None:
        with visit.signed_in.acting():
            sessions.end(portal.ledger, visit.session_token, system_now())
    response = RedirectResponse("/logga-in", 303)
    end_session(response, portal.own)
    return response


@router.get("/konto")
def own_account(request: Request, user: SomeUser) -> Response:
    """The user's own sessions."""
    portal = portal_of(request)
    alive = sessions.sessions(portal.ledger, portal.times, system_now(), user.user.user_id)
    return page(request, "signing_in/account.html", sessions=alive, own_session=user.session.session_id)


@router.post("/konto/avsluta")
def end_own_session(request: Request, user: SomeUser, form: SentForm) -> Response:
    """End one of the user's own sessions, or all the others."""
    portal, chosen = portal_of(request), form.get("session")
    alive = sessions.sessions(portal.ledger, portal.times, system_now(), user.user.user_id)
    own = user.session.session_id
    with user.acting():
        for one in alive:
            if str(one.session_id) == chosen or (chosen == "andra" and one.session_id != own):
                sessions.revoke(portal.ledger, user.user.user_id, user.user.name, system_now(), one.session_id)
    return RedirectResponse("/konto", 303)


def local_address(text: str) -> str | None:
    """An address of this portal to go to after signing in; None for any other, and for those that are acts.

    None too where it reads as a personal number: the sign-in page and its address would repeat it.
    """
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable() or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    is_local = not parts.scheme and not parts.netloc and len(text) <= 500 and not reads_as_number(text)
    return text if is_local and not parts.path.startswith(("/logga-", "/api/")) else None
