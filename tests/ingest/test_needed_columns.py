"""Columns and fields that may be lacking, rows that are none, and which cell a rule marks."""

from __future__ import annotations

import pytest
from files import base_row, check, csv_bytes, examples, fired

from ingest.checks.suites import always_filled, load_rules
from ingest.contracts import load_contracts
from ingest.quarters import Quarter
from ingest.reading.needed_columns import decided_by_rows, needed_by_some, needs_of

ENDED = ("utredning_slut", "barnet_horts", "skola_kontaktad", "insats_erbjuden", "insats", "antal_insatser_erbjudna",
         "insats_accepterad")  # fmt: skip
RESERVE = {"personnummer": "", "id_typ": "reservnummer", "lopnummer": "L-7", "fodelsear": "2010"}


def file_of(dataset: str, rows: list[dict[str, str]], without: frozenset[str] = frozenset()) -> bytes:
    columns = [c for c in load_contracts(Quarter(2018, 3))[dataset].columns if c.name not in without]
    lines = [[c.label_sv for c in columns], *([row.get(c.name, "") for c in columns] for row in rows)]
    return "".join(";".join(line) + "\r\n" for line in lines).encode()


def name_of(dataset: str) -> str:
    return f"bromma_{dataset}_2018Q3.csv"


def message(raw: bytes, rule: str, dataset: str = "arenden") -> str:
    return next(f.message for f in check(raw, name_of(dataset)).findings() if f.rule == rule)


def example_rows(dataset: str, column: str) -> list[dict[str, str]]:
    """Declared examples that differ in what decides whether the column is needed; the base first."""
    deciding = {need.decided_by for need in needs_of(dataset) if need.column == column}
    base = {k: str(v) for k, v in examples(dataset)["base"].items()}
    rows = {tuple(base[name] for name in deciding): base}
    for rule in examples(dataset)["rules"].values():
        for changed in rule.get("pass", []):
            if isinstance(changed, dict) and set(changed) <= set(base):
                row = {**base, **{k: str(v) for k, v in changed.items()}}
                rows.setdefault(tuple(row[name] for name in deciding), row)
    return list(rows.values())


CASES = [
    (dataset, column)
    for dataset in load_contracts()
    for column in sorted(needed_by_some(dataset))
    if not load_contracts(Quarter(2018, 3))[dataset].column(column).optional
]


@pytest.mark.parametrize(("dataset", "column"), CASES)
def test_column_that_only_some_rows_need_is_missed_exactly_when_a_row_needs_it(dataset: str, column: str) -> None:
    """The rows that the suite declares as examples are tried without the column: either its lack is reported once, or
    nothing is said that wasn't said of an empty cell."""
    seen = set()
    for row in example_rows(dataset, column):
        empty = {**row, column: ""}
        whole = check(file_of(dataset, [empty]), name_of(dataset))
        lacking = check(file_of(dataset, [empty], frozenset({column})), name_of(dataset))
        is_missed = "FIL-010" in fired(lacking)
        seen.add(is_missed)
        if not is_missed:
            assert fired(lacking) == fired(whole)
            continue
        found = [f for f in lacking.findings() if f.rule == "FIL-010"]
        assert [f.column for f in found] == [column] and "rad 2" in found[0].message
        # one band of waits that lacks is no rule's matter while the others are given: its lack is reported all the same
        about = {r.code for r in load_rules(dataset) if column in r.columns}
        assert fired(whole) & about or column.startswith("vantade_")
    assert True in seen


def test_children_with_numbers_need_no_running_number_and_no_birth_year() -> None:
    report = check(file_of("arenden", [base_row("arenden")], frozenset({"lopnummer", "fodelsear"})))
    assert report.accepted and fired(report) == set()


def test_children_without_numbers_need_no_column_of_numbers() -> None:
    report = check(file_of("arenden", [base_row("arenden", **RESERVE)], frozenset({"personnummer"})))
    assert report.accepted and fired(report) == set()


def test_missing_column_says_which_rows_need_it() -> None:
    rows = [base_row("arenden"), base_row("arenden", arende_id="B-2", **RESERVE)]
    said = message(file_of("arenden", rows, frozenset({"fodelsear"})), "FIL-010")
    assert "Födelseår saknas: 1 rad behöver den, rad 3, där ID-typ är reservnummer eller skyddad (Sk" in said


def test_columns_that_decide_about_each_other_are_both_needed() -> None:
    lacking = frozenset({"utredning_inledd", "forhandsbedomning_klar"})
    found = [
        f.column for f in check(file_of("arenden", [base_row("arenden")], lacking)).findings() if f.rule == "FIL-010"
    ]
    assert found == ["forhandsbedomning_klar", "utredning_inledd"]


