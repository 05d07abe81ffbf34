"""Files that a page gives: always attachments, of a type that no browser runs."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from ingest.naming import shown_name

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "svg": "image/svg+xml",
}


def download(content: bytes, name: str) -> Response:
    """A file to store. Its name is made harmless; an ending that we do not give is of no type."""
    shown = "".join("_" if one in '/\\:*?"<>|;' else one for one in shown_name(name)) or "fil"
    plain = shown.encode("ascii", "replace").decode().replace("?", "_")
    ending = shown.rpartition(".")[2].lower()
    return Response(
        content,
        media_type=_TYPES.get(ending, "application/octet-stream"),
        headers={"content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown)}"},
    )
