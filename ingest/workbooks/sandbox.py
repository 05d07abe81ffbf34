"""Reading Excel and OpenDocument workbooks in a process of its own; nothing in them is run."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.contracts import Contract
from ingest.findings import Finding, Unreadable, count_with_noun, file_finding, file_rules
from ingest.folding import fold
from ingest.reading.headers import column_place, no_headers
from ingest.workbooks.other_kinds import about_kind
from ingest.workbooks.refusals import OTHER_KIND

_PROCESS = Path(__file__).with_name("process.py")
_WALL_SECONDS = 300
_ZIP, _OLE = b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENDINGS = {"csv": "csv", "xlsx": "xlsx", "xlsm": "xlsx", "xls": "xls", "ods": "ods"}
_KINDS = {
    "csv": "en textfil (CSV)",
    "xlsx": "en Excelarbetsbok",
    "xls": "en Excelarbetsbok i det äldre formatet",
    "ods": "ett OpenDocument-kalkylblad",
}
_PASSED_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")


class WorkbookReaderFailed(Exception):
    """The process that reads workbooks failed by a fault of ours; its text holds nothing of the file."""


@dataclass(frozen=True)
class SheetText:
    """The sheet that was read, as text.

    Attributes:
        kind: `xlsx`, `ods` or `xls`.
        headers: cells of the header row, as far as any row reaches.
        unused: positions (from 0) without header or any cell.
        body: the rows below as CSV: UTF-8, `;`, as many fields as headers, blank rows left out.
        row_numbers: int32, each row as Excel numbers it.
        findings: what is odd about the workbook.
        days: column of the contract → rows whose cell is a date although none is due, and the days.
        titles: the sheet's name, and cells above the headers.
    """

    kind: str
    headers: list[str]
    unused: frozenset[int]
    body: bytes
    row_numbers: npt.NDArray[np.int32]
    findings: tuple[Finding, ...]
    days: dict[str, list[tuple[int, str]]]
    titles: tuple[str, ...]


def is_workbook(raw: bytes) -> bool:
    """Whether the bytes are an archive or an old IntakeContext document, and so no CSV."""
    return raw[:2] == _ZIP or raw[:8] == _OLE


def wrong_ending(ending: str, kind: str) -> list[Finding]:
    """A query when a file's ending says something else than its bytes."""
    if not ending or _ENDINGS.get(ending.lower(), kind) == kind:
        return []
    return [file_finding("FIL-037", ending=ending.lower(), kind=_KINDS[kind], right=kind)]


def read_sheet(raw: bytes, contract: Contract, most_columns: int) -> SheetText:
    """Read the sheet of a workbook that bears a contract's headers.

    Args:
        raw: the whole file.
        contract: says which headers are known and which columns hold dates.
        most_columns: a sheet with more columns in use is refused.

    Raises:
        Unreadable: no workbook, damaged, locked, too large, never calculated, or no sheet bears the headers.
        WorkbookReaderFailed: a fault of ours.
    """
    request = {
        "known": contract.header_lookup(),
        "dates": [column.name for column in contract.columns if column.type == "date"],
        "sheet_names": sorted({fold(contract.dataset), fold(contract.title_sv)}),
        "most_columns": most_columns,
        "required": sum(not column.optional for column in contract.columns),
    }
    facts, numbers, body = _ask_process(raw, request)
    if "refused" in facts:
        raise Unreadable(_refusal(facts["refused"], facts["facts"], contract, most_columns))
    headers = facts["headers"]
    return SheetText(
        facts["kind"],
        headers,
        frozenset(range(len(headers))) - frozenset(facts["filled"]),
        body,
        np.frombuffer(numbers, np.int32),
        tuple(_oddities(facts, headers, contract)),
        _days(facts["dates"], headers, contract),
        tuple(facts["titles"]),
    )


def read_any_sheet(raw: bytes, most_columns: int) -> tuple[list[str], bytes]:
    """The headers of a workbook's first table, whatever they are, and the rows below as `SheetText.body`.

    Raises:
        Unreadable, WorkbookReaderFailed: as `read_sheet`.
    """
    request = {"known": {}, "dates": [], "sheet_names": [], "most_columns": most_columns, "required": 0, "is_any": True}
    facts, _, body = _ask_process(raw, request)
    if "refused" in facts:
        rule = facts["refused"] if facts["refused"] in file_rules() else "FIL-021"
        raise Unreadable(Finding(rule, "error", None, None, ""))
    return facts["headers"], body


