"""The document with what is stored of one person (GDPR, article 15): Swedish, a private file, without the number."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ingest.contracts import Contract, load_contracts
from ingest.districts import load_districts
from ingest.findings import count_with_noun
from ingest.maintenance.finding_person import FoundPerson, OfSubmission
from ingest.settings import CITY_TIME, Settings
from ingest.swedish_order import swedish_order

FOLDER = "extracts"
"""In the home: no backup has it."""
_STATES = {
    "accepted": "Filen är godkänd, och ersatt av en nyare fil.",
    "refused": "Filen är avvisad.",
    "withdrawn": "Filen är återkallad.",
}
_STORED = {
    "birth_date": "Födelsedatum",
    "is_birth_date_exact": "Födelsedatumet är exakt",
    "is_linkable": "Raden har ett nummer som går att följa",
    "id_typ": "Typ av identitet",
    "source_row_number": "Rad i filen",
}
"""Columns of stored rows that no contract names."""
_STYLE = (
    "body{font:16px/1.45 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;"
    "margin:.5rem 0 1.5rem}th,td{border:1px solid #999;padding:.2rem .5rem;text-align:left;vertical-align:top}"
)


def write_extract(settings: Settings, found: FoundPerson, out: Path | None = None) -> Path:
    """Write the document; only the user who runs this can open it, and it never replaces a file.

    Args:
        settings: the installation's.
        found: what is stored of the person.
        out: where; by default a new file in the home's folder `extracts`.

    Raises:
        FileExistsError: there is a file of that name.
        OSError: it can't be written.
    """
    now = settings.now().astimezone(CITY_TIME)
    folder = _made_folder(settings, out)
    path = out or folder / f"registerutdrag_{now:%Y-%m-%d}_{secrets.token_hex(4)}.html"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(document(found, now, settings))
    return path


def require_place(settings: Settings, out: Path | None) -> None:
    """Require a place that the document can be written to: before the search, which takes long and is recorded.

    Args:
        settings: the installation's.
        out: as for `write_extract`.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.NamedTemporaryFile(dir=_made_folder(settings, out), prefix=".", suffix=".tmp"):
        pass


def _made_folder(settings: Settings, out: Path | None) -> Path:
    folder = settings.home / FOLDER if out is None else out.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def document(found: FoundPerson, now: datetime, settings: Settings) -> str:
    """The document as HTML.

    Args:
        found: what is stored of the person.
        now: in the city's time.
        settings: how long things are stored.
    """
    return (
        f'<!doctype html>\n<html lang="sv"><head><meta charset="utf-8"><title>Registerutdrag</title>'
        f"<style>{_STYLE}</style></head><body>\n{''.join(_parts(found, now, settings))}</body></html>\n"
    )


def _parts(found: FoundPerson, now: datetime, settings: Settings) -> Iterator[str]:
    yield "<h1>Registerutdrag ur uppföljningen</h1>\n"
    yield f"<p>Enligt artikel 15 i dataskyddsförordningen. Gjort {now:%Y-%m-%d kl. %H:%M}.</p>\n"
    yield (
        "<p>Utdraget visar vad uppföljningen av insatser för barn och unga har om en person. Personnumret står inte "
        "här: raderna är sparade med en pseudonym i stället. Den som lämnar ut utdraget kontrollerar vem det "
        "gäller.</p>\n"
    )
    rows = count_with_noun(found.rows, "rad", "rader")
    files = count_with_noun(len(found.submissions), "fil", "filer")
    yield f"<h2>Sammanfattning</h2>\n<ul><li>{rows} i {files}</li>"
    quarters = sorted({one.submission.reporting_quarter or "okänt" for one in found.submissions})
    units = sorted({_unit(one.submission.district_code) for one in found.submissions}, key=swedish_order)
    yield f"<li>Kvartal: {escape(', '.join(map(_quarter, quarters)) or 'inga')}</li>"
    yield f"<li>Enheter: {escape(', '.join(units) or 'inga')}</li></ul>\n"
    for one in found.submissions:
        yield from _of_submission(one)
    if found.unknown_originals or found.waiting:
        yield "<h2>Filer som inte är kopplade till ett kvartal</h2>\n<ul>"
        if found.unknown_originals:
            yield f"<li>{found.unknown_originals} krypterade filer som har numret, eller inte går att läsa.</li>"
        for code in found.waiting:
            where = f" från {escape(_unit(code))}" if code else ""
            yield f"<li>En fil{where} som väntar i portalen och har numret, eller inte går att läsa.</li>"
        yield "</ul>\n"
    yield from _also(settings)


