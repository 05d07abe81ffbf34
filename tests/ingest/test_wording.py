"""The Swedish of messages: one of a thing is one, and codes stand with their labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from files import base_row, check, csv_bytes
from workbook_files import labels, typed, workbook

from ingest.checks.suites import declared_rules, load_rules
from ingest.contracts import load_contracts
from ingest.feedback import as_text
from ingest.folding import fold

_ONE_OF_SEVERAL = re.compile(
    r"\b1 (rader|celler|filer|andra|fel som|frågor|ställen|siffror|kolumner|dolda|ifyllda|nummer, det första)"
    r"|alla 1 "
)


def text_of(raw: bytes, name: str = "bromma_arenden_2018Q3.csv") -> str:
    """The whole feedback."""
    return "\n".join(as_text(name, check(raw, name)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inkom_datum": "2018-07-02 10:30"}, "1 cell klockslag, på rad 2;"),
        ({"inkom_datum": "2018-07-01T22:00:00Z"}, "1 cell klockslaget 22.00 eller 23.00, på rad 2."),
        ({"inkom_datum": "2018-07-02 23:59:59"}, "1 cell ett klockslag strax före midnatt (23.59), på rad 2."),
        ({"utredning_slut": "1900-01-00"}, "1 cell Excels datum noll (1900-01-00), på rad 2."),
        ({"arende_id": "2,01805E+15"}, "1 nummer till tal och tappat inledande nollor eller siffror, på rad 2."),
        ({"arende_id": "17.0"}, "1 nummer decimaler (som 17.0), på rad 2. Ett program har gjort om det till tal"),
        ({"arende_id": "jan-18"}, "1 nummer ut som datum, på rad 2"),
        ({"arende_id": "1234567890123450"}, "slutar ett nummer med fler än 15 siffror på noll, på rad 2."),
        ({"personnummer": "5"}, "fel form: 1 siffra"),
    ],
)
def test_one_of_a_thing_is_reported_in_the_singular_and_several_in_the_plural(
    changes: dict[str, str], said: str
) -> None:
    one = base_row("arenden", **changes)
    assert said in text_of(csv_bytes("arenden", [one]))
    assert not _ONE_OF_SEVERAL.search(text_of(csv_bytes("arenden", [one])))
    two = text_of(csv_bytes("arenden", [one, {**one, "orsak": "annan"}]))
    assert not _ONE_OF_SEVERAL.search(two) and ("fel form" in said or re.search(r"2 (nummer|celler)", two))


@pytest.mark.parametrize(
    ("count", "above", "hidden"),
    [
        (1, "1 ifylld rad ovanför är inte läst. Ta bort den,", "1 dold eller bortfiltrerad rad, som är läst som alla"),
        (2, "2 ifyllda rader ovanför är inte lästa. Ta bort dem,", "2 dolda eller bortfiltrerade rader, som är lästa"),
    ],
)
def test_rows_above_the_headers_and_hidden_ones_are_counted_in_words(count: int, above: str, hidden: str) -> None:
    def hide(book: object, sheet: Any) -> None:
        for at in range(count):
            sheet.set_row(count + 1 + at, None, None, {"hidden": True})

    rows = [typed("arenden", base_row("arenden", arende_id=f"A-{at}")) for at in range(count)]
    raw = workbook({"Blad1": [*[["Utdrag"]] * count, labels("arenden"), *rows]}, hide)
    said = text_of(raw, "bromma_arenden_2018Q3.xlsx")
    assert above in said and hidden in said


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_codes_in_messages_have_their_labels(dataset: str) -> None:
    """Codes are written {column=code} in suites, so that none is left without its label."""
    contract = load_contracts()[dataset]
    columns = [column for column in contract.columns if column.type in ("code", "code_list")]
    odd = {
        code
        for column in columns
        for code, label in zip(contract.code_list(column.name, "").codes, contract.code_list(column.name, "").labels,
                               strict=True)
        if label.lower() != code == fold(label)
    }  # fmt: skip
    for entry in declared_rules(dataset):
        plain = re.sub(r"\{[^}]*\}", "", entry["meta"]["message_sv"])
        given = {v for k, values in entry["kwargs"].items() if k.endswith("when_values") for v in values}
        written = set(re.findall(r"\w+", plain))
        assert not written & odd, entry["meta"]["code"]
        assert not {code for code in given & written if "_" in code}, entry["meta"]["code"]
    assert not [rule.code for rule in load_rules(dataset) if "=" in rule.message_sv]


def test_message_says_a_code_with_its_label_where_that_is_another_word() -> None:
    rule = {rule.code: rule.message_sv for rule in load_rules("arenden")}
    assert rule["ARE-009"].startswith(
        "Löpnummer saknas fast ID-typ är reservnummer, ofodd (Ofödd) eller skyddad (Skydd"
    )
    assert rule["ARE-016"] == "Kön är okant (Okänt) fast personnummer finns. Ange kvinna eller man."
    said = text_of(csv_bytes("arenden", [base_row("arenden", kon="okjänt")], "utf-8"))
    assert "menades okant (Okänt)?" in said
