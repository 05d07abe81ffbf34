"""Tables in long form: a CSV file with a column per dimension, `count`, and maybe `suppressed`.

Read for `followup protect` and `followup audit`, from anyone's tables, not only this warehouse's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from publish.suppression.public_system import circle_in

TOTAL = "alla"
"""The total's code where no hierarchy names it."""
_TRUE, _FALSE = frozenset({"true", "1", "ja", "yes"}), frozenset({"false", "0", "nej", "no", ""})
_DELIMITERS = (";", ",", "\t")


class BadCells(ValueError):
    """The file can't be read as a table in long form; the message says where and what to do."""


@dataclass(frozen=True)
class Dimension:
    """A dimension and its hierarchies."""

    name: str
    total: str
    trees: tuple[Mapping[str, str], ...]
    """Each child → parent, up to the total. All of them end in it: what a tree leaves out is part of the total."""
    leaves: tuple[str, ...]
    sums: tuple[str, ...]
    """The codes that have parts, the total last."""

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes, the leaves first."""
        return self.leaves + self.sums

    def held(self, code: str, above: tuple[str, ...] = ()) -> frozenset[str]:
        """The leaves that a code holds, itself if it is one.

        Raises:
            BadCells: it is part of itself, over several trees.
        """
        if code == self.total:
            return frozenset(self.leaves)
        if code in self.leaves:
            return frozenset({code})
        if code in above:
            raise BadCells(f"{self.name}: over its hierarchies {code} is part of itself")
        parts = next(found for tree in self.trees if (found := [c for c, parent in tree.items() if parent == code]))
        return frozenset().union(*(self.held(part, (*above, code)) for part in parts))


@dataclass(frozen=True)
class Row:
    """One row: codes in the dimensions' order. An empty count is None."""

    line: int
    codes: tuple[str, ...]
    count: int | None
    is_suppressed: bool


@dataclass(frozen=True)
class LongTable:
    """A table in long form."""

    dimensions: tuple[Dimension, ...]
    rows: tuple[Row, ...]
    delimiter: str

    def named(self, codes: Sequence[str]) -> str:
        """A cell's name in messages."""
        return ", ".join(f"{d.name} {code}" for d, code in zip(self.dimensions, codes, strict=True))


def read_cells(path: Path, trees: Mapping[str, Sequence[Path]], *, needs_suppressed: bool) -> LongTable:
    """Read a table.

    Args:
        path: the file, UTF-8, divided by commas, semicolons or tabs.
        trees: by dimension the files of its hierarchies.
        needs_suppressed: the column `suppressed` must be there, and a suppressed row's count may be empty.

    Raises:
        BadCells: anything is wrong with it.
    """
    header, lines, delimiter = _read(path)
    if lacking := [name for name in trees if name not in header]:
        raise BadCells(f"{path.name}: no column {lacking[0]}; there are {', '.join(header)}")
    if "count" not in header:
        raise BadCells(f"{path.name}: no column count; there are {', '.join(header)}")
    if needs_suppressed and "suppressed" not in header:
        raise BadCells(f"{path.name}: no column suppressed; there are {', '.join(header)}")
    if unnamed := [name for name in header if name not in trees and name not in ("count", "suppressed")]:
        raise BadCells(f"{path.name}: column {unnamed[0]} is no dimension that --dim names; name it or leave it out")
    at = {name: number for number, name in enumerate(header)}
    rows: list[Row] = []
    lines_by_codes: dict[tuple[str, ...], int] = {}
    for line, values in lines:
        where = f"{path.name} line {line}"
        codes = tuple(values[at[name]] for name in trees)
        if "" in codes:
            raise BadCells(f"{where}: no code for {list(trees)[codes.index('')]}")
        if codes in lines_by_codes:
            names = ", ".join(f"{name} {code}" for name, code in zip(trees, codes, strict=True))
            raise BadCells(f"{where}: the cell {names} stood in line {lines_by_codes[codes]} already")
        lines_by_codes[codes] = line
        is_suppressed = "suppressed" in at and _truth(where, values[at["suppressed"]])
        count = _count(where, values[at["count"]])
        if count is None and not (needs_suppressed and is_suppressed):
            raise BadCells(f"{where}: no count" + ("" if needs_suppressed else "; protecting needs all true counts"))
        rows.append(Row(line, codes, count, is_suppressed))
    if not rows:
        raise BadCells(f"{path.name}: no rows")
    dimensions = tuple(
        _dimension(name, [read_tree(file) for file in files], dict.fromkeys(row.codes[number] for row in rows))
        for number, (name, files) in enumerate(trees.items())
    )
    return LongTable(dimensions, tuple(rows), delimiter)


