"""Attacking a release before it is proposed: its figures in long form, and what everybody knows of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.organisation import whole_code
from publish.attack.attack import Beside, attack
from publish.attack.cells import Waiting
from publish.attack.figures import Declared, Figures
from publish.attack.likelihood import Deviation
from publish.attack.report import AttackReport, Limits
from publish.cell_keys.keys import Group
from publish.marts.declared import Mart, Measures, family_of
from publish.policy import Policy
from publish.release.beside import beside
from publish.release.choosing import cuts_of
from publish.release.coordinates import keys_of
from publish.release.deriving import Published
from publish.release.groups import counted_in
from publish.release.keyed import Flags, Rows
from publish.release.known import relations_known
from publish.release.making import Made, give_back
from publish.release.periods import QUARTER, TOTAL, quarters_in

QUARTERS, UNITS = 5, 2
"""Of a drawn sample: quarters in a row, and units of today of which all cuts are attacked (of all units single ones).
"""
MOST_FIGURES = 60_000
"""Of a sample: some 300 MB."""
Checked = Literal[
    "exact", "insider_exact", "narrower", "insider", "averaging", "sure", "rows", "durations", "files"
]  # fmt: skip


@dataclass(frozen=True)
class Attacked:
    """What the attacks on a release found.

    Attributes:
        report: their figures.
        measured: those that can block a release, beside the policy's limits.
        breaches: what the policy forbids.
    """

    report: AttackReport
    measured: Mapping[Checked, Measured]
    breaches: tuple[Measured, ...]


def attack_release(
    made: Made,
    declared: Mapping[str, Mart],
    measures: Measures,
    policy: Policy,
    release_id: int,
    *,
    seed: int,
    is_full: bool = False,
    folder: Path | None = None,
    secret: bytes = b"",
) -> Attacked:
    """Attack a drawn sample of a release, or all of it.

    Args:
        made: the figures.
        declared, measures: what they were made by.
        policy: limits and seconds (`attack`).
        release_id: the number of the release.
        seed: of the sample (`seed_of`); it is in the certificate.
        is_full: all figures, however long it takes.
        folder: of the release's files, where they are written.
        secret: may be in no file.
    """
    random = np.random.default_rng(seed)
    published, truth, known = sample_of(made, declared, measures, policy, release_id, None if is_full else random)
    give_back()
    found = {name: (one, made.chosen[name]) for name, one in made.marts.items()}
    more = beside(found, random, folder, secret)
    waiting = measures_of((one.group for one in made.decided if one.decision == "held"), published)
    return attack_figures(published, truth, known, policy, seed=seed, is_full=is_full, more=more, waiting=waiting)


def sample_of(
    made: Made,
    declared: Mapping[str, Mart],
    measures: Measures,
    policy: Policy,
    release_id: int,
    random: np.random.Generator | None,
) -> tuple[Figures, Figures, Declared]:
    """The published and the true counts of a drawn sample, or of everything, and what readers know of them.

    Args:
        made, declared, measures, policy, release_id: as for `attack_release`.
        random: draws the sample; None: everything.
    """
    scope = None if random is None else _scope(made, random)
    found = {name: (one, made.chosen[name]) for name, one in made.marts.items()}
    published, truth = long_form(found, declared, release_id, scope)
    known = relations_known(found, declared, measures, policy, made.successors)
    if scope is not None:
        units = published.names[published.column("unit")]
        known = replace(known, single_cuts=frozenset(units) - scope.units)
    return published, truth, known


def measures_of(groups: Iterable[Group], published: Figures) -> set[Waiting]:
    """The measures of some groups, as the figures name them."""
    measures: dict[str, list[str]] = {}
    for measure in published.names[published.column("measure")]:
        measures.setdefault(family_of(measure), []).append(measure)
    return {
        (measure, one.unit, one.basis, f"{one.period_kind}:{one.period}")
        for one in groups
        for measure in measures.get(one.family, ())
    }


def attack_figures(
    published: Figures,
    truth: Figures,
    known: Declared,
    policy: Policy,
    *,
    seed: int,
    is_full: bool,
    more: Beside | None = None,
    waiting: Collection[Waiting] = (),
    on_sample: Callable[[int, int], None] = lambda done, wanted: None,
) -> Attacked:
    """The same from figures in long form, and what there is beside them.

    `on_sample` is called with how many samples are done, of how many.
    """
    limits, unit = policy.attack, published.column("unit")
    report = attack(
        published,
        known,
        Deviation(policy.cell_keys.js, policy.cell_keys.greatest_deviation, policy.cell_keys.variance),
        truth,
        limits=Limits(width=limits.width),
        beside=more,
        waiting=waiting,
        seed=seed,
        samples_wanted=limits.samples,
        seconds=math.inf,  # the same work on every machine, or a busy one would let through what another blocks
        full=is_full,
        most_figures=MOST_FIGURES,
        on_sample=on_sample,
    )
    units = {published.names[unit][code] for code in np.unique(published.codes[:, unit])} - {
        whole_code(),
        *known.current.values(),
    }
    measured = measured_of(report, policy, len(units))
    breaches = (one for one in measured.values() if one.found > one.limit)
    return Attacked(report, measured, tuple(breaches))


def seed_of(made: Made, policy: Policy, secret: bytes) -> int:
    """The seed of a release's sample, the same for the same figures and policy: 32 bits.

    So a blocked release is blocked again, however often it is made. It is keyed by the noise secret: nobody can find
    out beforehand what will be looked at.
    """
    digest = hashlib.blake2s(key=secret, digest_size=4, person=b"attack")
    digest.update(json.dumps(policy.model_dump(), sort_keys=True).encode())
    for one in sorted(made.decided, key=lambda one: astuple(one.group)):
        digest.update(json.dumps((*astuple(one.group), one.salt)).encode())
    return int.from_bytes(digest.digest(), "little")


@dataclass(frozen=True)
class Measured:
    """One figure of the attacks beside its limit, in the unit that both are in."""

    name: str
    found: float
    limit: float


def measured_of(report: AttackReport, policy: Policy, units: int) -> dict[Checked, Measured]:
    """Everything that can block a release of so many units. Shares are in per cent of what was looked at."""
    limits, presence = policy.attack.in_city_of(units), report.presence
    return {
        "exact": Measured("small counts exact", max(report.bounds.exact, report.programs.exact), 0.0),
        "insider_exact": Measured("small counts exact for a unit that knows its own", report.insider.exact, 0.0),
        "narrower": Measured(
            "per cent of small counts narrower than the width",
            _percent(report.bounds.narrower, report.bounds.cells),
            limits.most_narrower_percent,
        ),
        "insider": Measured(
            "per cent of others' small counts narrower for a unit that knows its own",
            _percent(report.insider_gained, report.insider.cells),
            limits.most_insider_percent,
        ),
        "averaging": Measured(
            "points gained by averaging, beyond chance", report.averaging.points_at_least, limits.most_averaging_points
        ),
        "sure": Measured(
            "per cent of conclusions about a child surer than 90 %",
            _percent(report.attributes.sure, report.attributes.groups),
            limits.most_sure_percent,
        ),
        "rows": Measured("rows of zeros that tell of somebody", presence.rows_that_tell(Limits().sure), 0.0),
        "durations": Measured("counts and contributions that durations and sums tell", report.given_away(), 0.0),
        "files": Measured("keys and leftovers in the files", len(report.files), 0.0),
    }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


@dataclass(frozen=True)
class _Scope:
    """What is drawn: all cuts of some units, single cuts of all units, in some periods."""

    units: frozenset[str]
    periods: frozenset[tuple[str, str]]


def _scope(made: Made, random: np.random.Generator) -> _Scope:
    """Five quarters in a row, with each year and rolling year that is their sum: two years that overlap differ by the
    first and the last of them. A merged unit is drawn with those that it was: their figures add up to its own."""
    today: dict[str, set[str]] = {}
    for unit in {one.group.unit for one in made.decided} - {whole_code()}:
        today.setdefault(made.successors.get(unit, unit), set()).add(unit)
    units = sorted(today)
    periods = {(one.group.period_kind, one.group.period) for one in made.decided if one.salt}
    quarters = sorted(name for kind, name in periods if kind == QUARTER)
    start = int(random.integers(max(len(quarters) - QUARTERS + 1, 1)))
    window = set(quarters[start : start + QUARTERS])
    drawn = random.permutation(len(units))[:UNITS].tolist()
    within = (one for one in periods if set(quarters_in(one)) <= window)
    return _Scope(frozenset(unit for place in drawn for unit in today[units[place]]), frozenset(within))


def long_form(
    marts: Mapping[str, tuple[Published, Flags]],
    declared: Mapping[str, Mart],
    release_id: int,
    scope: _Scope | None = None,
) -> tuple[Figures, Figures]:
    """Published and true counts in long form: a row per count, each measure once per coordinates."""
    published = _one_form(marts, declared, release_id, scope, is_true=False)
    return published, _one_form(marts, declared, release_id, scope, is_true=True)


def _one_form(
    marts: Mapping[str, tuple[Published, Flags]],
    declared: Mapping[str, Mart],
    release_id: int,
    scope: _Scope | None,
    *,
    is_true: bool,
) -> Figures:
    """The counts that are published, or all true ones above 0."""
    dimensions = sorted({column for mart in declared.values() for column in mart.columns_of_dimensions})
    parts: list[pa.Table] = []
    seen: dict[str, list[npt.NDArray[np.uint64]]] = {}
    for found, chosen in marts.values():
        rows = found.rows
        if not rows.mart.person_counts or "district_code" not in rows.mart.keys:
            continue
        within = np.ones(len(rows), np.bool_) if scope is None else _within(rows, scope)
        key = keys_of(rows, None)
        for counted in counted_in(rows):
            count = rows.mart.person_counts.get(counted.column)
            if count is None or counted.unit is not None or count.keyed_by == "count":
                continue
            values = rows.ints(counted.column) if is_true else found.counts[counted.column]
            here = within & counted.rows & (values > 0 if is_true else chosen)
            for dimension in count.repeated_by:
                here &= ~rows.is_cut_by(dimension)
            at = np.flatnonzero(here)
            for known in seen.setdefault(counted.measure, []):
                at = at[~np.isin(key[at], known)]
            seen[counted.measure].append(key[at])
            columns = _coordinates(rows, counted.measure, dimensions)
            parts.append(_long(columns, at, values, found.capped.get(counted.column), release_id))
    return Figures.from_table(pa.concat_tables([part for part in parts if part.num_rows]))


def _within(rows: Rows, scope: _Scope) -> Flags:
    numbers, places = rows.places
    in_period = np.array([place.period in scope.periods for place in places] or [False])[numbers]
    in_unit = np.array([place.unit in scope.units for place in places] or [False])[numbers]
    cuts, names = cuts_of(rows)
    single = np.array(["+" not in name for name in names] or [False])[cuts]
    within: Flags = in_period & (in_unit | single)
    return within


Encoded = tuple[npt.NDArray[np.int32], list[str]]


def _coordinates(rows: Rows, measure: str, dimensions: Sequence[str]) -> dict[str, Encoded | str]:
    """The coordinates of a mart's counts of a measure: codes with their names, or one name for all."""
    numbers, places = rows.places
    found: dict[str, Encoded | str] = {"measure": measure}
    found["unit"] = (numbers, [place.unit for place in places])
    found["basis"] = (numbers, [place.basis for place in places])
    found["period_kind"] = (numbers, [place.period[0] for place in places])
    found["period"] = (numbers, [place.period[1] for place in places])
    own = set(rows.mart.columns_of_dimensions)
    for column in dimensions:
        found[column] = rows.codes(column) if column in own else TOTAL
    return found


def _long(
    columns: Mapping[str, Encoded | str],
    rows: npt.NDArray[np.intp],
    values: npt.NDArray[np.int64],
    capped: Flags | None,
    release_id: int,
) -> pa.Table:
    made: dict[str, pa.Array] = {}
    for name, one in columns.items():
        if isinstance(one, str):
            made[name] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int16)), pa.array([one]))
        else:
            codes, names = one
            made[name] = pa.DictionaryArray.from_arrays(
                pa.array(codes[rows].astype(np.int16)), pa.array(names, pa.string())
            )
    made["published"] = pa.array(values[rows])
    made["release"] = pa.array(np.full(len(rows), release_id))
    made["is_exact"] = pa.array(np.zeros(len(rows), np.bool_))
    made["is_capped"] = pa.array(np.zeros(len(rows), np.bool_) if capped is None else capped[rows])
    return pa.table(made)
