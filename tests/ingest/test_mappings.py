"""A unit's own words: the document, how files are read by it, versions, and the files that are read again."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime

import pytest
from files import DISTRICT, KEYS, Installation, base_row, csv_bytes, fired
from python_calamine import CalamineWorkbook
from workbook_files import workbook

from followup.doctor import run_doctor
from followup.mapping import read_otherwise, set_mapping
from ingest.checking import CheckReport, Circumstances, check_file
from ingest.contracts import LocalName, load_contracts
from ingest.feedback import as_json, as_text
from ingest.feedback_workbook import as_workbook
from ingest.ledger import Submission, decisions
from ingest.ledger.acts import acts
from ingest.ledger.mappings import mapping_in_use, mappings
from ingest.maintenance.reprocessing import reprocess
from ingest.maintenance.restoring_rows import restore_rows
from ingest.mappings.documents import MOST_BYTES, MappingRefused, UnitMapping, as_yaml, mistakes_in, read_mapping
from ingest.naming import read_name
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.recording import open_intake
from ingest.row_files import row_files
from ingest.storing import read_rows

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
HEADERS = {"orsak": "Aktualiseringsorsak", "kon": "Flicka/pojke", "personnummer": "Klientens nr"}
CODES = {"orsak": {"Relationen": "familjekonflikt"}, "kon": {"1": "man", "2": "kvinna"}}


def document(
    columns: dict[str, str] = HEADERS, codes: dict[str, dict[str, str]] = CODES, since: str = "2018Q1"
) -> bytes:
    """A mapping of `arenden`; columns and codes by our names."""
    said = {"columns": {header: name for name, header in columns.items()}, "codes": codes}
    whole = {"unit": DISTRICT, "valid_from": since, "datasets": {"arenden": said}}
    return json.dumps(whole, ensure_ascii=False).encode()  # JSON is YAML too


def mapping(**parts: object) -> UnitMapping:
    return read_mapping(document(**parts))  # type: ignore[arg-type]


def of_interventions(dataset: str) -> UnitMapping:
    """A mapping in which the unit calls an intervention by a name of its own."""
    said = {"codes": {"insats": {"Soffan": "komet"}}}
    whole = {"unit": DISTRICT, "valid_from": "2018Q1", "datasets": {dataset: said}}
    return read_mapping(json.dumps(whole).encode())


def unit_file(*rows: dict[str, str], headers: dict[str, str] = HEADERS) -> bytes:
    """A file of `arenden` with the unit's own headers."""
    text = csv_bytes("arenden", list(rows)).decode("cp1252")
    head, _, body = text.partition("\r\n")
    labels = {load_contracts()["arenden"].column(name).label_sv: header for name, header in headers.items()}
    return (";".join(labels.get(cell, cell) for cell in head.split(";")) + "\r\n" + body).encode("cp1252")


def own_row(number: int = 1, **changes: str) -> dict[str, str]:
    return base_row("arenden", **{"arende_id": f"A-{number}", "orsak": "Relationen", "kon": "2", **changes})


def check(raw: bytes, by: UnitMapping | None, name: str = NAME) -> CheckReport:
    return check_file(raw, read_name(name), Circumstances(KEYS, date(2019, 1, 1), 200, mapping=by))


def test_file_in_the_units_words_is_read_as_one_in_the_contracts() -> None:
    raw = unit_file(own_row())
    assert {"FIL-010", "FIL-012"} <= fired(check(raw, None))
    report = check(raw, mapping())
    plain = check(csv_bytes("arenden", [base_row("arenden", arende_id="A-1", orsak="familjekonflikt")]), None)
    assert report.accepted and report.table is not None and plain.table is not None
    for name in ("orsak", "kon"):
        codes = report.table.codes[name]
        assert codes.codes[int(report.table.values[name][0])] == {"orsak": "familjekonflikt", "kon": "kvinna"}[name]
    assert report.table.person_keys.to_pylist() == plain.table.person_keys.to_pylist()


def test_feedback_says_how_the_units_words_were_read() -> None:
    report = check(unit_file(own_row()), mapping())
    text = "\n".join(as_text(NAME, report))
    assert "Er kolumn ”Aktualiseringsorsak” läses som ”orsak”." in text
    assert "I kolumnen Kön läses ”2” som ”kvinna”." in text
    assert "”1”" not in text  # a word that the file does not use is not said
    said = as_json(NAME, report)["mapping"]
    assert {"header": "Flicka/pojke", "column": "kon", "label": "Kön"} in said["columns"]
    assert {"column": "kon", "label": "Kön", "spelling": "2", "code": "kvinna"} in said["codes"]
    book = as_workbook(NAME, report)
    cells = CalamineWorkbook.from_filelike(io.BytesIO(book)).get_sheet_by_index(0).to_python()
    assert any("Er kolumn ”Klientens nr” läses som ”personnummer”." in str(cell) for row in cells for cell in row)


