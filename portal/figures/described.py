"""What the figures mean, as the declarations of the views say it, with the names that readers see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from publish.catalogue.markup import markdown
from publish.catalogue.site import TEXTS
from publish.release.texts import parts_of
from publish.views.declared import CITY, View, load_views

_NAMED = re.compile(r"`([a-z0-9_…]+)`")
_COLUMNS_OF_RELEASE = frozenset({"utgava", "periodtyp"})


@dataclass(frozen=True)
class Definition:
    """Of a question: how its figures are read, what to beware of, and what each column is.

    Attributes:
        how_to_read, traps: HTML of our own texts.
        columns: label and explanation.
    """

    base: str
    title: str
    how_to_read: Markup
    traps: Markup
    columns: tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def definition(base: str) -> Definition | None:
    """The definitions of a question; None where nobody declares it."""
    view = next((one for one in load_views() if one.base == base), None)
    if view is None:
        return None
    columns = tuple((one.label, one.explanation) for one in view.columns if one.name not in _COLUMNS_OF_RELEASE)
    return Definition(base, view.subject, _in_words(view.how_to_read, view), _in_words(view.traps, view), columns)


@lru_cache(maxsize=1)
def reading() -> Markup:
    """How any published figure is read, as HTML."""
    return Markup(markdown(parts_of(TEXTS)["reading"], level=2))  # escaped there


def _in_words(text: str, view: View) -> Markup:
    """A text of a declaration as HTML, with labels instead of the names of columns and views."""
    labels = {one.name: one.label for one in view.columns}
    titles = {one.name: one.title if one.name != one.base else one.subject for one in load_views()}

    def said(found: re.Match[str]) -> str:
        name = found[1]
        label = labels.get(name) or titles.get(name)
        if label is None and name.startswith(CITY):
            label = "Hela staden"
        return f"”{label}”" if label else f"`{name}`"

    return Markup(markdown(_NAMED.sub(said, text), level=3))  # escaped there
