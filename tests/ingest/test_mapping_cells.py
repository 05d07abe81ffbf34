"""A unit's words for "empty" and its forms of dates: read, said, proposed, and never against what was right before."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from files import DISTRICT, KEYS, base_row, csv_bytes, fired
from hypothesis import given, settings
from hypothesis import strategies as st
from workbook_files import workbook

from ingest.checking import CheckReport, Circumstances, check_file
from ingest.conforming import conform, read_date
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.feedback_workbook import as_workbook
from ingest.mappings.date_forms import EARLIEST, KNOWN, day_meant, why_no_form, written
from ingest.mappings.documents import DatasetWords, DateForm, EmptyWord, UnitMapping, as_yaml, mistakes_in, read_mapping
from ingest.mappings.settling import settled
from ingest.mappings.suggesting import suggest
from ingest.naming import read_name
from ingest.quarters import Quarter
from ingest.reading.tables import read_table
from ingest.sentinels import DATE_BAD, day_number

ARENDEN = load_contracts()["arenden"]
QUARTER = Quarter(2018, 3)
NAME = f"{DISTRICT}_arenden_{QUARTER}.csv"
EMPTY = {"orsak_forhandsbedomning": ["-"], "utredning_slut": ["saknas", "-"], "personnummer": ["uppgift saknas"]}
DATES = {"inkom_datum": ["ååmmdd"], "utredning_start": ["d/m/åå", "d mån åååå"]}
READABLE = ("2018-09-30", "20180930", "30.9.2018", "30/9/2018", "4/3/2018")


def mapping(
    empty: dict[str, list[str]] | None = None, dates: dict[str, list[str]] | None = None, dataset: str = "arenden"
) -> UnitMapping:
    said = {"empty": empty or {}, "dates": dates or {}}
    whole = {"unit": DISTRICT, "valid_from": "2018Q1", "datasets": {dataset: said}}
    return read_mapping(json.dumps(whole, ensure_ascii=False).encode())


def check(raw: bytes, by: UnitMapping | None) -> CheckReport:
    return check_file(raw, read_name(NAME), Circumstances(KEYS, date(2019, 1, 1), 200, mapping=by))


def own_row(number: int = 1, **changes: str) -> dict[str, str]:
    return base_row("arenden", arende_id=f"A-{number}", **changes)


def values(report: CheckReport, column: str) -> list[int]:
    assert report.table is not None
    found: list[int] = report.table.values[column].tolist()
    return found


def test_words_and_forms_are_read_as_the_contract_s_own() -> None:
    rows = [own_row(1), own_row(2)]
    plain = check(csv_bytes("arenden", rows), None)
    assert plain.accepted
    inkom = rows[0]["inkom_datum"]
    own = [
        {**rows[0], "inkom_datum": written(date.fromisoformat(inkom), "ååmmdd"), "utredning_slut": "Saknas "},
        {**rows[1], "utredning_slut": "-"},
    ]
    raw = csv_bytes("arenden", own)
    assert not check(raw, None).accepted
    by = mapping({"utredning_slut": ["saknas", "-"]}, {"inkom_datum": ["ååmmdd"]})
    assert mistakes_in(by) == []
    report = check(raw, by)
    assert report.accepted, fired(report)
    for column in ("inkom_datum", "utredning_slut"):
        expected = values(check(csv_bytes("arenden", [{**row, "utredning_slut": ""} for row in rows]), None), column)
        assert values(report, column) == expected


def test_a_workbook_s_cells_are_settled_too() -> None:
    row = own_row(1, utredning_slut="-", inkom_datum="180802")
    lines = csv_bytes("arenden", [row]).decode("cp1252").splitlines()
    raw = workbook({"Blad1": [list(line.split(";")) for line in lines]})
    by = mapping({"utredning_slut": ["-"]}, {"inkom_datum": ["ååmmdd"]})
    report = check_file(
        raw, read_name(NAME.replace(".csv", ".xlsx")), Circumstances(KEYS, date(2019, 1, 1), 200, mapping=by)
    )
    assert values(report, "inkom_datum") == [day_number(date(2018, 8, 2))]


def test_feedback_says_what_was_read_and_only_of_columns_where_it_was() -> None:
    raw = csv_bytes("arenden", [own_row(1, inkom_datum="180802", utredning_slut="-")])
    by = mapping({"utredning_slut": ["saknas", "-"], "orsak": ["saknas"]}, {"inkom_datum": ["ååmmdd"]})
    report = check(raw, by)
    text = "\n".join(as_text(NAME, report))
    labels = {name: ARENDEN.column(name).label_sv for name in ("inkom_datum", "utredning_slut", "orsak")}
    assert f"I kolumnen {labels['utredning_slut']} läses ”-” som tom cell." in text
    assert f"I kolumnen {labels['inkom_datum']} läses datum som ååmmdd." in text
    assert "”saknas”" not in text and f"I kolumnen {labels['orsak']} läses" not in text
    said = as_json(NAME, report, 10)["mapping"]
    assert [one["column"] for one in said["cells"]] == ["utredning_slut", "inkom_datum"]
    json.dumps(said)
    assert as_workbook(NAME, report)


def test_a_cell_that_must_be_filled_is_asked_for_by_its_own_rule() -> None:
    raw = csv_bytes("arenden", [own_row(1, orsak="saknas")])
    before, after = fired(check(raw, None)), fired(check(raw, mapping({"orsak": ["saknas"]})))
    empty = fired(check(csv_bytes("arenden", [own_row(1, orsak="")]), None))
    assert after == empty and before != after


def test_a_person_s_number_that_is_missing_is_an_empty_one() -> None:
    by = mapping({"personnummer": ["uppgift saknas"]})
    assert mistakes_in(by) == []
    own = fired(check(csv_bytes("arenden", [own_row(1, personnummer="Uppgift saknas")]), by))
    assert own == fired(check(csv_bytes("arenden", [own_row(1, personnummer="")]), None))


def test_document_is_written_and_read_back_the_same_and_versions_differ_by_it() -> None:
    one = mapping({"utredning_slut": ["saknas", "-", 'a "b"']}, DATES)
    assert read_mapping(as_yaml(one).encode()) == one
    assert one != mapping({"utredning_slut": ["saknas"]}, DATES) and one.words_of("arenden").count == 6
    lists = (
        b"unit: bromma\nvalid_from: 2018Q1\n"
        b"datasets: {arenden: {empty: {orsak: saknas}, dates: {inkom_datum: '\xc3\x85\xc3\x85MMDD '}}}"
    )
    words = read_mapping(lists).words_of("arenden")
    assert words.empties == (EmptyWord("orsak", "saknas"),) and words.dates == (DateForm("inkom_datum", "ååmmdd"),)


@pytest.mark.parametrize(
    ("empty", "dates", "said"),
    [
        ({"orsaken": ["-"]}, {}, "no column orsaken"),
        ({"orsak": [" "]}, {}, "can be seen"),
        ({"kon": ["okänt"]}, {}, "is a value of this column"),
        ({"orsak": ["missbruk"]}, {}, "is a value of this column"),
        ({"inkom_datum": ["2018-01-01"]}, {}, "is a value of this column"),
        ({"arende_id": ["-"]}, {}, "is a value of this column"),
        ({"orsak": ["20050505-9824"]}, {}, "reads as a personal number"),
        ({}, {"orsak": ["ååmmdd"]}, "no column of dates orsak"),
        ({}, {"inkom_datum": ["m/d/åååå"]}, "reads such a date as another day"),
        ({}, {"inkom_datum": ["ååååddmm"]}, "reads such a date as another day"),
        ({}, {"inkom_datum": ["ååmd"]}, "no form of dates"),
        ({}, {"inkom_datum": ["åå.*"]}, "no form of dates"),
        ({}, {"inkom_datum": ["d" * 150]}, "no form of dates"),
    ],
)
def test_what_can_not_be_used_says_why(empty: dict[str, list[str]], dates: dict[str, list[str]], said: str) -> None:
    found = mistakes_in(mapping(empty, dates))
    assert len(found) == 1 and said in found[0], found
    assert "9824" not in found[0]


def test_two_readings_are_no_guess() -> None:
    assert day_meant("101112", ("ååmmdd", "ddmmåå"), 2028) is None
    assert day_meant("180930", ("ååmmdd", "ddmmåå"), 2028) == date(2018, 9, 30)  # 30 is no year of one: no such month
    assert day_meant("10/11/12", ("d/m/åå", "m/d/åå"), 2028) is None
    assert day_meant("11/11/12", ("d/m/åå", "m/d/åå"), 2028) == date(2012, 11, 11)
    raw = csv_bytes("arenden", [own_row(1, inkom_datum="101112")])
    report = check(raw, mapping(dates={"inkom_datum": ["ååmmdd", "ddmmåå"]}))
    assert values(report, "inkom_datum") == [DATE_BAD] and not report.accepted


@given(st.dates(date(1990, 1, 1), date(2028, 12, 31)), st.sampled_from(KNOWN))
def test_a_day_written_in_a_form_is_read_back(day: date, form: str) -> None:
    assert why_no_form(form) == ""
    text = written(day, form)
    if read_date(text) != DATE_BAD:  # the contract's own reading comes first, and is the same day
        assert read_date(text) == day_number(day)
    else:
        assert day_meant(text, (form,), 2028) == day


_FORMS = st.lists(st.sampled_from(["åååå", "åå", "mm", "m", "mån", "dd", "d", "/", "-", ".", " ", ""]), max_size=6)


@given(_FORMS.map("".join), st.dates(EARLIEST, date(2040, 1, 1)))
def test_no_form_that_is_allowed_reads_a_day_that_the_contract_reads_as_another(form: str, day: date) -> None:
    if why_no_form(form) == "":
        assert read_date(written(day, form)) in (DATE_BAD, day_number(day)), form


_CELLS = st.one_of(
    st.sampled_from(["", "-", "saknas", "SAKNAS", "180930", "30/9/18", "101112", "3 maj 2018", *READABLE]),
    st.text(alphabet="0123456789-/. åsk", max_size=10).filter(lambda text: "\n" not in text),
    st.dates(date(1995, 1, 1), date(2030, 1, 1)).map(lambda day: (day - timedelta(1)).isoformat()),
)
_WORDS = DatasetWords(
    empties=(EmptyWord("inkom_datum", "saknas"), EmptyWord("inkom_datum", "-"), EmptyWord("kon", "-")),
    dates=(DateForm("inkom_datum", "ååmmdd"), DateForm("inkom_datum", "d/m/åå"), DateForm("inkom_datum", "ddmmåå")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_CELLS, st.sampled_from(["kvinna", "man", "-", "okänt", "x"])), min_size=1, max_size=8))
def test_no_value_that_was_right_before_is_changed(cells: list[tuple[str, str]]) -> None:
    assert mistakes_in(UnitMapping(DISTRICT, QUARTER, (("arenden", _WORDS),))) == []
    rows = [own_row(n, inkom_datum=day, kon=sex) for n, (day, sex) in enumerate(cells)]
    table = read_table(csv_bytes("arenden", rows), ARENDEN)
    changed = settled(table, _WORDS, ARENDEN, QUARTER).table
    before, after = (conform(one, ARENDEN, DISTRICT, QUARTER, KEYS) for one in (table, changed))
    for column in ("inkom_datum", "kon", "orsak", "utredning_slut"):
        unread = (DATE_BAD,) if column == "inkom_datum" else (-2, -3)
        for was, now in zip(before.values[column].tolist(), after.values[column].tolist(), strict=True):
            assert now == was or was in unread


def proposal(rows: list[dict[str, str]]) -> tuple[dict[str, Any], str]:
    found = suggest(csv_bytes("arenden", rows), ARENDEN, DISTRICT)
    said = {(one.kind, one.column): one for one in found.cells}
    return said, found.as_yaml(DISTRICT, "arenden", QUARTER)  # type: ignore[return-value]


def test_words_and_forms_are_proposed_from_a_file_and_can_be_set_as_they_are() -> None:
    rows = [
        own_row(n, inkom_datum=f"1808{n + 13:02}", utredning_slut="-" if n % 2 else "Uppgift saknas", orsak="saknas")
        for n in range(12)
    ]
    said, text = proposal(rows)
    assert said["empty", "utredning_slut"].words == ("-", "uppgift saknas")
    assert said["empty", "orsak"].words == ("saknas",)
    assert said["dates", "inkom_datum"].words == ("ååmmdd",) and "spread them over years" in text
    read = read_mapping(text.encode())
    assert mistakes_in(read) == []
    assert DateForm("inkom_datum", "ååmmdd") in read.words_of("arenden").dates
    assert check(csv_bytes("arenden", rows), read).used_words is not None


def test_a_form_that_could_be_two_is_left_to_the_city_and_no_cell_is_shown() -> None:
    rows = [own_row(n, inkom_datum=f"{n + 1}/8/18") for n in range(12)]
    said, text = proposal(rows)
    assert said["dates", "inkom_datum"].is_open and '# inkom_datum: ["d/m/åå"]' in text and "m/d/åå" in text
    assert read_mapping(text.encode()).words_of("arenden").dates == ()
    assert "/8/18" not in text
    said, _ = proposal([own_row(n, inkom_datum="2018-08-02") for n in range(12)])
    assert not said