def read_tree(path: Path) -> dict[str, str]:
    """Read a hierarchy: a CSV file with the columns child and parent.

    Raises:
        BadCells: a column lacks, a child has two parents, or the hierarchy goes in a circle.
    """
    header, lines, _ = _read(path)
    for name in ("child", "parent"):
        if name not in header:
            raise BadCells(f"{path.name}: no column {name}; a hierarchy has the columns child and parent")
    tree: dict[str, str] = {}
    for line, values in lines:
        child, parent = values[header.index("child")], values[header.index("parent")]
        if not child or not parent:
            raise BadCells(f"{path.name} line {line}: child or parent is empty")
        if tree.setdefault(child, parent) != parent:
            raise BadCells(f"{path.name} line {line}: {child} is part of {tree[child]} already")
    if (start := circle_in(tree)) is not None:
        raise BadCells(f"{path.name}: the hierarchy goes in a circle at {start}")
    if not tree:
        raise BadCells(f"{path.name}: no rows")
    return tree


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]], str]:
    """Header, rows with their line numbers, and the delimiter."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCells(f"{path.name}: not UTF-8 (byte {error.start + 1}); save it as CSV UTF-8") from None
    except OSError as error:
        raise BadCells(f"{path.name}: can't be read ({error.strerror})") from None
    if "\0" in text:
        raise BadCells(f"{path.name}: not a text file in UTF-8; save it as CSV UTF-8")
    first = next((line for line in text.splitlines() if line.strip()), None)
    if first is None:
        raise BadCells(f"{path.name}: the file is empty")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    try:
        for values in reader:
            stripped = [value.strip() for value in values]
            if not any(stripped):
                continue
            if not header:
                header = stripped
                if double := [name for name in header if header.count(name) > 1]:
                    raise BadCells(f"{path.name}: two columns are named {double[0] or 'nothing'}")
            elif len(stripped) != len(header):
                raise BadCells(
                    f"{path.name} line {reader.line_num}: {len(stripped)} values, the header has {len(header)} columns"
                )
            else:
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        raise BadCells(f"{path.name} line {reader.line_num}: not readable as CSV ({error})") from None
    return header, rows, delimiter


def _count(where: str, text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    raise BadCells(f"{where}: the count is not a whole number of 0 or more, in plain digits")


def _truth(where: str, text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise BadCells(f"{where}: suppressed is neither true nor false (also 1, 0, ja, nej)")


def _dimension(name: str, trees: Sequence[Mapping[str, str]], seen: Mapping[str, None]) -> Dimension:
    """A dimension as its table uses it: codes that no row has, and that hold none that one has, are left out."""
    if not trees:
        leaves = tuple(code for code in seen if code != TOTAL)
        if not leaves:
            raise BadCells(f"{name}: only {TOTAL}, nothing that it is the sum of")
        return Dimension(name, TOTAL, (dict.fromkeys(leaves, TOTAL),), leaves, (TOTAL,))
    roots = {code for tree in trees for code in tree.values() if not any(code in other for other in trees)}
    bottom = {code for tree in trees for code in tree} - {code for tree in trees for code in tree.values()}
    whole = [root for root in sorted(roots) if any(_below(root, tree) >= bottom for tree in trees)]
    # A table may have a total above a hierarchy's own.
    total = whole[0] if len(whole) == 1 and TOTAL not in seen else TOTAL
    named = {code for tree in trees for pair in tree.items() for code in pair} | {total}
    if unknown := [code for code in seen if code not in named]:
        raise BadCells(f"{name} {unknown[0]} is in no hierarchy of {name}")
    if total in {child for tree in trees for child in tree}:
        raise BadCells(f"{name}: {total} is the total, and is a part of something in a hierarchy")
    # Bottom up: a code is used when a row has it or a used one is part of it.
    used = set(seen) - {total}
    for tree in trees:
        for code in list(used):
            while (code := tree.get(code, total)) != total:
                used.add(code)
    wholes = {tree[code] for tree in trees for code in used if code in tree}
    leaves = tuple(code for code in seen if code in used and code not in wholes)
    sums = tuple(sorted(used & wholes))
    if not leaves:
        raise BadCells(f"{name}: only {total}, nothing that it is the sum of")
    own = tuple({code: parent for code, parent in tree.items() if code in used} for tree in trees)
    return _completed(Dimension(name, total, own, leaves, (*sums, total)))


def _completed(dimension: Dimension) -> Dimension:
    """The dimension with all trees ending in the total: what a tree leaves out is part of it directly.

    Raises:
        BadCells: a code holds something else in one tree than in another.
    """
    completed = []
    for tree in dimension.trees:
        named = {code for pair in tree.items() for code in pair} - {dimension.total}
        inside = frozenset().union(*(dimension.held(code) for code in named))
        tops = [code for code in dimension.codes if code in named and code not in tree]
        tops += [code for code in dimension.leaves if code not in inside]
        whole_tree = dict(tree) | dict.fromkeys(tops, dimension.total)
        for whole in sorted(set(whole_tree.values())):
            parts = [dimension.held(code) for code, parent in whole_tree.items() if parent == whole]
            if sum(map(len, parts)) != len(dimension.held(whole)) or frozenset().union(*parts) != dimension.held(whole):
                raise BadCells(f"{dimension.name}: {whole} holds something else in one hierarchy than in another")
        completed.append(whole_tree)
    return replace(dimension, trees=tuple(completed))


def _below(root: str, tree: Mapping[str, str]) -> set[str]:
    """All codes that end in the root."""
    found = set()
    for start in tree:
        at = start
        while at in tree:
            at = tree[at]
        if at == root:
            found.add(start)
    return found
