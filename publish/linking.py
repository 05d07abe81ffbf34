"""From cut cells and the ledger's memory of earlier releases to one linked system.

A variable of the system is an instance of a cell: the cell and its true value. A figure that did not change between
two releases is one instance, known by readers to be unchanged; one that changed is a new one, and the old stays in the
system with the sums it stood in. What went out keeps its pattern: shown stays shown, hidden stays hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.ledger.releases import ReleaseCell
from publish.linked import Linked
from publish.policy import Policy
from publish.primary import needs_protection, rather_shown
from publish.sums import COLUMNS, Nesting, as_matrix


@dataclass(frozen=True)
class Known:
    """What readers know from earlier releases."""

    instances: pd.DataFrame
    """A row per figure and stretch of releases that held it: `key`, `version`, `value`, `is_shown`, `is_left_out` (its
    row did not go out: readers were not told it), `since` (release) and `until` (the release that no longer held it; 0
    while it stands)."""

    @cached_property
    def newest(self) -> pd.DataFrame:
        """The newest figure of each cell, by key; `stands` is false where no newer release holds the cell."""
        last = self.instances.drop_duplicates("key", keep="last").set_index("key")
        return last.assign(stands=last["until"] == 0)

    def of(self, keys: pd.Series) -> pd.DataFrame:
        """The newest figure of each of these cells: as `newest`, missing where readers know none.

        A cell that was none, where others of its place, period and cut were told, was known to be 0 (version 0): nobody
        in the city had its code.
        """
        newest = self.newest
        told = newest.index[newest["stands"].eq(True) & newest["is_left_out"].eq(False)]
        found = newest.reindex(keys)
        was_zero = found["version"].isna().to_numpy() & _kind(keys).isin(set(_kind(told.to_series()))).to_numpy()
        zero = {"version": 0, "value": 0, "is_shown": True, "is_left_out": False, "stands": True}
        for column, value in zero.items():
            found[column] = found[column].astype(object).mask(was_zero, value)
        return found


@dataclass(frozen=True)
class Layer:
    """The cells of one release with complements, and the number of each in the system."""

    cells: pd.DataFrame
    """`COLUMNS`, `version` and `is_primary`; complements after the others."""
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class System:
    """The linked system of a release to come and all earlier ones."""

    linked: Linked
    current: Layer
    earlier: dict[int, Layer]
    """Of releases that told figures which the one to come doesn't tell."""
    told: dict[int, pd.DataFrame]
    """What those releases told: cells with `version` and `is_shown`."""
    changed: tuple[str, ...]
    """Keys of cells that had gone out with another value: this release revises them."""
    exposed: tuple[int, ...]
    """Cells (rows of the current layer) that were shown before and need protection now: 0 of nobody that now would be
    a rate of 0 % of somebody; or shown under another policy. Shown or hidden they tell it; only left out they don't."""

    def keys(self) -> dict[int, str]:
        """Number of a variable → the cell's key."""
        layers = (*self.earlier.values(), self.current)
        return {int(n): str(key) for one in layers for n, key in zip(one.numbers, one.cells["key"], strict=True)}


def _kind(keys: pd.Series) -> pd.Series:
    """Of a cell's key what it shares with the others of its measure, place, period and cut."""
    return keys.str.replace(r"=[^,|]*", "", regex=True)


def remember(history: Iterable[ReleaseCell]) -> Known:
    """What the releases in the ledger told. `history` is ordered by release."""
    rows: list[list[object]] = []
    last: dict[str, list[object]] = {}  # key → its newest row
    for one in history:
        before = last.get(one.cell)
        if before is not None and before[-1] == 0:
            before[-1] = one.release_id
        if one.value is None:
            continue
        is_same = before is not None and before[2] == one.value and before[4] == one.is_left_out
        version = 1 if before is None else int(str(before[1])) + (not is_same)
        shown = before[3] if before is not None and is_same else one.is_shown
        last[one.cell] = [one.cell, version, one.value, shown, one.is_left_out, one.release_id, 0]
        rows.append(last[one.cell])
    kinds = {
        "key": str,
        "version": int,
        "value": int,
        "is_shown": bool,
        "is_left_out": bool,
        "since": int,
        "until": int,
    }
    return Known(pd.DataFrame(rows, columns=list(kinds)).astype(kinds))


