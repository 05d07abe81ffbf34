"""The comparison itself: what it calls the same, and how it names what is not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bundle import masked, query_of
from comparing import Shape, differences

BARS = Shape(("quarter", "step"), ("value",))


def test_rows_and_series_side_by_side_are_the_same_cells() -> None:
    rows: list[dict[str, object]] = [
        {"quarter": "2018 kv 1", "step": "Erbjudna", "value": 5},
        {"quarter": "2018 kv 1", "step": "Tackat ja", "value": None},
    ]
    wide = [{"quarter": "2018 kv 1", "Erbjudna": 5.0, "Tackat ja": float("nan")}]
    assert differences(BARS.cells(wide), BARS.cells(rows)) == []


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (6, "q · s · value: 6 is drawn, the release has 5"),
        (0, "q · s · value: 0 is drawn, the release has 5"),
        (None, "q · s · value: None is drawn, the release has 5"),
    ],
)
def test_a_cell_that_differs_is_named(shown: object, message: str) -> None:
    place = ("q", "s", "value")
    assert differences({place: shown}, {place: Decimal(5)}) == [message.replace("has 5", "has Decimal('5')")]


def test_a_hidden_figure_is_not_0() -> None:
    place = ("q", "s", "value")
    assert differences({place: 0}, {place: None}) == ["q · s · value: 0 is drawn, the release has None"]


def test_rows_too_many_or_too_few_are_named() -> None:
    one, other = ("q", "s", "value"), ("q", "t", "value")
    assert differences({one: 5}, {other: None}) == [
        "q · s · value: 5 is drawn, the release has no such row",
        "q · t · value: missing, the release has None",
    ]
    assert differences({one: 5, other: None}, {one: 5}) != []
    assert differences({one: 5, other: None}, {one: 5}, is_filled_up=True) == []


def test_two_rows_of_one_place_are_refused() -> None:
    row = {"quarter": "q", "step": "s", "value": 5}
    with pytest.raises(ValueError, match="two rows at q · s · value"):
        BARS.cells([row, row])


def test_rows_as_they_are_are_placed_by_their_texts() -> None:
    raw = {"query_mode": "raw"}
    rows: list[dict[str, object]] = [{"period": "2019", "unit": "Farsta", "value": None, "rest": 1}]
    assert Shape.of(raw, rows) == Shape(("period", "unit"), ("value", "rest"))
    assert Shape.of(raw, [{"key": "a", "value": "b"}]) == Shape(("key",), ("value",))


def test_the_stored_query_asks_for_what_the_chart_draws() -> None:
    params = {
        "x_axis": "quarter",
        "groupby": ["step"],
        "metrics": ["value"],
        "row_limit": 10,
        "adhoc_filters": [{"subject": "is_city", "operator": "==", "comparator": True}],
    }
    (query,) = query_of(params)["queries"]
    assert query["columns"] == ["quarter", "step"] and query["metrics"] == ["value"]
    assert query["filters"] == [{"col": "is_city", "op": "==", "val": True}] and query["row_limit"] == 10


@pytest.mark.parametrize("address", ["postgresql+psycopg2://a:b@h:1/d", "sqlite:///x", "postgresql://a@h:1/d"])
def test_an_address_with_a_password_or_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="without a password"):
        masked(address)
