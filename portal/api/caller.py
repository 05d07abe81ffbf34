"""Who calls: a token with its unit and scopes. An endpoint says which scopes it needs by `needs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from starlette.requests import Request

from ingest.acting_user import acting_as
from ingest.districts import District
from ingest.ledger import Submission
from ingest.ledger.acts import add_act
from ingest.ledger.api_tokens import ApiToken, Scope
from ingest.ledger.uploads import Upload
from portal.api.problems import Problem
from portal.context import Portal, portal_of
from portal.handover.facade import Handover


@dataclass(frozen=True)
class Caller:
    """A program of one unit.

    Attributes:
        token: that it brought.
        portal: that it called.
        units: the unit and those merged into it: their submissions are seen too.
    """

    token: ApiToken
    portal: Portal
    units: frozenset[str]

    @property
    def handover(self) -> Handover:
        """Files on their way in."""
        return self.portal.handover

    @property
    def unit(self) -> District:
        """The unit that it acts for."""
        found = self.portal.registry.get(self.token.district_code)
        if found is None:  # the registry has changed since
            raise Problem(403, "wrong-scope", "The token's unit is none any more.")
        return found

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Until the end of the block, the audit log names the token."""
        with acting_as(self.token.actor):
            yield

    def upload(self, upload_id: str) -> Upload:
        """An upload of the unit.

        Raises:
            Problem: there is none with this id, or it is another unit's; the try is in the audit log then.
        """
        found = self.handover.upload(upload_id)
        if found is None or found.district_code != self.token.district_code:
            raise self._not_found("upload", None if found is None else found.district_code)
        return found

    def submission(self, submission_id: str) -> Submission:
        """A submission of the unit, or of one merged into it.

        Raises:
            Problem: as of `upload`.
        """
        found = self.portal.ledger.find(submission_id)
        if found is None or found.district_code not in self.units:
            raise self._not_found("submission", None if found is None else found.district_code)
        return found

    def _not_found(self, what: str, unit: str | None) -> Problem:
        if unit is not None:
            with self.acting(), self.portal.ledger.engine.begin() as connection:
                add_act(connection, "access.refused", f"{what} of unit {unit}, by the API")
        return Problem(404, "not-found", f"This unit has no {what} with this id.")


def needs(*scopes: Scope) -> Any:
    """The caller, where its token has one of these scopes.

    Raises:
        Problem: it has none of them.
    """

    def caller(request: Request) -> Caller:
        token, portal = request.scope["state"]["token"], portal_of(request)
        assert isinstance(token, ApiToken)
        if scopes and not token.scopes & set(scopes):
            named = " or ".join(scopes)
            raise Problem(
                403,
                "wrong-scope",
                f"This needs a token with scope {named}.",
                headers={"www-authenticate": f'Bearer realm="followup", error="insufficient_scope", scope="{named}"'},
            )
        seen, left = set(), [token.district_code]
        while left:
            code = left.pop()
            if code not in seen:
                seen.add(code)
                left += portal.registry.predecessors(code)
        return Caller(token, portal, frozenset(seen))

    caller.scopes = scopes  # type: ignore[attr-defined]  # for the description, and the test that each has some
    return Depends(caller)
