"""Reading a file's name: district, dataset, quarter."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ingest.characters import visible
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.findings import Finding, file_finding
from ingest.name_guesses import YEARS, Guess, guess, is_a_copy, odd_characters_in
from ingest.organisation import own_words
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter

_NAME = re.compile(r"([a-zåäöé-]+)_([a-zåäöé_]+)_(\d{4}q\d)\.(csv|xlsx|xlsm|xlsb|xls|ods)", re.IGNORECASE)
_PACKED = re.compile(r"\.(?:zip|7z|rar|gz|tar|tgz)\s*$", re.IGNORECASE)
_SHOWN_BYTES = 180


@dataclass(frozen=True)
class FileName:
    """A file's name as it may be shown and stored, and what it says.

    Attributes:
        shown: the name, masked where it holds something that reads as a person's number.
        district, dataset, quarter: None where the name doesn't say, or says something unknown.
        findings: what is wrong with the name.
        ending: without full stop; empty where the name can't be read.
    """

    shown: str
    district: str | None
    dataset: str | None
    quarter: Quarter | None
    findings: tuple[Finding, ...]
    ending: str = ""


def shown_name(name: str) -> str:
    """A file's name as it may be shown: without anything like a person's number, printable, and short."""
    clean = "".join(c if c.isprintable() else "?" for c in unicodedata.normalize("NFC", name))
    masked = re.sub(r"\d{5,8}[\W_]{0,3}\d{4}|\d{8,}", "•••", clean)
    if reads_as_number(name):  # however its digits stand: none of them is shown
        masked = "".join("•" if unicodedata.digit(c, None) is not None else c for c in masked)
    return masked.encode()[:_SHOWN_BYTES].decode(errors="ignore")


def _unreadable(name: str, district_code: str | None) -> Finding:
    """The finding on a name that can't be read: why, and what was probably meant."""
    meant = guess(name, district_code)
    odd, lacking = odd_characters_in(name), meant.lacking
    cause = f": det innehåller {odd}" if odd else ""
    if lacking:
        parts = " och ".join(filter(None, (", ".join(lacking[:-1]), lacking[-1])))
        cause += f"{', och' if odd else ':'} {parts} går inte att utläsa"
    elif meant.ending is None:
        cause += f"{', och' if odd else ':'} ändelsen är ingen som läses"
    hint = _meant(meant)
    if not lacking and meant.ending is None:
        hint = " Packa upp arkivet först." if _PACKED.search(name) else ""
        hint += " Spara tabellen som Excelarbetsbok (.xlsx) eller CSV UTF-8; det räcker inte att byta ändelse."
    elif not hint and meant.district is not None and meant.district not in name.lower():
        hint = f" {own_words('Stadsdelens')} kod är {meant.district}, skriven utan å, ä och ö."
    if is_a_copy(name):
        hint += " Ta bort det som datorn lagt till sist i namnet, som (1) eller kopia."
    return file_finding("FIL-001", cause=cause, hint=hint)


def _meant(meant: Guess) -> str:
    return f" Menades {meant.name}?" if meant.name else ""


def _unknown_dataset(name: str, district_code: str | None) -> Finding:
    odd = odd_characters_in(name)
    known = ", ".join(f"{name} ({contract.short_title_sv})" for name, contract in load_contracts().items())
    cause = f": det innehåller {odd}" if odd else ""
    return file_finding("FIL-003", cause=cause, known=known, hint=_meant(guess(name, district_code)))


def read_name(name: str, district_code: str | None = None) -> FileName:
    """Read a file's name.

    Args:
        name: without folders.
        district_code: whose drop location it lay in; None when that isn't known (a check by hand).
    """
    shown = shown_name(name)
    if reads_as_number(name):
        return FileName(shown, district_code, None, None, (file_finding("FIL-016"),))
    match = _NAME.fullmatch(visible(name))
    if match is None:
        return FileName(shown, district_code, None, None, (_unreadable(name, district_code),))
    named, dataset, quarter_text = match[1].lower(), match[2].lower(), match[3]
    district = load_districts().get(named)
    if district is None:
        return FileName(shown, district_code, None, None, (_unreadable(name, district_code),))
    if district_code is not None and district.code != district_code:
        return FileName(
            shown, district_code, None, None, (file_finding("FIL-002", named=district.code, district=district_code),)
        )
    if dataset not in load_contracts():
        return FileName(shown, district.code, None, None, (_unknown_dataset(name, district.code),))
    try:
        quarter = Quarter.parse(quarter_text)
    except ValueError:
        return FileName(shown, district.code, None, None, (_unreadable(name, district_code),))
    if quarter.year not in YEARS:
        return FileName(shown, district.code, None, None, (_unreadable(name, district_code),))
    if district.is_valid_in(quarter):
        return FileName(shown, district.code, dataset, quarter, (), match[4].lower())
    until = f" till {district.valid_to}" if district.valid_to else ""
    finding = file_finding(
        "FIL-017", district=district.code, quarter=quarter, validity=f"från {district.valid_from}{until}"
    )
    return FileName(shown, district.code, dataset, quarter, (finding,), match[4].lower())
