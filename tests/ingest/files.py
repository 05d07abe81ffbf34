"""Files made of rows, and a small installation to drop them in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml

from ingest.checking import CheckReport, Circumstances, check_file
from ingest.contracts import EXPECTATIONS, Contract, load_contracts
from ingest.ledger import Ledger
from ingest.naming import read_name
from ingest.persons.keys import throwaway_keys
from ingest.quarters import Quarter
from ingest.settings import Settings

DISTRICT, QUARTER = "bromma", "2018Q3"
KEYS = throwaway_keys()


@lru_cache(maxsize=16)
def examples(dataset: str) -> dict[str, dict[str, object]]:
    """The declared example rows of a dataset."""
    path = EXPECTATIONS / dataset / "examples" / "rules.yml"
    loaded: dict[str, dict[str, object]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def base_row(dataset: str, quarter: str = QUARTER, **changes: str) -> dict[str, str]:
    """A right row of a dataset in a quarter, changed."""
    since = examples(dataset).get("since", {})
    later = {k: str(v) for first, row in since.items() if first <= quarter for k, v in row.items()}
    return {**{k: str(v) for k, v in examples(dataset)["base"].items()}, **later, **changes}


def contract_of(dataset: str, quarter: str = QUARTER) -> Contract:
    """The contract of a dataset in a quarter."""
    return load_contracts(Quarter.parse(quarter))[dataset]


def csv_bytes(
    dataset: str,
    rows: list[dict[str, str]],
    encoding: str = "cp1252",
    separator: str = ";",
    quarter: str = QUARTER,
) -> bytes:
    """A file with the headers of a quarter's contract and these rows."""
    columns = contract_of(dataset, quarter).columns
    lines = [separator.join(c.label_sv for c in columns)]
    lines += [separator.join(row.get(c.name, "") for c in columns) for row in rows]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


def check(
    raw: bytes,
    name: str = f"{DISTRICT}_arenden_{QUARTER}.csv",
    today: date = date(2019, 1, 1),
    undocumented: frozenset[str] | None = None,
) -> CheckReport:
    """Check a file's bytes without an installation."""
    return check_file(raw, read_name(name), Circumstances(KEYS, today, 200, undocumented=undocumented))


def fired(report: CheckReport) -> set[str]:
    """Codes of all rules that fired."""
    return {count.rule for count in report.counts()}


@dataclass
class Installation:
    """Settings over a temporary folder, with a drop location to put files in."""

    root: Path
    now: str = "2018-10-10T08:00:00"

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "home": self.root / "home",
                "inbox": str(self.root / "inbox"),
                "keys": self.root / "keys.json",
                "FOLLOWUP_NOW": self.now,
            }
        )

    def drop(self, name: str, raw: bytes, district: str = DISTRICT) -> Path:
        folder = self.root / "inbox" / district
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
        return folder / name

    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger)
