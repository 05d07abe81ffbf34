"""What is proposed from a unit's file, how sure it is, and that nothing personal is ever shown."""

from __future__ import annotations

import pytest
from files import DISTRICT, base_row, csv_bytes
from workbook_files import workbook

from ingest.contracts import load_contracts
from ingest.mappings.documents import mistakes_in, read_mapping
from ingest.mappings.likeness import likeness
from ingest.mappings.suggesting import NothingToSuggest, Suggestion, suggest
from ingest.quarters import Quarter

ARENDEN = load_contracts()["arenden"]
OWN = {
    "orsak": "Aktualiseringsorsak",
    "personnummer": "Id 1",
    "kon": "Klientens kön",
    "inkom_datum": "Datum inkommen",
    "arende_id": "Ärendets nummer",
    "uppgiftslamnare": "Anmälare (roll)",
}
NUMBERS = ("20050505-9824", "20080808-9817")
NAMES = ("Anna Svensson", "Karin Lindgren")


def unit_file(
    rows: list[dict[str, str]], headers: dict[str, str] = OWN, more: dict[str, list[str]] | None = None
) -> bytes:
    lines = csv_bytes("arenden", rows).decode("cp1252").splitlines()
    labels = {ARENDEN.column(name).label_sv: header for name, header in headers.items()}
    head = ";".join(labels.get(cell, cell) for cell in lines[0].split(";"))
    extra = more or {}
    lines = [head, *lines[1:]]
    for header, cells in extra.items():
        lines = [f"{line};{cell}" for line, cell in zip(lines, [header, *cells], strict=True)]
    return "\r\n".join(lines).encode("cp1252")


def rows(count: int = 20, **changes: str) -> list[dict[str, str]]:
    return [
        base_row(
            "arenden",
            arende_id=f"A-{n}",
            personnummer=NUMBERS[n % 2],
            inkom_datum=f"2018-08-{n % 28 + 1:02}",
            **changes,
        )
        for n in range(count)
    ]


def proposed(raw: bytes) -> Suggestion:
    return suggest(raw, ARENDEN, DISTRICT)


def document(found: Suggestion) -> str:
    return found.as_yaml(DISTRICT, "arenden", Quarter(2018, 3))


def test_headers_are_proposed_by_name_and_values_with_how_sure_and_why() -> None:
    found = proposed(unit_file(rows()))
    said = {one.found.header: (one.column, one.sure) for one in found.columns}
    assert said["Aktualiseringsorsak"] == ("orsak", "sure")
    assert said["Klientens kön"] == ("kon", "sure")
    assert said["Id 1"] == ("personnummer", "likely")  # by its values alone
    assert said["Datum inkommen"][0] == "inkom_datum"
    assert said["Ärendets nummer"][0] == "arende_id"
    assert said["Anmälare (roll)"][0] == "uppgiftslamnare"
    why = next(one.why for one in found.columns if one.column == "orsak")
    assert "like orsak" in why and "100% of its values fit" in why


def test_proposal_is_a_document_that_can_be_set_as_it_is() -> None:
    text = document(proposed(unit_file(rows())))
    mapping = read_mapping(text.encode())
    assert mistakes_in(mapping) == []
    assert mapping.valid_from == Quarter(2018, 3)


def test_workbook_gives_the_same_proposal_as_csv() -> None:
    raw = unit_file(rows())
    cells: list[list[object]] = [list(line.split(";")) for line in raw.decode("cp1252").splitlines()]
    book = workbook({"Export": [["Uttag ur systemet"], [], *cells]})
    assert document(proposed(book)) == document(proposed(raw))


def test_codes_are_proposed_where_they_are_like_ours_and_bare_numbers_are_left_open() -> None:
    data = rows(12)
    for row, reason in zip(data, ["Bostadssituationen"] * 4 + ["Missbruk"] * 4 + ["bostad"] * 4, strict=True):
        row["orsak"] = reason
    for row in data:
        row["kon"] = "1"
    found = proposed(unit_file(data))
    codes = {(one.column, one.spelling): one.code for one in found.codes}
    assert codes["orsak", "Bostadssituationen"] == "bostad"
    assert codes["orsak", "Missbruk"] is None  # ours, and ambiguous
    assert codes["kon", "1"] is None
    text = document(found)
    assert '# "1": ?' in text and "may mean barn_missbruk or vuxen_missbruk" in text


