"""Passwords that are too easy to guess: what is common is left out, and what is left must be enough."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ingest.districts import load_districts
from ingest.organisation import load_organisation

NEEDED = 6
"""Different characters that a password needs besides what is common."""

_WORDS = """
lösenord lösen hemlig hemligt password passwort passord passwd secret admin administrator welcome välkommen login logga
inlogg konto användare user test testing demo default changeme ändra letmein släpp master root qwerty abc hej hejsan
sommar summer vinter winter våren vår spring höst hösten autumn januari februari mars april maj juni juli augusti
september oktober november december måndag tisdag onsdag torsdag fredag lördag söndag kvartal
stockholm göteborg malmö uppsala sverige sweden svensk stad staden kommun stadsdel stadsdelsförvaltning förvaltning
socialtjänst social socialförvaltningen omsorg barn unga familj uppföljning followup portal portalen
älskling älskar iloveyou love sunshine solsken monkey dragon football fotboll hockey baseball princess prinsessa batman
superman shadow starwars pokemon computer dator internet kaffe sommaren hammarby aik djurgården
"""
"""Beside them the words of the organisation's and its units' names."""
_ROWS_OF_KEYS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "01234567890", "1qaz2wsx3edc4rfv")
_SHORTEST_RUN = 3
_WRITTEN_FOR = str.maketrans("013457@$!", "oieastasi")
"""Digits and signs that are written for letters."""


def _bare(text: str) -> str:
    """Lower case without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))


def _runs() -> set[str]:
    """All pieces of the rows of keys, forwards and backwards."""
    found = set()
    for row in _ROWS_OF_KEYS:
        for way in (row, row[::-1]):
            for length in range(_SHORTEST_RUN, len(way) + 1):
                found |= {way[at : at + length] for at in range(len(way) - length + 1)}
    return found


def _any_of(pieces: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(one) for one in sorted(pieces, key=lambda one: (-len(one), one))))


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    names = [load_organisation().name, *(unit.name for unit in load_districts().districts)]
    places = (word for name in names for word in re.findall(r"\w+", name) if len(word) > _SHORTEST_RUN)
    return _any_of({_bare(word) for word in (*_WORDS.split(), *places)})


_RUN = _any_of(_runs())
_YEAR = re.compile(r"(?:19|20)\d\d")


def is_guessable(password: str, name: str) -> bool:
    """Whether too little is left without common words, rows of keys, years and the user's name.

    Args:
        password: as it was chosen.
        name: the user's; its parts count as common words.
    """
    own = {part for part in re.split(r"[._@+-]", _bare(name)) if len(part) >= _SHORTEST_RUN} | {_bare(name)}
    own_part = _any_of({one for one in own if one} or {"\0"})
    text = _bare(password)
    lefts = []
    word = _word()
    for written in (text, text.translate(_WRITTEN_FOR)):
        for order in ((_YEAR, word, _RUN), (_YEAR, _RUN, word)):  # a run may reach into a word, and the other way
            left = own_part.sub(" ", written)
            for common in order:
                left = common.sub(" ", left)
            lefts.append(len({one for one in left if one.isalnum()}))
    return min(lefts) < NEEDED