def _earlier(known: Known, now: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Release → its cells, for the releases that told figures which `now` (`key`, `version`) doesn't tell.

    Of consecutive releases that told the same such figures the first stands for all.
    """
    told = known.instances
    current = dict(zip(now["key"], now["version"], strict=True))
    is_past = np.array(
        [current.get(k) != str(v) for k, v in zip(told["key"], told["version"], strict=True)], dtype=bool
    )
    past = told[is_past & ~told["is_left_out"].to_numpy(dtype=bool)]
    layers: dict[int, pd.DataFrame] = {}
    for release in sorted({*past["since"], *past["until"]} - {0}):
        if ((past["since"] <= release) & ((past["until"] == 0) | (past["until"] > release))).any():
            here = told[(told["since"] <= release) & ((told["until"] == 0) | (told["until"] > release))]
            parts = (
                here["key"].str.split("|", expand=True).set_axis(["measure", "geography", "period", "codes"], axis=1)
            )
            out = here["is_left_out"]
            layers[int(release)] = pd.concat([here, parts], axis=1).assign(is_internal=out, is_protecting=~out)
    return {release: layer.reset_index(drop=True) for release, layer in layers.items()}


def link(cells: pd.DataFrame, nesting: Nesting, policy: Policy, known: Known) -> System:
    """The system of these cells and of all that readers know.

    Args:
        cells: what is to go out (`COLUMNS`), without complements; internal are those whose rows are left out.
        nesting: what lies in what.
        policy: what needs protection.
        known: from earlier releases.

    Raises:
        ValueError: a part counts more than its whole.
    """
    before = known.of(cells["key"])
    is_told = ~cells["is_internal"].to_numpy(dtype=bool)
    was_held, was_told = before["version"].notna().to_numpy(), before["is_left_out"].eq(False).to_numpy()
    is_same = (before["value"].to_numpy() == cells["value"].to_numpy()) & was_held & (was_told == is_told)
    version = before["version"].fillna(0).astype(np.int64).to_numpy() + ~is_same
    is_sealed = is_same & is_told
    system = _System(nesting, policy)
    now = system.layer(cells.assign(version=version))
    told = _earlier(known, now.cells.iloc[: len(cells)])
    earlier = {release: system.layer(layer) for release, layer in told.items()}
    hidden, sealed = np.zeros(len(system.values), dtype=bool), np.zeros(len(system.values), dtype=bool)
    here = now.numbers[: len(cells)]
    sealed[here[is_sealed]] = True
    hidden[here[is_sealed & ~before["is_shown"].eq(True).to_numpy()]] = True
    for release, layer in earlier.items():
        old = told[release]
        numbers = layer.numbers[: len(old)]
        was_out = ~old["is_internal"].to_numpy(dtype=bool)
        sealed[numbers[was_out]] = True
        hidden[numbers[was_out & ~old["is_shown"].to_numpy(dtype=bool)]] = True
    preferred = np.zeros(len(system.values), dtype=bool)
    preferred[now.numbers] = rather_shown(now.cells, policy)
    primary = np.array(system.primary, dtype=bool)
    # Made public before it needed protection: no pattern can hide it any more.
    primary &= ~(sealed & ~hidden)
    linked = Linked(
        values=np.array(system.values, dtype=np.int64),
        relations=as_matrix(list(system.relations), len(system.values)),
        primary=primary,
        internal=np.array(system.internal, dtype=bool),
        suppressed=hidden,
        sealed=sealed,
        preferred_shown=preferred & ~primary & ~hidden & ~sealed,
    )
    changed = cells["key"].to_numpy()[was_told & is_told & ~is_same]
    is_primary = now.cells["is_primary"].to_numpy(dtype=bool)[: len(cells)]
    exposed = np.flatnonzero(is_sealed & ~hidden[here] & is_primary)
    return System(linked, now, earlier, told, tuple(changed), tuple(exposed.tolist()))


def changes_of(cells: pd.DataFrame, system: System, known: Known) -> pd.DataFrame:
    """The cells that differ from the ledger's: `key`, `row` (in `cells`; −1: there is no such cell), `primary`."""
    before = known.newest.reindex(cells["key"])
    is_same = (before["value"].to_numpy() == cells["value"].to_numpy()) & before["stands"].eq(True).to_numpy()
    is_same &= before["is_left_out"].eq(True).to_numpy() == cells["is_internal"].to_numpy(dtype=bool)
    changed = pd.DataFrame({"key": cells["key"], "row": np.arange(len(cells))})[~is_same]
    changed["primary"] = system.linked.primary[system.current.numbers[changed["row"].to_numpy()]]
    stands = known.newest[known.newest["stands"].eq(True)] if len(known.newest) else known.newest
    gone = stands.index.difference(pd.Index(cells["key"]))
    return pd.concat([changed, pd.DataFrame({"key": gone, "row": -1, "primary": False})], ignore_index=True)


def to_remember(
    number: int, changes: pd.DataFrame, cells: pd.DataFrame, hidden: NDArray[np.bool_]
) -> Iterator[ReleaseCell]:
    """What the ledger is to keep of a release: of each change the cell as the release leaves it."""
    values, is_left_out = cells["value"].to_numpy(), cells["is_internal"].to_numpy(dtype=bool)
    for key, row, primary in zip(changes["key"], changes["row"], changes["primary"], strict=True):
        if row < 0:
            yield ReleaseCell(number, str(key), None, False, False)
        else:
            is_shown = not (hidden[row] or is_left_out[row])
            yield ReleaseCell(number, str(key), int(values[row]), is_shown, bool(primary), bool(is_left_out[row]))


class _System:
    """The system as it grows, release by release."""

    def __init__(self, nesting: Nesting, policy: Policy) -> None:
        self._nesting, self._policy = nesting, policy
        self._numbers: dict[tuple[str, str], int] = {}
        self.values: list[int] = []
        self.primary: list[bool] = []
        self.internal: list[bool] = []
        self.relations: dict[tuple[int, ...], None] = {}

    def layer(self, cells: pd.DataFrame) -> Layer:
        """Add the cells of one release, their complements and their sums."""
        sums = self._nesting.sums(cells)
        rest, triples = self._nesting.complements(cells)
        versions = cells["version"].astype(str).tolist()
        versions += [f"{versions[whole]}/{versions[part]}" for whole, part, _ in triples]
        together = pd.concat([cells[COLUMNS], rest], ignore_index=True).assign(version=versions)
        together["is_primary"] = needs_protection(together, self._nesting.tables, self._policy)
        same = self._same(cells["value"].to_numpy(), together, triples)
        numbers = self._add(together, same)
        for relation in (*sums, *(one for one in triples if same.get(one[1]) != one[0])):
            whole, *parts = relation
            self.relations[int(numbers[whole]), *sorted(int(numbers[part]) for part in parts)] = None
        return Layer(together, numbers)

    def _same(
        self, values: NDArray[np.int64], together: pd.DataFrame, triples: list[tuple[int, int, int]]
    ) -> dict[int, int]:
        """Part → whole, by row, where the part is what could be timed or followed and that is all of the whole.

        Nearly always it is, and readers know that: the two are shown or hidden as one.
        """
        protecting = together["is_protecting"].to_numpy(dtype=bool)
        internal = together["is_internal"].to_numpy(dtype=bool)
        parts = {part for _, part, rest in triples if protecting[rest]}
        return {
            part: whole
            for whole, part, rest in triples
            if not (protecting[rest] or internal[part] or internal[whole])
            and part not in parts
            and values[part] == values[whole]
        }

    def _add(self, cells: pd.DataFrame, same: dict[int, int]) -> NDArray[np.int64]:
        numbers = np.empty(len(cells), dtype=np.int64)
        columns: Sequence[list[object]] = [
            cells[c].tolist() for c in ("key", "version", "value", "is_primary", "is_internal")
        ]
        for row, (key, version, value, primary, internal) in enumerate(zip(*columns, strict=True)):
            if row in same:
                continue
            number = self._numbers.setdefault((str(key), str(version)), len(self.values))
            if number == len(self.values):
                self.values.append(int(value))
                self.primary.append(bool(primary))
                self.internal.append(bool(internal))
            numbers[row] = number
        for row in same:
            whole = same[row]
            while whole in same:
                whole = same[whole]
            numbers[row] = numbers[whole]
        return numbers


def rows_told_by(key: str, at: dict[str, int]) -> list[int]:
    """The row of a cell; of a complement those of its part and of its whole, in that order."""
    measure, place = key.split("|", 1)
    whole, _, part = measure.partition("−")
    return [at[f"{name}|{place}"] for name in (part, whole) if name]
