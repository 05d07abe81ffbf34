"""Pages of the administrator: users, passwords, sessions, and what was done about them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingest.ledger import ChangeRefused, portal_users, sessions
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import PortalUser, Role
from ingest.persons.number_search import reads_as_number
from ingest.portal_login.passwords import draw_password
from portal.context import Portal, portal_of
from portal.pages.acts import action_of, actor_of, page_of_acts
from portal.pages.numbers import number_named
from portal.pages.render import ROLES, page
from portal.security.visit import SignedInUser
from portal.signing_in.access import Administrator, NotHere, SentForm

router = APIRouter()
DONE = {
    "avstangt": "Kontot är avstängt, och alla dess inloggningar är avslutade.",
    "var-avstangt": "Kontot var redan avstängt.",
    "oppnat": "Kontot är öppet igen.",
    "vantan": "Kontot var öppet. Väntan efter fel lösenord är borta.",
    "avslutat": "Inloggningen är avslutad.",
    "var-avslutat": "Inloggningen var redan avslutad.",
}
"""Code in an address → what was just done."""
_OWN = "Du kan inte stänga av ditt eget konto. Be en annan administratör."
_LAST = "Det är den sista administratören som kan logga in. Lägg till en annan först."
_OIDC = "Kontot loggar in med stadens inloggning och har inget lösenord."
_ROLE_HINTS = {
    Role.OFFICER: "lämnar in för sina enheter",
    Role.CITY: "ser alla enheter, låser och ger ut",
    Role.READER: "ser siffrorna",
    Role.ADMINISTRATOR: "sköter kontona, ser inga filer",
}
THINGS = ("user", "password", "session", "login", "access")
"""First parts of acts about users."""
_PER_PAGE = 50


@router.get("/konton")
def accounts(request: Request, user: Administrator, sagt: str = "") -> Response:
    """All users, and the form for another."""
    return _accounts(request, done=DONE.get(sagt))


def _accounts(
    request: Request,
    given: dict[str, object] | None = None,
    errors: tuple[tuple[str | None, str], ...] = (),
    status: int = 200,
    done: str | None = None,
) -> Response:
    portal = portal_of(request)
    alive = sessions.sessions(portal.ledger, portal.times, system_now())
    found = portal_users.users(portal.ledger)
    return page(
        request,
        "accounts/accounts.html",
        status=status,
        tabs=_tabs("accounts"),
        users=[(one, ROLES[one.role], sum(s.user_id == one.user_id for s in alive)) for one in found],
        roles=[(str(role), f"{name}: {_ROLE_HINTS[role]}") for role, name in ROLES.items()],
        units=[(one.code, one.name, one.valid_to) for one in portal.registry.districts],
        given=given or {"name": "", "role": "", "unit": [], "by": "password"},
        errors=errors,
        done=done,
    )


def _tabs(current: str) -> list[tuple[str, str, bool]]:
    pages = [
        ("accounts", "/konton", "Konton"),
        ("sessions", "/konton/inloggningar", "Inloggningar"),
        ("log", "/konton/logg", "Logg"),
    ]
    return [(address, label, key == current) for key, address, label in pages]


@router.post("/konton")
def add(request: Request, user: Administrator, form: SentForm) -> Response:
    """Add a user. A drawn password is shown on this answer and nowhere else."""
    portal = portal_of(request)
    name, units, by = form.get("name"), form.all("unit"), form.get("by")
    role = next((one for one in Role if one == form.get("role")), None)
    errors: list[tuple[str | None, str]] = []
    if portal_users.fold_name(name) is None:
        errors.append(("name", "Skriv 1–80 av a–z, 0–9 och . _ @ + -, till exempel anna.berg."))
    elif portal_users.find_user(portal.ledger, name) is not None:
        errors.append(("name", "Det finns redan ett konto med det namnet."))
    if role is None:
        errors.append(("role", "Välj en roll."))
    if any(portal.registry.get(code) is None for code in units):
        errors.append(("units", "Välj enheter i listan."))
    elif role is not None and bool(units) != (role is Role.OFFICER):
        errors.append(("units", "En handläggare ska ha minst en enhet, och ingen annan roll någon."))
    if by not in ("password", "oidc"):
        errors.append(("by", "Välj hur kontot loggar in."))
    added, password = None, draw_password() if by == "password" else None
    if not errors and role is not None:
        try:
            with user.acting():
                added = portal_users.add_user(portal.ledger, name, role, units, _hash(portal, password), system_now())
        except ChangeRefused:  # taken meanwhile, or it reads as a number
            errors.append(("name", "Det namnet kan inte användas. Välj ett annat."))
    if added is None:
        shown = "" if any(field == "name" for field, _ in errors) or reads_as_number(name) else name
        given: dict[str, object] = {"name": shown, "role": str(role or ""), "unit": units, "by": by}
        return _accounts(request, given, tuple(errors), 422)
    return _secret(request, added, password, is_new=True)


def _hash(portal: Portal, password: str | None) -> str | None:
    return None if password is None else portal.passwords.hash(password)


def _secret(request: Request, account: PortalUser, password: str | None, *, is_new: bool) -> Response:
    """The answer that shows a drawn password once; nothing may store the page."""
    response = page(
        request,
        "accounts/secret.html",
        account=account,
        account_role=ROLES[account.role],
        password=password,
        is_new=is_new,
    )
    response.headers["cache-control"] = "no-store"
    return response


@router.get("/konton/inloggningar")
def all_sessions(request: Request, user: Administrator, sagt: str = "") -> Response:
    """Everybody who is signed in."""
    portal = portal_of(request)
    return page(
        request,
        "accounts/sessions.html",
        tabs=_tabs("sessions"),
        sessions=sessions.sessions(portal.ledger, portal.times, system_now()),
        own=user.session.session_id,
        done=DONE.get(sagt),
    )


@router.post("/konton/inloggningar/avsluta")
def revoke(request: Request, user: Administrator, form: SentForm) -> Response:
    """End one session of anybody but this one."""
    portal = portal_of(request)
    number = number_named(form.get("session"))
    alive = sessions.sessions(portal.ledger, portal.times, system_now())
    ended = 0
    for one in alive:
        if one.session_id == number and number != user.session.session_id:
            with user.acting():
                ended = sessions.revoke(portal.ledger, one.user_id, one.name, system_now(), number)
    return RedirectResponse(f"/konton/inloggningar?sagt={'avslutat' if ended else 'var-avslutat'}", 303)


@router.get("/konton/logg")
def log(request: Request, user: Administrator, sida: str = "") -> Response:
    """The acts about users, newest first."""
    shown = page_of_acts(portal_of(request).ledger, ActSearch(things=THINGS), sida, _PER_PAGE)
    return page(
        request,
        "accounts/log.html",
        tabs=_tabs("log"),
        acts=[(one, action_of(one.action), actor_of(one), None) for one in shown.acts],
        number=shown.number,
        pages=shown.pages,
    )


def _named(portal: Portal, name: str) -> PortalUser:
    found = portal_users.find_user(portal.ledger, name)
    if found is None:
        raise NotHere
    return found


@router.get("/konton/konto/{name}")
def account(request: Request, user: Administrator, name: str, sagt: str = "") -> Response:
    """One user, and what can be done with them."""
    return _account(request, user, _named(portal_of(request), name), done=DONE.get(sagt))


def _account(
    request: Request,
    user: SignedInUser,
    account: PortalUser,
    error: str = "",
    status: int = 200,
    done: str | None = None,
) -> Response:
    portal = portal_of(request)
    acts, _ = find_acts(portal.ledger, ActSearch(things=THINGS, subjects=[account.name]), limit=20)
    return page(
        request,
        "accounts/account.html",
        status=status,
        account=account,
        account_role=ROLES[account.role],
        is_own=account.user_id == user.user.user_id,
        sees=sorted(portal_users.units_of(account, portal.registry), key=portal.registry.place)
        if account.role is Role.OFFICER
        else [],
        sessions=sessions.sessions(portal.ledger, portal.times, system_now(), account.user_id),
        own=user.session.session_id,
        acts=[(one, action_of(one.action), actor_of(one), None) for one in acts],
        error=error,
        done=done,
    )


@router.post("/konton/konto/{name}/stang-av")
def disable(request: Request, user: Administrator, name: str, form: SentForm) -> Response:
    """Disable a user: all their sessions end. Not oneself, and not the last administrator."""
    portal = portal_of(request)
    found = _named(portal, name)
    if found.user_id == user.user.user_id:
        return _account(request, user, found, _OWN, 409)
    try:
        with user.acting():
            changed = portal_users.disable_user(portal.ledger, found, system_now(), leaves_administrator=True)
    except ChangeRefused:
        return _account(request, user, found, _LAST, 409)
    return RedirectResponse(f"/konton/konto/{found.name}?sagt={'avstangt' if changed else 'var-avstangt'}", 303)


@router.post("/konton/konto/{name}/oppna")
def enable(request: Request, user: Administrator, name: str, form: SentForm) -> Response:
    """Let a user sign in again; ends a wait after wrong passwords too."""
    portal = portal_of(request)
    found = _named(portal, name)
    with user.acting():
        changed = portal_users.enable_user(portal.ledger, found)
    return RedirectResponse(f"/konton/konto/{found.name}?sagt={'oppnat' if changed else 'vantan'}", 303)


@router.post("/konton/konto/{name}/losenord")
def set_password(request: Request, user: Administrator, name: str, form: SentForm) -> Response:
    """Draw a new password; the user's sessions end. It is shown on this answer and nowhere else."""
    portal = portal_of(request)
    found = _named(portal, name)
    if found.password_hash is None:
        return _account(request, user, found, _OIDC, 409)
    password = draw_password()
    with user.acting():
        portal_users.set_password(portal.ledger, found, portal.passwords.hash(password), system_now())
    return _secret(request, found, password, is_new=False)