def _days(
    dates: dict[str, list[tuple[int, str]]], headers: list[str], contract: Contract
) -> dict[str, list[tuple[int, str]]]:
    """The date cells by column of the contract."""
    known = contract.header_lookup()
    named = ((known.get(fold(headers[int(place)])), days) for place, days in dates.items() if int(place) < len(headers))
    return {name: days for name, days in named if name is not None}


def _ask_process(raw: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """Facts, row numbers and body, as `ingest.workbooks.process` returns them."""
    question = json.dumps(request).encode()
    environment = {name: os.environ[name] for name in _PASSED_ENVIRONMENT if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-I", str(_PROCESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a panic's text may hold cells
        env=environment,
    ) as process:
        try:
            said, _ = process.communicate(struct.pack("<I", len(question)) + question + raw, _WALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Unreadable(file_finding("FIL-027", kind="den tar för lång tid att läsa")) from None
    if process.returncode < 0:
        raise Unreadable(file_finding("FIL-027", kind="den går inte att läsa inom gränserna för minne och tid"))
    if process.returncode or len(said) < 12:
        raise WorkbookReaderFailed(f"the workbook process ended with {process.returncode}")
    lengths = struct.unpack_from("<III", said)
    first, second = 12 + lengths[0], 12 + lengths[0] + lengths[1]
    return json.loads(said[12:first]), said[first:second], said[second:]


def _refusal(rule: str, facts: dict[str, Any], contract: Contract, most_columns: int) -> Finding:
    if rule == OTHER_KIND:
        return about_kind(facts["kind"])
    given = dict(facts)
    row = given.get("row")
    if rule == "FIL-021":
        return no_headers(contract, given.get("hint", ""))
    if rule == "FIL-022":
        given["limit"] = most_columns
    if rule == "FIL-023":
        given["limit"] = 1_000_000
    return file_finding(rule, **{**given, "row": row or None})


def _oddities(facts: dict[str, Any], headers: list[str], contract: Contract) -> list[Finding]:
    """Queries about the workbook: what was read although hidden, what was not read."""
    known = contract.header_lookup()
    names = [known.get(fold(header)) for header in headers]
    found = []
    if facts["above"]:
        above = count_with_noun(facts["above"], "ifylld rad ovanför", "ifyllda rader ovanför")
        read, them = ("läst", "den") if facts["above"] == 1 else ("lästa", "dem")
        found.append(file_finding("FIL-034", header_row=facts["header_row"], above=above, read=read, them=them))
    if facts["others"]:
        others = ", ".join(str(other) for other in facts["others"])
        found.append(file_finding("FIL-033", sheet=facts["sheet"], sheets=facts["sheets"], others=others))
    if facts["hidden_rows"]:
        rows = count_with_noun(facts["hidden_rows"], "dold eller bortfiltrerad rad", "dolda eller bortfiltrerade rader")
        read, them, they = ("läst", "den", "den") if facts["hidden_rows"] == 1 else ("lästa", "dem", "de")
        found.append(file_finding("FIL-031", rows=rows, read=read, them=them, they=they))
    if struck := facts["struck_rows"]:
        one = f"Rad {struck[0]} är överstruken, men läst som alla andra. Ta bort den"
        several = (
            f"{len(struck)} rader är överstrukna, den första är rad {struck[0]}, men lästa som alla andra. Ta bort dem"
        )
        found.append(file_finding("FIL-071", rows=one if len(struck) == 1 else several))
    hidden = [p for p in facts["hidden_columns"] if p <= len(names) and names[p - 1] is not None]
    if facts["sheet_hidden"]:
        found.append(file_finding("FIL-032", what=f"Blad {facts['sheet']} är dolt, men är läst"))
    if hidden:
        places = ", ".join(column_place(p) for p in hidden)
        found.append(file_finding("FIL-032", what=f"Kolumn {places} är dolda men är lästa" if len(hidden) > 1
                                  else f"Kolumn {places} är dold men är läst"))  # fmt: skip
    return found
