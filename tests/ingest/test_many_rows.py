"""Arithmetic that takes short cuts over many rows gives what looking at each row alone gives."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from files import DISTRICT, Installation, base_row, csv_bytes
from hypothesis import given
from hypothesis import strategies as st

from ingest.checks.arithmetic import Sheet, add_months, not_restarted_within, unique_together
from ingest.receiving import receive_district
from ingest.sentinels import DATE_EMPTY, EMPTY, day_number
from ingest.storing import texts_at

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


def months_later(day: date, months: int) -> date:
    """By the calendar, apart from the code under test."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@given(st.lists(DAYS, max_size=6), st.integers(0, 300), st.booleans())
def test_months_are_added_by_the_calendar_whether_days_lie_near_or_far(
    days: list[date], months: int, is_crowded: bool
) -> None:
    if days and is_crowded:
        days = [days[0] + timedelta(n) for n in range(70)]
    found = add_months(np.array([day_number(day) for day in days], np.int32), months)
    assert found.tolist() == [day_number(months_later(day, months)) for day in days]


def sheet_of(rows: list[tuple[int, int, int]]) -> Sheet:
    person, start, end = (np.array([row[n] for row in rows], np.int32) for n in range(3))
    return Sheet({"person": person, "start": start, "end": end}, frozenset({"start", "end"}), {})


ROWS = st.lists(
    st.tuples(
        st.integers(EMPTY, 3),
        st.one_of(st.just(DATE_EMPTY), st.integers(17_000, 17_012)),
        st.one_of(st.just(DATE_EMPTY), st.integers(17_000, 17_012)),
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_restarts_are_those_that_comparing_all_pairs_finds(rows: list[tuple[int, int, int]]) -> None:
    expected = [
        person >= 0
        and start != DATE_EMPTY
        and any(
            other == person and end != DATE_EMPTY and 0 <= start - end <= 7
            for place, (other, _, end) in enumerate(rows)
            if place != mine
        )
        for mine, (person, start, _) in enumerate(rows)
    ]
    assert not_restarted_within(sheet_of(rows), "person", "start", "end", 7).tolist() == expected


@given(ROWS)
def test_repeated_rows_are_those_that_comparing_all_pairs_finds(rows: list[tuple[int, int, int]]) -> None:
    keys = [row[:2] for row in rows]
    expected = [key[0] >= 0 and keys.count(key) > 1 for key in keys]
    assert unique_together(sheet_of(rows), ["person", "start"], ["person"]).tolist() == expected


@pytest.mark.parametrize("repeats", [1, 50])
def test_stored_texts_are_the_same_whether_few_or_many_repeat(repeats: int) -> None:
    position = np.array([0, EMPTY, 1, 2] * repeats)
    assert texts_at(position, pa.array(["a", "b", "c"])).to_pylist() == ["a", None, "b", "c"] * repeats


def test_file_after_one_with_headers_only_has_nothing_to_carry_on(installation: Installation) -> None:
    installation.drop(f"{DISTRICT}_arenden_2018Q3.csv", csv_bytes("arenden", []))
    receive_district(installation.settings, DISTRICT)
    installation.now = "2019-01-10T08:00"
    installation.drop(f"{DISTRICT}_arenden_2018Q4.csv", csv_bytes("arenden", [base_row("arenden")]))
    (receipt,) = receive_district(installation.settings, DISTRICT).files
    ledger = installation.ledger()
    fired = {count.rule for count in ledger.rule_counts(receipt.submission_id or "")}
    assert receipt.state == "accepted"
    assert not fired & {"FIL-020", "ARE-082", "ARE-083", "ARE-087"}
