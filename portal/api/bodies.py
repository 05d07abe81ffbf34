"""Bodies with files: a form, or one file as it is, which becomes a form; and what their content is, for once."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ingest.contracts import load_contracts
from ingest.naming import read_name
from ingest.quarters import Quarter
from portal.api.problems import Problem
from portal.handover.multipart import PartBegins, PartBytes, Splitter, boundary_of

FORM = "multipart/form-data"
ENDINGS = {
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/zip": "zip",
    "application/octet-stream": "",
}
"""Content type of one file as it is → the ending of its name, where the type says it."""
_ENDING = re.compile(r".*\.([a-z]{3,4})", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Named:
    """What a request says of the name of one file."""

    name: str | None
    dataset: str | None
    quarter: str | None


def kind_of(content_type: str) -> str:
    """The media type, without parameters.

    Raises:
        Problem: it is none of a form or a file.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != FORM and kind not in ENDINGS:
        raise Problem(415, "wrong-content-type", f"Send {FORM}, or one file as {', '.join(ENDINGS)}.")
    return kind


def file_name(named: Named, unit: str, kind: str) -> str:
    """The name of one file as it is handed over: its own, or made of dataset and quarter.

    Raises:
        Problem: dataset and quarter are not both there, or contradict the name; or there is no name at all.
    """
    if (named.dataset is None) != (named.quarter is None):
        raise Problem(422, "invalid-values", "Give dataset and quarter together.")
    if named.dataset is None or named.quarter is None:
        if not named.name:
            raise Problem(422, "invalid-values", "Give the file's name, or dataset and quarter.")
        return named.name
    if named.dataset not in load_contracts():
        raise Problem(422, "invalid-values", f"dataset is one of {', '.join(load_contracts())}.")
    quarter = Quarter.parse(named.quarter)
    said = read_name(named.name, unit) if named.name else None
    if said is not None and (said.dataset or named.dataset, said.quarter or quarter) != (named.dataset, quarter):
        raise Problem(422, "invalid-values", "The file's name says another dataset or quarter.")
    match = _ENDING.fullmatch(named.name or "")
    ending = ENDINGS[kind] or (match[1].lower() if match else "")
    if not ending:
        raise Problem(422, "invalid-values", "The name's ending or the content type must say what kind of file it is.")
    return f"{unit}_{named.dataset}_{quarter}.{ending}"


def as_form(stream: AsyncIterator[bytes], name: str) -> tuple[AsyncIterator[bytes], str]:
    """One file as a form: its body and content type. The boundary is drawn, so no content can hold it."""
    boundary = f"x-{secrets.token_hex(24)}"
    plain = re.split(r"[/\\]", name)[-1]
    escaped = plain.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

    async def form() -> AsyncIterator[bytes]:
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n\r\n'.encode()
        async for chunk in stream:
            yield chunk
        yield f"\r\n--{boundary}--\r\n".encode()

    return form(), f"{FORM}; boundary={boundary}"


@dataclass
class Fingerprint:
    """The content of a form, whatever its boundary and however it was cut: names, fields and files in their order."""

    request: tuple[str, ...]
    content_type: str
    _parts: list[tuple[str, str | None, str]] = field(default_factory=list)

    async def watch(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream, looked at as it passes.

        Raises:
            HandoverRefused: it is no form.
        """
        splitter, begun, content = Splitter(boundary_of(self.content_type)), PartBegins("", None), hashlib.sha256()
        async for chunk in stream:
            for event in splitter.feed(chunk):
                if isinstance(event, PartBegins):
                    begun, content = event, hashlib.sha256()
                elif isinstance(event, PartBytes):
                    content.update(event.content)
                else:
                    self._parts.append((begun.name, begun.file_name, content.hexdigest()))
            yield chunk

    def hash(self) -> str:
        """Of the request with all that has passed."""
        return hashlib.sha256(json.dumps([self.request, self._parts]).encode()).hexdigest()
