"""What each district offers, and in which form. It changes slowly, and groups are planned from it.

Every line (an intervention in one form, directed at somebody) carries the days on which it was planned, began and
ended, and how often its page on the web is renewed. So any quarter's file can be made without those before it.

Published figures that hold with every seed: parents can have advice talks (råd- och stödsamtal) as a service in 13 of
14 districts (Kartläggning öppenvård barn och unga, 2019); 13 districts have support groups for children of parents with
addiction, mental illness or violence, and 8 plan one (Barnstöd Stockholm, 2006; here the state of 2018Q1). Nearly all
have Komet, and of children's groups Skilda världar is the most common besides those (kartläggning 2011). Few
interventions follow evidence-based methods (delrapport 2019): the catalogue says which. The rest is invented.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from ingest.organisation_tables import read_seed
from ingest.quarters import Quarter
from synthetic.care import PROVIDERS
from synthetic.districts import DISTRICTS, traits
from synthetic.draws import NEVER, day_number, ordinal, stream
from synthetic.margins import OFFERS, SERVICE_ONLY
from synthetic.services import KINDS, Services

FORMS = ("service", "bistand")
STATUSES = ("erbjuds", "planeras", "upphord")
DIRECTED = ("alla", "missbruk", "psykisk_funktionsnedsattning", "vald", "kriminalitet", "annan")
EVIDENCE = ("ja", "nej", "okant")
ALL, ABUSE, ILLNESS, VIOLENCE, CRIME, OTHER = range(6)
SUPPORT = (ABUSE, ILLNESS, VIOLENCE)
"""Whom support groups are for: children of parents with addiction or mental illness, children who have met violence."""

DIRECTED_AT = {
    "trappan": VIOLENCE,
    "barnkraft": ILLNESS,
    "bra_samtal": ILLNESS,
    "humlan": ABUSE,
    "ersta_vandpunkt": ABUSE,
    "kriscentrum": VIOLENCE,
    "tryggare_barn": VIOLENCE,
    "hedra": VIOLENCE,
    "maria_ungdom": ABUSE,
    "unga_lagovertradare": CRIME,
    "sarskilt_kvalificerad_kontaktperson": CRIME,
}
_STEP = 11
_WITH_SUPPORT_GROUPS, _PLANNING_THEM = 13, 8
_AS_OF = Quarter(2018, 1)
_LONG_AGO = day_number(date(1995, 1, 1))
_CITY_RUN = ("maria_ungdom", "framtid_stockholm", "kriscentrum", "familjeradgivning")

# (code, target group, chance that a district offers it) of services without counts of their own in `services`.
_MORE: tuple[tuple[str, int, float], ...] = (
    ("active_parenting", 1, 0.35),
    ("machofabriken", 0, 0.5),
    ("hedra", 0, 0.3),
    ("skolteam", 0, 0.5),
    ("fritidsverksamhet", 0, 0.95),
    ("annan_lokal", 2, 0.3),
)
_SUPPORT_CODES = ("humlan", "ersta_vandpunkt")
_BARNGRUPPER = ("trappan", "barnkraft", "bra_samtal", *_SUPPORT_CODES)
_CATALOGUE = {row["intervention_code"]: row for row in read_seed("interventions")}
_CODES = tuple(_CATALOGUE)
_CHANGES = 0.35
"""Share of the services of `_MORE` that begin or end in the years drawn."""
_WAITS = {"familjebehandling": 18.0, "kontaktperson": 50.0, "kontaktfamilj": 75.0}
LANGUAGES = ("sv", "en", "ar", "so", "es", "fi", "ti", "fa", "ku")
_CONTENT = {
    "foraldrautbildning": (
        "Gruppträffar med hemuppgifter mellan gångerna.",
        "Kurs i grupp; barnpassning och fika ingår.",
        "Träffar kvällstid, ett tema per gång; även på distans.",
    ),
    "ovrigt_foraldrastod": (
        "Enskilda samtal på dagtid eller kväll, hos oss eller i hemmet.",
        "Samtal om vardag, gränser och samspel. Anmälan per telefon.",
        "Kortare serie samtal; familjen bokar själv.",
    ),
    "barngrupp": (
        "Lek, samtal och skapande i liten grupp; föräldrarna träffas samtidigt.",
        "Åldersindelade grupper med två ledare.",
        "Enskilt eller i grupp, efter barnets önskan.",
    ),
    "behandling": (
        "Behandlingssamtal efter genomförandeplan.",
        "Två behandlare; hembesök ingår.",
        "Samtal med hela familjen, uppföljning efter sex månader.",
    ),
    "kontakt": ("Träffar några gånger i månaden.", "Helger eller kvällar efter överenskommelse."),
    "ovrig_forebyggande": (
        "Uppsökande arbete kvällar och helger.",
        "Tillsammans med skolan, på skolans område.",
        "Öppen verksamhet; ingen anmälan behövs.",
    ),
}


@dataclass(frozen=True)
class SupplyLine:
    """One intervention of a district in one form, with its whole history. Days are day numbers."""

    district: int
    code: str
    form: int
    directed: int
    target: int
    provider: int
    planned_from: int
    offered_from: int
    ended: int
    limit: int | None
    """Most talks, or None: no limit."""
    content: str
    evidence: int
    languages: tuple[str, ...]
    wait: float
    """Mean days waited."""
    web_first: int
    """Day its page was first written; NEVER: not on the web."""
    web_every: int
    """Days between the page's renewals."""

    def status(self, quarter: Quarter) -> int | None:
        """Position in `STATUSES` at the quarter's end; None when the file leaves the line out.

        What has ended is listed for a year more.
        """
        last = day_number(quarter.end)
        if self.ended <= last:
            return 2 if self.ended > day_number(quarter.back(4).end) else None
        if self.offered_from <= last:
            return 0
        return 1 if self.planned_from <= last else None

    def web_date(self, quarter: Quarter) -> int:
        """When its page was last renewed, as of the quarter's end; NEVER when it is not on the web."""
        last = day_number(quarter.end)
        if self.web_first > last or self.status(quarter) != 0:
            return NEVER
        return self.web_first + (last - self.web_first) // self.web_every * self.web_every


