"""What a reader chooses in the address of a page: period, district, sex and others, among what the release has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portal.figures.released import Release
from publish.views.declared import PERIOD, PeriodKind, View, load_views

MOST_CHARACTERS = 100
"""Of a value in an address; no code is longer."""
_KINDS: tuple[PeriodKind, ...] = ("ar", "kvartal", "rullande_ar")
_GROUPS: dict[PeriodKind, str] = {"ar": "Kalenderår", "kvartal": "Kvartal", "rullande_ar": "Fyra kvartal i följd"}
_ROLLING = "-rullande"
"""After the code of a rolling year, whose last quarter has the same."""


class NotThere(Exception):
    """Something that the release does not have was asked for; the message says so in Swedish."""


class Garbled(Exception):
    """The address can't be read; the message says why in Swedish."""


@dataclass(frozen=True)
class Option:
    """One of the values to choose among; `group` is a heading in the list."""

    value: str
    label: str
    group: str = ""


@dataclass(frozen=True)
class Choice:
    """A list to choose from.

    Attributes:
        name: in the address.
        chosen: the value that the page is of; empty for the first option, where that is none or all.
    """

    name: str
    label: str
    options: tuple[Option, ...]
    chosen: str

    @property
    def chosen_label(self) -> str:
        """What the chosen value is called; empty when nothing is chosen."""
        return next((one.label for one in self.options if one.value == self.chosen), "") if self.chosen else ""

    @property
    def groups(self) -> dict[str, list[Option]]:
        """The options by their groups."""
        found: dict[str, list[Option]] = {}
        for option in self.options:
            found.setdefault(option.group, []).append(option)
        return found


@dataclass(frozen=True)
class Period:
    """A period of a view."""

    code: str
    label: str
    kind: PeriodKind
    view: View
    order: int


@dataclass(frozen=True)
class Asked:
    """What is asked for: of which release, and the values in the address."""

    release: Release
    values: Mapping[str, str]

    def get(self, name: str) -> str:
        """A value of the address; empty when it is not there."""
        return self.values.get(name, "")


def read_address(items: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The known values of an address; others, and empty ones, are left out.

    Raises:
        Garbled: a value is there twice, too long, or holds what no code has.
    """
    found: dict[str, str] = {}
    for name, value in items:
        if name not in names or not value:
            continue
        if name in found and found[name] != value:
            raise Garbled("Adressen har samma val två gånger. Gör valen på sidan i stället.")
        if len(value) > MOST_CHARACTERS or not value.isprintable():
            raise Garbled("Adressen går inte att läsa. Gör valen på sidan i stället.")
        found[name] = value
    return found


def views_of(base: str) -> dict[PeriodKind, View]:
    """The views of a declaration by their kind of period."""
    return {view.period_kind: view for view in load_views() if view.base == base}


def periods_of(release: Release, base: str) -> list[Period]:
    """All periods that the release has of a question: years, quarters, rolling years, each from the newest on."""
    found: list[Period] = []
    views = views_of(base)
    for kind in _KINDS:
        view = views.get(kind)
        if view is None or not release.has_view(view):
            continue
        for label in release.distinct(view.name, PERIOD):
            code, order = release.period_codes.get((kind, label), (label, 0))
            found.append(Period(f"{code}{_ROLLING}" if kind == "rullande_ar" else code, label, kind, view, order))
    return sorted(found, key=lambda one: (_KINDS.index(one.kind), -one.order, _backwards(one.label)))


def _backwards(label: str) -> tuple[int, ...]:
    """To sort labels of periods from the newest on, where the release has no order."""
    return tuple(-int(number) for number in re.findall(r"\d{1,9}", label))


def period_choice(asked: Asked, bases: Sequence[str]) -> Choice:
    """The periods of all questions of a page.

    Raises:
        NotThere: the period in the address is none of them.
    """
    periods = {one.code: one for base in bases for one in periods_of(asked.release, base)}
    ordered = sorted(periods.values(), key=lambda one: (_KINDS.index(one.kind), -one.order, _backwards(one.label)))
    newest = Option("", "Den senaste med uppgifter")
    options = (newest, *(Option(one.code, one.label, _GROUPS[one.kind]) for one in ordered))
    return checked(Choice("period", "Period", options, asked.get("period")))


def period_of(asked: Asked, base: str, column: str) -> Period | None:
    """The period of a section: the one in the address where the question has it, else the newest that shows enough.

    The newest of years with at least half as many values as the year with most; without years, of rolling years; else
    of quarters.
    """
    periods = periods_of(asked.release, base)
    chosen = next((one for one in periods if one.code == asked.get("period")), None)
    if chosen is not None:
        return chosen
    for kind in ("ar", "rullande_ar", "kvartal"):
        of_kind = [one for one in periods if one.kind == kind]
        if not of_kind:
            continue
        shown: dict[str, int] = {}
        for row in asked.release.select(of_kind[0].view.name, (PERIOD, column), {}):
            shown[row[PERIOD]] = shown.get(row[PERIOD], 0) + (row[column] is not None)
        most = max(shown.values(), default=0)
        if most:
            return next(one for one in of_kind if 2 * shown.get(one.label, 0) >= most)
    return periods[0] if periods else None


def label_choice(
    asked: Asked, name: str, label: str, dimension: str, labels: Iterable[str], all_of_them: str = ""
) -> Choice:
    """The labels that a column holds, by the codes that a dimension has for them.

    Args:
        all_of_them: what the option is called that chooses none; empty for no such option.

    Raises:
        NotThere: the code in the address is none of them.
    """
    codes = asked.release.codes(dimension)
    there = sorted(dict.fromkeys(labels), key=lambda one: codes.get(one, ("", 0))[1])
    options = tuple(Option(codes.get(one, (one, 0))[0], one) for one in there)
    if all_of_them:
        options = (Option("", all_of_them), *options)
    return checked(Choice(name, label, options, asked.get(name)))


def checked(choice: Choice) -> Choice:
    """The choice, when its value is one of its options.

    Raises:
        NotThere: it is not.
    """
    if choice.chosen and choice.chosen not in {one.value for one in choice.options}:
        raise NotThere(f"{choice.label}: det som adressen anger finns inte här i den senaste utgåvan. Välj i listan.")
    return choice


def district_choice(asked: Asked, bases: Sequence[str]) -> Choice:
    """The districts of all questions of a page.

    Raises:
        NotThere: the district in the address is none of them.
    """
    found: list[str] = []
    for base in bases:
        for view in views_of(base).values():
            if asked.release.has_view(view):
                found += asked.release.distinct(view.name, "stadsdel")
    return label_choice(asked, "stadsdel", "Stadsdel", "dim_district", found, "Hela staden")
