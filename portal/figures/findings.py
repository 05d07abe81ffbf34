"""The finding of each question as a sentence: made by rule from the figures of the release, and from nothing else.

A sentence says that a district differs only where the release's own test says so (`saker_skillnad`). Where the release
tests nothing, an interval may say "can be chance", or how many of so many comparisons chance alone would give; where
there is no interval either, the sentence says that nothing was tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from portal.figures.wording import amount, capital, listed, number_word, share
from publish.views.declared import Kind

Lacking = Literal["", "too_few", "waiting", "absent"]
_USUAL = "slump och vanlig spridning mellan stadsdelar brukar ge"


@dataclass(frozen=True)
class Value:
    """One district's figure.

    Attributes:
        name: of the district.
        value: None where it is not shown; `lacking` says why.
        low, high: its interval of 95 per cent; None without one.
        position: where the release places it against the limits; empty without limits.
        is_sure: whether the release says that it differs from the city.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    position: str = ""
    is_sure: bool = False
    lacking: Lacking = ""

    @property
    def is_beyond_outer(self) -> bool:
        """Whether it lies outside the outer limits."""
        return self.position in ("Under de yttre gränserna", "Över de yttre gränserna")

    @property
    def is_beyond_inner(self) -> bool:
        """Whether it lies outside the inner limits, and may lie outside the outer ones."""
        return self.is_beyond_outer or "inre men" in self.position


@dataclass(frozen=True)
class Compared:
    """The districts' figures of one measure in one period.

    Attributes:
        period: as readers read it: `2018`, `2018 kv 4`.
        kind: of the figures.
        saying: a sentence of a unit's figure with `{value}` and `{where}` in it, without a full stop.
        what: the figure in a few words, as a subject: `andelen klara inom 60 dagar`.
        city: the city's figure; None where it is not shown.
        values: of each district.
        is_tested: whether the release tests the districts in this period.
        is_quarter: whether the period is one quarter.
    """

    period: str
    kind: Kind
    saying: str
    what: str
    city: float | None
    values: tuple[Value, ...]
    is_tested: bool
    is_quarter: bool
    city_lacking: Lacking = ""

    @property
    def shown(self) -> tuple[Value, ...]:
        """The districts whose figure is shown."""
        return tuple(one for one in self.values if one.value is not None)

    def said(self, where: str, value: float) -> str:
        """A unit's figure as a sentence without a full stop."""
        return capital(self.saying.format(value=amount(value, self.kind), where=where))


def of_city(found: Compared) -> str:
    """The city's figure, and whether the districts differ by more than chance."""
    return " ".join(part for part in (_citys(found), differ(found), _hidden(found)) if part)


def _citys(found: Compared) -> str:
    if found.city is not None:
        return f"{found.said('i hela staden', found.city)} ({found.period})."
    if found.city_lacking == "too_few":
        return f"För få för att visa {found.what} i hela staden ({found.period})."
    return f"{capital(found.what)} i hela staden finns inte ännu för {found.period}."


def differ(found: Compared) -> str:
    """Whether the districts differ by more than chance, as far as the release says."""
    shown = found.shown
    if not shown:
        return "Ingen stadsdels värde kan visas."
    if len(shown) == 1:
        return f"Bara {shown[0].name} har ett värde som kan visas."
    if found.is_tested:
        return _tested(shown, found)
    if found.is_quarter:
        return "På ett enda kvartal är skillnader mellan stadsdelar mest slump: jämför dem på år."
    return _by_intervals(shown, found)


def _tested(shown: Sequence[Value], found: Compared) -> str:
    sure = [one for one in shown if one.is_sure]
    if sure and found.city is not None:
        sides = [("högre", [one for one in sure if number(one) > found.city])]
        sides += [("lägre", [one for one in sure if number(one) <= found.city])]
        said = [
            f"{word} i {listed([f'{one.name} ({amount(number(one), found.kind)})' for one in ones])}"
            for word, ones in sides
            if ones
        ]
        return f"Med säkerhet {' och '.join(said)}. De andra skillnaderna kan bero på slump."
    if sure:
        return f"{capital(listed([one.name for one in sure]))} skiljer sig med säkerhet från staden."
    beyond = [one.name for one in shown if one.is_beyond_outer]
    if beyond:
        return (
            "Ingen stadsdel skiljer sig säkert från staden när alla prövas på en gång. "
            f"{listed(beyond)} ligger utanför de yttre gränserna."
        )
    return f"Ingen stadsdel skiljer sig mer från staden än {_USUAL}."


