"""Tables in the layouts that others ask for, made at each release from what it publishes, and from nothing else.

Counts are published counts; those of half-years are sums of two, so their deviations add up. A share of too few is
`..`. docs/exports.md says of every field what it means, where it comes from and whose definition it follows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingest.organisation import load_organisation, own_words, whole_code
from publish.labels import label
from publish.serving.release_file import ReleaseFile, read_release
from publish.serving.series_breaks import notes_on, series_breaks

FOLDER = "exports"
SOURCES = ("mart_service_interventions", "mart_goal_indicators")
"""The marts that exports are made of."""
TOO_FEW = ".."
"""Instead of a share of too few, as in official statistics: not available."""
_TOTAL = "alla"


@dataclass(frozen=True)
class Field:
    """A field of an export: its type is Frictionless Table Schema's, its description Swedish."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Export:
    """A table for others: its fields and rows; None in a row is a share of too few."""

    name: str
    title: str
    fields: tuple[Field, ...]
    rows: tuple[tuple[object, ...], ...]


SERVICES = (
    Field("ar", "integer", "Kalenderår då deltagandet påbörjades."),
    Field("insatsgrupp", "string", "Kod för insatsgruppen; alla är samtliga."),
    Field("insatsgrupp_namn", "string", "Insatsgruppens namn."),
    Field("aldersgrupp", "string", "Ålder när deltagandet påbörjades; alla är samtliga."),
    Field("kon", "string", "kvinna, man, okant eller alla."),
    Field("antal", "integer", "Påbörjade deltaganden i insatser utan individuell behovsprövning, hela staden."),
)
"""Interventions without individual assessment: counts per group, age and sex; participations, not persons."""
RE_REFERRAL = (
    Field("matar", "integer", "Mätår: året efter det då utredningarna och insatserna avslutades."),
    Field("omrade", "string", "Stadsdel (dagens indelning) eller {whole}."),
    Field("alder", "string", "0-12 eller 13-20 år när allt avslutades."),
    Field("avslutade", "integer", "Personer vars samtliga utredningar och insatser avslutades januari–juni året före."),
    Field("ej_ater", "integer", "Av dem: utan ny utredning inom ett år."),
    Field("andel", "number", "Ej återaktualiserade, procent med en decimal."),
)
"""Not back within a year, as the national key figure counts: closed in the first half of the year before."""
MUNICIPALITY = Field("kommunkod", "string", "Kommunens nationella kod; tom för det som inte är en kommun.")
"""Last, where the organisation declares codes of its units."""
HALF_YEARS = (
    "Antalen i ej_ateraktualiserade är summor av två kvartals visade antal, så deras avvikelser läggs ihop. Andelen är "
    f"kvoten mellan de två summorna; {TOO_FEW} betyder att den bygger på för få."
)
_AGES = {"re_referral_kkik_0_12": "0-12", "re_referral_kkik_13_20": "13-20"}
_HALF_YEAR = 2
"""Quarters."""


def make_exports(release_file: Path) -> list[Export]:
    """All exports of a finished release.

    Args:
        release_file: a DuckDB file with the schema `published`.

    Returns:
        The exports; one whose table the release lacks has no rows.

    Raises:
        ServingError: the file can't be read as a release.
    """
    release = read_release(release_file)
    with release.reading() as connection:
        return [
            Export(
                "insatser_utan_behovsprovning",
                "Insatser utan individuell behovsprövning",
                SERVICES,
                tuple(_services(connection, release)),
            ),
            Export(
                "ej_ateraktualiserade",
                "Ej återaktualiserade inom ett år (KKiK)",
                *_with_municipalities(RE_REFERRAL, _re_referral(connection, release)),
            ),
        ]


