"""Sketches: at least how many records have changed, by hand and for any change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publish.cell_keys.sketch import BUCKETS, LENGTH, changed_at_least, masked, sketches

SECRET, OTHER_SECRET = bytes(range(32)), bytes(range(1, 33))
Record = tuple[int, int]
"""The cell that a record is in, and its key."""


def sketch(records: list[Record], secret: bytes = SECRET) -> bytes:
    """The sketch of a group with these records."""
    cells = sorted({cell for cell, _ in records})
    counts = [sum(one == cell for one, _ in records) for cell in cells]
    keys = [sum(key for one, key in records if one == cell) for cell in cells]
    numbers = np.array(cells, np.uint64)
    content = np.array(keys, np.uint64) * np.uint64(1000) + np.array(counts, np.uint64)
    count = np.stack([np.array(counts, np.int64), np.zeros(len(cells), np.int64)], axis=1)
    return sketches(np.zeros(len(cells), np.intp), numbers, count, content, 1, secret)[0]


TEN = [(cell, 100 + cell) for cell in range(10)]


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        (TEN, 0),
        (TEN[1:], 1),  # gone
        ([*TEN, (3, 7), (3, 8), (3, 9)], 3),  # three came into one cell
        ([*TEN[2:], (5, 100), (6, 101)], 2),  # two moved: two cells have less, two have more
        ([(cell, 500 + cell) for cell in range(10)], 5),  # all changed in place: ten buckets, two for each record
        ([], 10),
    ],
)
def test_changed_records_are_counted(after: list[Record], wanted: int) -> None:
    assert changed_at_least(sketch(TEN), sketch(after)) == wanted
    assert changed_at_least(sketch(after), sketch(TEN)) == wanted


def test_several_tables_of_the_same_records_tell_the_most_of_one() -> None:
    few, more = sketch(TEN) + sketch(TEN), sketch(TEN[1:]) + sketch(TEN[3:])
    assert changed_at_least(few, more) == 3


def test_group_without_a_sketch_or_of_other_tables_is_not_compared() -> None:
    assert changed_at_least(b"", b"") is None
    assert changed_at_least(sketch(TEN), sketch(TEN) * 2) is None
    assert changed_at_least(b"", sketch(TEN)) == 10


def test_ledger_has_numbers_that_only_the_secret_and_the_salt_show() -> None:
    made = [sketch(TEN), sketch(TEN) * 2, b""]
    stored = masked(made, [5, 6, 7], SECRET)
    assert [len(one) for one in stored] == [LENGTH, 2 * LENGTH, 0]
    assert masked(stored, [5, 6, 7], SECRET) == made
    assert masked(stored, [5, 6, 7], OTHER_SECRET) != made
    numbers = np.array([np.frombuffer(one, np.uint8)[:BUCKETS] for one in masked(made[:1] * 2, [5, 6], SECRET)])
    assert (numbers != np.frombuffer(made[0], np.uint8)[:BUCKETS]).mean(axis=1).min() > 0.9
    assert (numbers[0] != numbers[1]).mean() > 0.9  # two draws are masked each by itself


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 2**20)), max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 31), st.integers(1, 2**20)), max_size=12),
)
def test_never_more_than_have_changed(records: list[Record], changes: list[tuple[int, int, int]]) -> None:
    after: list[Record | None] = list(records)
    touched = set()
    for place, cell, key in changes:  # 31 removes; a place that there is not yet adds
        if place < len(records):
            after[place] = None if cell == 31 else (cell, key)
            touched.add(place)
        else:
            after.append((cell, key))
            touched.add(len(after))
    found = changed_at_least(sketch(records), sketch([one for one in after if one is not None]))
    assert found is None or found <= len(touched)
