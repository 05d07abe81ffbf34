"""Splitting a multipart/form-data body as it comes, within limits. Nothing is stored here.

Stricter than RFC 2046 where browsers are: no preamble, no padding after a boundary, no nested parts, no encodings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_PARAMETER = re.compile(r';\s*([A-Za-z*]+)=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]*))\s*')
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN_ENCODINGS = (b"7bit", b"8bit", b"binary")


class HandoverRefused(Exception):
    """A request that can't be taken; nothing of it is stored. `status` is the HTTP status, the text is Swedish."""

    status = 400


class BrokenBody(HandoverRefused):
    """The body is not what its headers say, or ended too early."""


class TooLarge(HandoverRefused):
    """The body, or a part of it, is larger than a limit."""

    status = 413


@dataclass(frozen=True)
class PartBegins:
    """A field (`file_name` is None) or a file begins."""

    name: str
    file_name: str | None


@dataclass(frozen=True)
class PartBytes:
    """Some bytes of the part that has begun."""

    content: bytes


@dataclass(frozen=True)
class PartEnds:
    """The part is whole."""


Event = PartBegins | PartBytes | PartEnds
_BROKEN = "Överföringen kom inte fram hel. Försök igen."


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names.

    Raises:
        BrokenBody: it is not multipart/form-data with one boundary.
    """
    kind, _, rest = content_type.partition(";")
    parameters = _parameters(";" + rest) if rest.strip() else {}
    boundary = (parameters or {}).get("boundary", "")
    if kind.strip().lower() != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
        raise BrokenBody("Filerna måste skickas som ett formulär (multipart/form-data).")
    return boundary.encode()


class Splitter:
    """Splits one body. Feed it chunks of any size; what comes out does not depend on where they were cut."""

    def __init__(self, boundary: bytes, most_header_bytes: int = 4096) -> None:
        """Begin before the first boundary."""
        self._first, self._delimiter = b"--" + boundary, b"\r\n--" + boundary
        self._most_header_bytes = most_header_bytes
        self._buffer = bytearray()
        self._state = "start"

    @property
    def is_whole(self) -> bool:
        """Whether the last boundary has come."""
        return self._state == "end"

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What a chunk completes.

        Raises:
            BrokenBody: it is no such body.
            TooLarge: a part's headers are too long.
        """
        self._buffer += chunk
        while True:
            state, length = self._state, len(self._buffer)
            if state == "start":
                self._begin()
            elif state == "boundary":
                self._after_boundary()
            elif state == "headers":
                if (begins := self._headers()) is not None:
                    yield begins
            elif state == "content":
                yield from self._content()
            else:
                self._end()
            if (self._state, len(self._buffer)) == (state, length):
                return

    def _begin(self) -> None:
        if self._take(self._first):
            self._state = "boundary"

    def _take(self, expected: bytes) -> bool:
        """Take what must come next, when all of it is here."""
        there = bytes(self._buffer[: len(expected)])
        if not expected.startswith(there):
            raise BrokenBody(_BROKEN)
        if len(there) < len(expected):
            return False
        del self._buffer[: len(expected)]
        return True

    def _after_boundary(self) -> None:
        if self._buffer[:1] == b"-":
            if self._take(b"--"):
                self._state = "end"
        elif self._buffer and self._take(b"\r\n"):
            self._state = "headers"

    def _headers(self) -> PartBegins | None:
        end = self._buffer.find(b"\r\n\r\n", 0, self._most_header_bytes + 4)
        if end < 0:
            if len(self._buffer) > self._most_header_bytes:
                raise TooLarge("En del av formuläret har för långa rubriker.")
            return None
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        self._state = "content"
        return _part_of(lines)

    def _content(self) -> Iterator[Event]:
        found = self._buffer.find(self._delimiter)
        if found >= 0:
            if found:
                yield PartBytes(bytes(self._buffer[:found]))
            del self._buffer[: found + len(self._delimiter)]
            self._state = "boundary"
            yield PartEnds()
            return
        sure = len(self._buffer) - len(self._delimiter) + 1  # the rest may be the beginning of a boundary
        if sure > 0:
            yield PartBytes(bytes(self._buffer[:sure]))
            del self._buffer[:sure]

    def _end(self) -> None:
        if bytes(self._buffer) not in (b"", b"\r", b"\r\n"):
            raise BrokenBody(_BROKEN)


def _part_of(lines: list[bytes]) -> PartBegins:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _HEADER_NAME.fullmatch(name) or name.lower() in headers or b"\n" in line or b"\r" in line:
            raise BrokenBody(_BROKEN)
        headers[name.lower()] = value.strip()
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in _PLAIN_ENCODINGS:
        raise BrokenBody("En del av formuläret är kodad på ett sätt som inte läses.")
    if headers.get(b"content-type", b"").lower().startswith((b"multipart/", b"message/")):
        raise BrokenBody("Formuläret innehåller delar i delar, och det läses inte.")
    try:
        disposition = headers[b"content-disposition"].decode()
    except (KeyError, UnicodeDecodeError):
        raise BrokenBody(_BROKEN) from None
    kind, _, rest = disposition.partition(";")
    parameters = _parameters(";" + rest)
    if kind.strip().lower() != "form-data" or parameters is None or "name" not in parameters:
        raise BrokenBody(_BROKEN)
    file_name = parameters.get("filename", _extended(parameters.get("filename*")))
    return PartBegins(parameters["name"], None if file_name is None else _last_part(file_name))


def _parameters(text: str) -> dict[str, str] | None:
    """Parameters of a header: None where they can't be read or one is named twice."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _PARAMETER.match(text, place)
        if match is None:
            return None
        place = match.end()
        name = match[1].lower()
        if name in found:
            return None
        value = match[2] if match[2] is not None else match[3]
        found[name] = value.replace('\\"', '"') if name != "boundary" else value
    return {name: value if name.endswith("*") else _unescaped(value) for name, value in found.items()}


def _extended(value: str | None) -> str | None:
    """A name as RFC 5987 writes it. RFC 7578 forbids it here, and some programs send nothing else."""
    encoding, _, encoded = (value or "").partition("''")
    return unquote(encoded) if encoding.lower() == "utf-8" else None


def _unescaped(value: str) -> str:
    """What browsers escape in names: quotes and line breaks."""
    return re.sub("%22|%0D|%0A", lambda match: chr(int(match[0][1:], 16)), value, flags=re.IGNORECASE)


def _last_part(file_name: str) -> str:
    """A file's name without folders, whatever system it comes from."""
    return re.split(r"[/\\]", file_name)[-1]
