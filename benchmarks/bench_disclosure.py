"""Suppression of a city's linked tables (`followup protect`): hidden cells, seconds, what the audit finds.

About 70,000 cases of 14 districts (two mergers) and eight quarters are drawn and counted: single dimensions and sex ×
age band by quarter and by year, for districts, merged units and the city; reason × sex by district and year; all pairs
of dimensions for the city and year. All are published together and so linked: 16,000 cells, a tenth of them 1 to 4.

Prints figures; asserts nothing. The bounds to compare with, on two cores: protected within 10 s, audited within 15 s,
no audit failure, under 0.3 % of what is counted hidden. `--crossed` says how many unpublished crossed cells the
audit carries for margins in a cycle.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from publish.suppression.auditing import PublicTable, audit, cell_of
from publish.suppression.linked import Linked
from publish.suppression.protecting import Requirement, protect

DISTRICTS, QUARTERS = 14, 8
SIZES = {"reason": 19, "source": 17, "sex": 2, "age_band": 4, "socioeconomic": 3, "referral": 2, "intervention": 11}
SINGLES = [("reason",), ("source",), ("sex", "age_band"), ("socioeconomic",), ("referral",), ("intervention",)]
LARGE = 150
TOTALS = {"district": "city"} | dict.fromkeys(SIZES, "all")
D = [f"d{number}" for number in range(DISTRICTS)]
MERGED = {"d0": "m0", "d1": "m0", "d2": "m1", "d3": "m1"}
TREES: dict[str, list[dict[str, str]]] = {
    "district": [
        dict.fromkeys(D, "city"),
        MERGED | dict.fromkeys(["m0", "m1", *D[4:]], "city"),
    ],
    "period": [{f"q{number}": f"y{number // 4}" for number in range(QUARTERS)}],
    "reason": [
        {f"reason{n}": "child" if n < 9 else "adult" if n < 16 else "either" for n in range(19)}
        | dict.fromkeys(["child", "adult", "either"], "all")
    ],
}
Key = tuple[tuple[str, str], ...]


def draw(seed: int) -> pd.DataFrame:
    """Cases with a district, a quarter and a code of each dimension; some codes far rarer than others."""
    random = np.random.default_rng(seed)
    frames = []
    for district in D:
        size = random.integers(300, 901)
        shares = {}
        for name, count in SIZES.items():
            steep = 0.8 ** np.arange(count) if count > 4 else np.full(count, 1.0)
            weights = steep * random.lognormal(0, 0.3, count)
            shares[name] = weights / weights.sum()
        for quarter in range(QUARTERS):
            count = int(size * random.normal(1, 0.06))
            frame = {name: random.choice(SIZES[name], count, p=share) for name, share in shares.items()}
            frames.append(pd.DataFrame(frame).assign(district=district, period=f"q{quarter}"))
    cases = pd.concat(frames, ignore_index=True)
    for name in SIZES:
        cases[name] = name + cases[name].astype(str)
    return cases


def ancestors(dimension: str, code: str) -> set[str]:
    """The code and all that it is part of."""
    found = {code}
    for tree in TREES.get(dimension, [{code: TOTALS.get(dimension, code)}]):
        at = code
        while at in tree and tree[at] != at:
            at = tree[at]
            found.add(at)
    return found


def codes_of(dimension: str) -> list[str]:
    """All codes of a dimension, its sums included."""
    leaves = [f"{dimension}{number}" for number in range(SIZES[dimension])]
    return sorted({above for leaf in leaves for above in ancestors(dimension, leaf)})


def specifications() -> Iterator[tuple[tuple[str, ...], list[str], list[str]]]:
    """The tables: dimensions, districts, periods."""
    everywhere, quarters, years = [*D, "m0", "m1", "city"], [f"q{n}" for n in range(QUARTERS)], ["y0", "y1"]
    for dimensions in SINGLES:
        yield dimensions, everywhere, quarters + years
    yield ("reason", "sex"), everywhere, years
    for pair in combinations(SIZES, 2):
        yield pair, ["city"], years


def count(cases: pd.DataFrame, dimensions: tuple[str, ...]) -> Mapping[tuple[str, ...], int]:
    """Counts of all cells of a cut, sums included."""
    names = ["district", "period", *dimensions]
    found: dict[tuple[str, ...], int] = {}
    for codes, size in cases.groupby(names).size().items():
        for cell in product(*(ancestors(name, code) for name, code in zip(names, codes, strict=True))):
            found[cell] = found.get(cell, 0) + int(size)
    return found


def tabulate(cases: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Every table: its name and its rows with a column `key` that names the cell."""
    tables = []
    for number, (dimensions, districts, periods) in enumerate(specifications()):
        names = ["district", "period", *dimensions]
        counts = count(cases, dimensions)
        cells = list(product(districts, periods, *(codes_of(name) for name in dimensions)))
        rows = pd.DataFrame(cells, columns=names).assign(count=[counts.get(cell, 0) for cell in cells])
        rows["key"] = [tuple((n, c) for n, c in sorted(zip(names, cell, strict=True)) if c != TOTALS.get(n))
                       for cell in cells]  # fmt: skip
        tables.append((f"table {number}", rows))
    return tables


