"""Findings of counts: cases, offers, supply, groups and files; made by rule, as those of `findings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.figures.findings import Lacking, Value, covers, number
from portal.figures.wording import capital, count, listed, number_word, share
from publish.catalogue.charts import shown_as

# -- the funnel --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flow:
    """Cases of a unit in a period, and the shares that lead from step to step; None where they are not shown.

    Attributes:
        where: `i hela staden`, `i Bromma`.
        lacking: why the share that said yes is not shown.
    """

    where: str
    period: str
    received: int | None
    investigated: float | None
    offered: float | None
    accepted: float | None
    lacking: Lacking = ""


def of_flow(found: Flow) -> str:
    """How many cases came in, and what shares of each step went on."""
    came = (
        f"{count(found.received)} ärenden kom in {found.where} ({found.period})."
        if found.received is not None
        else f"Antalet inkomna ärenden {found.where} finns inte ännu för {found.period}."
    )
    steps = []
    if found.investigated is not None:
        steps.append(f"{share(found.investigated)} av de avgjorda ärendena utreddes")
    if found.offered is not None:
        steps.append(f"{share(found.offered)} av de avslutade utredningarna ledde till ett erbjudande om insats")
    if found.accepted is not None:
        steps.append(f"{share(found.accepted)} av dem som svarade tackade ja")
    said = f" {capital(listed(steps))}." if steps else " För få för att visa några andelar."
    if steps and found.accepted is None:
        said += (
            " Alla har inte hunnit svara på sina erbjudanden."
            if found.lacking == "waiting"
            else " För få har svarat för att visa hur många som tackade ja."
        )
    return came + said


def of_flow_compared(found: Flow, measures: Sequence[tuple[str, Value, float | None]]) -> str:
    """A district's flow, and for which shares the city's lies outside the district's interval.

    Args:
        found: the district's.
        measures: name of a share (`andelen utredda`), the district's, the city's.
    """
    known = [(what, one, city) for what, one, city in measures if one.value is not None and city is not None]
    beside = [f"{what} {share(city)}" for what, _, city in known if city is not None]
    outside = [what for what, one, city in known if city is not None and not covers(one, city)]
    said = of_flow(found)
    if not known:
        return said
    said += f" I hela staden är {listed(beside)}."
    if not outside:
        return f"{said} Skillnaderna kan bero på slump."
    return (
        f"{said} Stadens värde ligger utanför osäkerheten för {listed(outside)}; det blir så i var tjugonde jämförelse "
        "också av ren slump."
    )


@dataclass(frozen=True)
class Chain:
    """What became of the offers of a period, as counts.

    Attributes:
        where: `i Bromma`, `i de fem stadsdelar vars erbjudanden har kunnat följas`.
    """

    where: str
    period: str
    offered: int
    accepted: int
    started: int
    completed: int


def of_chain(found: Chain) -> str:
    """How many of the offers led to a yes, a start and an end as planned: counts, for they deviate one by one."""
    if found.offered == 0:
        return f"För få insatser erbjöds {found.where} ({found.period}) för att följas."
    return (
        f"{count(found.offered)} insatser erbjöds {found.where} ({found.period}). Familjen tackade ja till "
        f"{count(found.accepted)}, {count(found.started)} började och {count(found.completed)} fullföljdes."
    )


@dataclass(frozen=True)
class Offers:
    """Offers by sex and age.

    Attributes:
        groups: share of each group (`flickor och kvinnor 6–12 år`) with its interval.
        overall: the share of all groups together.
    """

    where: str
    period: str
    groups: tuple[Value, ...]
    overall: float | None


def of_offers(found: Offers) -> str:
    """Between which shares the groups lie, and whether any lies farther from the whole than its interval."""
    shown = [one for one in found.groups if one.value is not None]
    when = f"{found.where} ({found.period})"
    if not shown:
        return f"För få i varje grupp för att visa andelar {when}."
    if len(shown) == 1:
        return f"{share(number(shown[0]))} av utredningarna av {shown[0].name} ledde till ett erbjudande {when}."
    most, least = max(shown, key=number), min(shown, key=number)
    said = (
        f"Mellan {share(number(least))} ({least.name}) och {share(number(most))} ({most.name}) av utredningarna "
        f"ledde till ett erbjudande {when}."
    )
    with_interval = [one for one in shown if one.low is not None and one.high is not None]
    if found.overall is None or not with_interval:
        return f"{said} Utgåvan prövar inte om grupperna skiljer sig åt."
    outside = [one.name for one in with_interval if not covers(one, found.overall)]
    if not outside:
        return f"{said} Skillnaderna mellan grupperna kan alla bero på slump."
    expected = number_word(max(1, round(len(with_interval) / 20)))
    return (
        f"{said} Andelen för alla grupper, {share(found.overall)}, ligger utanför osäkerheten för {listed(outside)}. "
        f"Ungefär {expected} av {len(with_interval)} hamnar där av ren slump."
    )


# -- supply, groups, files ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offering:
    """How many districts offer an intervention, of how many whose supply is known."""

    name: str
    offering: int
    known: int


def of_supply(period: str, listed_ones: Sequence[Offering]) -> str:
    """Which interventions all districts offer, and which few do."""
    if not listed_ones:
        return f"Inget utbud finns för {period}."
    known = max(one.known for one in listed_ones)
    everywhere = sum(1 for one in listed_ones if one.offering >= one.known > 0)
    fewest = min(one.offering for one in listed_ones)
    rare = [one.name for one in listed_ones if one.offering == fewest]
    said = (
        f"{capital(number_word(everywhere)) if everywhere else 'Ingen'} av {len(listed_ones)} insatser erbjuds i alla "
        f"{known} stadsdelar med uppgift ({period})."
    )
    if everywhere == len(listed_ones):
        return said
    where = f"erbjuds i {fewest} av {known}" if fewest else "inte erbjuds i någon stadsdel"
    return f"{said} Minst vanlig är {listed(rare, 3)}, som {where}."


def of_one_supply(period: str, one: Offering, without: Sequence[str]) -> str:
    """How many districts offer one intervention, and which do not."""
    said = f"{one.offering} av {one.known} stadsdelar erbjuder {one.name} ({period})."
    if one.known and one.offering >= one.known:
        return said
    if one.offering and without:
        return f"{said} {capital(listed(list(without)))} gör det inte."
    return said


def of_district_supply(period: str, district: str, offered: int, catalogue: int, typical: float | None) -> str:
    """How many of the catalogue's interventions a district offers, beside the districts' mean."""
    said = f"{district} erbjuder {offered} av insatskatalogens {catalogue} insatser ({period})."
    if typical is None:
        return said
    return f"{said} I medeltal erbjuder stadsdelarna {shown_as(round(typical, 1), 'number')}."


def of_districts_supply(period: str, catalogue: int, districts: Sequence[Offering]) -> str:
    """Which districts offer most and fewest of the catalogue's interventions."""
    if not districts:
        return f"Inget utbud finns för {period}."
    most, fewest = max(one.offering for one in districts), min(one.offering for one in districts)
    if most == fewest:
        return f"Alla stadsdelar erbjuder {most} av insatskatalogens {catalogue} insatser ({period})."
    at_most = listed([one.name for one in districts if one.offering == most], 3)
    at_fewest = listed([one.name for one in districts if one.offering == fewest], 3)
    return (
        f"{at_most} erbjuder flest av insatskatalogens {catalogue} insatser, {most}, och {at_fewest} färst, {fewest} "
        f"({period})."
    )


