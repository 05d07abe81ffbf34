"""The wall: units × datasets of a quarter, each cell a state; counts per state, and a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from followup.status import DAYS_UNTIL_LOCK, StatusLine, status_in
from ingest.contracts import load_contracts
from ingest.ledger import decisions
from ingest.ledger.decisions import LockException
from ingest.organisation import load_organisation
from ingest.quarters import Quarter, quarters_between
from portal.city.asked import quarter_or_newest
from portal.city.said import DONE
from portal.city.tabs import of_quarter
from portal.context import Portal, portal_of
from portal.pages.render import counted, dataset_name, day, page, quarter_name, unit_name
from portal.signing_in.access import CityUser

router = APIRouter()
STATES = ("in", "late", "queries", "refused", "missing", "awaited", "locked")
"""Each cell has one of these; the order of the counts."""
NAMES = {
    "in": "Inne", "late": "Inne, sent", "queries": "Öppna frågor", "refused": "Tas inte in", "missing": "Saknas",
    "awaited": "Väntas", "locked": "Saknas, låst",
}  # fmt: skip
_LISTED_QUARTERS = 12
_PARTS = ("verksamheter", "bedömd", "samma", "insatser", "uppföljning", "mottagningar")
"""Later parts of compounds in the datasets' names: a narrow column breaks before them."""


@dataclass(frozen=True)
class Cell:
    """One unit's dataset as the wall shows it: see the macro `wall`."""

    state: str
    text: str
    href: str
    detail: str | None


@dataclass(frozen=True)
class UnitRow:
    """One unit's line of the wall."""

    label: str
    href: str
    summary: str
    cells: tuple[Cell, ...]


def state_of(line: StatusLine) -> str:
    """The state that counts for the city: what needs an answer is before what is in."""
    if line.refused:
        return "refused"
    if line.state != "in_force":
        return "locked" if line.is_locked else line.state
    if line.open_queries:
        return "queries"
    return "in" if line.is_on_time else "late"


def _broken(name: str) -> str:
    """A heading that may be broken between the parts of its long words."""
    for part in _PARTS:
        name = name.replace(part, f"\u00ad{part}")
    return name


@router.get("/staden")
def wall(
    request: Request, user: CityUser, kvartal: str = "", lage: str = "", grupp: str = "", sagt: str = ""
) -> Response:
    """The wall of a quarter; with `lage` only units that have a cell in that state, with `grupp` those of a group."""
    portal = portal_of(request)
    quarter = quarter_or_newest(portal, kvartal)
    status = status_in(portal.ledger, portal.settings, quarter)
    exceptions = [
        one for one in decisions.open_exceptions(portal.ledger, portal.today) if one.reporting_quarter == str(quarter)
    ]
    lines = [*status.lines, *_refused_only(status.lines, quarter, portal)]
    groups = {group.name: frozenset(group.units) for group in load_organisation().groups}
    lines = [line for line in lines if grupp not in groups or line.district_code in groups[grupp]]
    counts = Counter(map(state_of, lines))
    chosen = lage if lage in STATES else ""
    units = list(_rows(portal, quarter, lines, exceptions, chosen))
    return page(
        request,
        "city/wall.html",
        tabs=of_quarter(quarter, "wall"),
        quarter=quarter,
        quarters=[(str(one), quarter_name(one)) for one in _listed(portal, quarter)],
        before=quarter.previous() if quarter > Quarter(2000, 1) else None,
        after=quarter.next() if quarter < Quarter.of(portal.today) else None,
        deadline=quarter.deadline,
        days_left=(quarter.deadline - portal.today).days,
        is_locked=str(quarter) in decisions.locked_quarters(portal.ledger),
        has_ended=portal.today > quarter.end,
        lock_from=quarter.end + timedelta(days=DAYS_UNTIL_LOCK),
        is_to_lock=str(quarter) in status.to_lock,
        counts=[(state, NAMES[state], counts[state]) for state in STATES],
        total=len(lines),
        open_queries=sum(line.open_queries for line in lines),
        chosen=chosen,
        groups=list(groups),
        group=grupp if grupp in groups else "",
        datasets=[(_broken(dataset_name(name)), dataset_name(name)) for name in load_contracts()],
        units=units,
        unnamed=[
            one.submission for one in status.refusals if one.submission.dataset is None
            or one.submission.reporting_quarter is None
        ],
        done=DONE.get(sagt),
    )  # fmt: skip


def _refused_only(lines: Iterable[StatusLine], quarter: Quarter, portal: Portal) -> list[StatusLine]:
    """Files that nobody expects and that were refused: of a unit that does not report in the quarter."""
    listed = {(line.district_code, line.dataset) for line in lines}
    locked = str(quarter) in decisions.locked_quarters(portal.ledger)
    refused = Counter(
        (one.district_code, one.dataset)
        for one in portal.ledger.submissions(quarter=str(quarter))
        if one.state == "refused" and one.dataset is not None and (one.district_code, one.dataset) not in listed
    )
    return [
        StatusLine(str(quarter), code, dataset or "", "awaited", refused=count, is_locked=locked)
        for (code, dataset), count in sorted(refused.items(), key=str)
    ]


def _rows(
    portal: Portal, quarter: Quarter, lines: list[StatusLine], exceptions: list[LockException], chosen: str
) -> Iterable[UnitRow]:
    by_unit: dict[str, dict[str, StatusLine]] = {}
    for line in lines:
        by_unit.setdefault(line.district_code, {})[line.dataset] = line
    expected = {one.code for one in portal.registry.valid_in(quarter)}
    for code in sorted(by_unit, key=lambda code: (code not in expected, portal.registry.place(code))):
        own = by_unit[code]
        if chosen and chosen not in map(state_of, own.values()):
            continue
        inside = sum(line.state == "in_force" for line in own.values())
        summary = f"{inside} av {len(load_contracts())} inne"
        if code not in expected:
            summary = f"{inside} inne; väntas inte lämna"
        cells = tuple(_cell(quarter, code, name, own.get(name), exceptions) for name in load_contracts())
        yield UnitRow(unit_name(code), f"/staden/paminnelse?kvartal={quarter}#{code}", summary, cells)


def _cell(quarter: Quarter, code: str, dataset: str, line: StatusLine | None, exceptions: list[LockException]) -> Cell:
    address = f"/staden/{quarter}/{code}/{dataset}"
    if line is None:  # a unit that is not expected
        return Cell("none", "Väntas inte", address, None)
    state, said = state_of(line), []
    if line.state == "in_force":
        late = ", sent" if line.is_on_time is False and state != "late" else ""
        said.append(f"version {line.version}{late}" + (" gäller" if state == "refused" else ""))
    text = counted(line.open_queries, "öppen fråga", "öppna frågor") if state == "queries" else NAMES[state]
    if state == "refused" and line.open_queries:
        said.append(counted(line.open_queries, "öppen fråga", "öppna frågor"))
    for one in exceptions:
        if one.district_code == code and one.dataset in (None, dataset):
            said.append(f"undantag till {day(one.until_date)}" if one.until_date else "undantag öppet")
            break
    return Cell(state, text, address, ", ".join(said) or None)


def _listed(portal: Portal, shown: Quarter) -> list[Quarter]:
    """The quarters to choose among: from the first that holds a submission, the newest first."""
    current = Quarter.of(portal.today)
    first = min([current.back(_LISTED_QUARTERS), shown, *map(Quarter.parse, portal.ledger.quarters()[:1])])
    return quarters_between(max(first, Quarter(2000, 1)), current)[::-1]
