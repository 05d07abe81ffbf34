"""Pages: to the city's identity provider and back."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingest.ledger import ChangeRefused
from ingest.ledger.acts import system_now
from ingest.ledger.login_attempts import Key
from ingest.portal_login.signing_in import SignInMustWait, SignInRefused
from ingest.portal_login.signing_in_elsewhere import give_back, log_refusal, reserve, sign_in_elsewhere
from portal.context import portal_of
from portal.security.visit import Visit, begin_session, set_transaction, transaction_of
from portal.signing_in.access import Anybody, NotHere
from portal.signing_in.oidc import (
    ANSWER_PATH,
    TRANSACTION_SECONDS,
    AnswerRefused,
    Provider,
    ProviderUnavailable,
    Transaction,
)
from portal.signing_in.oidc_rights import NoRights, claimed
from portal.signing_in.routes import first_page, local_address, must_wait, sign_in_form

router = APIRouter()
log = logging.getLogger(__name__)
_LONGEST_CODE = 4_000
_UNAVAILABLE = "Det går inte att nå inloggningen just nu. Vänta en stund och försök igen."
_AGAIN = "Inloggningen blev inte klar. Börja om härifrån."
_STOPPED = "Du blev inte inloggad: inloggningen avbröts eller nekades. Försök igen, eller fråga stadens team."
_NO_RIGHTS = (
    "Ditt konto har ingen behörighet här. Be den som har hand om kontot att ge dig en roll, och en enhet om du lämnar "
    "in filer."
)
_NO_ACCOUNT = "Ditt konto kan inte användas här. Fråga stadens team."


@router.get("/logga-in/oidc")
def to_provider(request: Request, visit: Anybody, till: str = "") -> Response:
    """Send the browser to the provider. It is a link and no form, so that the provider may lead on to another."""
    portal, provider = portal_of(request), _provider(request)
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return RedirectResponse("/logga-in", 303)  # another site began it
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    transaction = Transaction(state, nonce, verifier, local_address(till) or "")
    try:
        address = provider.authorization_address(transaction)
    except ProviderUnavailable as error:
        return _unavailable(request, error)
    response = RedirectResponse(address, 303)
    set_transaction(response, portal.own, provider.transactions.sealed(transaction), TRANSACTION_SECONDS)
    return response


@router.get(ANSWER_PATH)
def from_provider(request: Request, visit: Anybody) -> Response:
    """Take the provider's answer."""
    provider = _provider(request)
    transaction = provider.transactions.take(transaction_of(request, portal_of(request).own))
    answer = dict(request.query_params)
    is_ours = (
        transaction is not None
        and len(answer) == len(request.query_params.multi_items())
        and hmac.compare_digest(answer.get("state", "").encode(), transaction.state.encode())
    )
    if not is_ours or transaction is None:
        return _ended(request, sign_in_form(request, "", 403, _AGAIN))
    try:  # what has no cookie of ours is not counted: any page could have it asked for
        keys = reserve(portal_of(request).ledger, visit.browser, system_now())
    except SignInMustWait as busy:
        return _ended(request, must_wait(request, busy, transaction.back))
    try:
        _check_issuer(provider, answer)
        if "code" not in answer or "error" in answer or len(answer["code"]) > _LONGEST_CODE:
            log_refusal(portal_of(request).ledger, visit.browser, "the provider gave no code")
            return _ended(request, sign_in_form(request, transaction.back, 403, _STOPPED))
        response = _sign_in(request, visit, provider, answer["code"], transaction, keys)
    except ProviderUnavailable as error:
        give_back(portal_of(request).ledger, keys, system_now())
        response = _unavailable(request, error)
    except AnswerRefused as refused:
        log_refusal(portal_of(request).ledger, visit.browser, str(refused))
        response = sign_in_form(request, transaction.back, 403, _AGAIN)
    except NoRights as none:
        log_refusal(portal_of(request).ledger, visit.browser, none.reason)
        response = sign_in_form(request, transaction.back, 403, _NO_RIGHTS)
    except (SignInRefused, ChangeRefused):
        response = sign_in_form(request, transaction.back, 403, _NO_ACCOUNT)
    return _ended(request, response)


def _sign_in(
    request: Request, visit: Visit, provider: Provider, code: str, transaction: Transaction, keys: Sequence[Key]
) -> Response:
    portal = portal_of(request)
    found = claimed(portal.own, provider.mapping, provider.claims(code, transaction))
    new = sign_in_elsewhere(
        portal.ledger, found.name, found.role, found.units, browser=visit.browser, session=visit.session_token,
        keys=keys, times=portal.times, now=system_now(),
    )  # fmt: skip
    response = RedirectResponse(local_address(transaction.back) or first_page(new.user), 303)
    begin_session(response, portal.own, new.token, None)
    return response


def _check_issuer(provider: Provider, answer: dict[str, str]) -> None:
    """The answer is of the provider that was asked (RFC 9207), where it says so or has to."""
    named = answer.get("iss")
    if named != provider.issuer and (named is not None or provider.names_itself()):
        raise AnswerRefused("the answer is of another issuer")


def _ended(request: Request, response: Response) -> Response:
    set_transaction(response, portal_of(request).own, None, 0)
    return response


def _provider(request: Request) -> Provider:
    found = portal_of(request).oidc
    if found is None:
        raise NotHere
    return found


def _unavailable(request: Request, error: ProviderUnavailable) -> Response:
    log.error("the identity provider can't be used: %s", error)
    return sign_in_form(request, "", 503, _UNAVAILABLE)
