"""`receive` of one file of a million cases against DuckDB doing the same (duckdb_floor.py): seconds, ratios, memory.

Prints figures; asserts nothing about them. First it holds floor and intake against each other: unless both find the
same rows for the same rules, and store the same Parquet, it stops, since the floor would not be doing the same.

Every contender lives in a process of its own, warm (a small file has gone through it), and they take turns, so that
whatever else the machine does falls on all of them. Peak memory is that process's, from its start.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.checking import Circumstances, check_file
from ingest.contracts import EXPECTATIONS, load_contracts
from ingest.naming import read_name
from ingest.persons.keys import load_keys, make_keys
from ingest.quarters import Quarter
from ingest.settings import MEGABYTE, Settings
from synthetic.large_file import draw_cases_file

DISTRICT, QUARTER = "bromma", Quarter(2018, 3)
NAME = f"{DISTRICT}_arenden_{QUARTER}.csv"
NOW = "2018-10-10T08:00:00"
QUERY_EVERY = 10


@dataclass(frozen=True)
class Taken:
    """One run: seconds by the clock and of processor time, peak memory of its process, and the file's state."""

    seconds: float
    cpu: float
    peak_gib: float
    state: str


# what is measured


def installation(root: Path, file: Path) -> Settings:
    """A new installation with the file (and the list that says it is synthetic) in its drop location."""
    folder = root / "inbox" / DISTRICT
    folder.mkdir(parents=True)
    for found in file.parent.iterdir():
        shutil.copyfile(found, folder / found.name)
    make_keys(root / "keys.json")
    return Settings.model_validate(
        {
            "home": root / "home",
            "inbox": str(root / "inbox"),
            "keys": root / "keys.json",
            "FOLLOWUP_NOW": NOW,
            "max_file_megabytes": 4 * 200,
        }
    )


def by_receive(root: Path, file: Path) -> Callable[[], str]:
    """`receive` of the district's drop location: ledger, encrypted original, feedback, Parquet."""
    from ingest.receiving import receive_district

    settings = installation(root, file)
    return lambda: receive_district(settings, DISTRICT).files[-1].state


