"""Idempotency-Key: a request that is sent again under the same key gets the answer of the first one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Header
from starlette.responses import Response

from ingest.ledger import api_requests
from ingest.ledger.acts import system_now
from ingest.ledger.api_requests import Answer, AnsweredElsewhere
from portal.api.caller import Caller
from portal.api.problems import MEDIA_TYPE, Problem

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A text of your own, new for each request. Sent again with the same content within 24 hours, the "
        "request is not done twice: its first answer is given again.",
    ),
]


@dataclass
class Once:
    """One request under a key, or without one."""

    earlier: Answer | None
    given: Answer | None = field(default=None)

    def again(self, request_hash: str) -> Response | None:
        """The answer that was given to this request before.

        Raises:
            Problem: the key was used for another request.
        """
        if self.earlier is None:
            return None
        if self.earlier.request_hash != request_hash:
            raise Problem(422, "key-reused", "Draw a new key for a new request.")
        return _response(self.earlier, {"idempotency-replayed": "true"})

    def answer(self, request_hash: str, status: int, content: dict[str, Any]) -> Response:
        """An answer that is given again to the same request."""
        self.given = Answer(request_hash, status, json.dumps(content, ensure_ascii=False))
        return _response(self.given, {})


@contextmanager
def once(caller: Caller, key: str | None) -> Iterator[Once]:
    """Begin a request under a key; what the block does not answer by `answer` was not done, and may be tried again.

    Raises:
        Problem: a request with this key is being answered at this moment.
    """
    if key is None:
        yield Once(None)
        return
    ledger, token_id = caller.portal.ledger, caller.token.token_id
    try:
        found = Once(api_requests.begin(ledger, token_id, key, system_now()))
    except AnsweredElsewhere:
        detail = "Wait for its answer, then send it again to get the same one."
        raise Problem(409, "in-progress", detail, headers={"retry-after": "1"}) from None
    try:
        yield found
    finally:
        if found.earlier is None:
            if found.given is None:
                api_requests.give_up(ledger, token_id, key)
            else:
                api_requests.finish(ledger, token_id, key, found.given)


def done_once(
    caller: Caller, key: str | None, request: tuple[str, ...], act: Callable[[], dict[str, Any]], status: int = 200
) -> Response:
    """Do something that has no content of its own but `request`: what, on which object, with which values."""
    request_hash = hashlib.sha256(json.dumps(request).encode()).hexdigest()
    with once(caller, key) as begun:
        if (before := begun.again(request_hash)) is not None:
            return before
        with caller.acting():
            content = act()
        return begun.answer(request_hash, status, content)


def _response(answer: Answer, headers: dict[str, str]) -> Response:
    kind = MEDIA_TYPE if answer.status >= 400 else "application/json"
    return Response(answer.answer.encode(), answer.status, headers, kind)