@dataclass(frozen=True)
class Groups:
    """Planned groups of a unit: started, cancelled, and cancelled for too few registered."""

    where: str
    period: str
    started: int
    cancelled: int
    for_too_few: int


def of_groups(found: Groups) -> str:
    """How many of the planned groups were cancelled, and how many of them for too few registered."""
    both = found.started + found.cancelled
    if not both:
        return f"Inga grupper startade eller ställdes in {found.where} ({found.period})."
    if not found.cancelled:
        return f"Ingen av {count(both)} grupper ställdes in {found.where} ({found.period})."
    said = f"{count(found.cancelled)} av {count(both)} grupper ({share(found.cancelled / both)}) ställdes in"
    said = f"{said} {found.where} ({found.period})"
    if found.for_too_few:
        which = "alla" if found.for_too_few == found.cancelled else count(found.for_too_few)
        return f"{said}, {which} för att för få anmälde sig."
    return f"{said}, ingen för att för få anmälde sig."


@dataclass(frozen=True)
class Files:
    """Files of a unit for a quarter: expected, in force, in time."""

    name: str
    expected: int
    in_force: int
    on_time: int


def of_files(period: str, units: Sequence[Files]) -> str:
    """Whether all have submitted, who has not, and how many files came in time."""
    expected, in_force = sum(one.expected for one in units), sum(one.in_force for one in units)
    on_time = sum(one.on_time for one in units)
    if not expected:
        return f"Inga filer väntas för {period}."
    lacking = [f"{one.name} ({one.expected - one.in_force})" for one in units if one.in_force < one.expected]
    if not lacking:
        said = f"Alla {count(expected)} filer för {period} har kommit och räknas."
    else:
        said = (
            f"{count(in_force)} av {count(expected)} filer för {period} har kommit och räknas. "
            f"Filer saknas från {listed(lacking, 6)}."
        )
    return f"{said} {'Alla' if on_time == expected else count(on_time)} kom i tid."
