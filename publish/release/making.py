"""Making a release's figures: from the keyed marts to what readers get, the same for the same data, keys and policy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ingest.ledger.draws import Draw
from publish.cell_keys.keys import Group
from publish.cell_keys.ptable import PTable, make_ptable
from publish.cell_keys.revisions import Decided, decide, group_of
from publish.cell_keys.sketch import masked
from publish.marts.declared import Mart, Measures
from publish.policy import CellKeyPolicy
from publish.release.changes import parts_of, sketches_of
from publish.release.choosing import is_published
from publish.release.coherent import Coherence
from publish.release.compared import rank_fill_rates
from publish.release.deriving import Method, Published, derive
from publish.release.drawing import Drawing
from publish.release.equity import derive_equity
from publish.release.groups import published_groups, salts_of
from publish.release.held import Held, hold, unfinished
from publish.release.keyed import TODAY, Flags, KeyedMart, Rows, keyed_warehouse, merged_units, read_mart
from publish.release.periods import quarters_in
from publish.release.pilot import derive_pilot_effect
from publish.release.vacancies import derive_vacancies

Sketched = TypeVar("Sketched", Draw, Decided)
EQUITY, PILOT, VACANCIES = "mart_equity", "mart_pilot_effect", "mart_vacancies"
RECRUITMENT = "mart_recruitment"


@dataclass(frozen=True, eq=False)
class Made:
    """The figures of a release.

    Attributes:
        marts: mart → its published figures, of all rows that could be published.
        chosen: mart → which of its rows are published.
        decided: what the release does with each group of figures.
        ptable: with which the counts deviate.
        successors: unit → the unit that it is part of today, where that is another.
    """

    marts: Mapping[str, Published]
    chosen: Mapping[str, Flags]
    decided: Sequence[Decided]
    ptable: PTable
    successors: Mapping[str, str]

    def held(self) -> list[Group]:
        """Groups whose correction waits."""
        return [one.group for one in self.decided if one.decision == "held"]

    def forget_rates(self) -> None:
        """Make room: rates and their limits are in the release's file, and no attack looks at them."""
        for found in self.marts.values():
            for name in found.rows.mart.rates:
                for end in ("", "_low", "_high"):
                    found.numbers.pop(f"{name}{end}", None)
        give_back()

    def quarters(self) -> list[str]:
        """The quarters of which counts of persons are published."""
        periods = {(one.group.period_kind, one.group.period) for one in self.decided if one.salt}
        return sorted(
            {quarter for period in periods for quarter in quarters_in(period) if len(quarters_in(period)) == 1}
        )


def make(
    warehouse: Path,
    declared: Mapping[str, Mart],
    measures: Measures,
    policy: CellKeyPolicy,
    secret: bytes,
    *,
    earlier: Sequence[Draw] = (),
    locked: Collection[str] = (),
    current: Path | None = None,
    until: str | None = None,
    is_yearly_revision: bool = False,
    on_step: Callable[[str], None] = lambda what: None,
) -> Made:
    """Make the figures of a release.

    Args:
        warehouse: the private file with the schema `keyed`.
        declared, measures: from `publish.marts.declared`.
        policy: of the cell keys.
        secret: the installation's noise secret.
        earlier: draws of all releases that have gone out.
        locked: quarters whose figures are final.
        current: the file of the current release, for figures whose correction waits.
        until: no later quarter.
        is_yearly_revision: whether corrections that waited are taken in now.
        on_step: called with what is being done.

    Raises:
        NotKeyed: the warehouse lacks a mart or column.
        WarehouseFailed: it can't be read.
    """
    ptable = make_ptable(policy.js, policy.greatest_deviation, policy.variance)
    with keyed_warehouse(warehouse) as connection:
        read: list[KeyedMart] = []
        for name, mart in declared.items():
            on_step(f"reading {name}")
            read.append(read_mart(connection, mart, until=until))
        found = connection.execute(
            "select district_code from warehouse.core.dim_district where kind = 'district'"
        ).fetchall()
        successors = merged_units(connection)
    districts = {str(code) for (code,) in found}
    on_step("drawing salts")
    salts = salts_of(read, measures, secret)
    wanted = published_groups(read)
    groups = {group: salt for group, salt in salts.items() if group in wanted}
    sketches = sketches_of(read, measures, secret)
    known = {group_of(draw) for draw in earlier}
    gone = {one for one in known if one.basis == TODAY and one.unit in successors}
    decided = decide(
        groups,
        _masked(earlier, secret),
        cap=policy.draws,
        sealed=sealed_periods(groups, locked),
        is_yearly_revision=is_yearly_revision,
        sketches=sketches,
        parts=parts_of({*groups, *known}, successors),
        least_changed=policy.least_changed,
        gone=gone,
        unfinished=unfinished([one.rows for one in read], current) - gone,
    )
    decided = _masked(decided, secret)
    is_held = {one.group for one in decided if one.decision == "held"}
    held = [hold(one.rows, is_held, current) for one in read]
    del read
    made = _figures(held, measures, decided, Method(policy, ptable, secret), districts, successors, on_step)
    give_back()
    return made


