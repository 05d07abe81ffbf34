"""Pages in the words of the organisation: what we wrote in templates and sentences, never what a user wrote."""

from __future__ import annotations

import re
from collections.abc import Callable

from jinja2 import Environment, FileSystemLoader

from ingest.organisation import load_organisation, own_words

_PARTS = re.compile(
    r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>|[^<{]+|.", re.DOTALL
)
_SAID = re.compile(r"""(["'])((?:(?!\1).)*)\1""", re.DOTALL)
"""A text in an expression of Jinja."""
_READ_ALOUD = re.compile(r"""\b((?:aria-label|title|alt|placeholder)=")([^"]*)(")""")


class OwnWordsLoader(FileSystemLoader):
    """Templates whose texts are in the words of the organisation; names, addresses and code in them stay."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The template's source."""
        source, path, is_current = super().get_source(environment, template)
        return page_in_own_words(source), path, is_current


def page_in_own_words(html: str) -> str:
    """HTML, or a template of it, with its texts and what is read aloud in the words of the organisation."""
    return _PARTS.sub(_part, html) if load_organisation().words else html


def _part(found: re.Match[str]) -> str:
    part = found[0]
    if part.startswith("{{") or part.startswith("{%"):
        return _SAID.sub(_text_of_code, part)
    if part.startswith("<") and not part.startswith(("<script", "<style")):
        return _READ_ALOUD.sub(lambda said: said[1] + own_words(said[2]) + said[3], part)
    return part if part.startswith(("<", "{")) else own_words(part)


def _text_of_code(found: re.Match[str]) -> str:
    """A text for people has a space or begins with a capital letter; others are names."""
    mark, text = found[1], found[2]
    is_for_people = (" " in text or text[:1].isupper()) and not text.startswith("/")
    return f"{mark}{own_words(text)}{mark}" if is_for_people else found[0]