@dataclass(frozen=True)
class Offer:
    """A line as a unit's file has it in one quarter."""

    line: SupplyLine
    status: int
    wait_days: int | None
    web_date: int


class Supply:
    """The lines of all districts."""

    def __init__(self, seed: int, services: Services) -> None:
        """Draw them.

        Args:
            seed: not negative.
            services: the counts of `serviceinsatser`; a district offers every service that it counts.
        """
        self.seed, self._counted = seed, services
        rng = stream(seed, _STEP)
        order = rng.permutation(len(DISTRICTS))
        self._without_groups = int(order[_WITH_SUPPORT_GROUPS])
        self._planning = frozenset(order[-_PLANNING_THEM:].tolist())
        self._by_decision = int(rng.integers(len(DISTRICTS)))
        """The district that gives Komet after an assessment, which the catalogue doesn't know."""
        self.lines = tuple(line for district in range(len(DISTRICTS)) for line in self._district_lines(district))
        self._services: dict[tuple[int, str, int], list[SupplyLine]] = {}
        for line in self.lines:
            if FORMS[line.form] == "service":
                self._services.setdefault((line.district, line.code, line.directed), []).append(line)

    def _district_lines(self, district: int) -> list[SupplyLine]:
        draw = _SupplyLineDraw(self.seed, district)
        found = [draw.line(code, 0, _target(code)) for code in self._counted.offered(district)]
        for code, target, share in _MORE:
            if draw.rng.random() < share:
                found.append(draw.line(code, 0, target, changing=True))
        for code in (*OFFERS[:SERVICE_ONLY], *OFFERS[SERVICE_ONLY + 1 :]):
            found.append(draw.line(code, 1, 2 if code in ("familjebehandling", "tryggare_barn") else 0))
        if district == self._by_decision:
            found.append(draw.line("komet", 1, 1))
        return self._with_support_groups(draw, found)

    def _with_support_groups(self, draw: _SupplyLineDraw, lines: list[SupplyLine]) -> list[SupplyLine]:
        """Add groups for children of parents with problems: 13 districts offer one, and 8 plan one, in 2018Q1."""
        codes = list(_SUPPORT_CODES)
        if draw.rng.random() < 0.5:
            codes.reverse()
        if draw.district == self._without_groups:
            lines = [replace(x, directed=ALL) if x.code in _BARNGRUPPER else x for x in lines]
        else:
            lines.append(draw.line(codes.pop(), 0, 0))
        if draw.district in self._planning:
            start = day_number(_AS_OF.end) + int(draw.rng.integers(120, 700))
            begun = replace(draw.line(codes.pop(), 0, 0), planned_from=day_number(_AS_OF.back(1).start))
            lines.append(replace(begun, offered_from=start, web_first=start + int(draw.rng.integers(0, 120))))
        return lines

    def offers(self, districts: tuple[int, ...], quarter: Quarter) -> list[Offer]:
        """What a unit lists: the lines of its districts, one for each intervention, form and directed_at."""
        found: dict[tuple[str, int, int], Offer] = {}
        for line in self.lines:
            status = line.status(quarter) if line.district in districts else None
            if status is None:
                continue
            key = (line.code, line.form, line.directed)
            offer = Offer(line, status, self._wait(line, quarter) if status == 0 else None, line.web_date(quarter))
            before = found.get(key)
            found[key] = offer if before is None else _merged(before, offer)
        return list(found.values())

    def offered(self, code: str, directed: int, district: int, quarter: Quarter) -> bool:
        """Whether a district offers the service at the quarter's end."""
        return any(line.status(quarter) == 0 for line in self._services.get((district, code, directed), ()))

    def directed(self, code: str, district: int) -> int:
        """Whom the district directs the service at."""
        return ALL if code in _BARNGRUPPER and district == self._without_groups else DIRECTED_AT.get(code, ALL)

    def _wait(self, line: SupplyLine, quarter: Quarter) -> int:
        """Days to wait for it now: around the line's own, a little different each quarter."""
        rng = stream(self.seed, _STEP, line.district, _CODES.index(line.code), line.form, ordinal(quarter))
        pace = traits("start_wait")[line.district]
        days: float = line.wait * float(pace) * math.exp(rng.normal(0, 0.18))
        return round(days)