def test_column_decided_by_one_that_nobody_needs_is_not_needed() -> None:
    closed = dict.fromkeys(ENDED, "")
    lacking = frozenset({"insats_erbjuden", "insats", "insats_accepterad", "barnet_horts", "skola_kontaktad"})
    assert check(file_of("arenden", [base_row("arenden", **closed)], lacking)).accepted


def test_misspelt_header_of_such_a_column_is_an_error_all_the_same() -> None:
    raw = file_of("arenden", [base_row("arenden")]).replace("Löpnummer".encode(), "Löpnumer".encode())
    assert "FIL-010" in fired(check(raw))


def test_headers_only_need_no_such_column() -> None:
    assert check(file_of("grupper", [], frozenset({"faktisk_start", "installd_skal"})), name_of("grupper")).accepted


def test_rows_that_end_early_are_one_query() -> None:
    closed = dict.fromkeys(ENDED, "")
    rows = [base_row("arenden", arende_id=f"A-{n}", inkom_datum=f"2018-07-0{n}", **closed) for n in (1, 2, 3)]
    lines = file_of("arenden", rows).decode().split("\r\n")
    report = check("\r\n".join([lines[0], lines[1], lines[2].rstrip(";"), lines[3].rstrip(";"), ""]).encode())
    found = [f for f in report.findings() if f.rule == "FIL-070"]
    assert report.accepted and report.rows == 3 and len(found) == 1
    assert found[0].message.startswith("2 rader slutar före sista kolumnen, den första är rad 3.")


def test_row_without_a_field_in_its_middle_is_reported_as_such() -> None:
    cells = file_of("oppenvard", [base_row("oppenvard")]).decode().split("\r\n")
    short = cells[1].split(";")
    del short[[c.name for c in load_contracts(Quarter(2018, 3))["oppenvard"].columns].index("malgrupp")]
    raw = "\r\n".join([cells[0], ";".join(short), ""]).encode()
    assert "cellerna i den står i fel kolumner, ett fält saknas" in message(raw, "FIL-013", "oppenvard")


HEAD, ROW, _ = file_of("arenden", [base_row("arenden")]).decode().split("\r\n")
WIDTH = HEAD.count(";")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (HEAD, "FIL-065"), (HEAD.upper(), "FIL-065"), (";".join(["-----"] * (WIDTH + 1)), "FIL-066"),
        (";".join(["="] * (WIDTH + 1)), "FIL-066"), ("----------", "FIL-066"), ("* preliminära uppgifter", "FIL-067"),
        ("Källa: Treserva; uttag 2018-10-05", "FIL-067"), ("(12 rader)" + ";" * WIDTH, "FIL-067"),
        (";;Obs! ofullständig" + ";" * (WIDTH - 2), "FIL-067"), ("\u200bAnm. 3" + ";" * WIDTH, "FIL-067"),
        ("Handläggare Testa Testsson;ringer" + ";" * (WIDTH - 1), "FIL-067"),
    ],
)  # fmt: skip
def test_row_that_is_none_is_reported_once_as_what_it_is(line: str, rule: str) -> None:
    report = check(f"{HEAD}\r\n{line}\r\n{ROW}\r\n".encode())
    assert [(f.rule, f.row) for f in report.findings()] == [(rule, 2)]
    assert report.rows == 1


@pytest.mark.parametrize(
    "line", ["Vid pennan: Testa;chef;Bromma;2018-10-05", "Uppgiftslämnare;Testa;08-508;2018-10-05"]
)
def test_signature_that_fills_a_row_with_its_day_is_reported_as_such(line: str) -> None:
    """`rutiner` has four columns: name, title, unit and day of a signature fill them."""
    head, row = csv_bytes("rutiner", [base_row("rutiner")]).decode("cp1252").splitlines()
    report = check("\r\n".join([head, row, line, ""]).encode("cp1252"), "bromma_rutiner_2018Q3.csv")
    assert [(f.rule, f.row) for f in report.findings()] == [("FIL-067", 3)] and report.rows == 1
    wrong = row.replace(row.split(";")[0], "Kontaktcenter")  # a row whose unit is wrong remains a row
    report = check("\r\n".join([head, row, wrong, ""]).encode("cp1252"), "bromma_rutiner_2018Q3.csv")
    assert [(f.rule, f.row) for f in report.findings()] == [("RUT-002", 3)] and report.rows == 2