def write_exports(release_file: Path, folder: Path) -> tuple[Path, ...]:
    """Write the exports as CSV (comma, UTF-8, dot decimals) into `folder/exports`, with a data package beside them.

    Raises:
        ServingError: the file can't be read as a release.
        OSError: the folder can't be written.
    """
    made, place = make_exports(release_file), folder / FOLDER
    release = read_release(release_file)
    place.mkdir(parents=True, exist_ok=True)
    for export in made:
        with (place / f"{export.name}.csv").open("w", encoding="utf-8", newline="") as sink:
            lines = csv.writer(sink)
            lines.writerow([field.name for field in export.fields])
            lines.writerows([TOO_FEW if cell is None else cell for cell in row] for row in export.rows)
    package = {
        "profile": "tabular-data-package",
        "name": FOLDER,
        "description": description(release),
        "resources": [_resource(export) for export in made],
    }
    (place / "datapackage.json").write_text(json.dumps(package, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return (*(place / f"{export.name}.csv" for export in made), place / "datapackage.json")


def description(release: ReleaseFile) -> str:
    """What every reader of the exports must know, in Swedish."""
    with release.reading() as connection:
        breaks = notes_on(series_breaks(connection, release), SOURCES)
    parts = (release.notice, f"Utgåva {release.release_id}.", release.about.get("how_to_read"), HALF_YEARS, *breaks)
    return " ".join(part for part in parts if part)


def _resource(export: Export) -> dict[str, Any]:
    fields = [
        {"name": field.name, "type": field.type, "description": own_words(field.description)} for field in export.fields
    ]
    return {
        "profile": "tabular-data-resource",
        "name": export.name,
        "path": f"{export.name}.csv",
        "title": export.title,
        "encoding": "utf-8",
        "schema": {"fields": fields, "missingValues": ["", TOO_FEW]},
    }


def _with_municipalities(
    fields: tuple[Field, ...], rows: Iterable[tuple[object, ...]]
) -> tuple[tuple[Field, ...], tuple[tuple[object, ...], ...]]:
    """Fields and rows with the national code of each row's `omrade`; as they are where no unit has one."""
    codes = load_organisation().municipality_codes
    if not codes:
        return fields, tuple(rows)
    at = [field.name for field in fields].index("omrade")
    return (*fields, MUNICIPALITY), tuple((*row, codes.get(str(row[at]), "")) for row in rows)


def _services(connection: duckdb.DuckDBPyConnection, release: ReleaseFile) -> Iterable[tuple[object, ...]]:
    """Calendar years of the city, by at most two of group, age and sex. A row that is not there is a published 0."""
    table = "mart_service_interventions"
    where = _totals(release, table, ["intervention_code", "target_group", "referred_from", "legal_ground"], "ar")
    if where is None:
        return
    found = connection.execute(
        "select period::int, intervention_category, age_band, sex, started::bigint "
        f"from release.published.{table} where district_code = '{whole_code()}' and district_basis = 'today' "
        f"and {where} order by all"
    ).fetchall()
    for year, group, age, sex, count in found:
        shown = "Alla" if group == _TOTAL else label(group) or group
        yield year, group, shown, age, sex, count


def _re_referral(connection: duckdb.DuckDBPyConnection, release: ReleaseFile) -> Iterable[tuple[object, ...]]:
    """Half-years of which both quarters are published for the city: sums of published counts.

    A district without a row in such a quarter has published counts of 0.
    """
    table = "mart_goal_indicators"
    where = _totals(release, table, ["sex", "age_band", "socioeconomic", "pilot"])
    if where is None:
        return
    codes = ", ".join(f"'{code}'" for code in _AGES)
    found = connection.execute(
        "with rows as (select left(reporting_quarter, 4)::int + 1 as year, reporting_quarter, district_code, "
        f"indicator_code, denominator, numerator from release.published.{table} "
        f"where district_basis = 'today' and {where} and indicator_code in ({codes}) "
        "and right(reporting_quarter, 2) in ('Q1', 'Q2')), "
        f"whole as (select year, indicator_code from rows where district_code = '{whole_code()}' "
        f"group by all having count(distinct reporting_quarter) = {_HALF_YEAR}) "
        "select year, district_code, indicator_code, sum(denominator)::bigint, sum(numerator)::bigint "
        "from rows semi join whole using (year, indicator_code) group by all order by all"
    ).fetchall()
    least = int(release.about.get("too_few", "1"))
    for year, district, code, closed, not_back in found:
        share = f"{100 * not_back / closed:.1f}" if closed >= least else None
        yield year, district, _AGES[code], closed, not_back, share


def _totals(release: ReleaseFile, table: str, cuts: Sequence[str], kind: str = "kvartal") -> str | None:
    """A condition for a kind of period's rows that are not cut by these; None when the release lacks the table."""
    served = next((found for found in release.tables if found.name == table), None)
    if served is None:
        return None
    there = {column.name for column in served.columns}
    return " and ".join([f"period_kind = '{kind}'", *(f"{column} = '{_TOTAL}'" for column in cuts if column in there)])
