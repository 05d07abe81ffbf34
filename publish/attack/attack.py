"""Attack a release by everything this package knows, on a drawn sample within a time, or in full."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from publish.attack import all_of_n, attributes, averaging, bounds, durations, files, presence, successive
from publish.attack.cells import UNKNOWN, Rows, Waiting
from publish.attack.figures import Counts, Declared, Figures, Floats
from publish.attack.likelihood import Deviation
from publish.attack.relations import System, relations_of
from publish.attack.report import AttackReport, Limits
from publish.attack.samples import Sample, families_of, samples

Found = TypeVar("Found", all_of_n.AllFound, presence.PresenceFound)
MOST_RELATIONS = 600
"""Of one linear program."""
MOST_SUMS = 2000
"""Of one linear system of averages."""
PROGRAMS = 40
"""Cells of a sample whose bounds are sought by linear programs: half of them those with the narrowest before."""
GROUPS = 6
"""Measures of a unit and period whose small counts are guessed by averaging, per sample."""
LEAST_SAMPLES = 8


@dataclass(frozen=True)
class Beside:
    """What a release holds beside its figures; each is attacked where it is given."""

    durations: Sequence[tuple[str, durations.Durations, durations.TrueDurations]] = ()
    trials: Sequence[successive.Trial] = ()
    """Pairs of releases made as this one was, with one record between them."""
    folder: Path | None = None
    secrets: Sequence[bytes] = ()
    """A sample of keys that may be in no file."""


@dataclass
class _Found:
    """What the samples have given until now."""

    attacked: int = 0
    samples: int = 0
    waiting: int = 0
    is_cut_short: bool = False
    spread: list[tuple[Floats, Floats, Counts]] = field(default_factory=list)
    programs: list[tuple[Floats, Floats, Counts]] = field(default_factory=list)
    solved: int = 0
    undecided: int = 0
    insider: list[tuple[Floats, Floats, Counts]] = field(default_factory=list)
    insider_gained: int = 0
    averaging: list[tuple[averaging.Guesses, Counts]] = field(default_factory=list)
    claims: list[tuple[attributes.Claims, Counts]] = field(default_factory=list)
    all_of_n: list[all_of_n.AllFound] = field(default_factory=list)
    presence: list[presence.PresenceFound] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Solving:
    """The linear programs of a sample that are being solved: of these cells, with these true counts of all."""

    intervals: Future[bounds.Intervals]
    picked: Rows
    true: Counts


def attack(
    figures: Figures,
    declared: Declared,
    deviation: Deviation,
    truth: Figures,
    *,
    limits: Limits | None = None,
    known: tuple[str, ...] = ("sex", "age_band"),
    beside: Beside | None = None,
    waiting: Collection[Waiting] = (),
    seed: int = 0,
    samples_wanted: int | None = None,
    seconds: float = 60.0,
    full: bool = False,
    most_figures: int = 100_000,
    on_sample: Callable[[int, int], None] = lambda done, wanted: None,
) -> AttackReport:
    """Attack a release.

    Args:
        figures: every published figure of the release, and perhaps of releases before it.
        declared: what readers know of them.
        deviation: the public parameters.
        truth: every true count of the releases, published or not, as `published`, by the same `release`; it
            chooses which cells are looked at and scores what was found, and takes no part in finding it.
        limits: the policy's.
        known: what is known of a child besides unit and period.
        beside: durations, pairs of releases, files.
        waiting: groups that are published as they were although what they count has changed. Their relations do not
            hold, `truth` is not of their figures, and nothing is scored by them.
        seed: of the sample.
        samples_wanted: how many are drawn; None: each family of measures once, and at least eight.
        seconds: after which the attack is cut short. Otherwise the same seed finds the same on every machine.
        full: instead every figure, and linear programs for every small count, however long it takes.
        most_figures: of one sample; memory grows with it, some 5 kB per figure.
        on_sample: called before each sample with how many are done, of how many.
    """
    limits, beside, begun = limits or Limits(), beside or Beside(), time.monotonic()
    random = np.random.default_rng(seed)
    changes = successive.score(beside.trials, deviation) if beside.trials else None
    of_durations = tuple((name, durations.score(rows, true, deviation)) for name, rows, true in beside.durations)
    in_files = files.inspect(beside.folder, beside.secrets) if beside.folder else ()
    found, families = _Found(), len(families_of(figures, declared))
    until = None if full else begun + seconds
    drawn = samples(figures, declared, len(figures) if full else most_figures, random)
    wanted = families if full else samples_wanted or max(families, LEAST_SAMPLES)
    with ThreadPoolExecutor(1) as solver:  # linear programs let the rest go on meanwhile, on a second core
        solving: _Solving | None = None
        for sample in islice(drawn, wanted):
            if until is not None and time.monotonic() > until:
                found.is_cut_short = True
                break
            on_sample(found.samples, wanted)
            before, solving = (
                solving,
                _attack_sample(
                    sample, declared, deviation, truth, limits, known, waiting, random, found, until, solver
                ),
            )
            _take_in(before, found, until)
        _take_in(solving, found, until)
    return AttackReport(
        seed,
        full,
        time.monotonic() - begun,
        found.is_cut_short,
        len(figures),
        found.attacked,
        found.samples,
        found.waiting,
        bounds.score(*_joined(found.spread), limits.width),
        bounds.score(*_joined(found.programs), limits.width, found.solved, found.undecided),
        bounds.score(*_joined(found.insider), limits.width),
        found.insider_gained,
        _averaged(found.averaging, limits.small),
        attributes.score(found.claims, limits.sure, limits.by_city),
        _pooled(all_of_n.AllFound, found.all_of_n),
        _pooled(presence.PresenceFound, found.presence),
        changes,
        of_durations,
        in_files,
    )


def _attack_sample(
    sample: Sample,
    declared: Declared,
    deviation: Deviation,
    truth: Figures,
    limits: Limits,
    known: tuple[str, ...],
    waiting: Collection[Waiting],
    random: np.random.Generator,
    found: _Found,
    until: float | None,
    solver: Executor,
) -> _Solving:
    """Attack a sample by everything but linear programs, which are begun."""
    system = relations_of(sample.figures, declared, deviation, all_units=sample.all_units)
    cells = system.cells
    measures = [name for name in sample.figures.names[0] if sample.figures.where("measure", name).any()]
    true = cells.true_of(truth.take(truth.where("measure", *measures)))
    is_waiting = cells.of_groups(waiting)
    if is_waiting.any():
        system = system.without(is_waiting)
    true[is_waiting] = UNKNOWN
    found.waiting += int((is_waiting & (cells.row >= 0)).sum())
    newest = cells.newest()
    small = np.flatnonzero(newest & (true > 0) & (true <= limits.small) & ~cells.is_exact)
    found.attacked += len(sample.figures)
    found.samples += 1
    low, high = bounds.spread(system)
    found.spread.append((low[small], high[small], true[small]))
    _attack_by_insider(system, true, small, (low, high), limits, random, found)
    order = small[np.argsort((high - low)[small], kind="stable")]
    picked = random.permutation(small)
    if until is not None:
        picked = np.unique(np.concatenate([order[: PROGRAMS // 2], picked[: PROGRAMS // 2]]))
    picked = random.permutation(picked)
    solving = solver.submit(bounds.bound, system, (low, high), picked, most_relations=MOST_RELATIONS, until=until)
    names = tuple(sorted(declared.sensitive))
    found.claims += [(claim, true) for claim in attributes.claims_of(cells, deviation, known, names)]
    found.all_of_n.append(all_of_n.score(cells, true))
    found.presence.append(presence.score(cells, true))
    if sample.all_cuts:  # with fewer cuts there are fewer sums, and averaging would look weaker than it is
        guesses = averaging.average(
            system,
            deviation,
            random.permutation(small),
            most_relations=MOST_SUMS,
            most_groups=None if until is None else GROUPS,
            until=until,
            earlier=cells.earlier_draws() if len(sample.figures.names[sample.figures.column("release")]) > 1 else None,
            small=limits.small,
        )
        found.averaging.append((guesses, true[guesses.cells]))
    return _Solving(solving, picked, true)


def _take_in(solving: _Solving | None, found: _Found, until: float | None) -> None:
    """Wait for the linear programs of a sample."""
    if solving is None:
        return
    by_programs = solving.intervals.result()
    found.programs.append((by_programs.low, by_programs.high, solving.true[by_programs.cells]))
    found.solved, found.undecided = found.solved + by_programs.programs, found.undecided + by_programs.undecided
    found.is_cut_short |= len(by_programs.cells) < len(solving.picked)
    found.is_cut_short |= until is not None and time.monotonic() > until


def _attack_by_insider(
    system: System,
    true: Counts,
    small: Rows,
    outside: tuple[Floats, Floats],
    limits: Limits,
    random: np.random.Generator,
    found: _Found,
) -> None:
    """As a unit that knows its own counts in every cut, also as the units that it was, against the others'."""
    cells = system.cells
    names = cells.figures.names[cells.figures.column("unit")]
    units_today, today = np.unique([cells.declared.current.get(name, name) for name in names], return_inverse=True)
    units = today[cells.codes[:, cells.figures.column("unit")]]
    city = int(np.searchsorted(units_today, cells.declared.city))
    own_units = np.setdiff1d(np.unique(units), [city])
    if len(own_units) < 2 or not len(small):  # of one there are no others
        return
    own = np.flatnonzero(units == random.choice(own_units))
    own_known = own[true[own] != UNKNOWN]
    known = dict(zip(own_known.tolist(), true[own_known].tolist(), strict=True))
    low, high = bounds.spread(system, known)
    others = small[~np.isin(small, own)]
    others = others[units[others] != city]
    found.insider.append((low[others], high[others], true[others]))
    was = outside[1][others] - outside[0][others]
    right = (low[others] <= true[others]) & (true[others] <= high[others])
    found.insider_gained += int((right & (was >= limits.width) & (high[others] - low[others] < limits.width)).sum())


def _averaged(parts: list[tuple[averaging.Guesses, Counts]], small: int) -> averaging.AveragingFound:
    true = np.concatenate([one for _, one in parts] or [np.zeros(0, dtype=np.int64)])
    return averaging.score(averaging.joined([guesses for guesses, _ in parts]), true, small)


def _joined(parts: list[tuple[Floats, Floats, Counts]]) -> tuple[Floats, Floats, Counts]:
    if not parts:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    low, high, true = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return low, high, true


def _pooled(kind: type[Found], parts: list[Found]) -> Found:
    """Whole numbers are added up; shares are weighted by the first field, the number of cells."""
    names = [one.name for one in fields(kind)]
    table = [[getattr(part, name) for name in names] for part in parts]
    weights = [row[0] for row in table]
    values: list[Any] = []
    for place in range(len(names)):
        column = [row[place] for row in table]
        if any(isinstance(value, float) for value in column):
            held = [(value, weight) for value, weight in zip(column, weights, strict=True) if weight]
            values.append(sum(value * weight for value, weight in held) / sum(weights) if held else 0.0)
        else:
            values.append(sum(column))
    return kind(*values)
