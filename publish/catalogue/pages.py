"""The frame of every page for readers: what it may fetch (nothing), its style, its search, and the way to the others.

Pages are opened from a folder as well as from a server, so style and script are in each of them, named in its policy
by their checksums.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

_HERE = Path(__file__).parent
STYLE = (_HERE / "site.css").read_text(encoding="utf-8")
SCRIPT = (_HERE / "site.js").read_text(encoding="utf-8")
NAME = "Uppföljning av stöd till barn, unga och föräldrar"
START = "index.html"
COLUMNS = "kolumner.html"
RELEASES = "utgavor.html"
BREAKS = "avbrott.html"
FIGURES = "siffrorna.html"
_MENU = (
    (START, "Start"),
    (FIGURES, "Så läser du siffrorna"),
    (COLUMNS, "Alla kolumner"),
    (RELEASES, "Siffror som har getts ut"),
    (BREAKS, "Avbrott i serierna"),
)


def _checksum(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; style-src 'sha256-{_checksum(STYLE)}'; script-src 'sha256-{_checksum(SCRIPT)}'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Page:
    """A page: where it is in the site's folder, its title, and what is in it (HTML, a first heading in it)."""

    path: str
    title: str
    body: str


@dataclass(frozen=True)
class Frame:
    """What every page of a site says: of which release it is, and what every reader must know."""

    release: str
    notice: str

    def render(self, page: Page) -> str:
        """The page as HTML, whole."""
        root = "../" * page.path.count("/")
        title = NAME if page.path == START else f"{page.title} – {NAME}"
        menu = "".join(
            f'<li><a href="{root}{path}"{" aria-current=" + chr(34) + "page" + chr(34) if path == page.path else ""}>'
            f"{escape(said)}</a></li>"
            for path, said in _MENU
        )
        notice = f'<p class="notice">{escape(self.notice)}</p>' if self.notice else ""
        return (
            '<!doctype html>\n<html lang="sv"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
            '<a class="skip" href="#innehall">Till innehållet</a>'
            f'<header><p class="site"><a href="{root}{START}">{NAME}</a></p>'
            f'<nav aria-label="Webbplatsen"><ul>{menu}</ul></nav>{notice}</header>'
            f'<main id="innehall">{page.body}</main>'
            f"<footer><p>{escape(self.release)}. Sidorna hämtar ingenting från nätet.</p></footer>"
            f"<script>{SCRIPT}</script></body></html>\n"
        )