def _of_submission(one: OfSubmission) -> Iterator[str]:
    sent = one.submission
    contract = load_contracts().get(sent.dataset or "")
    what = contract.short_title_sv if contract is not None else "Fil vars namn inte säger vad den är"
    title = f"{what}, {_quarter(sent.reporting_quarter or 'okänt')}, {_unit(sent.district_code)}"
    state = "Filen gäller nu." if one.is_in_force else _STATES.get(sent.state, f"Filen är {sent.state}.")
    yield f"<h2>{escape(title)}</h2>\n<p>Inlämnad {sent.submitted_at:%Y-%m-%d} (UTC). {escape(state)}</p>\n"
    if one.has_original:
        yield "<p>Filen som enheten skickade är sparad krypterad, med personnumret.</p>\n"
    if not one.rows:
        yield "<p>Inga rader ur filen är sparade. Filen har numret, eller går inte att läsa.</p>\n"
    for row in one.rows:
        yield "<table>"
        for name, value in row.cells.items():
            if value is not None:
                label, said = escape(_label(name, contract)), _said(name, value, contract, sent.district_code)
                yield f'<tr><th scope="row">{label}</th><td>{said}</td></tr>'
        yield "</table>\n"
    if one.explanations:
        yield "<p>Enhetens förklaringar av frågor om raderna:</p>\n<ul>"
        yield "".join(f"<li>{escape(text)}</li>" for text in one.explanations)
        yield "</ul>\n"


def _also(settings: Settings) -> Iterator[str]:
    yield "<h2>Var uppgifterna också finns</h2>\n<ul>"
    yield "<li>I lagret där siffrorna räknas: samma rader, med pseudonym.</li>"
    yield f"<li>I säkerhetskopior, krypterade: i högst {settings.backup_days} dagar efter att de ändrats här.</li>"
    yield "<li>Publicerade siffror är antal som ändras slumpmässigt. De pekar inte ut någon.</li>"
    yield "<li>I enhetens verksamhetssystem, varifrån uppgifterna kommer. Där rättas de.</li></ul>\n"
    yield "<h2>Hur länge</h2>\n<ul>"
    yield f"<li>Krypterade filer: {settings.originals_kept_days} dagar.</li>"
    quarters = settings.rows_kept_quarters
    yield f"<li>Rader: {f'{quarters} kvartal' if quarters else 'tills staden gallrar dem'}.</li></ul>\n"
    yield (
        "<p>Ändamål, rättslig grund och mottagare står i stadens registerförteckning. Du kan begära rättelse eller "
        "radering, och klaga hos Integritetsskyddsmyndigheten.</p>\n"
    )


def _label(name: str, contract: Contract | None) -> str:
    if name in _STORED:
        return _STORED[name]
    names = {column.name: column.label_sv for column in contract.columns} if contract is not None else {}
    return names.get(name, name)


def _said(name: str, value: Any, contract: Contract | None, district_code: str) -> str:
    """A value in words: the label of a code, ja or nej."""
    if isinstance(value, bool):
        return "ja" if value else "nej"
    column = next((one for one in contract.columns if one.name == name), None) if contract is not None else None
    if contract is None or column is None or column.type not in ("code", "code_list"):
        return escape(str(value))
    codes = contract.code_list(name, district_code)
    labels = dict(zip(codes.codes, codes.labels, strict=True))
    return escape(", ".join(labels.get(part, part) for part in str(value).split("|")))


def _quarter(text: str) -> str:
    return f"{text[:4]} kv {text[5:]}" if text[4:5] == "Q" else text


def _unit(code: str) -> str:
    found = load_districts().get(code)
    return found.name if found is not None else code