def test_a_workbook_is_read_by_the_units_words_too() -> None:
    lines = [line.split(";") for line in unit_file(own_row()).decode("cp1252").splitlines()]
    report = check(workbook({"Blad1": lines}), mapping(), NAME.replace("csv", "xlsx"))
    assert report.accepted and report.used_words is not None
    assert {one.column for one in report.used_words.columns} == set(HEADERS)


def test_file_in_the_contracts_words_is_read_as_before_and_nothing_is_said() -> None:
    report = check(csv_bytes("arenden", [base_row("arenden")]), mapping())
    assert report.accepted and report.used_words is not None
    assert report.used_words.as_text() == []


def test_a_column_in_both_words_is_refused() -> None:
    raw = unit_file(own_row(), headers={"ytterligare_orsaker": "Aktualiseringsorsak"})
    assert "FIL-011" in fired(check(raw, mapping()))


def test_ambiguous_word_means_what_the_unit_says() -> None:
    raw = csv_bytes("arenden", [base_row("arenden", orsak="missbruk", ytterligare_orsaker="missbruk|bostad")])
    assert not check(raw, None).accepted
    said = {"orsak": {"missbruk": "barn_missbruk"}, "ytterligare_orsaker": {"missbruk": "vuxen_missbruk"}}
    report = check(raw, mapping(codes=said))
    assert report.accepted and report.table is not None
    codes = report.table.codes["orsak"].codes
    assert codes[int(report.table.values["orsak"][0])] == "barn_missbruk"
    second = {codes[place] for place in report.table.code_sets["ytterligare_orsaker"][0]}
    assert second == {"vuxen_missbruk", "bostad"}


def test_rows_are_told_from_totals_and_headers_in_the_units_words() -> None:
    said = {"orsak": {"Samtliga orsaker": "annan"}}
    raw = csv_bytes("arenden", [base_row("arenden", orsak="Samtliga orsaker")])
    assert check(raw, mapping(codes=said)).accepted
    doubled = unit_file(own_row())
    doubled += doubled.split(b"\r\n")[0] + b"\r\n"
    assert fired(check(doubled, mapping())) == {"FIL-065"}


def test_short_row_in_the_units_words_is_no_displaced_one() -> None:
    words = {"bor_med_berord_foralder": {"9": "okant"}, "aktualisering": {"10": "anmalan"}, **CODES}
    row = own_row(aktualisering="10", bor_med_berord_foralder="9")
    raw = unit_file(row).rstrip(b"\r\n").rstrip(b";") + b"\r\n"
    codes = fired(check(raw, mapping(codes=words)))
    assert "FIL-013" not in codes


@pytest.mark.parametrize(
    ("columns", "codes", "said"),
    [
        ({"orsakk": "X"}, {}, "no column orsakk; near it: orsak"),
        ({}, {"orsak": {"x": "bostäder"}}, "no code bostäder; near it: bostad"),
        ({}, {"fodelsear": {"x": "y"}}, "no column of codes"),
        ({}, {"kön": {"x": "man"}}, "no column kön; near it: kon"),
        ({"orsak": "Kön"}, {}, "the contract's own header of kon"),
        ({"orsak": "Orsak A", "kon": "orsak a"}, {}, "read alike"),
        ({}, {"kon": {"kvinna": "man"}}, "own word for kvinna"),
        ({}, {"kon": {"Flickor": "man"}}, "own word for kvinna"),
        ({}, {"orsak": {"missbruk": "bostad"}}, "can only mean barn_missbruk or vuxen_missbruk"),
        ({}, {"kon": {"a b": "man", "A-B": "kvinna"}}, "read alike"),
        ({}, {"ytterligare_orsaker": {"a|b": "bostad"}}, "parts codes"),
        ({"orsak": " - "}, {}, "is empty"),
        ({"orsak": "x" * 201}, {}, "longer than 200"),
        ({"orsak": "a\u202eb"}, {}, "nobody sees"),
        ({"orsak": "Barn 20050505-9824"}, {}, "personal number"),
        ({}, {"kon": {"20050505-9824": "man"}}, "personal number"),
    ],
)
def test_mapping_that_can_not_be_used_says_why(
    columns: dict[str, str], codes: dict[str, dict[str, str]], said: str
) -> None:
    (mistake,) = mistakes_in(mapping(columns=columns, codes=codes))
    assert said in mistake and mistake.startswith("line 1: arenden: ")
    assert "9824" not in mistake


def test_two_columns_onto_one_are_refused() -> None:
    raw = document().replace(b'"Flicka/pojke": "kon"', b'"Flicka/pojke": "orsak"')
    (mistake,) = mistakes_in(read_mapping(raw))
    assert "both mean orsak" in mistake