def _by_intervals(shown: Sequence[Value], found: Compared) -> str:
    with_interval = [one for one in shown if one.low is not None and one.high is not None]
    if found.city is None or not with_interval:
        return "Utgåvan prövar inte om stadsdelarna skiljer sig åt här."
    outside = [one.name for one in with_interval if not covers(one, found.city)]
    if not outside:
        return "Skillnaderna mellan stadsdelarna kan alla bero på slump."
    expected = max(1, round(len(with_interval) / 20))
    return (
        f"Stadens värde ligger utanför osäkerheten för {listed(outside)}. Av {len(with_interval)} stadsdelar hamnar "
        f"ungefär {number_word(expected)} där av ren slump, så peka inte ut någon."
    )


def covers(one: Value, value: float) -> bool:
    """Whether a figure's interval holds a value; never without an interval."""
    return one.low is not None and one.high is not None and one.low <= value <= one.high


def number(one: Value) -> float:
    """The figure of one that is shown."""
    assert one.value is not None  # only of those that are shown
    return one.value


def _hidden(found: Compared) -> str:
    too_few = sum(1 for one in found.values if one.value is None and one.lacking == "too_few")
    if not too_few or not found.shown:
        return ""
    return f"{capital(number_word(too_few))} av {len(found.values)} stadsdelar har för få för att visas."


def of_district(found: Compared, district: str) -> str:
    """A district's figure beside the city's, and whether the difference is more than chance."""
    one = next((value for value in found.values if value.name == district), None)
    if one is None:
        return f"{district} har inga uppgifter för {found.period}."
    if one.value is None:
        why = {
            "too_few": f"För få för att visa {found.what} i {district} ({found.period}).",
            "waiting": f"{capital(found.what)} i {district} finns inte ännu för {found.period}.",
        }.get(one.lacking, f"{capital(found.what)} i {district} finns inte för {found.period}.")
        city = f" {found.said('i hela staden', found.city)}." if found.city is not None else ""
        return why + city
    said = found.said(f"i {district}", one.value)
    if found.city is None:
        return f"{said} ({found.period}). Stadens värde kan inte visas."
    beside = f"{said}, i hela staden {amount(found.city, found.kind)} ({found.period})."
    return f"{beside} {difference(one, found)}"


def difference(one: Value, found: Compared) -> str:
    """Whether a district's figure differs from the city's by more than chance; both are shown."""
    assert found.city is not None
    if one.is_sure:
        return f"Skillnaden är säker: den är större än {_USUAL}."
    if found.is_tested and one.position:
        if one.is_beyond_outer:
            return "Det är långt från staden, men ingen säker skillnad när alla stadsdelar prövas på en gång."
        if one.is_beyond_inner:
            return "Skillnaden kan bero på slump: så långt ifrån hamnar ungefär fem av hundra ändå."
        return f"Skillnaden är inte större än {_USUAL}."
    if found.is_tested:
        return "Utgåvan säger inte hur säker skillnaden är."
    if one.low is None or one.high is None:
        return "Skillnaden är inte prövad." + (" Jämför på år." if found.is_quarter else "")
    if covers(one, found.city):
        return "Skillnaden kan bero på slump."
    return (
        "Stadens värde ligger utanför osäkerheten i stadsdelens. "
        "Det blir så i var tjugonde jämförelse också av ren slump."
    )


# -- equity, re-referral -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeasureTested:
    """One measure of equity: how many districts were tested and which differ for sure."""

    name: str
    tested: int
    sure: tuple[str, ...]
    beyond: tuple[str, ...]


