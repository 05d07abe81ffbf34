"""Page: an officer's keys (tokens) for the programs of their units."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingest.ledger import ChangeRefused, api_tokens
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import DAYS, MOST_DAYS, MOST_OF_A_UNIT, NewToken, Scope
from ingest.ledger.portal_users import units_of
from portal.context import portal_of
from portal.pages.render import page
from portal.signing_in.access import NotHere, Officer, SentForm

router = APIRouter()
_SCOPES = {
    Scope.CHECK: "Kontrollera filer",
    Scope.SUBMIT: "Lämna in, bekräfta, avbryta och återkalla",
    Scope.EXPLAIN: "Förklara frågor",
    Scope.READ: "Läsa läge, historik och svar; hämta mallar",
}
_NAME_HINT = "Vad nyckeln är till för, till exempel journalsystem. Bara a–z, siffror, punkt, streck och understreck."


@router.get("/konto/nycklar")
def keys(request: Request, user: Officer) -> Response:
    """The keys of the user's units, and a form for a new one."""
    return _page(request, user)


@router.post("/konto/nycklar")
def make(request: Request, user: Officer, form: SentForm) -> Response:
    """Make a key. It is shown on the answer itself, once: so it is no redirect."""
    portal = portal_of(request)
    unit, name, days = form.get("enhet"), form.get("namn"), form.get("dagar")
    scopes = [scope for scope in Scope if form.get(f"far_{scope}")]
    if unit not in units_of(user.user, portal.registry):
        raise NotHere
    errors = []
    if not days.isascii() or not days.isdigit() or not 1 <= int(days[:4]) <= MOST_DAYS:
        errors.append(("dagar", f"Skriv hur många dagar den ska gälla: 1 till {MOST_DAYS}."))
    if not scopes:
        errors.append((f"far_{Scope.CHECK}", "Välj minst en sak som nyckeln får göra."))
    alive = [one for one in api_tokens.tokens(portal.ledger, [unit]) if one.is_alive(system_now())]
    if len(alive) >= MOST_OF_A_UNIT:
        errors.append(("enhet", f"Enheten har redan {MOST_OF_A_UNIT} nycklar. Ta bort en som inte används."))
    if not errors:
        try:
            with user.acting():
                new = api_tokens.add_token(portal.ledger, name, unit, scopes, system_now(), int(days[:4]))
        except ChangeRefused:
            errors.append(("namn", "Skriv ett namn på nyckeln, utan personuppgifter. " + _NAME_HINT))
        else:
            return _page(request, user, new=new)
    return _page(request, user, errors=errors, status=422)


@router.post("/konto/nycklar/ta-bort")
def remove(request: Request, user: Officer, form: SentForm) -> Response:
    """Revoke a key of one of the user's units."""
    portal, number = portal_of(request), form.get("nyckel")
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise NotHere
    with user.acting():
        units = units_of(user.user, portal.registry)
        api_tokens.revoke_token(portal.ledger, int(number), system_now(), units)
    return RedirectResponse("/konto/nycklar", 303)


def _page(
    request: Request,
    user: Officer,
    *,
    new: NewToken | None = None,
    errors: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response:
    portal, now = portal_of(request), system_now()
    units = sorted(units_of(user.user, portal.registry), key=portal.registry.place)
    alive = [one for one in api_tokens.tokens(portal.ledger, units) if one.is_alive(now)]
    return page(
        request,
        "api/keys.html",
        status=status,
        keys=alive,
        units=units,
        scopes=_SCOPES,
        new=new,
        errors=errors or [],
        days=DAYS,
        most_days=MOST_DAYS,
        name_hint=_NAME_HINT,
    )