def without_great_expectations(
    name: str,
    entries: Sequence[Mapping[str, Any]],
    beside: tuple[str, Any],
    *,
    rows: int = 1,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """What `try_rules` does, with each rule's function called directly."""
    from ingest.checks.expectations import RowRule, RowsBreakingRule

    kinds = {rule.expectation_type: rule.kind for rule in RowRule.__subclasses__()}
    found: dict[str, tuple[Mapping[str, Any], Any]] = {}
    for entry in entries:
        given = {
            key: (parameters or {})[value["$PARAMETER"]] if isinstance(value, dict) and "$PARAMETER" in value else value
            for key, value in entry["kwargs"].items()
        }
        broken = RowsBreakingRule.find(beside[1], kinds[entry["type"]], given)
        found[entry["meta"]["code"]] = ({"unexpected_rows": broken}, None)
    return found


def by_receive_without_great_expectations(root: Path, file: Path) -> Callable[[], str]:
    """The same, with rules as plain function calls."""
    import ingest.checks.suites

    ingest.checks.suites.try_rules = without_great_expectations
    return by_receive(root, file)


def by_floor(root: Path, file: Path) -> Callable[[], str]:
    """DuckDB doing the same."""
    from duckdb_floor import Floor

    make_keys(root / "keys.json")
    suite = json.loads((EXPECTATIONS / "arenden" / "suite.json").read_text(encoding="utf-8"))
    floor = Floor(load_contracts()["arenden"], suite, DISTRICT, QUARTER, load_keys(root / "keys.json"))

    def run() -> str:
        result = floor.run(file, root / "rows.parquet", root / "original.bin", "floor")
        return "accepted" if result.stored else "refused"

    return run


CONTENDERS = {
    "receive": by_receive,
    "receive without GX": by_receive_without_great_expectations,
    "DuckDB floor": by_floor,
}


# processes that take turns


@dataclass(frozen=True)
class Pair:
    """A contender and the file it takes."""

    contender: str
    file: Path


def serve(pair: Pair, small: Path, pipe: Connection) -> None:
    """Warm up, then take the file each time the pipe asks for it, and send back what that took."""
    one_run(Pair(pair.contender, small))
    while pipe.recv():
        pipe.send(one_run(pair))


def one_run(pair: Pair) -> Taken:
    """One timed run in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        run = CONTENDERS[pair.contender](Path(folder), pair.file)
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        state = run()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    pa.default_memory_pool().release_unused()
    return Taken(seconds, cpu, _peak_gib(), state)


def _peak_gib() -> float:
    """The most memory this process has held. (ru_maxrss would begin with what its parent held.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def taking_turns(pairs: list[Pair], rounds: int, small: Path) -> dict[Pair, list[Taken]]:
    """Each pair in a process of its own, `rounds` times, one after the other."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[Pair, Connection] = {}
    processes = []
    for pair in pairs:
        pipes[pair], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(pair, small, theirs), daemon=True))
        processes[-1].start()
    taken: dict[Pair, list[Taken]] = {pair: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            pipes[pair].send(True)
            taken[pair].append(pipes[pair].recv())
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(False)
        process.join()
    return taken


# that both do the same


def compare(file: Path) -> str:
    """Hold intake's findings and stored rows against the floor's.

    Raises:
        AssertionError: they differ; the floor or intake is wrong.
    """
    from duckdb_floor import Floor

    from ingest.storing import Provenance, rows_to_store

    contract = load_contracts()["arenden"]
    suite = json.loads((EXPECTATIONS / "arenden" / "suite.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_keys(root / "keys.json")
        keys = load_keys(root / "keys.json")
        report = check_file(file.read_bytes(), read_name(NAME), Circumstances(keys, date(2019, 1, 1), 4 * 200))
        floor = Floor(contract, suite, DISTRICT, QUARTER, keys)
        result = floor.run(file, root / "rows.parquet", root / "original.bin", "floor")
        ours = {outcome.rule.code: outcome.rows for outcome in report.outcomes}
        assert result.rows == report.rows
        assert list(ours) == list(result.failing), f"rules: {sorted(ours)} and {sorted(result.failing)}"
        for code, rows in ours.items():
            assert np.array_equal(rows, result.failing[code]), f"{code}: the rows differ"
        stored = ""
        if result.stored:
            assert report.table is not None
            rows = pq.read_table(root / "rows.parquet").sort_by("source_row_number")  # DuckDB need not keep the order
            given = {name: rows[name][0].as_py() for name in Provenance.__dataclass_fields__}
            mine = rows_to_store(report.table, contract, Provenance(**given)).cast(rows.schema)
            for name in rows.schema.names:
                assert rows[name].equals(mine[name]), f"stored column {name} differs"
            stored = f", and the same {len(rows.schema)} columns stored"
    found = sum(len(rows) for rows in ours.values())
    return f"{report.rows} rows, {len(floor.entries)} rules: the same {found} (row, rule){stored}"


# the figures


def with_queries(clean: Path, target: Path) -> Path:
    """The clean file with another sex than the number says in every tenth row: a query each, no errors."""
    target.parent.mkdir()
    head, *lines = clean.read_bytes().split(b"\r\n")
    sex = head.split(b";").index("Kön".encode("cp1252"))
    other = {b"Pojke": b"Flicka", b"Flicka": b"Pojke"}
    for place in range(0, len(lines) - 1, QUERY_EVERY):
        cells = lines[place].split(b";")
        cells[sex] = other.get(cells[sex], cells[sex])
        lines[place] = b";".join(cells)
    target.write_bytes(b"\r\n".join([head, *lines]))
    return target


def ratio(taken: dict[Pair, list[Taken]], one: Pair, other: Pair) -> str:
    """Quotients of best and of median seconds, by the clock and of processor time."""
    best, median, cpu = (
        measure(taken[one]) / measure(taken[other]) for measure in (_best, _median, lambda t: min(r.cpu for r in t))
    )
    return f"{best:.2f} best, {median:.2f} median, {cpu:.2f} of processor time"


def _best(taken: list[Taken]) -> float:
    return min(run.seconds for run in taken)


def _median(taken: list[Taken]) -> float:
    return statistics.median(run.seconds for run in taken)


def main() -> None:
    """Draw, compare, measure in turns, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=4)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        drawn = {"clean": (given.rows, 0.0), "bad": (given.rows, 0.1), "small": (10_000, 0.0), "tiny": (10, 0.0)}
        for name, (rows, share) in drawn.items():
            draw_cases_file(root / name / NAME, DISTRICT, QUARTER, rows, 7, share)
        clean, bad, small, tiny = (root / name / NAME for name in drawn)
        queries = with_queries(clean, root / "queries" / NAME)
        print(f"{given.rows} rows, {clean.stat().st_size / MEGABYTE:.0f} MB of Windows-1252, {_load()}")
        for name, file in (("clean", clean), ("10 % bad", bad), ("10 % queries", queries)):
            print(f"  {name}: {compare(file)}")
        pairs = {
            "clean": Pair("receive", clean),
            "clean, without GX": Pair("receive without GX", clean),
            "clean, floor": Pair("DuckDB floor", clean),
            "10 % bad": Pair("receive", bad),
            "10 % bad, floor": Pair("DuckDB floor", bad),
            "10 % queries": Pair("receive", queries),
            "10,000 rows": Pair("receive", small),
            "10,000 rows, floor": Pair("DuckDB floor", small),
            "10 rows": Pair("receive", tiny),
        }
        taken = taking_turns(list(pairs.values()), given.rounds, small)
        for name, pair in pairs.items():
            runs = taken[pair]
            print(
                f"  {name:20} best {_best(runs):6.2f} s, median {_median(runs):6.2f} s, "
                f"processor {min(run.cpu for run in runs):5.2f} s, peak {runs[-1].peak_gib:.2f} GiB, {runs[-1].state}"
            )
        for name, one, other in (
            ("receive / floor", "clean", "clean, floor"),
            ("receive / without GX", "clean", "clean, without GX"),
            ("receive / floor, 10 % bad", "10 % bad", "10 % bad, floor"),
            ("10 % bad / clean", "10 % bad", "clean"),
            ("10 % queries / clean", "10 % queries", "clean"),
            ("receive / floor, 10,000 rows", "10,000 rows", "10,000 rows, floor"),
        ):
            print(f"  {name:28} {ratio(taken, pairs[one], pairs[other])}")
        print(f"  {_load()}; bounds: floor 1.00, 10 % bad 1.50, 10,000 rows 0.5 s, peak 2 GiB")


def _load() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
