"""Errors as problem+json (RFC 9457). A problem never repeats what was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TITLES = {
    "bad-request": "The request can't be read",
    "no-token": "A bearer token is needed",
    "invalid-token": "The token is not taken",
    "wrong-scope": "The token is not for this",
    "not-found": "There is no such thing, or it is another unit's",
    "not-allowed": "This can't be done with it now",
    "in-progress": "A request with this Idempotency-Key is being answered",
    "file-refused": "The file has faults",
    "too-large": "Too large",
    "wrong-content-type": "This kind of content is not taken",
    "invalid-values": "Values can't be used",
    "key-reused": "The Idempotency-Key was used for another request",
    "too-many-requests": "Too many requests",
    "too-slow": "The content came too slowly, or not whole",
    "no-room": "There is no room for more files",
    "unavailable": "Not available at the moment",
    "our-fault": "The fault is ours",
}
_OF_STATUS = {
    400: "bad-request", 401: "invalid-token", 403: "wrong-scope", 404: "not-found", 405: "bad-request",
    408: "too-slow", 409: "not-allowed", 413: "too-large", 415: "wrong-content-type", 422: "invalid-values",
    429: "too-many-requests", 503: "unavailable", 507: "no-room",
}  # fmt: skip


class Problem(Exception):
    """An answer that says what is wrong and what to do."""

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`kind` is one of TITLES; `more` are members of the answer besides the standard ones."""
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers, self.more = status, kind, detail, headers, more

    def body(self) -> dict[str, Any]:
        """The answer as an object."""
        return {
            "type": f"urn:followup:problem:{self.kind}",
            "title": TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> Response:
        """The answer."""
        content = json.dumps(self.body(), ensure_ascii=False).encode()
        return Response(content, self.status, dict(self.headers or {}), MEDIA_TYPE)


def problem_of_status(status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> Problem:
    """A problem for what only a status is known of."""
    kind = _OF_STATUS.get(status, "our-fault" if status >= 500 else "bad-request")
    return Problem(status, kind, detail or HTTPStatus(status).phrase, headers=headers)


def unavailable() -> Problem:
    """The ledger can't be reached."""
    detail = "The portal does not reach its database. Nothing was lost; try again soon."
    return Problem(503, "unavailable", detail, headers={"retry-after": "30"})
