"""What the city's pages say in Swedish: refused decisions, what was just done, steps and states of releases."""

from __future__ import annotations

from followup.deciding import DecisionRefused, Fault

FAULTS = {
    Fault.REASON: "Skriv varför, med ord och utan något som liknar ett personnummer.",
    Fault.DAY: "Sista dagen ska vara i dag eller senare.",
    Fault.NOT_BEGUN: "Kvartalet har inte börjat än.",
    Fault.NOT_ENDED: "Kvartalet är inte slut än och kan inte låsas.",
    Fault.LOCKED: "Kvartalet är låst. Öppna ett undantag för enheten först.",
    Fault.FROZEN: "Kvartalet är fryst. Uppgifter om personer är gallrade, så siffrorna kan inte ändras.",
    Fault.STATE: "Bara en inlämning som har tagits in kan återkallas.",
    Fault.CODE: "Välj en insats i listan.",
    Fault.NAME: "Det kan inte vara namnet på en insats. Skriv namnet som det står i enhetens fil.",
    Fault.OTHER_CODE: "Det är en annan insats egen kod och kan inte betyda något annat.",
}
"""Why a decision was refused."""
TOO_LONG = "Skriv kortare: högst {} tecken."
DONE = {
    "last": "Kvartalet är låst.",
    "var-last": "Kvartalet var redan låst.",
    "oppnat": "Kvartalet är öppet igen.",
    "var-oppet": "Kvartalet var inte låst.",
    "fryst": "Kvartalet är fryst. Uppgifter om personer är gallrade, så siffrorna kan inte ändras.",
    "undantag": "Undantaget är öppet.",
    "undantag-utan-las": "Undantaget är öppet. Kvartalet är inte låst än: först då får undantaget betydelse.",
    "stangt": "Undantaget är stängt.",
    "var-stangt": "Undantaget var redan stängt.",
    "avvisad": "Förslaget är avvisat. Det som läsarna ser är oförändrat.",
    "pagar": "Ett annat arbete pågår redan. Vänta tills det är klart och försök sedan igen.",
}
"""Code in an address → what was just done. Nothing else is ever shown from an address."""
STEPS = (
    ("looking", "Marterna granskas"),
    ("reading", "Marterna läses"),
    ("drawing", "Avvikelser dras"),
    ("deriving", "Andelar räknas"),
    ("writing", "Tabellerna skrivs"),
    ("attacking", "Utgåvan prövas: går det att räkna ut de sanna antalen?"),
)
"""How a step of a release begins → what is shown."""
STATES = {"proposed": "Föreslagen", "released": "Utgiven", "blocked": "Stoppad av prövningen", "rejected": "Avvisad"}


def fault_of(refused: DecisionRefused) -> str:
    """What to do instead."""
    return FAULTS[refused.fault]


def step_of(text: str) -> str:
    """What a release is doing, by how its step is named."""
    return next((said for begin, said in STEPS if text.startswith(begin)), "Läggs ut för läsarna")