def test_code_that_contradicts_a_name_that_the_city_added_is_refused() -> None:
    found = of_interventions("serviceinsatser")
    assert mistakes_in(found) == []
    assert mistakes_in(found, [LocalName(DISTRICT, "Soffan", "rad_och_stod")])
    assert mistakes_in(found, [LocalName("farsta", "Soffan", "rad_och_stod")]) == []


_BEGINNING = f"unit: {DISTRICT}\nvalid_from: 2018Q3\ndatasets:\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list"),
        ("- a", "no list"),
        ("unit: bromma", "has the keys datasets, unit, valid_from"),
        (f"{_BEGINNING}  arenden: {{}}\nmore: x", "and no others"),
        (_BEGINNING.replace("2018Q3", "2018"), "line 2: valid_from is a quarter"),
        (f"{_BEGINNING}  arenden:\n    colums: {{}}", "columns, codes, empty and dates, and nothing else"),
        (f"{_BEGINNING}  arenden:\n    columns:\n      A: orsak\n      A: kon", "line 7: A is named twice"),
        (f"{_BEGINNING}  arenden:\n    columns:\n      ? [a, b]\n      : orsak", "one word is due"),
        (f"{_BEGINNING}  arenden: &x {{}}\n  utbud: *x", "anchors and aliases"),
        (f"{_BEGINNING}  arenden: !!python/object/apply:os.system [echo]", "tags"),
        (f"{_BEGINNING}  arenden: " + "[" * 5000, "deeper"),
        (f"{_BEGINNING}  arenden: {{a: [", "deeper|no YAML"),
        (f'{_BEGINNING}  arenden: "x', "line 4: no YAML"),
        (f"{_BEGINNING}  arenden:\n    columns:\n      \x00: orsak", "characters that no text has"),
        ("x" * (MOST_BYTES + 1), "larger than 200 kB"),
        (_BEGINNING + "".join(f"  d{n}:\n" for n in range(25_000)), "more than|larger"),
        ("\ufeffunit: \xff", "keys"),
    ],
)
def test_document_is_read_as_hostile(text: str, said: str) -> None:
    with pytest.raises(MappingRefused) as caught:
        read_mapping(text.encode())
    assert any(part in str(caught.value) for part in said.split("|")), str(caught.value)


def test_words_are_read_as_they_are_written() -> None:
    words = "        1: man\n        no: kvinna\n        2018-01-01: okant\n"
    raw = f"{_BEGINNING}  arenden:\n    codes:\n      kon:\n{words}"
    (entry,) = read_mapping(raw.encode()).datasets
    assert [word.spelling for word in entry[1].codes] == ["1", "no", "2018-01-01"]


def test_document_that_is_written_reads_back_the_same() -> None:
    odd = mapping(columns={"orsak": 'A "b" \\ # : - {x}', "kon": "<b>=1+1</b>"}, codes={"kon": {"'1'": "man"}})
    assert read_mapping(as_yaml(odd).encode()) == odd
    assert mistakes_in(odd) == []