def link(tables: list[tuple[str, pd.DataFrame]]) -> tuple[Linked, dict[Key, int]]:
    """The linked system of all tables' cells."""
    number: dict[Key, int] = {}
    values: list[int] = []
    for _, rows in tables:
        for key, value in zip(rows["key"], rows["count"], strict=True):
            if number.setdefault(key, len(values)) == len(values):
                values.append(value)
    relations: set[tuple[int, ...]] = set()
    for key, whole in number.items():
        codes = dict(key)
        for name in ("district", "period", *SIZES):
            flat = [{f"{name}{n}": "all" for n in range(SIZES.get(name, 0))}]
            for tree in TREES.get(name, flat):
                children = [c for c, parent in tree.items() if parent == codes.get(name, TOTALS.get(name))]
                parts = [number.get(tuple(sorted((codes | {name: child}).items()))) for child in children]
                if parts and all(part is not None for part in parts):
                    relations.add((whole, *(part for part in parts if part is not None)))
    ordered = sorted(relations)
    starts = np.cumsum([0] + [len(relation) for relation in ordered])
    data = np.array([-1 if at == 0 else 1 for relation in ordered for at in range(len(relation))])
    columns = np.array([cell for relation in ordered for cell in relation])
    matrix = csr_matrix((data, columns, starts), shape=(len(ordered), len(values)))
    counts = np.array(values, dtype=np.int64)
    none = np.zeros(len(counts), dtype=np.bool_)
    primary = (counts > 0) & (counts < Requirement().threshold)
    preferred = counts >= LARGE
    for key, at in number.items():
        if len(key) <= 2:  # of the district or the city as a whole, or a single dimension of the city
            preferred[at] = True
    return Linked(counts, matrix, primary, none, preferred & ~primary), number


def main() -> None:
    """Draw, count, protect, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--crossed", type=int, default=20_000)
    arguments = parser.parse_args()
    tables = tabulate(draw(arguments.seed))
    linked, number = link(tables)
    print(
        f"{len(linked.values)} cells, {linked.relations.shape[0]} relations, {linked.primary.sum()} primary", flush=True
    )
    done = protect(linked, Requirement(), processes=arguments.processes)
    secondary = done.suppressed & ~linked.primary
    share = linked.values[done.suppressed].sum() / linked.values.sum()
    print(
        f"protected in {done.seconds:.1f} s by {done.programs} programs: {secondary.sum()} secondary "
        f"({(linked.values[secondary] == 0).sum()} zeros), {100 * share:.2f} % of what is counted hidden, "
        f"{len(done.unsolved)} unsolved",
        flush=True,
    )
    public = []
    for name, rows in tables:
        hidden = done.suppressed[[number[key] for key in rows["key"]]]
        shown = rows.drop(columns="key").assign(count=rows["count"].where(~hidden).astype("Int64"))
        public.append(PublicTable(name, tuple(shown.columns.drop("count")), shown))
    protected = [cell_of(dict(key), TOTALS) for key, at in number.items() if linked.primary[at]]
    for attacker, full in (("plain", False), ("strong", False), ("plain", True)):
        began = time.monotonic()
        found = audit(public, TREES, TOTALS, attacker=attacker, protected=protected, full=full,
                      most_crossed_cells=arguments.crossed if not full else 0)  # fmt: skip
        what = "all bounds, no crossed cells" if full else f"{found.crossed_cells} crossed cells"
        exact = sum(failure.bounds.low == failure.bounds.high for failure in found.failures)
        print(
            f"{attacker} audit in {time.monotonic() - began:.1f} s ({what}): {found.programs} programs, "
            f"{found.integer_programs} over whole numbers, {len(found.failures)} failures, {exact} known exactly, "
            f"narrowest interval {found.narrowest:g}, {found.undecided} undecided, "
            f"{len(found.left_out)} cycles left out",
            flush=True,
        )


if __name__ == "__main__":
    main()
