"""Coherent figures: what is part of a published 0 is published as 0, in every mart, and nothing else changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from publish.cell_keys.keys import Group
from publish.marts.declared import Mart
from publish.policy import load_policy
from publish.release.choosing import is_hidden
from publish.release.coherent import Coherence
from publish.release.keyed import Flags, Rows
from publish.release.making import make
from tests.publish.keyed_city import KEYS, MARTS, MEASURES, cases, write_warehouse

SMALL = Mart.model_validate(
    {
        "mart": "mart_small",
        "published": "complete",
        "keys": KEYS,
        "dimensions": [["reason_side", "reason_code"], ["sex"]],
        "person_counts": {
            "concluded": "avslutad.concluded",
            "offered": {"measure": "avslutad.offered", "part_of": "concluded"},
        },
    }
)
POLICY = load_policy().cell_keys
OTHER = SMALL.model_copy(update={"mart": "mart_other", "dimensions": (("sex",),)})
Row = tuple[str, int, int]
"""Coordinates (unit, quarter, side, code, sex, with `-` for the total), key sum, drawn figure of the concluded."""


def table(mart: Mart, rows: Sequence[Row], offered: Sequence[int] = ()) -> tuple[Rows, dict[str, np.ndarray]]:
    """Rows of a mart that each count somebody, and their drawn figures."""
    names = ("district_code", "reporting_quarter", "reason_side", "reason_code", "sex")
    coordinates = [["alla" if part == "-" else part for part in one.split()] for one, _, _ in rows]
    columns = {name: [one[place] for one in coordinates] for place, name in enumerate(names)}
    columns |= {"district_basis": ["as_submitted"] * len(rows), "cohort_basis": ["avslutad"] * len(rows)}
    keys = [key for _, key, _ in rows]
    drawn = {"concluded": np.array([shown for _, _, shown in rows]), "offered": np.array(offered or [0] * len(rows))}
    counts = {name: [1 if name == "concluded" or offered else 0] * len(rows) for name in drawn}
    found = pa.table({**columns, **counts, **{f"{name}__key": keys for name in drawn}})
    return Rows(mart, found), drawn


def coherent(
    *marts: tuple[Rows, dict[str, np.ndarray]],
    held: Sequence[Mapping[str, Flags]] | None = None,
    new: Collection[Group] = (),
    successors: Mapping[str, str] | None = None,
) -> list[list[int]]:
    """The published figures of the concluded."""
    rows = [one for one, _ in marts]
    capped = [np.zeros(len(one), np.bool_) for one in rows]
    coherence = Coherence(rows, MEASURES, held or [{}] * len(rows), capped, new, successors or {}, POLICY)
    shown = [{name: counts.copy() for name, counts in drawn.items()} for _, drawn in marts]
    coherence.apply(shown)
    return [one["concluded"].tolist() for one in shown]


CITY = ("stockholm 2018Q1 - - -", 90, 44)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("bromma 2018Q1 - - man", "bromma 2018Q1 barn vald man"),  # by two codes of one dimension
        ("bromma 2018Q1 barn - man", "bromma 2018Q1 barn vald man"),
        ("bromma 2018Q1 barn vald -", "bromma 2018Q1 barn vald man"),
        ("bromma 2018Q1 - - -", "bromma 2018Q1 - - man"),
        ("stockholm 2018Q1 barn - -", "bromma 2018Q1 barn - -"),
    ],
)
def test_part_of_a_published_0_is_0(whole: str, part: str) -> None:
    assert coherent(table(SMALL, [(whole, 1, 0), (part, 2, 5), CITY])) == [[0, 0, 44]]
    assert coherent(table(SMALL, [(whole, 1, 5), (part, 2, 6), CITY])) == [[5, 6, 44]]  # only a 0 has parts of 0


def test_0_of_a_part_reaches_its_own_parts() -> None:
    rows = [("stockholm 2018Q1 barn - man", 1, 0), ("bromma 2018Q1 barn - man", 2, 5), CITY]
    assert coherent(table(SMALL, [*rows, ("bromma 2018Q1 barn vald man", 3, 6)])) == [[0, 0, 44, 0]]


def test_other_unit_quarter_or_code_is_no_whole() -> None:
    rows = [("bromma 2018Q1 - - man", 1, 0), ("bromma 2018Q1 barn - kvinna", 2, 5), ("farsta 2018Q1 barn - man", 3, 5)]
    assert coherent(table(SMALL, [*rows, ("bromma 2018Q2 barn - man", 4, 5)])) == [[0, 5, 5, 5]]


def test_same_records_stay_one_figure_in_all_marts_and_units() -> None:
    # the boy with the key 2 is alone in the city as well: his figure is the same there, though nothing is 0 there
    flow = table(SMALL, [("bromma 2018Q1 - - -", 1, 0), ("bromma 2018Q1 - - man", 2, 5)])
    other = table(OTHER, [("bromma 2018Q1 - - man", 2, 5), ("stockholm 2018Q1 - - man", 2, 5), CITY])
    assert coherent(flow, other) == [[0, 0], [0, 0, 44]]


def test_other_counts_with_the_same_key_stay_their_own_figures() -> None:
    # keys have 32 bits: of many cells some are alike by chance
    rows, drawn = table(SMALL, [("bromma 2018Q1 - - man", 1, 44), ("farsta 2018Q1 - - kvinna", 1, 5)])
    counts = rows.table.column_names.index("concluded")
    rows.table = rows.table.set_column(counts, "concluded", pa.array([43, 2]))
    Coherence([rows], MEASURES, [{}], [np.zeros(2, np.bool_)], (), {}, POLICY).apply([drawn])
    assert drawn["concluded"].tolist() == [44, 5]


def test_part_of_a_measure_that_is_0_is_0() -> None:
    rows, drawn = table(SMALL, [("bromma 2018Q1 - - man", 1, 0), ("bromma 2018Q1 - - kvinna", 2, 9)], offered=[5, 5])
    Coherence([rows], MEASURES, [{}], [np.zeros(2, np.bool_)], (), {}, POLICY).apply([drawn])
    assert drawn["offered"].tolist() == [0, 5]


def test_figures_that_are_never_published_set_nothing_to_0() -> None:
    """The whole is too small to be broken down by reason: readers see no 0, in this release or in the next one."""
    sensitive = SMALL.model_copy(update={"sensitive": ("reason_side", "reason_code"), "whole": ("concluded",)})
    rows = [("stockholm 2018Q1 - - -", 90, 19), ("stockholm 2018Q1 barn vald -", 3, 0)]
    # all boys of the unit have the same reason, so both are one figure, and that by reason is a part of the city's 0
    boys = [("bromma 2018Q1 barn vald man", 2, 7), ("bromma 2018Q1 - - man", 2, 7)]
    assert coherent(table(sensitive, [*rows, *boys])) == [[19, 0, 7, 7]]
    large = [("stockholm 2018Q1 - - -", 90, 20), ("stockholm 2018Q1 - - man", 91, 20), *rows[1:]]
    large += [("stockholm 2018Q1 barn vald man", 5, 6), *boys]
    assert coherent(table(sensitive, large)) == [[20, 20, 0, 0, 7, 7]]


def test_held_figures_stay_and_are_wholes_of_what_has_not_changed() -> None:
    rows = [("stockholm 2018Q1 - - -", 1, 0), ("bromma 2018Q1 - - man", 2, 5), ("bromma 2018Q1 - - -", 3, 5)]
    city, boys = [True, False, False], [False, True, False]
    assert coherent(table(SMALL, rows), held=[{"concluded": np.array(city)}]) == [[0, 0, 0]]
    bromma = Group("avslutad", "bromma", "as_submitted", "kvartal", "2018Q1")
    # of the held city it is only known that it was 7 at most before bromma changed
    assert coherent(table(SMALL, rows), held=[{"concluded": np.array(city)}], new=[bromma]) == [[0, 5, 5]]
    assert coherent(table(SMALL, rows), held=[{"concluded": np.array(boys)}], new=[bromma]) == [[0, 5, 0]]


def test_release_has_no_part_above_0_in_a_whole_of_0(tmp_path: Path) -> None:
    warehouse = write_warehouse(tmp_path / "warehouse.duckdb", cases(20))
    policy = POLICY.model_copy(update={"too_few": 15})  # as few rows are hidden as may be
    made = make(warehouse, MARTS, MEASURES, policy, bytes(range(32)))
    found = made.marts["mart_case_flow"]
    columns = ["district_code", "district_basis", "reporting_quarter", "reason_side", "reason_code", "sex", "age_band"]
    rows = list(zip(*(found.rows.table[name].cast(pa.string()).to_pylist() for name in columns), strict=True))
    hidden = is_hidden(found.rows, found.counts, policy.too_few)
    shown = {
        row: count for row, count, no in zip(rows, found.counts["concluded"].tolist(), hidden, strict=True) if not no
    }
    pairs = 0
    for row, count in shown.items():
        for place in (5, 6):
            whole = (*row[:place], "alla", *row[place + 1 :])
            if shown.get(whole) == 0:
                pairs += 1
                assert count == 0
    assert pairs > 20
