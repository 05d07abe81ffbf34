"""Small releases for the tests of the figures' pages: tables of the declared views with rows that a test names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from publish.marts.dimensions import load_dimensions
from publish.serving.snapshot import FILE_NAME
from publish.views.declared import View, load_views

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
DISTRICTS = {"bromma": "Bromma", "farsta": "Farsta", "alvsjo": "Älvsjö"}
DIMENSIONS = {
    "dim_district": {**DISTRICTS, "stockholm": "Stockholms stad"},
    "dim_sex": {"kvinna": "Kvinna", "man": "Man", "okant": "Okänt"},
    "dim_age_band": {"0-5": "0–5 år", "6-12": "6–12 år"},
    "dim_wait_kind": {"service": "Serviceinsats", "assessed": "Biståndsbedömd öppenvård"},
    "dim_intervention": {"trappan": "Trappan", "komet": "Komet"},
    "dim_measure": {
        "within_60_days_rate": "Andel utredningar avslutade inom 60 dagar",
        "service_wait_mean": "Medelväntetid till serviceinsats (dagar)",
        "participants_per_1000": "Deltagande barn per 1 000 barn, 0–20 år",
    },
}
PERIODS = [("ar", "2018", "2018", 24228), ("ar", "2019", "2019", 24240), ("kvartal", "2018Q4", "2018 kv 4", 24226),
           ("rullande_ar", "2018Q4", "Fyra kvartal till och med 2018 kv 4", 24227)]  # fmt: skip
ABOUT = {"release_id": "7", "until_quarter": "2018Q4", "greatest_deviation": "7", "too_few": "20",
         "notice": "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA.",
         "how_to_read": "Små skillnader ska inte tolkas."}  # fmt: skip
_TYPES = {"count": "integer", "rate": "double", "per_1000": "double", "number": "double", "days": "integer",
          "rank": "integer", "whole": "integer", "date": "date", "flag": "boolean"}  # fmt: skip
_EMPTY: dict[str, Any] = {"count": 0, "flag": False, "whole": 0, "text": "", "period": "", "code": ""}


def make_release(folder: Path, rows: Rows, about: Mapping[str, str] | None = None, marts: Rows | None = None) -> Path:
    """A release's folder: views with rows have a table, others none; what a row lacks is 0, false, empty or null."""
    folder.mkdir(parents=True)
    views = {view.name: view for view in load_views()}
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("create schema published; use published")
        for name, given in rows.items():
            _table(connection, views[name], given)
        for name, labels in DIMENSIONS.items():
            known = load_dimensions()[name]
            connection.execute(f"create table {name} ({known.key} varchar, {known.label} varchar, sort_order integer)")
            for order, (code, label) in enumerate(labels.items()):
                connection.execute(f"insert into {name} values (?, ?, ?)", [code, label, order])
        connection.execute(
            "create table dim_period (period_kind varchar, period varchar, period_label varchar, sort_order integer)"
        )
        connection.executemany("insert into dim_period values (?, ?, ?, ?)", [list(one) for one in PERIODS])
        for mart, found in (marts or {}).items():
            columns = ", ".join(
                f"{one} {'double' if isinstance(value, float) else 'varchar'}" for one, value in found[0].items()
            )
            connection.execute(f"create table {mart} ({columns})")
            marks = ", ".join("?" for _ in found[0])
            connection.executemany(f"insert into {mart} values ({marks})", [list(row.values()) for row in found])
        connection.execute("create table about (key varchar, value varchar)")
        connection.executemany("insert into about values (?, ?)", [list(one) for one in (about or ABOUT).items()])
    return folder