def test_row_with_another_separator_is_reported_as_such() -> None:
    raw = f"{HEAD}\r\n{ROW.replace(';', ',')}\r\n".encode()
    assert "annat skiljetecken" in message(raw, "FIL-013")


@pytest.mark.parametrize(
    ("dataset", "rule", "column"),
    [
        ("arenden", "ARE-003", "personnummer"), ("arenden", "ARE-016", "kon"),
        ("arenden", "ARE-061", "utredning_start"),
        ("oppenvard", "OPP-007", "personnummer"), ("oppenvard", "OPP-020", "kon"), ("grupper", "GRU-045", "status"),
        ("grupper", "GRU-046", "status"), ("grupper", "GRU-049", "platser"),
        ("grupper", "GRU-050", "vantetid_summa_dagar"), ("serviceinsatser", "SER-038", "vantetid_summa_dagar"),
        ("serviceinsatser", "SER-039", "antal_uppfoljda"), ("serviceinsatser", "SER-052", "vantetid_summa_dagar"),
        ("ungdomsmottagning", "UNG-023", "vantetid_summa_dagar"),
        ("ungdomsmottagning", "UNG-025", "vantetid_summa_dagar"),
    ],
)  # fmt: skip
def test_rule_marks_the_cell_to_correct(dataset: str, rule: str, column: str) -> None:
    assert next(r.column for r in load_rules(dataset) if r.code == rule) == column


@pytest.mark.parametrize("dataset", load_contracts())
def test_rules_mark_columns_of_the_contract(dataset: str) -> None:
    names = {c.name for c in load_contracts()[dataset].columns}
    assert {r.column for r in load_rules(dataset) if r.column} <= names


def test_table_between_other_signs_is_reported_as_such() -> None:
    assert "Skiljetecknet verkar vara |" in message(f"{HEAD}\r\n{ROW}\r\n".replace(";", "|").encode(), "FIL-021")


def test_rows_quoted_as_a_whole_are_reported_as_such() -> None:
    raw = f'"{HEAD}"\r\n"{ROW}"\r\n'.encode()
    assert "Hela raden verkar stå inom citattecken" in message(raw, "FIL-021")


OPEN_CASE = {**dict.fromkeys(ENDED, ""), "insats_erbjuden": ""}
NOBODY_NEW = {
    "antal_nya": "0", "vantade_0_7": "0", "vantade_8_14": "0", "vantade_15_30": "0", "vantade_31_90": "0",
    "vantade_over_90": "0", "vantetid_summa_dagar": "",
}  # fmt: skip
NO_VISITOR_NEW = {**NOBODY_NEW, "nya_besokare": "0"}
ONGOING = {"slut_datum": "", "avslutsorsak": "", "uppfoljd": "", "uppfoljd_datum": "", "uppfoljningsmetod": ""}


@pytest.mark.parametrize(
    ("dataset", "column", "changes"),
    [
        ("arenden", "utredning_slut", OPEN_CASE),
        ("oppenvard", "slut_datum", ONGOING),
        ("serviceinsatser", "vantetid_summa_dagar", NOBODY_NEW),
        ("ungdomsmottagning", "vantetid_summa_dagar", NO_VISITOR_NEW),
    ],
)
def test_column_that_no_row_may_fill_may_be_left_out(dataset: str, column: str, changes: dict[str, str]) -> None:
    """Nothing is said of the lack but what is said of an empty cell; one row that may fill it makes it needed."""
    names = {c.name for c in load_contracts(Quarter(2018, 3))[dataset].columns}
    base = base_row(dataset)
    row = {**base, **{name: value for name, value in changes.items() if name in names}}
    whole, lacking = (
        check(file_of(dataset, [row], without), name_of(dataset)) for without in (frozenset(), frozenset({column}))
    )
    assert fired(lacking) == fired(whole)
    both = check(file_of(dataset, [row, base], frozenset({column})), name_of(dataset))
    assert [f.column for f in both.findings() if f.rule == "FIL-010"] == [column]


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_file_without_rows_needs_only_the_columns_that_every_row_fills(dataset: str) -> None:
    whole = check(file_of(dataset, []), name_of(dataset))
    report = check(file_of(dataset, [], decided_by_rows(dataset)), name_of(dataset))
    assert report.accepted and fired(report) == fired(whole)


def test_every_column_is_optional_filled_in_every_row_or_decided_by_the_rows() -> None:
    for dataset, contract in load_contracts().items():
        for column in contract.columns:
            assert column.optional or column.name in always_filled(dataset) | decided_by_rows(dataset), column.name
