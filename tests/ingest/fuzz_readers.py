"""Throws broken files at intake for a while: `make fuzz SECONDS=600 SEED=1`.

Each input is a file of some dataset and kind (CSV in every dialect, xlsx, xls, ods). Its cells are spoilt at random:
control characters, ends of lines, what is no character, garbled and invisible letters, numbers in formats that show
zeros, rows cut short, totals. Then its bytes: flipped, cut, doubled, swapped for what breaks readers; parts of a
workbook changed inside its archive. Some are changed in their cells only, so that they get past the reader. Every one
must get a verdict: no exception, no fault of ours (FIL-020), within limits of time and memory, and without repeating
the number that stands in it. What breaks is stored under the folder given, by seed and number.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from files import DISTRICT, KEYS, base_row
from workbook_files import Cell, Shown, labels, old_workbook, open_document, typed, workbook

from ingest.checking import Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.feedback_workbook import as_workbook
from ingest.naming import read_name

NUMBER_TAIL = "9824"
HASH = "#"
"""Apart, so that no number of a ticket is read here."""
SLOWEST_SECONDS = 20.0
MOST_MEGABYTES = 2_000
CHUNKS = [
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b'"', b'""', b"'", b"\r", b"\n", b"\r\n\r\n", b";" * 40, b"\t", b",",
    b"=cmd|' /C calc'!A0", b"=HYPERLINK(\"x\")", b"\xc3\xa5", b"\xe5", b"\x81", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"Summa", b"#N/A", b"-0", b"1e309", b"99999999999999999999", b"20050505-9824", b"2018-13-45", b"PK\x03\x04",
    b"&#13;", b"_x000D_", b"&#0;", b"&#xD800;", b"&#xFFFE;", b"_x0000_", b"\xef\xbf\xbe", b"\xed\xbf\xbf", b"\xc2\x85",
    b"\xe2\x80\xa8", b"\xe2\x80\x8b", b"\xc3\x83\xc2\xa5", b' s="1" t="str"', b'formatCode="000000"', b"Standard",
    b"<text:p>0007</text:p>", b"<!DOCTYPE x [<!ENTITY a \"b\">]>", b"<c r=\"XFD1048576\"><v>1</v></c>", b"\x1a",
    b"sep=;\r\n", b"A" * 70_000,
]  # fmt: skip
ODD = [
    *map(chr, range(32)), "\r\n", "\x7f", "\x80", "\x85", "\x9f", "\xa0", "\xad", "\u2028", "\u2029", "\u200b",
    "\u200f",
    "\u2060", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff", "\ud800", "\udfff",
    "\ud83d\ude00", "\ue000", "\U000e0041", "Ã¤", "Ã…", "†", "\u2030", "?", "&auml;", "_x000D_", "_x0000_",
    "\u0301", "\u0430",
    "\uff11", "\u0661", "\u2013", "\u2212", "\u2019", '"', '="', '="000123"', "'", ";", ",", "|", "#N/A", "=1+1",
    "17.0",
    "1,23E+11", "1e309", "nan", "-0", "9" * 40, "å" * 600, "jan-18", "06-dec", "2018-07-01T22:00:00Z", "23:59:59.9",
]  # fmt: skip
NUMBERS = [0, 7, 123, 43173, 43173.99999, 60, -1, 20181001, 505059824, 201003159801, 10**15, 2018000000001234, 1e300]
FORMATS = [
    "000000", "0000-0000", '"A"0000', "000;-000;", "Standard", "Allmänt;@", "[$-41D]General", "yyyy-mm-dd", "[h]:mm",
    "yyyy-mm-dd hh:mm", "0.00", f"#,#{HASH}0", "@", '"\n"000', '"\x01"00', "000_)", "*-00", "\\å000", "0" * 200,
    '"', "[",
    "\\",
]  # fmt: skip
VALUES: list[Cell] = [
    date(2018, 1, 1), datetime(2018, 7, 1, 22, 0), datetime(2018, 7, 1, 23, 59, 17), date(1900, 1, 1), True, False,
    "", 1.5,
]  # fmt: skip
TOTALS = ["Summa", "Totalt Bromma", "Alla", "varav", "Delsumma", "S:a", "Grand Total"]
MAKERS: dict[str, Callable[[dict[str, list[list[Cell]]]], bytes]] = {
    "xlsx": workbook, "xls": old_workbook, "ods": open_document
}  # fmt: skip


def spoilt_text(rng: random.Random, text: str) -> str:
    """A text with something odd in it, before it, behind it or instead of it."""
    odd, at = "".join(rng.choices(ODD, k=rng.choice((1, 1, 1, 2)))), rng.randrange(len(text) + 1)
    return rng.choice((odd + text, text + odd, text[:at] + odd + text[at:], odd))


def spoilt(rng: random.Random, cells: list[Cell]) -> list[Cell]:
    """A row with some cells spoilt; now and then a total, or cut short."""
    found = list(cells)
    for _ in range(rng.choice((0, 1, 1, 2, len(found)))):
        at = rng.randrange(len(found))
        what = rng.randrange(4)
        if what < 2:
            found[at] = spoilt_text(rng, str(found[at]))
        elif what == 2:
            number = rng.choice(NUMBERS)
            found[at] = Shown(number, rng.choice(FORMATS), rng.choice((f"{number}", f"00{number}", f"A-{number}", "")))
        else:
            found[at] = rng.choice(VALUES)
    if rng.random() < 0.1:
        found[rng.randrange(min(3, len(found)))] = rng.choice(TOTALS)
    return found[: rng.randrange(len(found) + 1)] if rng.random() < 0.1 else found


def as_csv(rng: random.Random, rows: list[list[Cell]], encoding: str, separator: str) -> bytes:
    """Rows as CSV: quoted where needed, everywhere or nowhere; what an encoding lacks goes in as bytes of UTF-8."""
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = rng.choice(("\r\n", "\n", "\n", "\r"))
    if rng.random() < 0.2:
        text = end.join(separator.join(map(as_saved, row)) for row in rows)
    else:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(
            [as_saved(cell) for cell in row] for row in rows
        )
        text = out.getvalue()
    codec = encoding.removesuffix("-sig")
    raw = b"".join(_encoded(character, codec) for character in text)
    return b"\xef\xbb\xbf" + raw if encoding.endswith("-sig") else raw


def _encoded(character: str, codec: str) -> bytes:
    try:
        return character.encode(codec)
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


def as_saved(cell: Cell) -> str:
    """A cell as a CSV has it."""
    return cell.text if isinstance(cell, Shown) else "" if cell is None else str(cell)


def without_surrogates(cells: list[Cell]) -> list[Cell]:
    """Cells that writers of workbooks take: they refuse lone surrogates, and xlwt texts beyond its limit."""
    return [cell.encode("utf-8", "replace").decode()[:30_000] if isinstance(cell, str) else cell for cell in cells]


def files(rng: random.Random) -> list[tuple[str, bytes]]:
    """(dataset with ending, bytes) of files in every kind, right or with spoilt cells."""
    found = []
    for dataset in load_contracts():
        rows = [labels(dataset), *(typed(dataset, base_row(dataset)) for _ in range(rng.randint(0, 6)))]
        is_spoilt = rng.random() < 0.7
        if is_spoilt:
            rows = [row if at == 0 and rng.random() < 0.9 else spoilt(rng, row) for at, row in enumerate(rows)]
        for encoding, separator in (("cp1252", ";"), ("utf-8-sig", ","), ("utf-8", "\t")):
            found.append((f"{dataset}.csv", as_csv(rng, rows, encoding, separator)))
        sheet = {dataset: [without_surrogates(row) for row in rows]}
        found += [(f"{dataset}.{ending}", make(sheet)) for ending, make in MAKERS.items()]
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
        for name, raw in files(rng):
            inside = name.endswith((".xlsx", ".ods")) and rng.random() < 0.6
            content = raw if rng.random() < 0.4 else changed_inside(rng, raw) if inside else changed(rng, raw)
            dataset, _, ending = name.partition(".")
            file = f"{DISTRICT}_{dataset}_2018Q3.{ending}"
            started = time.monotonic()
            problem = ""
            try:
                report = check_file(content, read_name(file), Circumstances(KEYS, date(2019, 1, 1), 200))
                reported = "\n".join(as_text(file, report)) + repr(as_json(file, report))
                as_workbook(file, report)
                rules = {count.rule for count in report.counts()}
                if "FIL-020" in rules:
                    problem = "a fault of ours"
                if NUMBER_TAIL in reported:
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