@pytest.mark.parametrize("header", ["Handläggare", "Anteckning", "Annan orsak", "Uppgiftslämnarens namn", "Insatser"])
def test_nothing_of_a_column_that_people_write_in_is_shown(header: str) -> None:
    count = 24
    cells = [NAMES[n % 2] if n % 3 else f"Mamma till {NUMBERS[0]} ringde, {n}" for n in range(count)]
    text = document(proposed(unit_file(rows(count), more={header: cells})))
    for secret in (*NAMES, "Anna", "Svensson", *NUMBERS, "9824", "Mamma", "ringde"):
        assert secret not in text


@pytest.mark.parametrize("column", ["uppgiftslamnare", "orsak", "kon", "hanvisad_till", "insats"])
def test_names_in_a_column_of_codes_are_counted_and_not_shown(column: str) -> None:
    data = rows(24)
    for n, row in enumerate(data):
        row[column] = ("Anna", "Annan Annansson", "skola Eva Berg", "Anna")[n % 4]
    found = proposed(unit_file(data))
    text = document(found)
    for secret in ('Anna"', "Annansson", "Berg", "Eva"):
        assert secret not in text
    assert any(note.startswith(f"{column}: ") and "are not shown" in note for note in found.notes)


def test_a_name_that_is_typed_once_among_codes_is_not_shown() -> None:
    data = rows(24)
    data[3]["uppgiftslamnare"] = "Anna"  # near `annan`
    assert 'Anna"' not in document(proposed(unit_file(data)))


@pytest.mark.parametrize("place", range(4))
def test_first_row_of_data_is_not_taken_for_headers(place: int) -> None:
    lines = unit_file(rows()).split(b"\r\n")[1:]
    if place:  # without what gives it away first
        cells = [line.split(b";") for line in lines]
        lines = [b";".join(row[place:]) for row in cells]
    with pytest.raises(NothingToSuggest) as caught:
        proposed(b"\r\n".join(lines))
    assert "write the headers" in str(caught.value)
    assert not any(number in str(caught.value) for number in NUMBERS)


@pytest.mark.parametrize("raw", [b"", b"\x00\x01", b"PK\x03\x04broken", b"a\r\nb", b'"a;b\r\n', b"\xff\xfea"])
def test_file_that_is_no_table_is_refused(raw: bytes) -> None:
    with pytest.raises(NothingToSuggest):
        proposed(raw)


def test_header_that_reads_as_a_number_is_never_written() -> None:
    raw = unit_file(rows(), more={f"orsak {NUMBERS[0]}": ["bostad"] * 20})
    try:
        text = document(proposed(raw))
    except NothingToSuggest as refused:
        text = str(refused)
    assert "9824" not in text


def test_two_columns_for_which_as_much_speaks_are_guesses() -> None:
    data = rows(12, barnet_horts="ja", skola_kontaktad="nej")
    found = proposed(unit_file(data, {"barnet_horts": "Fråga 1", "skola_kontaktad": "Fråga 2"}))
    assert all(one.sure == "maybe" for one in found.columns)
    mapping = read_mapping(document(found).encode())
    assert not mapping.words_of("arenden").columns


@pytest.mark.parametrize(
    ("word", "ours", "least", "most"),
    [
        ("aktualiseringsorsak", "orsak", 0.8, 0.9),
        ("aktualiseringsorsak", "aktualisering", 0.5, 0.65),
        ("barnets_kon", "kon", 0.8, 0.9),
        ("datum_inkommen", "inkommen", 0.8, 0.9),
        ("orsak", "orsak", 1, 1),
        ("xyz", "orsak", 0, 0.3),
    ],
)
def test_compound_is_of_the_kind_that_its_last_part_names(word: str, ours: str, least: float, most: float) -> None:
    assert least <= likeness(word, ours) <= most