def of_equity(period: str, measures: Sequence[MeasureTested]) -> str:
    """On how many measures somebody differs by more than chance."""
    tested = [one for one in measures if one.tested]
    if not tested:
        return f"Inga mått kan prövas för {period}."
    sure = [one for one in tested if one.sure]
    if sure:
        said = [f"{one.name[:1].lower()}{one.name[1:]} ({listed(one.sure)})" for one in sure]
        where = f"På {len(sure)} av {len(tested)} mått skiljer sig någon stadsdel säkert från staden"
        return f"{where} ({period}): {listed(said, 3)}."
    none = f"På inget av {len(tested)} mått skiljer sig någon stadsdel säkert från staden ({period})"
    beyond = [one for one in tested if one.beyond]
    if beyond:
        several = number_word(len(beyond)) if len(beyond) > 1 else "ett"
        return f"{none}. På {several} av dem ligger någon utanför de yttre gränserna."
    return f"{none}. Skillnaderna är inte större än {_USUAL}."


def of_districts_equity(period: str, district: str, tested: int, sure: Sequence[str], beyond: Sequence[str]) -> str:
    """On how many measures one district differs from the city by more than chance.

    Args:
        tested: how many measures the release places it on.
        sure, beyond: the measures on which it differs for sure, or lies outside the outer limits.
    """
    if not tested:
        return f"Inga mått kan prövas för {district} ({period})."
    if sure:
        return f"{district} skiljer sig säkert från staden på {len(sure)} av {tested} mått ({period}): {listed(sure)}."
    said = f"{district} skiljer sig inte säkert från staden på något av {tested} mått ({period})."
    if beyond:
        return f"{said} Utanför de yttre gränserna: {listed(beyond)}."
    return said


def of_beside(district: str, measures: Sequence[tuple[str, Compared]]) -> str:
    """On which of some measures a district differs from the city by more than chance.

    Args:
        measures: name of each (`Utredningen klar inom 60 dagar`), and its figures.
    """
    own = [(name, found, one) for name, found in measures for one in found.shown if one.name == district]
    if not own:
        return f"För få för att visa något i {district}."
    period = own[0][1].period
    tested = [(name, found, one) for name, found, one in own if found.is_tested and one.position]
    if not tested:
        return (
            f"{district} ({period}): skillnaderna mot staden är inte prövade. {_WHY_NOT[own[0][1].is_quarter]}".strip()
        )
    sure = [
        f"”{name}” ({amount(number(one), found.kind)}"
        + (f", staden {amount(found.city, found.kind)})" if found.city is not None else ")")
        for name, found, one in tested
        if one.is_sure
    ]
    if sure:
        return (
            f"{district} skiljer sig säkert från staden ({period}): {listed(sure)}. Andra skillnader kan bero på slump."
        )
    where = f"något av {number_word(len(tested))} prövade mått" if len(tested) > 1 else "det mått som prövas"
    said = f"{district} skiljer sig inte säkert från staden på {where} ({period})."
    beyond = [f"”{name}”" for name, _, one in tested if one.is_beyond_outer]
    return f"{said} Längst ifrån: {listed(beyond)}." if beyond else said


_WHY_NOT = {True: "På ett enda kvartal är de mest slump.", False: ""}


def of_heard(where: str, period: str, heard: Value | None, not_heard: Value | None) -> str:
    """Whether children who were heard come back more seldom, by the intervals of the two shares."""
    if heard is None or not_heard is None or heard.value is None or not_heard.value is None:
        return f"För få för att jämföra barn som har hörts med dem som inte har hörts {where} ({period})."
    said = (
        f"{share(heard.value)} av utredningarna där barnet hördes, och {share(not_heard.value)} av dem där barnet inte "
        f"hördes, följdes av en ny inom ett år {where} ({period})."
    )
    if None in (heard.low, heard.high, not_heard.low, not_heard.high):
        return f"{said} Utgåvan säger inte hur säker skillnaden är."
    assert heard.low is not None and heard.high is not None and not_heard.low is not None and not_heard.high is not None
    if heard.low > not_heard.high or not_heard.low > heard.high:
        return f"{said} Skillnaden är större än osäkerheten, men säger inte varför: grupperna kan vara olika."
    return f"{said} Skillnaden kan bero på slump."


def hidden_zeros(deviation: int | None) -> str:
    """What a 0 among counts of persons can be."""
    most = f", och en nolla kan vara upp till {deviation}" if deviation else ""
    return f"0 betyder inga eller få: små antal visas aldrig{most}."
