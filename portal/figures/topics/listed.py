"""The pages of figures in the order in which readers meet them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portal.figures.choices import Asked
from portal.figures.sections import Content
from portal.figures.topics import district, equity, funnel, goals, recruitment, submission, supply, waiting


@dataclass(frozen=True)
class Topic:
    """A page: its name in the address, its title and its question.

    Attributes:
        filters: what can be chosen in its address.
        build: what the page says.
    """

    slug: str
    title: str
    question: str
    filters: tuple[str, ...]
    build: Callable[[Asked], Content]


_BOTH = ("period", "stadsdel")
TOPICS = (
    Topic(
        "tratt",
        "Tratten",
        "Hur många ärenden leder till ett erbjudande, ett ja och en fullföljd insats?",
        (*_BOTH, "kon", "alder"),
        funnel.build,
    ),
    Topic("mal", "De fyra målen", "Hur går det med de fyra målen för tidigt stöd?", _BOTH, goals.build_goals),
    Topic("vantan", "Väntetider", "Hur länge väntar familjerna?", (*_BOTH, "vantan"), waiting.build),
    Topic(
        "utbud",
        "Utbud och tillgång",
        "Vilka stadsdelar erbjuder vilka insatser, och hur många deltar?",
        (*_BOTH, "insats"),
        supply.build,
    ),
    Topic(
        "rekrytering",
        "Rekrytering till grupper",
        "Startar de planerade grupperna, och fylls de?",
        _BOTH,
        recruitment.build,
    ),
    Topic(
        "likstallighet",
        "Likställighet",
        "Skiljer sig stadsdelarna åt mer än slumpen kan förklara?",
        (*_BOTH, "matt"),
        equity.build,
    ),
    Topic("ateraktualisering", "Återaktualisering", "Hur många utreds igen inom ett år?", _BOTH, goals.build_again),
    Topic("inlamning", "Inlämningen", "Vilka stadsdelar har lämnat in, och i tid?", _BOTH, submission.build),
)
BY_SLUG = {topic.slug: topic for topic in TOPICS}
DISTRICT_PAGE = Topic("stadsdel", "Stadsdelen", "Hur går det i stadsdelen, jämfört med staden?", _BOTH, district.build)
"""The page of one district, whose code is in its path."""
