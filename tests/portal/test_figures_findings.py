"""Sentences of the figures' pages, each worked out by hand from its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.figures.findings import (
    Compared,
    MeasureTested,
    Value,
    hidden_zeros,
    of_beside,
    of_city,
    of_district,
    of_districts_equity,
    of_equity,
    of_heard,
)
from portal.figures.findings_of_counts import (
    Chain,
    Files,
    Flow,
    Groups,
    Offering,
    Offers,
    of_chain,
    of_district_supply,
    of_districts_supply,
    of_files,
    of_flow,
    of_flow_compared,
    of_groups,
    of_offers,
    of_one_supply,
    of_supply,
)
from portal.figures.wording import amount, listed, share

INSIDE, BETWEEN, OUTSIDE = (
    "Inom de inre gränserna",
    "Över de inre men inom de yttre gränserna",
    "Över de yttre gränserna",
)
USUAL = "slump och vanlig spridning mellan stadsdelar brukar ge"


def goal(*values: Value, **others: object) -> Compared:
    base = Compared(
        period="2018",
        kind="rate",
        saying="{where} var {value} av utredningarna klara inom 60 dagar",
        what="andelen klara inom 60 dagar",
        city=0.209,
        values=values,
        is_tested=True,
        is_quarter=False,
    )
    return replace(base, **others)  # type: ignore[arg-type]


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


A = Value("Bromma", 0.2906, 0.251, 0.334, INSIDE)
B = Value("Farsta", 0.148, 0.123, 0.177, INSIDE)
SURE = Value("Östermalm", 0.354, 0.299, 0.414, OUTSIDE, is_sure=True)
FEW = Value("Älvsjö", None, lacking="too_few")


def test_nothing_beyond_chance_is_said_plainly() -> None:
    assert plain(of_city(goal(A, B))) == (
        "I hela staden var 21 % av utredningarna klara inom 60 dagar (2018). "
        f"Ingen stadsdel skiljer sig mer från staden än {USUAL}."
    )


def test_only_a_flag_of_the_release_makes_a_difference_sure() -> None:
    said = plain(of_city(goal(A, B, SURE)))
    assert "Med säkerhet högre i Östermalm (35 %). De andra skillnaderna kan bero på slump." in said
    low = replace(SURE, name="Järva", value=0.05)
    assert "Med säkerhet högre i Östermalm (35 %) och lägre i Järva (5 %)." in plain(of_city(goal(A, SURE, low)))
    beyond = of_city(goal(A, replace(SURE, is_sure=False)))
    assert "Ingen stadsdel skiljer sig säkert från staden när alla prövas på en gång." in beyond
    assert "Östermalm ligger utanför de yttre gränserna." in beyond


def test_too_few_and_what_is_not_ready_is_said() -> None:
    assert of_city(goal(A, B, FEW)).endswith("En av 3 stadsdelar har för få för att visas.")
    nobody = goal(FEW, FEW, city=None, city_lacking="too_few")
    assert of_city(nobody) == (
        "För få för att visa andelen klara inom 60 dagar i hela staden (2018). Ingen stadsdels värde kan visas."
    )
    waiting = goal(A, B, city=None, city_lacking="waiting")
    assert of_city(waiting).startswith("Andelen klara inom 60 dagar i hela staden finns inte ännu för 2018.")
    assert "Bara Bromma har ett värde som kan visas." in of_city(goal(A, FEW))


def test_a_quarter_is_not_compared() -> None:
    said = of_city(goal(replace(A, position=""), replace(SURE, position=""), is_tested=False, is_quarter=True))
    assert "På ett enda kvartal är skillnader mellan stadsdelar mest slump: jämför dem på år." in said
    assert "säker" not in said.lower()


def test_intervals_alone_accuse_nobody() -> None:
    bare = [replace(one, position="", is_sure=False) for one in (A, B, SURE)]
    said = of_city(goal(*bare, is_tested=False))
    # all three intervals lie beside 20.9 per cent: 25.1 to 33.4, 12.3 to 17.7, 29.9 to 41.4
    assert "Stadens värde ligger utanför osäkerheten för Bromma, Farsta och Östermalm. " in said
    assert "Av 3 stadsdelar hamnar ungefär en där av ren slump, så peka inte ut någon." in said
    inside = replace(A, low=0.2, high=0.334, position="")
    assert of_city(goal(inside, inside, is_tested=False)).endswith("kan alla bero på slump.")
    without = replace(A, low=None, high=None, position="")
    assert of_city(goal(without, without, is_tested=False)).endswith("prövar inte om stadsdelarna skiljer sig åt här.")


@pytest.mark.parametrize(
    ("one", "tested", "quarter", "said"),
    [
        (A, True, False, f"Skillnaden är inte större än {USUAL}."),
        (replace(A, position=BETWEEN), True, False, "Skillnaden kan bero på slump: så långt ifrån hamnar ungefär fem"),
        (replace(A, position=OUTSIDE), True, False, "Det är långt från staden, men ingen säker skillnad"),
        (replace(SURE, name="Bromma"), True, False, f"Skillnaden är säker: den är större än {USUAL}."),
        (replace(A, position=""), True, False, "Utgåvan säger inte hur säker skillnaden är."),
        (replace(A, position=""), False, False, "Stadens värde ligger utanför osäkerheten i stadsdelens."),
        (replace(A, position="", low=0.2), False, True, "Skillnaden kan bero på slump."),
        (replace(A, position="", low=None), False, True, "Skillnaden är inte prövad. Jämför på år."),
    ],
)
def test_a_district_beside_the_city(one: Value, tested: bool, quarter: bool, said: str) -> None:
    text = plain(of_district(goal(one, B, is_tested=tested, is_quarter=quarter), "Bromma"))
    share_of_it = "35" if one.is_sure else "29"
    assert text.startswith(
        f"I Bromma var {share_of_it} % av utredningarna klara inom 60 dagar, i hela staden 21 % (2018)."
    )
    assert said in text


def test_a_district_without_a_figure() -> None:
    assert plain(of_district(goal(A, FEW), "Älvsjö")) == (
        "För få för att visa andelen klara inom 60 dagar i Älvsjö (2018). "
        "I hela staden var 21 % av utredningarna klara inom 60 dagar."
    )
    assert "finns inte ännu för 2018" in of_district(goal(replace(FEW, lacking="waiting")), "Älvsjö")
    assert of_district(goal(A), "Järva") == "Järva har inga uppgifter för 2018."
    assert of_district(goal(A, city=None), "Bromma").endswith("Stadens värde kan inte visas.")


def test_the_flow() -> None:
    flow = Flow("i hela staden", "2018", 18399, 0.4123, 0.2991, 0.6649)
    assert plain(of_flow(flow)) == (
        "18 399 ärenden kom in i hela staden (2018). 41 % av de avgjorda ärendena utreddes, 30 % av de avslutade "
        "utredningarna ledde till ett erbjudande om insats och 66 % av dem som svarade tackade ja."
    )
    assert of_flow(replace(flow, accepted=None, lacking="waiting")).endswith(
        "Alla har inte hunnit svara på sina erbjudanden."
    )
    assert of_flow(replace(flow, accepted=None, lacking="too_few")).endswith("för att visa hur många som tackade ja.")
    nothing = Flow("i Älvsjö", "2018", 7, None, None, None, "too_few")
    assert of_flow(nothing) == "7 ärenden kom in i Älvsjö (2018). För få för att visa några andelar."
    assert "finns inte ännu för 2018" in of_flow(replace(flow, received=None))


def test_the_flow_of_a_district_beside_the_city() -> None:
    flow = Flow("i Bromma", "2018", 1267, 0.366, 0.29, None, "too_few")
    measures = [
        ("andelen utredda", Value("Bromma", 0.366, 0.34, 0.393), 0.412),  # the city's lies above 39.3
        ("andelen erbjudna", Value("Bromma", 0.29, 0.251, 0.333), 0.299),
        ("andelen som tackat ja", Value("Bromma", None), 0.665),
    ]
    said = plain(of_flow_compared(flow, measures))
    assert "I hela staden är andelen utredda 41 % och andelen erbjudna 30 %." in said
    assert "ligger utanför osäkerheten för andelen utredda; det blir så i var tjugonde jämförelse" in said
    assert of_flow_compared(flow, measures[1:]).endswith("Skillnaderna kan bero på slump.")
    assert of_flow_compared(flow, measures[2:]) == of_flow(flow)


def test_the_chain_counts_and_divides_nothing() -> None:
    said = of_chain(Chain("i Kungsholmen", "2018 kv 4", 19, 20, 14, 6))
    assert said == (
        "19 insatser erbjöds i Kungsholmen (2018 kv 4). Familjen tackade ja till 20, 14 började och 6 fullföljdes."
    )
    assert "%" not in said
    assert of_chain(Chain("i Älvsjö", "2018 kv 4", 0, 0, 0, 0)).startswith("För få insatser erbjöds i Älvsjö")


def test_offers_by_sex_and_age() -> None:
    girls, boys = Value("flickor 6–12 år", 0.31, 0.27, 0.35), Value("pojkar 6–12 år", 0.28, 0.25, 0.32)
    offers = Offers("i hela staden", "2018", (girls, boys), 0.299)
    assert plain(of_offers(offers)) == (
        "Mellan 28 % (pojkar 6–12 år) och 31 % (flickor 6–12 år) av utredningarna ledde till ett erbjudande i hela "
        "staden (2018). Skillnaderna mellan grupperna kan alla bero på slump."
    )
    far = replace(offers, overall=0.26)
    assert "ligger utanför osäkerheten för flickor 6–12 år. Ungefär en av 2 hamnar där av ren slump." in of_offers(far)
    assert of_offers(replace(offers, overall=None)).endswith("Utgåvan prövar inte om grupperna skiljer sig åt.")
    assert of_offers(replace(offers, groups=(replace(girls, value=None),))).startswith("För få i varje grupp")
    assert plain(of_offers(replace(offers, groups=(girls,)))).startswith("31 % av utredningarna av flickor 6–12 år")


def test_supply() -> None:
    trappan, komet, hedra = Offering("Trappan", 13, 14), Offering("Komet", 14, 14), Offering("Hedra", 4, 14)
    assert of_supply("2019 kv 4", (komet, trappan, hedra)) == (
        "En av 3 insatser erbjuds i alla 14 stadsdelar med uppgift (2019 kv 4). "
        "Minst vanlig är Hedra, som erbjuds i 4 av 14."
    )
    assert of_supply("2019", (komet,)).endswith("(2019).")
    assert "som inte erbjuds i någon stadsdel" in of_supply("2019", (komet, replace(hedra, offering=0)))
    assert of_supply("2019", ()) == "Inget utbud finns för 2019."
    assert of_one_supply("2019", trappan, ["Älvsjö"]) == (
        "13 av 14 stadsdelar erbjuder Trappan (2019). Älvsjö gör det inte."
    )
    assert of_one_supply("2019", komet, []) == "14 av 14 stadsdelar erbjuder Komet (2019)."
    assert of_district_supply("2019", "Bromma", 29, 35, 26.79) == (
        "Bromma erbjuder 29 av insatskatalogens 35 insatser (2019). I medeltal erbjuder stadsdelarna 26,8."
    )
    districts = (Offering("Bromma", 30, 35), Offering("Farsta", 30, 35), Offering("Älvsjö", 24, 35))
    assert of_districts_supply("2019", 35, districts) == (
        "Bromma och Farsta erbjuder flest av insatskatalogens 35 insatser, 30, och Älvsjö färst, 24 (2019)."
    )
    assert of_districts_supply("2019", 35, districts[:2]).startswith("Alla stadsdelar erbjuder 30")


def test_groups() -> None:
    assert plain(of_groups(Groups("i hela staden", "2018", 316, 54, 43))) == (
        "54 av 370 grupper (15 %) ställdes in i hela staden (2018), 43 för att för få anmälde sig."
    )
    assert of_groups(Groups("i Bromma", "2018", 11, 3, 3)).endswith("alla för att för få anmälde sig.")
    assert of_groups(Groups("i Bromma", "2018", 11, 3, 0)).endswith("ingen för att för få anmälde sig.")
    assert of_groups(Groups("i Bromma", "2018", 11, 0, 0)) == "Ingen av 11 grupper ställdes in i Bromma (2018)."
    assert of_groups(Groups("i Bromma", "2018", 0, 0, 0)).startswith("Inga grupper startade")


def test_files() -> None:
    everyone = (Files("Bromma", 9, 9, 9), Files("Farsta", 9, 9, 9))
    assert of_files("2019 kv 4", everyone) == "Alla 18 filer för 2019 kv 4 har kommit och räknas. Alla kom i tid."
    late = (Files("Bromma", 9, 7, 6), Files("Farsta", 9, 9, 9))
    assert of_files("2019 kv 4", late) == (
        "16 av 18 filer för 2019 kv 4 har kommit och räknas. Filer saknas från Bromma (2). 15 kom i tid."
    )
    assert of_files("2019 kv 4", ()) == "Inga filer väntas för 2019 kv 4."


def test_equity() -> None:
    wait, none = (
        MeasureTested("Medelväntetid till serviceinsats", 14, ("Järva",), ("Järva",)),
        MeasureTested("Andel klara", 14, (), ()),
    )
    assert of_equity("2019", (wait, none)) == (
        "På 1 av 2 mått skiljer sig någon stadsdel säkert från staden (2019): medelväntetid till serviceinsats (Järva)."
    )
    assert of_equity("2019", (none, none)) == (
        "På inget av 2 mått skiljer sig någon stadsdel säkert från staden (2019). "
        f"Skillnaderna är inte större än {USUAL}."
    )
    beyond = replace(wait, sure=())
    assert of_equity("2019", (beyond, none)).endswith("På ett av dem ligger någon utanför de yttre gränserna.")
    untested = MeasureTested("Väntan på föräldrautbildning", 0, (), ())
    assert of_equity("2019", (untested,)) == "Inga mått kan prövas för 2019."


def test_one_district_on_several_measures() -> None:
    within, other = ("Klar inom 60 dagar", goal(A, SURE)), ("Fullföljs", goal(A, city=0.6))
    said = plain(of_beside("Östermalm", (within, other)))
    assert said == (
        "Östermalm skiljer sig säkert från staden (2018): ”Klar inom 60 dagar” (35 %, staden 21 %). "
        "Andra skillnader kan bero på slump."
    )
    assert of_beside("Bromma", (within, other)) == (
        "Bromma skiljer sig inte säkert från staden på något av två prövade mått (2018)."
    )
    far = goal(replace(A, position=OUTSIDE))
    assert of_beside("Bromma", (("Fullföljs", far),)).endswith("det mått som prövas (2018). Längst ifrån: ”Fullföljs”.")
    quarter = goal(replace(A, position=""), is_tested=False, is_quarter=True)
    assert "inte prövade. På ett enda kvartal är de mest slump." in of_beside("Bromma", (("Fullföljs", quarter),))
    assert of_beside("Älvsjö", (("Fullföljs", goal(FEW)),)) == "För få för att visa något i Älvsjö."
    assert of_districts_equity("2019", "Bromma", 22, [], []) == (
        "Bromma skiljer sig inte säkert från staden på något av 22 mått (2019)."
    )
    assert of_districts_equity("2019", "Bromma", 22, [], ["väntan"]).endswith("Utanför de yttre gränserna: väntan.")
    assert "säkert från staden på 1 av 22 mått (2019): väntan." in of_districts_equity("2019", "B", 22, ["väntan"], [])
    assert of_districts_equity("2019", "Bromma", 0, [], []).startswith("Inga mått kan prövas")


def test_children_who_were_heard() -> None:
    heard, not_heard = Value("", 0.2354, 0.2221, 0.2493), Value("", 0.2639, 0.2494, 0.2789)
    said = plain(of_heard("i hela staden", "2018", heard, not_heard))
    assert said.startswith("24 % av utredningarna där barnet hördes, och 26 % av dem där barnet inte hördes,")
    assert said.endswith("Skillnaden är större än osäkerheten, men säger inte varför: grupperna kan vara olika.")
    overlapping = replace(not_heard, low=0.24)
    assert of_heard("i Bromma", "2018", heard, overlapping).endswith("Skillnaden kan bero på slump.")
    assert of_heard("i Bromma", "2018", heard, None).startswith("För få för att jämföra")
    assert of_heard("i Bromma", "2018", replace(heard, low=None), not_heard).endswith("hur säker skillnaden är.")


def test_words() -> None:
    assert [plain(share(one)) for one in (0, 0.004, 0.005, 0.2949, 0.295, 0.996, 1)] == [
        "0 %", "under 1 %", "1 %", "29 %", "30 %", "över 99 %", "100 %",
    ]  # fmt: skip
    assert [listed(list("ABCDEFG"[:n])) for n in (0, 1, 2, 3, 5, 6)] == [
        "", "A", "A och B", "A, B och C", "A, B, C, D och E", "A, B, C, D och två till",
    ]  # fmt: skip
    assert plain(amount(1.2, "days")) == "1 dag"
    assert hidden_zeros(7) == "0 betyder inga eller få: små antal visas aldrig, och en nolla kan vara upp till 7."
    assert hidden_zeros(None) == "0 betyder inga eller få: små antal visas aldrig."
