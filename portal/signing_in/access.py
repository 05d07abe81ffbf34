"""Who may open a page. A page says so by one of these dependencies; a test sees that every page has one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import Request

from ingest.districts import District
from ingest.ledger import sessions
from ingest.ledger.acts import add_act, system_now
from ingest.ledger.portal_users import Role, units_of
from portal.context import portal_of
from portal.security.guard import Form
from portal.security.visit import SignedInUser, Visit, visit_of

MOST_REFUSALS = 60
"""Refused addresses in an hour after which a session ends."""


class NeedsSignIn(Exception):
    """The page is for who has signed in."""


class NotHere(Exception):
    """There is no such page, or it is not for this user: which of the two is not said."""


def signed_in_user(request: Request) -> SignedInUser:
    """Whoever has signed in.

    Raises:
        NeedsSignIn: nobody has.
    """
    found = visit_of(request).signed_in
    if found is None:
        raise NeedsSignIn
    return found


SomeUser = Annotated[SignedInUser, Depends(signed_in_user)]


def _of_role(request: Request, user: SignedInUser, role: Role) -> SignedInUser:
    if user.user.role is not role:
        _log_refusal(request, user, f"the pages of role {role}")
        raise NotHere
    return user


def city_user(request: Request, user: SomeUser) -> SignedInUser:
    """A user of the city's team.

    Raises:
        NotHere: another role.
    """
    return _of_role(request, user, Role.CITY)


def officer(request: Request, user: SomeUser) -> SignedInUser:
    """An officer of one or several units.

    Raises:
        NotHere: another role.
    """
    return _of_role(request, user, Role.OFFICER)


def administrator(request: Request, user: SomeUser) -> SignedInUser:
    """An administrator.

    Raises:
        NotHere: another role.
    """
    return _of_role(request, user, Role.ADMINISTRATOR)


def unit_of_officer(request: Request, user: SomeUser, code: Annotated[str, Path(max_length=40)]) -> District:
    """The unit that a path names, where the user is an officer of it, or of the unit that it was merged into.

    Raises:
        NotHere: no such unit, or not theirs; the try is in the audit log.
    """
    portal = portal_of(request)
    unit = portal.registry.get(code)
    if unit is not None and user.user.role is Role.OFFICER and unit.code in units_of(user.user, portal.registry):
        return unit
    _log_refusal(request, user, f"unit {unit.code}" if unit is not None else "a unit that there is not")
    raise NotHere


def figure_reader(request: Request) -> Visit:
    """Whoever may see released figures: everybody, where the installation says so, else who has signed in.

    Raises:
        NeedsSignIn: nobody has.
    """
    visit = visit_of(request)
    if visit.signed_in is None and not portal_of(request).own.figures_are_open:
        raise NeedsSignIn
    return visit


def anybody(request: Request) -> Visit:
    """Everybody: the pages before signing in."""
    return visit_of(request)


def read_form(request: Request) -> Form:
    """The form that the guard has read and checked."""
    found = request.state.form
    assert isinstance(found, Form)
    return found


CityUser = Annotated[SignedInUser, Depends(city_user)]
Officer = Annotated[SignedInUser, Depends(officer)]
Administrator = Annotated[SignedInUser, Depends(administrator)]
OwnUnit = Annotated[District, Depends(unit_of_officer)]
FigureReader = Annotated[Visit, Depends(figure_reader)]
Anybody = Annotated[Visit, Depends(anybody)]
SentForm = Annotated[Form, Depends(read_form)]


def _log_refusal(request: Request, user: SignedInUser, what: str) -> None:
    """Log a try at what is not the user's. A session that tries on and on ends: the log can't be filled."""
    portal, session = portal_of(request), user.session
    with user.acting():
        with portal.ledger.engine.begin() as connection:
            add_act(connection, "access.refused", f"{what}, from session {session.session_id}")
        if portal.refusals.count(session.session_id) >= MOST_REFUSALS:
            sessions.revoke(portal.ledger, user.user.user_id, user.user.name, system_now(), session.session_id)
