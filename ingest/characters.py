"""Invisible, look-alike and garbled characters, and how a message names them.

Invisible characters are removed, and characters that look the same are read the same. Garbled text is never repaired:
a message names it, with what it most likely was.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_INVISIBLE = (
    "\x01-\x08\x0e-\x1b\x7f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Format characters, fillers, variation selectors and control characters that are no white space."""
_HARD_SPACES = "\x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space other than the plain space, the tab and the two line ends."""
_HYPHENS = "\u2010\u2011"
"""Hyphens that look exactly like the plain one. Dashes (U+2013, U+2212) are not among them: messages name those."""
_GONE = re.compile(f"[{_INVISIBLE}]")
_SPACES = re.compile(f"[{_HARD_SPACES}]")
_LIKE_HYPHENS = re.compile(f"[{_HYPHENS}]")
_AS_TEXT = re.compile(r'="([^"]*)"')
"""How exports keep a spreadsheet from reading text as a number: `="000123"`."""
_NAMES = {
    "\t": "tabb", "\n": "radbrytning", "\r": "radbrytning", "\x0b": "lodrät tabb", "\x0c": "sidbrytning",
    "\u00a0": "hårt blanksteg", "\u2007": "siffermellanslag", "\u2009": "tunt mellanslag",
    "\u202f": "smalt hårt blanksteg", "\u3000": "brett mellanslag", "\u2028": "radbrytning", "\u2029": "styckebrytning",
    "\u00ad": "mjukt bindestreck", "\u200b": "nollbrett mellanslag", "\u200c": "nollbrett skiljetecken",
    "\u200d": "nollbrett fogtecken", "\u200e": "riktningsmärke", "\u200f": "riktningsmärke", "\u2060": "ordfogare",
    "\ufeff": "byteordningsmärke",
    "\u2012": "sifferstreck", "\u2013": "tankstreck", "\u2014": "långt tankstreck", "\u2015": "långt tankstreck",
    "\u2212": "minustecken", "\u2043": "punktstreck", "\ufe63": "litet bindestreck", "\uff0d": "brett bindestreck",
    "\u2018": "typografisk apostrof", "\u2019": "typografisk apostrof", "\u00b4": "akut accent", "`": "grav accent",
    "'": "apostrof", "\u2032": "primtecken", "\u201c": "typografiskt citattecken", "\u201d": "typografiskt citattecken",
    "\u201e": "lågt citattecken", "\ufffd": "ersättningstecken",
}  # fmt: skip
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u02b9\u2032\u00b4`\uff07", "'"))

_SWEDISH = "åäöÅÄÖéÉ"
_LETTER = r"[^\W\d_]"
_WRITTEN = ("utf-8", "cp1252", "cp850", "mac_roman")
_READ = ("cp1252", "latin-1", "cp850", "cp437", "mac_roman", "cp1250", "cp1251", "cp1257")
_RUN = re.compile(r"[^\x00-\x7f]+")
_NO_CHARACTER = re.compile(
    r"[\ufffd\x80-\x84\x86-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U0001fffe\U0001ffff\U000f0000-\U0010ffff\u2500-\u259f]"
)
_LOST = re.compile(rf"(?<={_LETTER})\?(?={_LETTER})|(?:^|(?<=\s))\?(?={_LETTER})")
_WORD = re.compile(r"\S+")
_OF_AN_ADDRESS = re.compile(r"[/=@]|www\.")
_SEVEN_BIT = re.compile(r"(?<=[a-zåäö])[{}](?=[a-zåäö])|(?:^|(?<=\s))}(?=[a-zåäö]{2})")
_UNCLOSED = re.compile(r"(?:^|(?<=\s)){(?=[a-zåäö]{2})")
"""After the last `}`; apart, since looking ahead from each brace to the end takes hours on a long cell of braces."""
_SEVEN_BIT_LETTERS = {"{": "ä", "}": "å"}
_ESCAPED = re.compile(
    r"&(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});|\\u[0-9a-fA-F]{4}|_x[0-9a-fA-F]{4}_"
    r"|(?:%C3%[89AB][0-9A-F])+|(?:=C3=[89AB][0-9A-F])+"
)
_LOOSE_ACCENT = re.compile(r"(?<=[aouAOUeE])[\u00a8\u02da]|[\u00a8\u02da](?=[aouAOU])")
_OTHER_SCRIPT = r"[\u0370-\u03ff\u0400-\u052f\u0531-\u058f\u13a0-\u13ff]"
_MIXED_SCRIPTS = re.compile(rf"(?<=[A-Za-zåäöÅÄÖ])({_OTHER_SCRIPT})|({_OTHER_SCRIPT})(?=[A-Za-zåäöÅÄÖ])")
_LONE_QUOTE = re.compile(rf"(?:^|(?<=\s))\u201e(?={_LETTER})|(?<={_LETTER})\u201d(?=\s|$)")
_QUOTES = re.compile('["\u201c-\u201f]')
_FOREIGN = frozenset("ƒŠšŒœŽžŸÕõÍÚÂÊËÈÁÓÔĹĺÏÌÎ")
"""Letters of other languages that a wrong encoding also makes of ours."""


@dataclass(frozen=True)
class Garbling:
    """One place where a text is garbled.

    Attributes:
        found: the characters as they were read.
        meant: what they most likely were; empty where nobody can say.
    """

    found: str
    meant: str = ""

    @property
    def in_words(self) -> str:
        """In words: ”†” (U+2020), troligen ”å”."""
        likely = f", troligen ”{self.meant}”" if self.meant else ""
        if len(self.found) == 1:
            return f"{character_name(self.found)}{likely}"
        return f"”{self.found}”{likely}"


def character_name(character: str) -> str:
    """A character as a message names it: itself where it is visible, its name if it has one, and its number."""
    number = f"U+{ord(character):04X}"
    name = _NAMES.get(character, "")
    if _GONE.match(character) or unicodedata.category(character) == "Cc":
        return f"osynligt tecken: {name or 'styrtecken'} ({number})"
    if character.isspace():
        return f"{name or 'mellanslag av annat slag'} ({number})" if character != " " else "mellanslag"
    if character in "\ufffd\u201c\u201d\u201e":
        return f"{name} ({number})"
    if character.isascii():
        return f"”{character}”"
    return f"”{character}” ({name + ', ' if name else ''}{number})"


def visible(text: str, *, keep_spaces: bool = False) -> str:
    """A text as it is seen: no invisible characters, plain spaces and hyphens, composed letters, trimmed.

    `="…"`, by which exports keep a spreadsheet from reading text as a number, becomes the text between the marks. With
    `keep_spaces` hard spaces inside stay, for a message that names them.
    """
    text = _GONE.sub("", text)
    if not text.isascii():
        text = _LIKE_HYPHENS.sub("-", unicodedata.normalize("NFC", text))
    if not keep_spaces:
        text = _SPACES.sub(" ", text)
    text = text.strip()
    wrapped = _AS_TEXT.fullmatch(text) if text.startswith("=") else None
    return wrapped[1].strip() if wrapped else text


def plain_apostrophes(text: str) -> str:
    """A text with plain apostrophes instead of typographic ones and of accents used as such."""
    return text.translate(_APOSTROPHES)


@lru_cache(maxsize=1)
def _misread_runs() -> dict[str, str]:
    """Several characters that a Swedish letter becomes when its UTF-8 bytes are read otherwise → the letter."""
    found: dict[str, str] = {}
    for read in _READ:
        for letter in (*_SWEDISH, "ü", "Ü", "\u2013", "\u2019", "\u201d", "\u201c", "\u2026", "\u00a0", "\ufeff"):
            try:
                misread = letter.encode().decode(read)
            except UnicodeDecodeError:
                continue
            found.setdefault(misread, letter)
    return found


@lru_cache(maxsize=1)
def _misread_letters() -> dict[str, str]:
    """One character that a Swedish letter becomes when written in one encoding of one byte and read in another."""
    found: dict[str, str] = {}
    ways = (
        ("cp850", "cp1252"), ("mac_roman", "cp1252"), ("cp1252", "cp850"), ("cp1252", "mac_roman"),
        ("cp850", "mac_roman"), ("mac_roman", "cp850"), ("cp1252", "cp1250"), ("cp1252", "cp437"),
    )  # fmt: skip
    for letter, (written, read) in [
        (letter, way) for letters in ("åäöÅÄÖ", "éÉ") for way in ways for letter in letters
    ]:
        try:
            misread = letter.encode(written).decode(read)
        except UnicodeError:
            continue
        if misread not in _SWEDISH:
            found.setdefault(misread, letter)
    return {misread: letter for misread, letter in found.items() if not misread.isascii()}


def _is_sign(character: str) -> bool:
    return not (character.isupper() or character.islower())


@lru_cache(maxsize=1)
def _misread() -> re.Pattern[str]:
    """A pattern of misread letters inside words: a sign amid letters, a capital amid small ones."""
    runs = sorted(map(re.escape, _misread_runs()), key=len, reverse=True)
    letters = _misread_letters()
    signs = "".join(re.escape(c) for c in letters if _is_sign(c) and c not in "\u2026\u00ae\u00b0")
    capitals = "".join(c for c in letters if c.isupper())
    small = "".join(c for c in letters if c.islower())
    word = f"(?:{_LETTER})"
    loose = re.escape("".join(c for c in "†‡√∂÷¶§≈¤" if c in letters))
    patterns = [
        *runs,
        rf"(?<={word})[{signs}](?={word})",
        rf"(?:^|(?<=\s))[{loose}](?={word})|(?<={word})[{loose}](?=\s|$)" if loose else r"(?!)",
        rf"(?<=[a-zåäö])[{capitals}]|[{small}{capitals}]",
    ]
    return re.compile("|".join(patterns))


def garbled(text: str, *, has_swedish: bool = True) -> Garbling | None:
    """The first place where a text is garbled: lost, misread or escaped characters, or words of two alphabets.

    Args:
        text: as it reads, after `visible`.
        has_swedish: whether the file has å, ä or ö somewhere; letters such as š then belong to another language,
            unless a capital is amid small letters.
    """
    if not text.isascii():
        if found := _NO_CHARACTER.search(text):
            run = next((m[0] for m in _RUN.finditer(text) if found[0] in m[0] and m[0] in _misread_runs()), "")
            return Garbling(run or found[0], _misread_runs().get(run, _misread_letters().get(found[0], "")))
        for match in _misread().finditer(text):
            place, what = match.start(), match[0]
            if what in _misread_runs():
                return Garbling(what, _misread_runs()[what])
            if _is_sign(what):
                return Garbling(what, _misread_letters()[what])
            amid_small = what.isupper() and place > 0 and text[place - 1].islower()
            if amid_small or (what in _FOREIGN and not has_swedish):
                return Garbling(what, _misread_letters()[what])
        if (quote := _LONE_QUOTE.search(text)) and len(_QUOTES.findall(text)) == 1:
            return Garbling(quote[0], _misread_letters()[quote[0]])
        if mixed := _MIXED_SCRIPTS.search(text):
            return Garbling(mixed[0])
        if accent := _LOOSE_ACCENT.search(text):
            return Garbling(accent[0])
    if "?" in text and (lost := _LOST.search(_WORD.sub(_no_address, text))):
        return Garbling(lost[0])
    if "{" in text or "}" in text:
        found_letters = (_SEVEN_BIT.search(text), _UNCLOSED.search(text, text.rfind("}") + 1))
        if letters := [found for found in found_letters if found]:
            letter = min(letters, key=re.Match.start)
            return Garbling(letter[0], _SEVEN_BIT_LETTERS[letter[0]])
    if escaped := _ESCAPED.search(text):
        meant = html.unescape(escaped[0])
        if escaped[0][0] != "&":
            return Garbling(escaped[0])
        if meant != escaped[0]:
            return Garbling(escaped[0], meant if meant.isprintable() and not meant.isspace() else "")
    return None


def _no_address(word: re.Match[str]) -> str:
    return " " if _OF_AN_ADDRESS.search(word[0]) else word[0]


def likely_text(text: str, *, has_swedish: bool) -> str:
    """A guess at what a garbled text was, to compare with known texts; a character that can't be guessed is `?`."""
    for _ in range(len(text)):
        found = garbled(text, has_swedish=has_swedish)
        if found is None:
            break
        text = text.replace(found.found, found.meant or "\x00")
    return text.replace("\x00", "?")


def odd_characters(text: str) -> list[str]:
    """Names of characters that no plain code, number, date or identifier has; each once, at most three."""
    odd = [c for c in dict.fromkeys(text) if not (c.isascii() and c.isprintable()) and not c.isalnum()]
    return [character_name(c) for c in odd][:3]
