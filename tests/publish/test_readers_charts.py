"""Example charts: the release's own rows by the view's declaration, each value written out as Swedish text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publish.catalogue.charts import WIDTH, Drawing, Mark, legend, shown_as, svg
from publish.catalogue.drawn import Drawn, load_drawn
from publish.catalogue.examples import MOST_CATEGORIES, Example, example
from publish.serving import read_release
from publish.views.declared import Chart, View, ViewColumn, load_views
from tests.publish.views_drawn import draw


def column(name: str, kind: Any = "text") -> ViewColumn:
    return ViewColumn(name, name.capitalize(), "Vad det är.", kind)


COUNTS = replace(
    load_views()[0],
    name="vy_x",
    base="vy_x",
    title="X, per kvartal",
    chart=Chart(kind="bar", x="stadsdel", y="antal", sort="antal", color="kon"),
    key=("stadsdel", "period", "kon", "insats"),
    columns=(column("stadsdel"), column("period", "period"), column("kon"), column("insats"), column("antal", "count"),
             column("andel", "rate"), column("andel_lag", "rate"), column("andel_hog", "rate"),
             column("staden_andel", "rate")),
)  # fmt: skip
RATES = replace(
    COUNTS,
    chart=Chart(kind="dot", x="stadsdel", y="andel", low="andel_lag", high="andel_hog", sort="andel"),
    key=("stadsdel", "period"),
)
ROWS = [
    ("Farsta", "2019 kv 1", "Kvinna", "A", 9, 0.5, 0.4, 0.6, 0.25),
    ("Farsta", "2019 kv 2", "Kvinna", "A", 10, 0.1, 0.05, 0.2, 0.25),
    ("Farsta", "2019 kv 2", "Kvinna", "B", 7, None, None, None, 0.25),
    ("Farsta", "2019 kv 2", "Man", "A", 1200, 0.1, 0.05, 0.2, 0.25),
    ("Bromma", "2019 kv 2", "Man", "A", 40, 0.3, 0.2, 0.4, 0.25),
]


def drawn(tmp_path: Path, views: Sequence[View], rows: dict[str, list[tuple[Any, ...]]]) -> Example | None:
    path = tmp_path / "r.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; create table published.about (key varchar, value varchar)")
        for name, lines in rows.items():
            connection.execute(
                f"create table published.{name} (stadsdel varchar, period varchar, kon varchar, insats varchar, "
                "antal integer, andel double, andel_lag double, andel_hog double, staden_andel double)"
            )
            for line in lines:
                connection.execute(f"insert into published.{name} values ({', '.join('?' * 9)})", list(line))
    release = read_release(path)
    with release.reading() as connection:
        return example(connection, release, views)


def test_counts_of_the_newest_period_are_summed_over_what_the_chart_does_not_show(tmp_path: Path) -> None:
    found = drawn(tmp_path, [COUNTS], {"vy_x": ROWS})
    assert found is not None
    assert found.drawing.title == "Antal efter stadsdel och kon, 2019 kv 2"
    assert found.drawing.marks == (
        Mark("Farsta", "Kvinna", 17), Mark("Farsta", "Man", 1200),
        Mark("Bromma", "Kvinna", None, lacking="saknas"), Mark("Bromma", "Man", 40),
    )  # fmt: skip
    assert found.drawing.notes == ("Summerat över insats.", "Där det står saknas har tabellen ingen rad.")
    assert found.drawing.in_words == "Högst: Farsta, Man 1\u00a0200. Lägst: Farsta, Kvinna 17. Utan värde: 1 av 4."


def test_equal_counts_are_summed_too(tmp_path: Path) -> None:
    rows = [("Farsta", "2019 kv 2", "Kvinna", insats, 1, None, None, None, None) for insats in "ABC"]
    found = drawn(tmp_path, [COUNTS], {"vy_x": rows})
    assert found is not None and found.drawing.marks == (Mark("Farsta", "", 3),)
    assert found.drawing.notes == ("Kon: Kvinna.", "Summerat över insats.")


def test_rates_are_never_summed_one_value_of_the_others_is_drawn_and_named(tmp_path: Path) -> None:
    view = replace(RATES, key=("stadsdel", "period", "insats"))
    found = drawn(tmp_path, [view], {"vy_x": ROWS})
    assert found is not None
    assert "Insats: A." in found.drawing.notes
    assert {mark.value for mark in found.drawing.marks} == {0.1, 0.3}


def test_rates_are_drawn_with_their_limits_beside_the_citys(tmp_path: Path) -> None:
    rows = [ROWS[3], ROWS[4]]
    found = drawn(tmp_path, [RATES], {"vy_x": rows})
    assert found is not None
    drawing = found.drawing
    assert drawing.marks == (Mark("Bromma", "", 0.3, 0.2, 0.4), Mark("Farsta", "", 0.1, 0.05, 0.2))
    assert drawing.line == ("Hela staden", 0.25)
    assert "Hela staden: 25,0\u00a0%." in drawing.in_words
    assert any("95 procents säkerhet" in note for note in drawing.notes)


def test_years_are_drawn_where_most_values_of_quarters_are_of_too_few(tmp_path: Path) -> None:
    years = replace(RATES, name="vy_x_ar", title="X, per kalenderår")
    few = [(*row[:5], None, None, None, None) for row in ROWS[3:]] + [ROWS[3]]
    whole = [
        ("Farsta", "2019", "Man", "A", 1, 0.2, 0.1, 0.3, 0.2),
        ("Bromma", "2019", "Man", "A", 1, 0.3, 0.1, 0.4, 0.2),
    ]
    found = drawn(tmp_path, [RATES, years], {"vy_x": few, "vy_x_ar": whole})
    assert found is not None and found.view.name == "vy_x_ar" and found.drawing.title.endswith(", 2019")


@pytest.mark.parametrize("rows", [[], [("Farsta", "2019 kv 2", "Man", "A", None, None, None, None, None)]])
def test_no_chart_where_no_value_is_shown(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    assert drawn(tmp_path, [COUNTS], {"vy_x": rows}) is None


def test_of_many_categories_the_highest_and_the_lowest_are_drawn(tmp_path: Path) -> None:
    rows = [(f"S{at:02}", "2019 kv 2", "Man", "A", at, None, None, None, None) for at in range(60)]
    rows += [(f"T{at:02}", "2019 kv 2", "Man", "A", None, None, None, None, None) for at in range(3)]
    found = drawn(tmp_path, [COUNTS], {"vy_x": rows})
    assert found is not None
    shown = [mark.value for mark in found.drawing.marks]
    half = MOST_CATEGORIES // 2
    assert shown == [*range(59, 59 - half, -1), *range(half - 1, -1, -1)]
    assert any("av 60 visas" in note for note in found.drawing.notes)
    assert any("Utan värde, och inte med här: 3 av 63." in note for note in found.drawing.notes)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (1234567, "count", "1\u00a0234\u00a0567"),
        (0.1234, "rate", "12,3\u00a0%"),
        (-0.05, "rate", "−5,0\u00a0%"),
        (0.0, "rate", "0,0\u00a0%"),
        (-0.0001, "rate", "0,0\u00a0%"),
        (17.0, "days", "17\u00a0dagar"),
        (2.25, "number", "2,2"),
        (3.0, "per_1000", "3"),
        (None, "rate", "saknas"),
    ],
)
def test_values_are_swedish_text(value: float | None, kind: Any, said: str) -> None:
    assert shown_as(value, kind) == said


def texts(drawing: Drawing) -> list[str]:
    root = ElementTree.fromstring(svg(drawing, "x"))
    return ["".join(element.itertext()) for element in root.iter("text")]


def test_a_chart_says_every_value_and_what_is_not_shown() -> None:
    marks = (Mark("Farsta", "", 0.5, 0.4, 0.6), Mark("Älvsjö", "", None), Mark("Bromma", "", -0.1))
    drawing = Drawing("Andel", "dot", "rate", marks, ("Hela staden", 0.2))
    said = texts(drawing)
    assert {"Farsta", "50,0\u00a0%", "Älvsjö", "för få", "Bromma", "−10,0\u00a0%", "Hela staden 20,0\u00a0%"} <= set(
        said
    )
    root = ElementTree.fromstring(svg(drawing, "x"))
    assert root.get("role") == "img" and root.get("aria-labelledby") == "x-t x-d"
    assert [child.text for child in root][:2] == ["Andel", drawing.in_words]
    assert "Utan värde: 1 av 3." in drawing.in_words


def test_series_have_a_key_and_shapes_of_their_own() -> None:
    marks = tuple(Mark("Farsta", name, 1.0) for name in ("Kvinna", "Man", "Okänt"))
    drawn_marks = svg(Drawing("x", "dot", "number", marks), "x")
    assert [f'class="s{at}"' in drawn_marks for at in range(4)] == [True, True, True, False]
    assert [shape in drawn_marks for shape in ("<circle", "<rect", "<polygon")] == [True, True, True]
    assert re.findall(r"</svg>(\w+)</li>", legend(Drawing("x", "dot", "number", marks))) == ["Kvinna", "Man", "Okänt"]
    assert legend(Drawing("x", "bar", "count", marks[:1])) == ""


VALUES = st.none() | st.floats(-1e6, 1e6, allow_nan=False)


QUERY = "select * from published.vy_x where period = (select max(period) from published.vy_x where antal > 9)"


@pytest.mark.parametrize(
    ("newest", "query"),
    [
        ([7, 7], QUERY),  # the query's own period has enough, though it is not the newest
        ([11], "select * from published.vy_x where period = '2019 kv 2'"),  # the query's has too little
    ],
)
def test_chart_and_query_are_of_the_same_period(tmp_path: Path, newest: list[int], query: str) -> None:
    later = [("Bromma", "2019 kv 3", "Man", insats, count, None, None, None, None)
             for insats, count in zip("AB", newest, strict=False)]  # fmt: skip
    found = drawn(tmp_path, [replace(COUNTS, query=QUERY)], {"vy_x": [*ROWS, *later]})
    assert found is not None and found.drawing.title.endswith("2019 kv 2") and found.query == query


def test_the_worst_are_drawn_first_without_those_that_have_no_value(tmp_path: Path) -> None:
    known = {"vy_x": Drawn(title="Andelen", where="andel is not null", ascending=True, note="Alla visas inte.")}
    rows = [ROWS[4], ROWS[3], ("Älvsjö", *ROWS[2][1:])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("publish.catalogue.examples.load_drawn", lambda: known)
        found = drawn(tmp_path, [RATES], {"vy_x": rows})
    assert found is not None and found.drawing.title == "Andelen, 2019 kv 2"
    assert found.drawing.categories == ("Farsta", "Bromma") and "Alla visas inte." in found.drawing.notes


def test_every_question_says_in_a_sentence_what_its_chart_draws(tmp_path: Path) -> None:
    listed = load_drawn()
    assert set(listed) == {view.base for view in load_views()}
    release = draw(tmp_path / "r.duckdb", load_views(), 1)
    with release.reading() as connection:
        for view in load_views():
            one = listed[view.base]
            assert one.title and " efter " not in one.title
            chart = one.of(view)
            named = {chart.x, chart.y, chart.sort, chart.low, chart.high, chart.color} - {None}
            assert named <= {column.name for column in view.columns}, view.name
            connection.execute(f"select * from release.published.{view.name} where {one.where or 'true'}")


@given(
    st.sampled_from(["bar", "dot", "line"]), st.lists(st.tuples(st.text(max_size=40), VALUES), min_size=1, max_size=12)
)
def test_whatever_is_drawn_is_well_formed_and_inside_the_picture(
    form: str, given: list[tuple[str, float | None]]
) -> None:
    printable = [("".join(one for one in name if one.isprintable()), value) for name, value in given]
    marks = tuple(Mark(f"{at} {name}", "", value) for at, (name, value) in enumerate(printable))
    drawing = Drawing("<b>&", form, "number", marks)
    root = ElementTree.fromstring(svg(drawing, "x"))
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert width == WIDTH
    for element in root.iter():
        for name in ("cx", "x1", "x2", "x"):
            if (place := element.get(name)) is not None:
                assert -1 <= float(place) <= width + 1
        for name in ("cy", "y1", "y2", "y"):
            if (place := element.get(name)) is not None:
                assert -1 <= float(place) <= height + 1
