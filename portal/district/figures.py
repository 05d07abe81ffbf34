"""A unit's own figures from the private marts, beside the city's released ones; and free places for its own queues.

Only rows of the unit itself are read from the private marts; of the city only what is released. The free places of
others are counts of places, not of persons.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from ingest.districts import District
from ingest.organisation import whole_code
from ingest.organisation_tables import read_seed
from ingest.quarters import Quarter
from ingest.settings import Settings
from publish.labels import label
from publish.serving.snapshot import FILE_NAME
from publish.warehouse import open_warehouse

_COUNTS = {
    "cases": ("mart_case_flow", "cases", "inkommen"),
    "investigations": ("mart_case_flow", "investigations", "avgjord"),
    "offered": ("mart_case_flow", "offered", "avslutad"),
    "accepted": ("mart_case_flow", "accepted", "avslutad"),
    "service_started": ("mart_service_interventions", "started", "handelse"),
    "outpatient_started": ("mart_outpatient_care", "started", "handelse"),
}
"""Name → mart, measure and cohort basis of the counts that are shown."""
_COUNT_LABELS = {
    "cases": "Inkomna ärenden",
    "investigations": "Inledda utredningar",
    "offered": "Avslutade utredningar med erbjudande om insats",
    "accepted": "Tackade ja",
    "service_started": "Påbörjade serviceinsatser",
    "outpatient_started": "Påbörjad biståndsbedömd öppenvård",
}


@dataclass(frozen=True)
class OwnFigure:
    """One figure of the unit.

    Attributes:
        now, before: of the quarter and of the one before; shares lie between 0 and 1.
        city: the city's released figure of the quarter; None where it is not released, or of too few.
    """

    label: str
    is_share: bool
    now: float | None
    before: float | None
    city: float | None

    @property
    def step(self) -> float | None:
        """The change from the quarter before, in counts or in percentage points / 100."""
        return None if self.now is None or self.before is None else self.now - self.before


@dataclass(frozen=True)
class OwnFigures:
    """The unit's figures of one quarter. `built` says whether there are marts at all."""

    quarter: Quarter
    built: bool
    counts: tuple[OwnFigure, ...]
    shares: tuple[OwnFigure, ...]
    has_release: bool


@dataclass(frozen=True)
class Vacancy:
    """Free places elsewhere for a queue of the unit's own."""

    intervention: str
    unit: str
    queue: int
    free: int
    earliest_start: date | None


def own_figures(settings: Settings, unit: District, quarter: Quarter) -> OwnFigures:
    """The unit's own figures of a quarter.

    Raises:
        WarehouseFailed: the warehouse is there and can't be read.
    """
    if not settings.warehouse.exists():
        return OwnFigures(quarter, False, (), (), False)
    with open_warehouse(settings.warehouse) as warehouse:
        now, before = (_figures(warehouse, "marts", unit.code, one) for one in (quarter, quarter.previous()))
    released = _released(settings)
    city: dict[str, float] = {}
    if released is not None:
        with suppress(duckdb.Error), duckdb.connect(str(released), read_only=True) as release:
            city = _figures(release, "published", whole_code(), quarter)

    def figure(name: str, shown: str, *, is_share: bool) -> OwnFigure:
        return OwnFigure(shown, is_share, now.get(name), before.get(name), city.get(name))

    codes = sorted((now.keys() | before.keys()) - _COUNTS.keys())
    shares = [figure(code, label(code) or code, is_share=True) for code in codes]
    counts = [figure(name, _COUNT_LABELS[name], is_share=False) for name in _COUNTS if name in now or name in before]
    return OwnFigures(quarter, True, tuple(counts), tuple(shares), bool(city))


def vacancies(settings: Settings, unit: District) -> tuple[Quarter | None, list[Vacancy]]:
    """Free places in other units for the unit's own queues, by the newest quarter that has any.

    Raises:
        WarehouseFailed: the warehouse is there and can't be read.
    """
    if not settings.warehouse.exists():
        return None, []
    with open_warehouse(settings.warehouse) as warehouse:
        rows = warehouse.execute(
            """
            select reporting_quarter, intervention_code, seats_district_code, queue, seats_free, earliest_start_date
            from marts.mart_vacancies
            where district_code = ? and district_basis = 'today' and period_kind = 'kvartal'
                and seats_district_code not in ('alla', ?) and seats_free > 0 and queue > 0
                and reporting_quarter = (
                    select max(reporting_quarter) from marts.mart_vacancies
                    where district_code = ? and district_basis = 'today' and period_kind = 'kvartal'
                )
            order by intervention_code, seats_free desc, seats_district_code
            """,
            [unit.code, unit.code, unit.code],
        ).fetchall()
    names = {row["intervention_code"]: row["name"] for row in read_seed("interventions")}
    units = {row["district_code"]: row["name"] for row in read_seed("districts")}
    found = [
        Vacancy(names.get(code, code), units.get(seats, seats), queue, free, start)
        for _, code, seats, queue, free, start in rows
    ]
    return (Quarter.parse(rows[0][0]) if rows else None), found


def _figures(connection: duckdb.DuckDBPyConnection, schema: str, district: str, quarter: Quarter) -> dict[str, float]:
    """Name of a count or code of an indicator → its total in the quarter; left out where it has no value."""
    where = (
        "district_code = ? and district_basis = 'today' and period_kind = 'kvartal' and period = ? and cut = 'total'"
    )
    given = [district, str(quarter)]
    found: dict[str, float] = {}
    for name, (mart, measure, basis) in _COUNTS.items():
        query = f"select max({measure}) from {schema}.{mart} where {where} and cohort_basis = ?"
        row = connection.execute(query, [*given, basis]).fetchone()
        if row is not None and row[0] is not None:
            found[name] = float(row[0])
    rates = connection.execute(
        f"select indicator_code, max(rate) from {schema}.mart_goal_indicators where {where} group by 1", given
    )
    found |= {code: float(rate) for code, rate in rates.fetchall() if rate is not None}
    return found


def _released(settings: Settings) -> Path | None:
    """The file of the latest release, where there is one."""
    path = settings.published.absolute() / FILE_NAME
    return path.resolve() if path.exists() else None