def _table(connection: duckdb.DuckDBPyConnection, view: View, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ", ".join(f'"{one.name}" {_TYPES.get(one.kind, "varchar")}' for one in view.columns)
    connection.execute(f"create table {view.name} ({columns})")
    unknown = {name for row in rows for name in row} - {one.name for one in view.columns}
    assert not unknown, f"{view.name} has no {unknown}"
    lines = [[row.get(one.name, _EMPTY.get(one.kind)) for one in view.columns] for row in rows]
    if lines:
        marks = ", ".join("?" for _ in view.columns)
        connection.executemany(f"insert into {view.name} values ({marks})", lines)


def goals(period: str = "2018", few: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows of the four goals: 29.1, 14.8 and 20 per cent within 60 days and again, 20.9 in the city; else too few."""
    shares = {"Bromma": (0.291, 0.251, 0.334), "Farsta": (0.148, 0.123, 0.177), "Älvsjö": (0.2, 0.15, 0.26)}
    return [
        {
            "stadsdel": name, "period": period, "utredningar": 400, "foljda_utredningar": 9,
            "besvarade_erbjudanden": 9, "avslutade_insatser": 9,
            "andel_inom_60_dagar": None if name in few else share,
            "andel_inom_60_dagar_lag": None if name in few else low,
            "andel_inom_60_dagar_hog": None if name in few else high, "staden_andel_inom_60_dagar": 0.209,
            "andel_ater": None if name in few else share, "andel_ater_lag": None if name in few else low,
            "andel_ater_hog": None if name in few else high, "staden_andel_ater": 0.209,
            "for_fa": True, "alla_stadsdelar": True, "preliminar": True,
        }
        for name, (share, low, high) in shares.items()
    ]  # fmt: skip


def equity(
    measure: str, values: Mapping[str, float], city: float, unit: str = "procent", sure: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Rows of equity of one measure of 2018: limits 12 to 30 and 5 to 40 around every district."""
    return [
        {
            "stadsdel": name, "period": "2018", "matt": measure, "enhet": unit, "varde": value, "varde_lag": value - 4,
            "varde_hog": value + 4, "staden_varde": city, "skillnad_mot_staden": value - city, "inre_grans_lag": 12.0,
            "inre_grans_hog": 30.0, "yttre_grans_lag": 5.0, "yttre_grans_hog": 40.0,
            "lage": "Inom de inre gränserna" if 12 <= value <= 30 else "Över de yttre gränserna",
            "utanfor": value > 40, "saker_skillnad": name in sure,
        }
        for name, value in values.items()
    ]  # fmt: skip


def waits() -> list[dict[str, Any]]:
    """Rows of mean waits to service: 14, 17 and 34 days, 16 in the city."""
    days = {"Bromma": 14, "Farsta": 17, "Älvsjö": 34}
    return [
        {
            "stadsdel": name, "period": "2018", "vantan_pa": "Serviceinsats", "antal": 500, "medel_dagar": value,
            "staden_medel_dagar": 16, "alla_stadsdelar": True,
        }
        for name, value in days.items()
    ]  # fmt: skip


def supply(name: str = "Trappan") -> list[dict[str, Any]]:
    """Rows of supply: Bromma and Farsta offer the first intervention, all three Komet."""
    return [
        {
            "stadsdel": district, "period": "2018 kv 4", "insats": intervention, "insatskategori": "Barngrupp",
            "erbjuds": district in offering, "som_service": district in offering, "utan_tak": True,
            "stadsdelar_som_erbjuder": len(offering), "stadsdelar_med_uppgift": 3, "alla_stadsdelar": True,
            "regi": "Egen regi", "sprak": "=1+1",
        }
        for intervention, offering in ((name, ("Bromma", "Farsta")), ("Komet", tuple(DISTRICTS.values())))
        for district in DISTRICTS.values()
    ]  # fmt: skip


def files(missing: str = "") -> list[dict[str, Any]]:
    """Rows of submissions: nine files of each district, in force and in time, but for one district's."""
    return [
        {
            "stadsdel": name, "period": "2018 kv 4", "uppgiftstyp": "Utbud (vad stadsdelen erbjuder)",
            "lage": "Saknas" if name == missing else "I kraft", "forvantade_filer": 9,
            "filer_i_kraft": 0 if name == missing else 9, "filer_i_tid": 0 if name == missing else 9,
        }
        for name in DISTRICTS.values()
    ]  # fmt: skip


def whole_release(folder: Path, **others: Any) -> Path:
    """A release of most questions."""
    within = "Andel utredningar avslutade inom 60 dagar"
    taking_part = "Deltagande barn per 1 000 barn, 0–20 år"
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        "vy_fyra_mal_ar": goals(),
        "vy_fyra_mal": goals("2018 kv 4"),
        "vy_likstallighet": [
            *equity(within, {"Bromma": 29.1, "Farsta": 14.8, "Älvsjö": 20.0}, 20.9),
            *equity("Medelväntetid till serviceinsats (dagar)", {"Bromma": 14.0, "Farsta": 17.0, "Älvsjö": 44.0}, 16.0,
                    "dagar", sure=["Älvsjö"]),
            *equity(taking_part, {"Bromma": 25.0, "Farsta": 22.5, "Älvsjö": 20.0}, 23.0, "per 1 000"),
        ],
        "vy_vantetider_ar": waits(),
        "vy_utbud": supply(),
        "vy_inlamning": files(),
        "vy_staden_ar": [
            {"period": "2018", "inkomna_arenden": 4200, "andel_utredda": 0.41, "andel_erbjudna": 0.3,
             "andel_tackat_ja": 0.66, "erbjudna_insats": 500, "tackat_ja": 330, "preliminar": True}
        ],
        "vy_arendeflode_ar": [
            {"stadsdel": name, "period": "2018", "inkomna_arenden": 1400, "andel_utredda": 0.4,
             "andel_utredda_lag": 0.37, "andel_utredda_hog": 0.43, "staden_andel_utredda": 0.41, "for_fa": True}
            for name in DISTRICTS.values()
        ],
        "vy_erbjudna_kon_alder_ar": [
            {"stadsdel": name, "period": "2018", "kon": sex, "alder": "6–12 år", "alder_ordning": 2,
             "staden_andel_erbjudna": 0.31 if sex == "Kvinna" else 0.28, "andel_erbjudna": None, "for_fa": True}
            for name in DISTRICTS.values() for sex in ("Kvinna", "Man")
        ],
        "vy_insatskedja": [
            {"stadsdel": "Farsta", "period": "2018 kv 4", "kon": sex, "erbjudna": 20, "tackat_ja": 14, "paborjade": 12,
             "fullfoljda": 8} for sex in ("Kvinna", "Man")
        ],
        "vy_rekrytering_ar": [
            {"stadsdel": name, "period": "2018", "insats": "Trappan", "planerade_grupper": 10, "startade_grupper": 8,
             "installda_grupper": 2, "installda_for_fa_anmalda": 1} for name in DISTRICTS.values()
        ],
        "vy_grupper": [
            {"stadsdel": name, "period": "2018 kv 4", "insats": "Trappan", "startade_grupper": 2, "platser": 20,
             "deltagare": 15, "andel_fyllda": 0.75, "andel_fyllda_lag": 0.6, "andel_fyllda_hog": 0.9,
             "staden_andel_fyllda": 0.8} for name in DISTRICTS.values()
        ],
        "vy_ateraktualisering_ar": [
            {"stadsdel": name, "period": "2018", "barnet_hort": answer, "foljda_utredningar": 200,
             "andel_ater_ett_ar": 0.25, "andel_ater_ett_ar_lag": 0.2, "andel_ater_ett_ar_hog": 0.31,
             "staden_andel_ater_ett_ar": 0.24} for name in DISTRICTS.values() for answer in ("Ja", "Nej")
        ],
    }  # fmt: skip
    rows.update(others.pop("rows", {}))
    return make_release(folder, {name: one for name, one in rows.items() if one is not None}, **others)
