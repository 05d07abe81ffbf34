"""The release as DCAT-AP-SE 3.0.1 (docs.dataportal.se/dcat), in JSON-LD that needs nothing fetched to be read.

Without `FOLLOWUP_CATALOGUE_URI` every identifier is relative to the file, and so absolute wherever it is read from.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from ingest.findings import count_with_noun
from ingest.organisation import load_organisation, own_words
from ingest.settings import Settings
from publish.catalogue.described import Described, Table
from publish.catalogue.pages import START
from publish.catalogue.site import page_of
from publish.serving.csv_files import PLAIN_FOLDER, is_in_csv
from publish.serving.targets import SITE_FOLDER as SITE
from publish.views.declared import load_views

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
"""The profile asks for this licence on the catalogue itself, whatever that of the data is."""
_EU = "http://publications.europa.eu/resource/authority"
SWEDISH = f"{_EU}/language/SWE"
SOCIETY = f"{_EU}/data-theme/SOCI"
QUARTERLY = f"{_EU}/frequency/QUARTERLY"
TITLE = "Uppföljning av stöd till barn, unga och föräldrar"
_CODES = "dimensioner"
_FORMATS = {"csv": ("csv", "text/csv", "CSV"), "parquet": ("parquet", "application/vnd.apache.parquet", "Parquet")}


def catalogue(described: Described, settings: Settings) -> dict[str, Any]:
    """The catalogue with a dataset per table of figures, and one of all dimensions.

    Args:
        described: the release.
        settings: publisher, contact, licence and address.
    """
    base = (settings.catalogue_uri.rstrip("/") + "/") if settings.catalogue_uri else ""
    figures = [table for table in described.tables if table.holds_figures]
    dimensions = [table for table in described.tables if table.is_dimension]
    datasets = [_dataset(table, described, settings, base) for table in figures]
    if dimensions:
        datasets.append(_dimensions(dimensions, described, settings, base))
    made = described.about.get("released_at", settings.now().isoformat())[:10]
    return {
        "@context": CONTEXT | ({"@base": base} if base else {}),
        "@id": f"{base}#katalog",
        "@type": "dcat:Catalog",
        "dcterms:title": _swedish(TITLE),
        "dcterms:description": _swedish(
            f"{described.notice} Öppna tabeller om stöd till barn, unga och deras föräldrar i "
            f"{load_organisation().name}, utan uppgifter om enskilda. Utgåva {described.release_id}.".strip()
        ),
        "dcterms:publisher": _publisher(settings, base),
        "dcterms:license": {"@id": CC0},
        "dcterms:language": {"@id": SWEDISH},
        "dcterms:modified": _day(date.fromisoformat(made)),
        "dcat:themeTaxonomy": {"@id": f"{_EU}/data-theme"},
        "foaf:homepage": {"@id": f"{base}{SITE}/{START}"},
        "dcat:dataset": datasets,
    }


def _dataset(table: Table, described: Described, settings: Settings, base: str) -> dict[str, Any]:
    said = " ".join(part for part in (described.notice, table.explanation) if part) or table.label
    found = _common(table.name, table.label, said, settings, base) | {
        "dcterms:accrualPeriodicity": {"@id": QUARTERLY},
        "dcat:keyword": [_swedish(word.lower()) for word in dict.fromkeys((table.label, *table.read_for))],
        "dcat:distribution": _distributions([table], settings, base),
    }
    if table.first_day and table.last_day:
        found["dcterms:temporal"] = {
            "@type": "dcterms:PeriodOfTime",
            "dcat:startDate": _day(table.first_day),
            "dcat:endDate": _day(table.last_day),
        }
    return found


def _dimensions(tables: list[Table], described: Described, settings: Settings, base: str) -> dict[str, Any]:
    said = f"{described.notice} Koder och namn som tabellerna hänvisar till: stadsdelar, kvartal, insatser, orsaker."
    said = own_words(said)
    return _common(_CODES, "Dimensioner och kodlistor", said.strip(), settings, base) | {
        "dcterms:accrualPeriodicity": {"@id": QUARTERLY},
        "dcat:keyword": [_swedish(table.label.lower()) for table in tables],
        "dcat:distribution": _distributions(tables, settings, base),
    }


def _common(identifier: str, title: str, said: str, settings: Settings, base: str) -> dict[str, Any]:
    page = START if identifier == _CODES else page_of(identifier, load_views())
    place = load_organisation().place
    found: dict[str, Any] = {
        "@id": f"{base}#{identifier}",
        "@type": "dcat:Dataset",
        "dcterms:identifier": identifier,
        "dcterms:title": _swedish(title),
        "dcterms:description": _swedish(said),
        "dcterms:publisher": {"@id": f"{base}#utgivare"},
        "dcterms:language": {"@id": SWEDISH},
        **({"dcterms:spatial": {"@id": place}} if place is not None else {}),
        "dcat:theme": {"@id": SOCIETY},
        "dcat:landingPage": {"@id": f"{base}{SITE}/{page}"},
    }
    if settings.catalogue_contact_email:
        found["dcat:contactPoint"] = {
            "@id": f"{base}#kontakt",
            "@type": "vcard:Organization",
            "vcard:fn": settings.catalogue_contact,
            "vcard:hasEmail": {"@id": f"mailto:{settings.catalogue_contact_email}"},
        }
    return found


def _publisher(settings: Settings, base: str) -> dict[str, Any]:
    return {"@id": f"{base}#utgivare", "@type": "foaf:Agent", "foaf:name": settings.catalogue_publisher}


def _distributions(tables: list[Table], settings: Settings, base: str) -> list[dict[str, Any]]:
    return [
        {
            "@id": f"{base}#{table.name}-{kind}",
            "@type": "dcat:Distribution",
            "dcterms:title": _swedish(f"{table.label} ({said})"),
            "dcterms:description": _swedish(
                f"{said}, {count_with_noun(table.rows, 'rad', 'rader')}. Kolumnerna beskrivs på sidan om tabellen."
            ),
            "dcat:accessURL": {"@id": f"{base}{kind}/{table.name}.{ending}"},
            "dcat:downloadURL": {"@id": f"{base}{kind}/{table.name}.{ending}"},
            "dcterms:format": media,
            "dcterms:license": {"@id": settings.catalogue_license},
        }
        for table in tables
        for kind, (ending, media, said) in _FORMATS.items()
        if kind != PLAIN_FOLDER or is_in_csv(table.name)
    ]


def _swedish(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "sv"}


def _day(day: date) -> dict[str, str]:
    return {"@value": day.isoformat(), "@type": "xsd:date"}
