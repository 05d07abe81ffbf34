"""Throws broken files at intake for a while: `make fuzz SECONDS=600 SEED=1`.

Each input is a right file of some dataset and kind (CSV in every dialect, xlsx, xls), changed at random: bytes
flipped, cut, doubled, swapped for what breaks readers; parts of a workbook changed inside its archive. Every one must
get a verdict: no exception, no fault of ours (FIL-020), within limits of time and memory, and without repeating the
number that stands in it. What breaks is kept under the folder given, by seed and number.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import time
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path

import xlwt
from books import labels, typed, workbook
from files import DISTRICT, KEYS, base_row, csv_bytes

from ingest.checking import Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.feedback_workbook import as_workbook
from ingest.naming import read_name

NUMBER_TAIL = "9824"
SLOWEST_SECONDS = 20.0
MOST_MEGABYTES = 2_000
CHUNKS = [
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b'"', b'""', b"'", b"\r", b"\n", b"\r\n\r\n", b";" * 40, b"\t", b",",
    b"=cmd|' /C calc'!A0", b"=HYPERLINK(\"x\")", b"\xc3\xa5", b"\xe5", b"\x81", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"Summa", b"#N/A", b"-0", b"1e309", b"99999999999999999999", b"20050505-9824", b"2018-13-45", b"PK\x03\x04",
    b"<!DOCTYPE x [<!ENTITY a \"b\">]>", b"<c r=\"XFD1048576\"><v>1</v></c>", b"\x1a", b"sep=;\r\n", b"A" * 70_000,
]  # fmt: skip


def right_files(rng: random.Random) -> list[tuple[str, bytes]]:
    """(dataset with ending, bytes) of right files in every kind."""
    found = []
    for dataset in load_contracts():
        rows = [base_row(dataset) for _ in range(rng.randint(0, 6))]
        for encoding, separator in (("cp1252", ";"), ("utf-8-sig", ","), ("utf-8", "\t")):
            found.append((f"{dataset}.csv", csv_bytes(dataset, rows, encoding, separator)))
        cells = [labels(dataset), *(typed(dataset, row) for row in rows)]
        found.append((f"{dataset}.xlsx", workbook({dataset: cells})))
        book = xlwt.Workbook()
        sheet = book.add_sheet("Blad1")
        for place, row in enumerate(cells):
            for column, cell in enumerate(row):
                sheet.write(place, column, cell)
        buffer = io.BytesIO()
        book.save(buffer)
        found.append((f"{dataset}.xls", buffer.getvalue()))
    return found


def changed(rng: random.Random, raw: bytes) -> bytes:
    """The bytes with one to eight changes."""
    content = bytearray(raw)
    for _ in range(rng.randint(1, 8)):
        at, what = rng.randrange(len(content) + 1), rng.randrange(6)
        if what == 0 and content:
            content[at % len(content)] ^= 1 << rng.randrange(8)
        elif what == 1:
            content[at:at] = rng.choice(CHUNKS)
        elif what == 2:
            del content[at : at + rng.choice((1, 3, 50, 5000))]
        elif what == 3:
            del content[at:]
        elif what == 4:
            other = rng.randrange(len(content) + 1)
            content[at:at] = content[other : other + rng.choice((1, 20, 400))]
        else:
            content[at : at + 4] = rng.randbytes(4)
    return bytes(content)


def changed_inside(rng: random.Random, raw: bytes) -> bytes:
    """A workbook with changes inside some of its parts, packed again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        touched = set(rng.sample(names, rng.randint(1, min(3, len(names)))))
        for name in names:
            content = source.read(name)
            if name in touched:
                content = changed(rng, content)
            if not (name in touched and rng.random() < 0.1):
                target.writestr(name, content)
    return buffer.getvalue()


def main() -> int:
    """Fuzz for a while; 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("data/fuzz"))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    began, tried, broken = time.monotonic(), 0, 0
    verdicts: Counter[str] = Counter()
    slowest = 0.0
    while time.monotonic() - began < options.seconds:
        for name, raw in right_files(rng):
            inside = name.endswith(".xlsx") and rng.random() < 0.6
            content = changed_inside(rng, raw) if inside else changed(rng, raw)
            dataset, _, ending = name.partition(".")
            file = f"{DISTRICT}_{dataset}_2018Q3.{ending}"
            started = time.monotonic()
            problem = ""
            try:
                report = check_file(content, read_name(file), Circumstances(KEYS, date(2019, 1, 1), 200))
                told = "\n".join(as_text(file, report)) + repr(as_json(file, report))
                as_workbook(file, report)
                rules = {count.rule for count in report.counts()}
                if "FIL-020" in rules:
                    problem = "a fault of ours"
                if NUMBER_TAIL in told:
                    problem = "repeats the number"
                verdicts["taken in" if report.accepted else min(rules - {"FIL-012"}, default="-")] += 1
            except Exception as error:  # noqa: BLE001  (anything that gets out is what is looked for)
                problem = f"{type(error).__name__} got out"
            took = time.monotonic() - started
            slowest = max(slowest, took)
            if took > SLOWEST_SECONDS:
                problem = f"took {took:.0f} s"
            tried += 1
            if problem:
                broken += 1
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{options.seed}_{tried}_{file}").write_bytes(content)
                sys.stdout.write(f"{file} ({options.seed}, {tried}): {problem}\n")
                sys.stdout.flush()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    first_rules = dict(verdicts.most_common(12))
    sys.stdout.write(
        f"{tried} files in {time.monotonic() - began:.0f} s, seed {options.seed}: {broken} broke something\n"
        f"slowest {slowest:.2f} s, peak memory {memory:.0f} MB; verdicts by first rule: {first_rules}\n"
    )
    return 1 if broken or memory > MOST_MEGABYTES else 0


if __name__ == "__main__":
    sys.exit(main())