def give_back() -> None:
    """Return freed memory to the system: some hundred megabytes that what follows would use beside its own."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _masked(given: Sequence[Sketched], secret: bytes) -> list[Sketched]:
    """Draws with their sketches masked for the ledger, or as they were before."""
    made = masked([one.sketch for one in given], [one.salt for one in given], secret)
    return [replace(one, sketch=sketch) for one, sketch in zip(given, made, strict=True)]


def sealed_periods(groups: Collection[Group], locked: Collection[str]) -> set[tuple[str, str]]:
    """Periods of groups all of whose quarters are locked."""
    periods = {(group.period_kind, group.period) for group in groups}
    return {one for one in periods if quarters_in(one) and set(quarters_in(one)) <= set(locked)}


def _figures(
    held: Sequence[Held],
    measures: Measures,
    decided: Sequence[Decided],
    method: Method,
    districts: Collection[str],
    successors: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Made:
    rows: list[Rows] = [one.rows for one in held]
    on_step("drawing counts")
    drawing = Drawing(rows, measures, {one.group: one.salt for one in decided}, method.secret, method.ptable)
    new = {one.group for one in decided if one.has_changed}
    coherence = Coherence(
        rows,
        measures,
        [one.columns for one in held],
        [one.was_capped() for one in held],
        new,
        successors,
        method.policy,
    )
    counts = [one.counts(drawn) for one, drawn in zip(held, drawing.counts(), strict=True)]
    give_back()
    coherence.apply(counts)
    del coherence  # a third of all memory
    shifts = drawing.shifts()
    del drawing
    give_back()
    marts: dict[str, Published] = {}
    for place, (one, shift) in enumerate(zip(held, shifts, strict=True)):
        name = one.rows.mart.mart
        on_step(f"deriving {name}")
        marts[name] = derive(one.rows, counts[place], shift, method)
        counts[place] = {}  # room for the next
        one.rows.forget_keys()
        one.restore(marts[name])
    if VACANCIES in marts:
        derive_vacancies(marts[VACANCIES])
    if PILOT in marts:
        derive_pilot_effect(marts[PILOT], method.ptable)
    if EQUITY in marts:
        derive_equity(marts[EQUITY], marts, districts, method.ptable, method.policy.duration_step_days)
    chosen = {name: is_published(found, method.policy) for name, found in marts.items()}
    if RECRUITMENT in marts:
        rank_fill_rates(marts[RECRUITMENT], chosen[RECRUITMENT], districts, method.ptable)
    if EQUITY in marts:
        chosen[EQUITY] = marts[EQUITY].counts.pop("is_there") > 0
    return Made(marts, chosen, decided, method.ptable, successors)
