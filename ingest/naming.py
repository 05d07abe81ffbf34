"""What a file's name says: district, dataset, quarter."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass

from ingest.characters import mended, visible
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.findings import Finding, file_finding
from ingest.folding import fold
from ingest.number_search import reads_as_number
from ingest.quarters import Quarter

_NAME = re.compile(r"([a-zåäöé-]+)_([a-zåäöé_]+)_(\d{4}q\d)\.(csv|xlsx|xlsm|xlsb|xls|ods)", re.IGNORECASE)
_COPY = re.compile(r"q[1-4][ _-]*(\(\d+\)|-?\s*kopia.*|-?\s*copy.*)\.\w+$", re.IGNORECASE)
"""What file managers and browsers add to the name of a second copy."""
_COMPARED = 60
_SHOWN_BYTES = 180
_YEARS = range(2000, 2101)


@dataclass(frozen=True)
class FileName:
    """A file's name as it may be shown and stored, and what it says.

    Attributes:
        shown: the name, or a stand-in where it holds something that reads as a person's number.
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
    """A file's name without anything that could be a person's number, printable, short enough to add an ending to."""
    clean = "".join(c if c.isprintable() else "?" for c in unicodedata.normalize("NFC", name))
    masked = re.sub(r"\d{5,8}[\W_]{0,3}\d{4}|\d{8,}", "•••", clean)
    if reads_as_number(name):  # however its digits stand: none of them is shown
        masked = "".join("•" if unicodedata.digit(c, None) is not None else c for c in masked)
    return masked.encode()[:_SHOWN_BYTES].decode(errors="ignore")


def _unreadable(name: str) -> Finding:
    """The fault of a name that can't be read, with the codes that it seems to mean: districts write å, ä and ö."""
    plain = visible(name)
    parts = mended(plain, has_swedish=False).rpartition(".")[0].split("_")
    codes = [district.code for district in load_districts().districts]
    found = difflib.get_close_matches(fold(parts[0][:_COMPARED]).replace("_", "-"), codes, n=1, cutoff=0.75)
    hint = f" Stadsdelens kod är {found[0]}, skriven utan å, ä och ö." if found and parts[0].lower() != found[0] else ""
    if _COPY.search(plain):
        hint += " Ta bort det som datorn lagt till sist i namnet, som (1) eller kopia."
    return file_finding("FIL-001", hint=hint)


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
        return FileName(shown, district_code, None, None, (_unreadable(name),))
    named, dataset, quarter_text = match[1].lower(), match[2].lower(), match[3]
    district = load_districts().get(named)
    if district is None:
        return FileName(shown, district_code, None, None, (_unreadable(name),))
    if district_code is not None and district.code != district_code:
        return FileName(
            shown, district_code, None, None, (file_finding("FIL-002", named=district.code, district=district_code),)
        )
    if dataset not in load_contracts():
        finding = file_finding("FIL-003", known=", ".join(load_contracts()))
        return FileName(shown, district.code, None, None, (finding,))
    try:
        quarter = Quarter.parse(quarter_text)
    except ValueError:
        return FileName(shown, district.code, None, None, (_unreadable(name),))
    if quarter.year not in _YEARS:
        return FileName(shown, district.code, None, None, (_unreadable(name),))
    if district.is_valid_in(quarter):
        return FileName(shown, district.code, dataset, quarter, (), match[4].lower())
    until = f" till {district.valid_to}" if district.valid_to else ""
    finding = file_finding(
        "FIL-017", district=district.code, quarter=quarter, validity=f"från {district.valid_from}{until}"
    )
    return FileName(shown, district.code, dataset, quarter, (finding,), match[4].lower())
