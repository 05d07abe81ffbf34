"""What spreadsheets do to values: formats that show zeros, General by other names, days made of codes, times of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pytest
from files import base_row, check, csv_bytes, fired
from workbook_files import Cell, Shown, book_of, labels, old_workbook, open_document, typed, workbook

from ingest.checking import CheckReport
from ingest.contracts import load_contracts
from ingest.reading.tables import read_table
from ingest.reading.times_of_day import read_time
from ingest.reading.turned_into_dates import guesses
from ingest.workbooks.number_formats import only_looks_like_a_date, shown_by, template

SER = "bromma_serviceinsatser_2018Q3.csv"
UNG = "bromma_ungdomsmottagning_2018Q3.csv"
HEAD = labels("arenden")
Make = Callable[[dict[str, list[list[Cell]]]], bytes]
HASH = "#"
"""Apart, so that no number of a ticket is read here."""
RESERVE = {"personnummer": "", "id_typ": "reservnummer", "fodelsear": "2010"}


def messages(report: CheckReport) -> str:
    return "\n".join(found.message for found in report.findings())


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("000000", 123, "000123"),
        ("000000", 0, "000000"),
        ("000", 20181001, "20181001"),
        ("0000-0000", 20181001, "2018-1001"),
        ("000 00", 12345, "123 45"),
        ('"A"0000', 123, "A0123"),
        ('"A"0', 123, "A123"),
        ("\\A000", 7, "A007"),
        ("000000-0000", 505059824, "050505-9824"),
        ("[Red]00000", 7, "00007"),
        ("[$-41D]000", 7, "007"),
        (f"{HASH}000", 7, "007"),
        ("_(000_)", 7, "007"),
        ("000;-000;\\0", 7, "007"),
        ("000;;00", 0, "00"),
    ],
)
def test_template_shows_fixed_digits_as_excel_does(code: str, number: int, shown: str) -> None:
    found = template(code)
    assert found is not None and found.shown(number) == shown


@pytest.mark.parametrize(
    "code",
    [
        "General", "0", f"#,#{HASH}0", f"# #{HASH}0", "0.00", "00.0", "0%", "00%", "0E+00", "# ?/?", "?00", f"#{HASH}0",
        "@",
        "yyyy-mm-dd", "[hh]:mm", '0 "st"', '"kr "0', "[$kr-41D]000", "[<=9999]0000;0", "0;000", "(0)", "", "000.",
        "Standard", '"abc"',
    ],
)  # fmt: skip
def test_template_is_none_of_other_formats(code: str) -> None:
    assert template(code) is None


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [("0%", 1, "100%"), ("0.00%", 0.125, "12.5%"), ('0"%"', 50, "50%"), ("0\\%", 50, "50%"),
     (f"{HASH}0 %;-0 %", 0, "0%"), ("0", 1, None), ("yyyy", 1, None), ("000", 1, "001")],
)  # fmt: skip
def test_share_is_shown_as_one_whatever_number_is_stored(code: str, number: float, shown: str | None) -> None:
    found = shown_by(code)
    assert (None if found is None else found.shown(number)) == shown


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_share_for_a_count_is_an_error_in_every_kind_of_workbook(ending: str) -> None:
    cells = typed("skyddsuppfoljning", base_row("skyddsuppfoljning"))
    shown = Shown(1, "0%", "100%")
    open_cell = (
        '<table:table-cell office:value-type="percentage" office:value="1"><text:p>100%</text:p></table:table-cell>'
    )
    make = {"xlsx": workbook, "xls": old_workbook, "ods": open_document}[ending]
    rows = [labels("skyddsuppfoljning"), [cells[0], open_cell if ending == "ods" else shown, *cells[2:]]]
    report = check(make({"A": rows}), f"bromma_skyddsuppfoljning_2018Q3.{ending}")
    assert not report.accepted and "en andel: skriv antalet" in next(report.findings()).message


def test_template_leaves_zero_to_its_own_section() -> None:
    found = template("000;-000;")
    assert found is not None and found.shown(0) is None and found.shown(7) == "007"


@pytest.mark.parametrize(
    ("code", "is_false"),
    [
        *((code, True) for code in ("Standard", "Allmänt", "Standaard", "General", "[$-41D]Standard;@", "Normál")),
        *(
            (code, False)
            for code in ("yyyy-mm-dd", "ÅÅÅÅ-MM-DD", "TT.MM.JJJJ", "d/m", "[h]", "mmm", '0 "dag"', "0", "")
        ),
    ],
)
def test_general_in_any_language_is_no_date(code: str, is_false: bool) -> None:
    assert only_looks_like_a_date(code) is is_false


def test_running_number_of_a_format_is_the_one_that_is_shown() -> None:
    row = base_row("arenden", **RESERVE, lopnummer="000123")
    place = [column.name for column in load_contracts()["arenden"].columns].index("lopnummer")
    cells = typed("arenden", row)
    cells[place] = Shown(123, "000000", "000123")
    shown, written = (
        check(raw, f"bromma_arenden_2018Q3.{ending}")
        for raw, ending in ((workbook({"A": [HEAD, cells]}), "xlsx"), (csv_bytes("arenden", [row]), "csv"))
    )
    assert shown.accepted and written.accepted and shown.table is not None and written.table is not None
    assert shown.table.person_keys.equals(written.table.person_keys)


def test_format_parts_of_differential_styles_are_not_those_of_cells() -> None:
    def colour(book: object, sheet: object) -> None:
        sheet.conditional_format(
            1,
            0,
            5,
            0,
            {"type": "no_blanks", "format": book.add_format({"num_format": "000000"})},
        )
        sheet.write_number(1, 0, 43173, book.add_format({"num_format": f"#,#{HASH}0"}))

    table = read_table(book_of("arenden", [base_row("arenden")], colour), load_contracts()["arenden"])
    assert table.columns["arende_id"].to_pylist() == [b"43173"]


@pytest.mark.parametrize(
    ("text", "day", "rule"),
    [
        ("2018-03-14 00:00:00", "2018-03-14", "midnight"),
        ("2018-03-14T00:00:00.000", "2018-03-14", "midnight"),
        ("20180314 00:00", "20180314", "midnight"),
        ("14/3/2018 00.00", "14/3/2018", "midnight"),
        ("2018-03-14 23:00:00", "2018-03-14", "FIL-056"),
        ("2018-03-24T23:00:00Z", "2018-03-24", "FIL-056"),
        ("2018-03-25 22:00", "2018-03-25", "FIL-056"),
        ("2018-10-27 22:00", "2018-10-27", "FIL-056"),
        ("2018-10-28 23:00", "2018-10-28", "FIL-056"),
        ("2018-07-14 23:00:00", "2018-07-14", "FIL-036"),
        ("2018-03-14 22:00:00", "2018-03-14", "FIL-036"),
        ("2018-03-14 23:00:00+01:00", "2018-03-14", "FIL-036"),
        ("2018-03-14 23:59:17", "2018-03-14", "FIL-057"),
        ("2018-03-14 23:59:59.997", "2018-03-14", "FIL-057"),
        ("2018-03-14 8:30", "2018-03-14", "FIL-036"),
    ],
)
def test_time_of_day_says_which_day_may_be_meant(text: str, day: str, rule: str) -> None:
    timed = read_time(text)
    assert timed is not None and (timed.day, timed.rule) == (day, rule)


@pytest.mark.parametrize("text", ["2018-03-14", "2018-03-14 24:00", "2018-03-14 08:61", "23:00", "2018-03-14 kl 8"])
def test_time_of_day_is_none_of_other_text(text: str) -> None:
    assert read_time(text) is None


def test_each_kind_of_time_is_asked_about_once_per_column() -> None:
    times = ["2018-07-01 22:00", "2018-07-02 23:59:59", "2018-07-02 08:30", "2018-07-01T22:00:00Z", "2018-07-02 00:00"]
    rows = [base_row("arenden", arende_id=f"2018-{n}", inkom_datum=text) for n, text in enumerate(times)]
    report = check(csv_bytes("arenden", rows))
    asked = [(found.rule, found.message) for found in report.findings() if found.rule.startswith("FIL-0")]
    assert [rule for rule, _ in asked] == ["FIL-056", "FIL-057", "FIL-036"]
    assert "2 celler" in asked[0][1] and "rad 2" in asked[0][1] and "rad 3" in asked[1][1] and "rad 4" in asked[2][1]


@pytest.mark.parametrize(
    ("text", "among"),
    [
        ("6-dec", "6-12"), ("06-dec", "6-12"), ("dec-14", "12-14"), ("2018-12-06", "6-12"), ("2017-12-13", "12-13"),
        ("jan-18", "1-18"), ("jan-18", "2018-01"), ("2018-01-01", "2018-01"), ("15 mars", "3-15"), ("okt.-18", "10-18"),
    ],
)  # fmt: skip
def test_guesses_name_what_was_typed(text: str, among: str) -> None:
    assert among in guesses(text)


@pytest.mark.parametrize("text", ["2018-1001", "2018-13-01", "kvinna", "2018-001-01", "maj", "12-14", "jan-2018-1"])
def test_guesses_are_none_of_other_text(text: str) -> None:
    assert guesses(text) == ()


@pytest.mark.parametrize("text", ["06-dec", "6-dec", "2018-12-06"])
def test_age_band_that_became_a_day_is_reported_with_what_was_meant(text: str) -> None:
    report = check(csv_bytes("serviceinsatser", [base_row("serviceinsatser", aldersgrupp=text)]), SER)
    assert fired(report) == {"FIL-035"} and "menades 6-12?" in messages(report)


def test_what_was_meant_is_named_once() -> None:
    report = check(csv_bytes("ungdomsmottagning", [base_row("ungdomsmottagning", aldersgrupp="dec-14")]), UNG)
    assert "menades 12-14?" in messages(report)


def test_identifiers_that_became_months_are_asked_about_and_days_only_among_others() -> None:
    def asked(*numbers: str) -> set[str]:
        return fired(check(csv_bytes("arenden", [base_row("arenden", arende_id=number) for number in numbers])))

    assert "FIL-055" in asked("jan-18") and "FIL-055" in asked("2018-1001", "2018-01-01")
    assert "FIL-055" not in asked("2018-01-01", "2018-02-01") and "FIL-055" not in asked("2018-1001")


def test_number_that_is_whole_but_for_a_computation_s_rest_is_shown_whole() -> None:
    cells = typed("arenden", base_row("arenden"))
    cells[0] = Shown(122.99999999999999, "000000", "000123")
    for make, ending in ((workbook, "xlsx"), (old_workbook, "xls")):
        table = read_table(make({"A": [HEAD, cells]}), load_contracts()["arenden"], ending)
        assert table.columns["arende_id"].to_pylist() == [b"000123"]


@pytest.mark.parametrize("make", [workbook, old_workbook])
def test_number_too_large_for_its_format_of_time_names_its_row(make: Make) -> None:
    cells = typed("arenden", base_row("arenden"))
    cells[0] = Shown(1e300, "[h]:mm", "")
    report = check(make({"A": [HEAD, typed("arenden", base_row("arenden")), cells]}), "bromma_arenden_2018Q3.xlsx")
    assert "FIL-062" in fired(report) and [f.row for f in report.findings() if f.rule == "FIL-062"] == [3]


@pytest.mark.parametrize(
    ("value", "text", "read"),
    [
        (123, "000123", "000123"), (123, "Å0123", "Å0123"), (20181001, "2018-1001", "2018-1001"), (0, "000", "000"),
        (43173, "43\xa0173", "43173"), (12, "kr\xa012", "12"), (0, "00,0", "0"), (123, "12300%", "123"),
        (7, "07:00", "7"),
        (124, "000123", "124"), (123, "", "123"),
    ],
)  # fmt: skip
def test_document_s_number_is_what_is_shown_only_with_a_fixed_number_of_digits(
    value: int, text: str, read: str
) -> None:
    cells = typed("arenden", base_row("arenden"))
    cells[0] = Shown(value, "", text)
    table = read_table(open_document({"A": [HEAD, cells]}), load_contracts()["arenden"])
    assert table.columns["arende_id"][0].as_py().decode() == read


def test_date_cell_for_an_identifier_is_reported_once() -> None:
    cells = [typed("arenden", base_row("arenden", arende_id=f"2018-{n}")) for n in range(3)]
    cells[1][0] = date(2018, 1, 1)
    report = check(workbook({"A": [HEAD, *cells]}), "bromma_arenden_2018Q3.xlsx")
    found = [(f.rule, f.row) for f in report.findings() if f.column == "arende_id"]
    assert found == [("FIL-035", 3)] and "jan-18" in messages(report) and "2018-01-01" not in messages(report)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"arende_id": "17.0"}, "FIL-059"),
        ({"arende_id": "17,0"}, "FIL-059"),
        ({"arende_id": "2,018E+11"}, "FIL-038"),
        ({"arende_id": "2.018e+11"}, "FIL-038"),
        ({"arende_id": "2018000000001230"}, "FIL-060"),
        ({"personnummer": "505059824.0"}, "FIL-059"),
        ({"inkom_datum": "1900-01-00"}, "FIL-058"),
        ({"inkom_datum": "00:00:00"}, "FIL-058"),
    ],
)
def test_one_finding_names_the_cause_and_no_other_follows(changes: dict[str, str], rule: str) -> None:
    assert fired(check(csv_bytes("arenden", [base_row("arenden", **changes)]))) == {rule}


def test_number_of_a_person_with_decimals_is_read_when_all_its_digits_are_there() -> None:
    number = base_row("arenden")["personnummer"].replace("-", "")
    for text in (f"{number}.0", f"{number},0"):
        assert fired(check(csv_bytes("arenden", [base_row("arenden", personnummer=text)]))) == set()


def test_long_identifiers_that_do_not_all_end_in_zero_are_whole() -> None:
    rows = [base_row("arenden", arende_id=number) for number in ("2018000000001230", "2018000000001231")]
    assert not {"FIL-038", "FIL-060"} & fired(check(csv_bytes("arenden", rows)))


@pytest.mark.parametrize("date_1904", [False, True])
def test_days_of_both_calendars_and_their_midnights_are_the_same(date_1904: bool) -> None:
    cells = typed("arenden", base_row("arenden"))
    place = [column.name for column in load_contracts()["arenden"].columns].index("inkom_datum")
    cells[place] = datetime(2018, 7, 1, 22)
    raw = workbook({"A": [HEAD, cells]}, date_1904=date_1904)
    table = read_table(raw, load_contracts()["arenden"])
    assert table.columns["inkom_datum"].to_pylist() == [b"2018-07-01"]
    assert [found.rule for found in table.findings] == ["FIL-056"]


def test_suppressed_consequences_leave_other_rows_and_columns_their_findings() -> None:
    rows = [
        base_row("serviceinsatser", aldersgrupp="06-dec", antal_i_ko="många"),
        base_row("serviceinsatser", aldersgrupp="6-13"),
    ]
    found = [(f.rule, f.row) for f in check(csv_bytes("serviceinsatser", rows), SER).findings()]
    assert ("FIL-035", 2) in found and ("SER-027", 2) in found and ("SER-008", 3) in found
    assert ("SER-008", 2) not in found
