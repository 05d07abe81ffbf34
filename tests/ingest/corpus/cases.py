"""What a corpus file is: its bytes, and what a check must say of it. The files are stored beside, in files/."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from ingest.contracts import EXPECTATIONS, load_contracts
from ingest.quarters import Quarter

DISTRICT, QUARTER = "bromma", "2018Q3"
_WEIGHTS = (2, 1, 2, 1, 2, 1, 2, 1, 2)
Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        file: folder and name under files/; the name says the defect (or what is fine although it looks odd).
        content: its bytes.
        accepted: whether it is taken in.
        rules: codes of exactly the rules that fire.
        name: the name under which it is submitted.
        lies_with: whose drop location it lies in; None when that isn't known.
    """

    file: str
    content: bytes
    accepted: bool
    rules: tuple[str, ...]
    name: str
    lies_with: str | None = None


def _case(file: str, content: bytes, accepted: bool, rules: str, dataset: str, given: dict[str, str]) -> Case:
    ending = file.rpartition(".")[2]
    name = given.get("name", f"{DISTRICT}_{dataset}_{QUARTER}.{ending}")
    return Case(file, content, accepted, tuple(sorted(rules.split())), name, given.get("lies_with"))


def taken(file: str, content: bytes, rules: str = "", *, dataset: str = "arenden", **given: str) -> Case:
    """A file that is taken in, with the queries that it raises."""
    return _case(file, content, True, rules, dataset, given)


def refused(file: str, content: bytes, rules: str, *, dataset: str = "arenden", **given: str) -> Case:
    """A file that is refused, with every rule that fires."""
    return _case(file, content, False, rules, dataset, given)


@lru_cache(maxsize=16)
def _base(dataset: str) -> Row:
    text = (EXPECTATIONS / dataset / "examples" / "rules.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return {name: str(value) for name, value in loaded["base"].items()}


def row(dataset: str = "arenden", **changes: str) -> Row:
    """A right row, changed."""
    return {**_base(dataset), **changes}


def headers(dataset: str = "arenden") -> list[str]:
    """The headers as the template has them."""
    return [column.label_sv for column in load_contracts(Quarter(2018, 3))[dataset].columns]


def cells(dataset: str, given: Row) -> list[str]:
    """A row's cells in the template's order."""
    return [given.get(column.name, "") for column in load_contracts(Quarter(2018, 3))[dataset].columns]


def text(records: list[list[str]], separator: str = ";", end: str = "\r\n", *, quote_all: bool = False) -> str:
    """Records as CSV; cells are quoted where they must be."""
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(records)
    return out.getvalue()


def table(dataset: str, rows: list[Row], separator: str = ";", encoding: str = "utf-8") -> bytes:
    """A CSV file with the template's headers and these rows."""
    return text([headers(dataset), *(cells(dataset, given) for given in rows)], separator).encode(encoding)


def one(dataset: str = "arenden", **changes: str) -> bytes:
    """A file of one row, changed."""
    return table(dataset, [row(dataset, **changes)])


def beside(dataset: str, **changes: str) -> bytes:
    """A file of a right row and the same row changed."""
    return table(dataset, [row(dataset), row(dataset, **changes)])


def person(day: str, serial: int) -> str:
    """A synthetic number, twelve digits with a hyphen: `day` as YYYYMMDD, `serial` 980–989."""
    assert 980 <= serial <= 989
    digits = [int(digit) for digit in f"{day[2:]}{serial}"]
    total = sum(sum(divmod(d * w, 10)) for d, w in zip(digits, _WEIGHTS, strict=True))
    return f"{day}-{serial}{-total % 10}"


BOY = {"personnummer": person("20120704", 981), "kon": "pojke"}
"""Another child than the base row's."""
OPEN = dict.fromkeys(
    ("utredning_slut", "barnet_horts", "skola_kontaktad", "insats_erbjuden", "insats", "antal_insatser_erbjudna",
     "insats_accepterad"), "",
)  # fmt: skip
"""What is empty while an investigation is open."""