def test_what_a_mapping_says_is_text_in_every_feedback() -> None:
    hostile = '=HYPERLINK("http://x")<script>'
    headers = {**HEADERS, "orsak": hostile}
    report = check(unit_file(own_row(), headers=headers), mapping(columns=headers))
    assert report.accepted
    with zipfile.ZipFile(io.BytesIO(as_workbook(NAME, report))) as book:
        parts = {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xml")}
    assert not any("<f>" in part or "<script>" in part for part in parts.values())
    assert any("&lt;script&gt;" in part for part in parts.values())


# In an installation


def submit(installation: Installation, raw: bytes, name: str = NAME) -> Submission:
    installation.drop(name, raw)
    (receipt,) = receive_district(installation.settings, DISTRICT).files
    assert receipt.state != "duplicate"
    return next(s for s in installation.ledger().submissions() if s.submission_id == receipt.submission_id)


def put(installation: Installation, found: UnitMapping, *, reread: bool = False) -> list[Submission]:
    """Set a mapping, and check again what it asks for."""
    with open_intake(installation.settings) as intake:
        done = set_mapping(intake, found)
        new = reprocess(intake, done.refused)
        return new + (reprocess(intake, read_otherwise(intake.ledger, DISTRICT)) if reread else [])


def test_setting_a_mapping_lets_the_refused_file_in_at_its_own_time(installation: Installation) -> None:
    refused = submit(installation, unit_file(own_row()))
    assert refused.state == "refused" and refused.mapping_version is None
    installation.now = "2018-11-30T08:00"
    (new,) = put(installation, mapping())
    assert (new.state, new.version, new.mapping_version) == ("accepted", 1, 1)
    assert new.is_on_time and new.submitted_at == refused.submitted_at
    assert acts(installation.ledger())[-2].action == "mapping.set"
    assert put(installation, mapping()) == []  # the same again changes nothing
    answer = installation.root / "inbox" / DISTRICT / "aterkoppling" / f"{NAME}.txt"
    assert "TAS INTE IN" in answer.read_text(encoding="utf-8")
    receive_district(installation.settings, DISTRICT)  # leaves the new answer, and once only
    assert "läses som ”orsak”" in answer.read_text(encoding="utf-8") and "TAS INTE IN" not in answer.read_text("utf-8")
    answer.unlink()
    receive_district(installation.settings, DISTRICT)
    assert not answer.exists()
    assert [one.version for one in mappings(installation.ledger())] == [1]


def test_each_quarter_is_read_by_the_version_that_is_valid_for_it(installation: Installation) -> None:
    ledger = installation.ledger()
    put(installation, mapping(since="2018Q1", codes={"kon": {"1": "man", "2": "kvinna"}}))
    put(installation, mapping(since="2018Q4", codes={"kon": {"1": "kvinna", "2": "man"}}))  # a new case system
    used = {text: mapping_in_use(ledger, DISTRICT, Quarter.parse(text)) for text in ("2017Q4", "2018Q3", "2019Q1")}
    assert {text: one and one.version for text, one in used.items()} == {"2017Q4": None, "2018Q3": 1, "2019Q1": 2}
    put(installation, mapping(since="2018Q1", codes={"kon": {"1": "man", "2": "kvinna", "3": "okant"}}))
    assert mapping_in_use(ledger, DISTRICT, Quarter(2018, 3)).version == 3
    assert mapping_in_use(ledger, DISTRICT, Quarter(2019, 1)).version == 2  # the correction is of the old quarters
    assert mapping_in_use(ledger, "farsta", Quarter(2018, 3)) is None
    installation.now = "2019-01-10T08:00"
    old = submit(installation, unit_file(own_row(orsak="bostad", kon="2")))
    assert (old.state, old.mapping_version) == ("accepted", 3)
    rows = read_rows(row_files(installation.settings), old)
    assert rows["kon"].to_pylist() == ["kvinna"]


def test_same_file_is_taken_in_again_when_it_would_be_read_otherwise(installation: Installation) -> None:
    put(installation, mapping(codes={**CODES, "kon": {"1": "man", "2": "man"}}))
    raw = unit_file(own_row())
    assert submit(installation, raw).mapping_version == 1
    put(installation, mapping())
    again = submit(installation, raw)
    assert (again.state, again.version, again.mapping_version) == ("accepted", 2, 2)
    put(installation, mapping(since="2018Q2"))  # another version with the same words reads it alike
    installation.drop(NAME, raw)
    assert [f.state for f in receive_district(installation.settings, DISTRICT).files] == ["duplicate"]


def test_files_in_force_are_read_again_when_that_is_asked_for(installation: Installation) -> None:
    put(installation, mapping(codes={**CODES, "kon": {"1": "man", "2": "man"}}))
    wrong = submit(installation, unit_file(own_row()))
    assert read_rows(row_files(installation.settings), wrong)["kon"].to_pylist() == ["man"]
    assert put(installation, mapping()) == []
    assert [one.submission_id for one in read_otherwise(installation.ledger(), DISTRICT)] == [wrong.submission_id]
    (new,) = put(installation, mapping(), reread=True)
    assert (new.state, new.version, new.mapping_version) == ("accepted", 2, 2)
    assert read_rows(row_files(installation.settings), new)["kon"].to_pylist() == ["kvinna"]


def test_rows_are_restored_by_the_version_that_judged_them(installation: Installation) -> None:
    put(installation, mapping())
    found = submit(installation, unit_file(own_row()))
    put(installation, mapping(columns={"orsak": "Skäl till ärendet"}))
    (installation.settings.home / str(found.parquet_path)).unlink()
    with open_intake(installation.settings) as intake:
        assert restore_rows(intake, found).is_same


def test_mapping_that_the_contract_contradicts_by_now_refuses_the_file(installation: Installation) -> None:
    put(installation, of_interventions("arenden"))
    ledger = installation.ledger()
    decisions.add_local_name(ledger, LocalName("", "Soffan", "rad_och_stod"), datetime(2018, 10, 1))
    refused = submit(installation, csv_bytes("arenden", [base_row("arenden")]))
    assert refused.state == "refused"
    assert {c.rule for c in ledger.rule_counts(refused.submission_id)} == {"FIL-095"}
    findings = {one.what: one for one in run_doctor(installation.settings)}
    assert not findings["mappings"].is_good and "Soffan" in findings["mappings"].message
    (new,) = put(installation, mapping(columns={}, codes=CODES))
    assert new.state == "accepted"