class _SupplyLineDraw:
    """Draws the lines of one district."""

    def __init__(self, seed: int, district: int) -> None:
        self.district = district
        self.rng = stream(seed, _STEP, district)
        self._poor = bool(traits("opened")[district] > 1.05)

    def line(self, code: str, form: int, target: int, *, changing: bool = False) -> SupplyLine:
        rng = self.rng
        first = day_number(date(2016, 6, 1))
        begins, ends = _LONG_AGO, NEVER
        turn = rng.random()
        day = first + int(rng.integers(0, 5 * 365))
        if changing and turn < _CHANGES / 2:
            begins = day
        elif changing and turn < _CHANGES:
            ends = day
        provider = self._provider(code, form)
        entry = _CATALOGUE[code]
        evidence = EVIDENCE.index(entry["evidence_based"])
        return SupplyLine(
            district=self.district,
            code=code,
            form=form,
            directed=DIRECTED_AT.get(code, ALL),
            target=target,
            provider=provider,
            planned_from=begins - int(rng.integers(90, 400)),
            offered_from=begins,
            ended=ends,
            limit=self._limit(code),
            content=_content(rng, entry["category"]),
            evidence=evidence if evidence == 0 or rng.random() < 0.6 else 1,
            languages=self._languages(),
            wait=_mean_wait(code, form),
            web_first=self._web_first(begins),
            web_every=int(rng.choice([120, 200, 365, 365, 500, 800, 1300])),
        )

    def _provider(self, code: str, form: int) -> int:
        if code in _CITY_RUN:
            return PROVIDERS.index("socialforvaltningen")
        if code == "ersta_vandpunkt":
            return PROVIDERS.index("civilsamhalle")
        luck = self.rng.random()
        if form == 1:
            return PROVIDERS.index("upphandlad") if luck < 0.15 else PROVIDERS.index("egen")
        if luck < 0.06:
            return PROVIDERS.index("annan_stadsdel")
        return PROVIDERS.index("civilsamhalle") if luck < 0.12 else PROVIDERS.index("egen")

    def _limit(self, code: str) -> int | None:
        drawn = int(self.rng.choice([3, 5, 5, 6, 8, 10]))
        bounded = code in ("rad_och_stod", "foraldraradgivning", "familjeradgivning", "bra_samtal")
        return drawn if bounded and self.rng.random() < 0.8 else None

    def _languages(self) -> tuple[str, ...]:
        more = self.rng.random(len(LANGUAGES) - 1) < (0.30 if self._poor else 0.10)
        return ("sv", *(code for code, spoken in zip(LANGUAGES[1:], more, strict=True) if spoken))

    def _web_first(self, begins: int) -> int:
        day = begins + int(self.rng.integers(0, 1500))
        return NEVER if self.rng.random() < 0.14 else day


def _content(rng: np.random.Generator, category: str) -> str:
    texts = _CONTENT[category]
    text = texts[int(rng.integers(len(texts)))]
    return text if rng.random() < 0.7 else ""


def _mean_wait(code: str, form: int) -> float:
    waits = [kind.wait for kind in KINDS if kind.code == code]
    if form == 1:
        return _WAITS.get(code, 21.0)
    return float(np.mean(waits)) if waits else 20.0


def _target(code: str) -> int:
    """The first target group that the service is counted for."""
    return next(kind.target for kind in KINDS if kind.code == code)


def _merged(one: Offer, other: Offer) -> Offer:
    """Merge a line that several districts of a unit have: offered if one offers it, all languages, the newest page and
    the longest wait."""
    best, rest = (one, other) if one.status <= other.status else (other, one)
    languages = tuple(dict.fromkeys((*best.line.languages, *rest.line.languages)))
    waits = [offer.wait_days for offer in (one, other) if offer.wait_days is not None]
    pages = [offer.web_date for offer in (one, other) if offer.web_date < NEVER]
    line = replace(best.line, languages=languages)
    return Offer(line, best.status, max(waits, default=None), max(pages, default=NEVER))
