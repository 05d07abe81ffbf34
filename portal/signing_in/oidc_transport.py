"""How the portal asks the identity provider: small answers, soon, unpacked and from the address that was asked."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

LARGEST_ANSWER = 512_000
"""Bytes. Metadata and keys are some kilobytes."""
LONGEST_SECONDS = 10.0
"""From the question to the end of the answer."""
_STEP_SECONDS = 5.0


class _Limited(httpx.SyncByteStream):
    """A body that ends in an error when it is too large or too slow."""

    def __init__(self, inner: httpx.SyncByteStream, until: float) -> None:
        self._inner, self._until = inner, until

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise httpx.ReadError("the answer is too large")
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the answer is too slow")
            yield chunk

    def close(self) -> None:
        self._inner.close()


class _Transport(httpx.BaseTransport):
    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport(retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        until = time.monotonic() + LONGEST_SECONDS
        request.headers["accept-encoding"] = "identity"
        response = self._inner.handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise httpx.ReadError("the answer is packed")
        assert isinstance(response.stream, httpx.SyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Limited(response.stream, until),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._inner.close()


def provider_client() -> httpx.Client:
    """A client for one question or two. It follows no redirect and takes nothing from the environment (no proxy)."""
    return httpx.Client(transport=_Transport(), timeout=_STEP_SECONDS, follow_redirects=False, trust_env=False)
