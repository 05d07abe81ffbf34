"""Dates, numbers, codes and persons: what is read, what is refused, and that one person has one key."""

from __future__ import annotations

import base64
import hmac
from datetime import date

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from files import base_row, check, csv_bytes, fired
from hypothesis import given
from hypothesis import strategies as st

from ingest.conforming import read_date, read_whole_number
from ingest.contracts import load_contracts
from ingest.folding import fold
from ingest.persons.keys import throwaway_keys
from ingest.persons.number_search import reads_as_number
from ingest.persons.numbers import FEMALE, MALE, key_maker, read_numbers, why_no_number
from ingest.quarters import Quarter
from ingest.sentinels import BAD, DATE_BAD, EMPTY, day_number

KEYS = throwaway_keys()


def luhn(nine: str) -> str:
    """Check digit of nine digits, worked out apart from the code under test."""
    doubled = "".join(str(int(d) * (2 - i % 2)) for i, d in enumerate(nine))
    return str(-sum(map(int, doubled)) % 10)


def number(birth: date, serial: int) -> str:
    nine = f"{birth:%y%m%d}{serial:03d}"
    return f"{birth:%Y%m%d}-{serial:03d}{luhn(nine)}"


def read(*cells: str | None, reference: date = date(2018, 9, 30)) -> object:
    column = pa.chunked_array([pa.array([None if c is None else c.encode() for c in cells], pa.binary())])
    return read_numbers(column, reference, key_maker(KEYS), "utf-8")


@pytest.mark.parametrize("text", ["2018-09-30", "20180930", "30.9.2018", "30/9/2018", "30.09.2018"])
def test_date_forms(text: str) -> None:
    assert read_date(text) == day_number(date(2018, 9, 30))


@pytest.mark.parametrize(
    "text",
    ["12/31/2018", "43373", "2018-02-29", "2018-9-30", "30-9-2018", "2018-0930", "30.9/2018", "18-09-30", "٣٠.9.2018"],
)
def test_what_is_no_date_is_never_guessed(text: str) -> None:
    assert read_date(text) == DATE_BAD


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_every_date_reads_the_same_in_every_form(day: date) -> None:
    forms = [f"{day:%Y-%m-%d}", f"{day:%Y%m%d}", f"{day.day}.{day.month}.{day.year}", f"{day:%d/%m/%Y}"]
    assert {read_date(form) for form in forms} == {day_number(day)}


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("12,0", 12), ("12.00", 12)])
def test_whole_numbers(text: str, value: int) -> None:
    assert read_whole_number(text) == value


@pytest.mark.parametrize("text", ["-1", "1 200", "1,5", "tolv", "1e3", "²", "1234567890"])
def test_what_is_no_whole_number_is_never_guessed(text: str) -> None:
    assert read_whole_number(text) == BAD


@pytest.mark.parametrize(
    ("text", "folded"),
    [(" Våld  i-familjen ", "vald_i_familjen"), ("0–5 år", "0_5_ar"), ("Hälso-/sjukvård", "halso_sjukvard")],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_decomposed_letters_fold_as_composed_ones() -> None:
    assert fold("Ko\u0308n") == "kon"


def test_local_name_of_an_intervention_is_read_in_its_district_only() -> None:
    contract = load_contracts(Quarter(2018, 3))["oppenvard"]
    assert "foraldrasamtal" in contract.code_list("insats", "bromma").lookup
    assert "foraldrasamtal" not in contract.code_list("insats", "farsta").lookup


def test_ambiguous_word_names_both_codes() -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", orsak="Missbruk")]))
    message = next(f.message for f in report.findings() if f.column == "orsak")
    assert "barn_missbruk" in message and "vuxen_missbruk" in message


def test_unknown_code_gets_the_nearest_one() -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", orsak="skolproblem")]))
    assert any("skolproblematik" in f.message for f in report.findings())


def test_one_person_has_one_key_in_every_spelling() -> None:
    full = number(date(2010, 3, 15), 980)
    found = read(full, full.replace("-", ""), full[2:], full[2:].replace("-", ""))
    assert found.status.tolist() == [0, 0, 0, 0]
    assert len(found.keys) == 1 and set(found.person.tolist()) == {0}
    assert full.replace("-", "") not in found.keys.to_pylist()[0]


def test_keys_differ_between_persons_and_between_installations() -> None:
    one, other = number(date(2010, 3, 15), 980), number(date(2010, 3, 15), 982)
    assert len(set(read(one, other).keys.to_pylist())) == 2
    column = pa.chunked_array([pa.array([one.encode()], pa.binary())])
    assert read_numbers(column, date(2018, 9, 30), key_maker(throwaway_keys())).keys != read(one).keys


def test_sex_and_birth_are_read_from_the_number() -> None:
    found = read(number(date(2010, 3, 15), 980), number(date(2010, 3, 15), 981))
    assert found.sex.tolist() == [FEMALE, MALE]
    assert found.birth.tolist() == [day_number(date(2010, 3, 15))] * 2


def test_century_of_ten_digits_follows_the_quarter_and_the_plus() -> None:
    young, old = number(date(2017, 5, 4), 980)[2:], number(date(1917, 5, 4), 980)[2:].replace("-", "+")
    before = number(date(1919, 5, 4), 980)[2:]
    assert read(young, old, before).birth.tolist() == [
        day_number(date(2017, 5, 4)),
        day_number(date(1917, 5, 4)),
        day_number(date(1919, 5, 4)),
    ]


def test_coordination_number_has_sixty_added_to_the_day() -> None:
    nine = "100375984"
    found = read(f"20{nine[:6]}-{nine[6:]}{luhn(nine)}")
    assert found.status.tolist() == [0] and found.coordination.tolist() == [True]
    assert found.birth.tolist() == [day_number(date(2010, 3, 15))]


@pytest.mark.parametrize(
    ("day", "birth", "exact"),
    [
        ("20100360", date(2010, 3, 15), False),
        ("20100075", date(2010, 7, 1), False),
        ("20100060", date(2010, 7, 1), False),
        ("20100091", date(2010, 7, 1), False),
        ("20100361", date(2010, 3, 1), True),
    ],
)
def test_coordination_number_may_lack_day_and_month_of_birth(day: str, birth: date, exact: bool) -> None:
    cell = f"{day}-985{luhn(day[2:] + '985')}"
    found = read(cell, cell[2:].replace("-", ""))
    assert found.status.tolist() == [0, 0] and found.coordination.all() and found.person.tolist() == [0, 0]
    assert found.birth.tolist() == [day_number(birth)] * 2 and found.exact.tolist() == [exact] * 2
    assert found.sex.tolist() == [MALE] * 2 and len(found.keys) == 1


@pytest.mark.parametrize("day", ["20100000", "20100300", "20100015", "20101360", "20100392", "20100291"])
def test_only_coordination_numbers_may_lack_day_or_month(day: str) -> None:
    assert read(f"{day}-985{luhn(day[2:] + '985')}").status.tolist() == [BAD]


def test_a_coordination_number_of_unknown_birth_is_judged_in_the_child_s_favour_and_stored_so() -> None:
    number = f"19970060-984{luhn('970060984')}"
    report = check(csv_bytes("arenden", [base_row("arenden", personnummer=number, fodelsear="1997")]))
    assert report.accepted and report.table is not None
    values = report.table.values
    assert values["birth"].tolist() == [day_number(date(1997, 7, 1))] and values["birth_exact"].tolist() == [0]
    assert report.table.codes["id_typ"].codes[values["id_typ"][0]] == "samordningsnummer"
    assert "ARE-024" in fired(check(csv_bytes("arenden", [base_row("arenden", personnummer=older("19960060"))])))
    assert "ARE-085" in fired(check(csv_bytes("arenden", [base_row("arenden", personnummer=number, fodelsear="1998")])))


def older(day: str) -> str:
    return f"{day}-984{luhn(day[2:] + '984')}"


WIDE = str.maketrans("0123456789-+", "".join(chr(0xFEE0 + ord(c)) for c in "0123456789-+"))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize(
    "spelled",
    [
        "20100315\u20139801",
        "20100315\u22129801",
        "20100315\u20119801",
        "20100315\ufe639801",
        "\u00a020100315-9801\u00a0",
        "20100315\u00a09801",
        "20100315-\u202f9801",
        "\ufeff20100315-9801",
        "2010\u200b0315-98\u200d01",
        "20100315\u00ad9801",
        "20100315-9801".translate(WIDE),
        "٢٠١٠٠٣١٥٩٨٠١",
        "100315\u20149801",
    ],
)
def test_what_can_only_be_read_one_way_is_the_same_person(spelled: str, encoding: str) -> None:
    try:
        cell = spelled.encode(encoding)
    except UnicodeEncodeError:
        return
    column = pa.chunked_array([pa.array([b"201003159801", cell, "Åsa".encode(encoding)], pa.binary())])
    found = read_numbers(column, date(2018, 9, 30), key_maker(KEYS), encoding)
    assert found.status.tolist() == [0, 0, BAD] and found.person.tolist() == [0, 0, EMPTY] and len(found.keys) == 1


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        ("20100315-9802", "fel kontrollsiffra"),
        ("20100231-9803", "datumet finns inte"),
        ("20101315-9801", "datumet finns inte"),
        ("18491231-9800", "datumet finns inte"),
        ("Testa Testsson", "saknar siffror"),
        ("???", "saknar siffror"),
        ("2010031-9801", "fel form: 11 siffror"),
        ("20100315-98011", "fel form: 13 siffror"),
        ("20100315", "fel form: de fyra sista siffrorna saknas"),
        ("100315-XXXX", "fel form: de fyra sista siffrorna saknas"),
        ("20100315-****", "fel form: de fyra sista siffrorna saknas"),
        ("20100315 9801", "fel form: mellanslag i numret"),
        ("2010-03-15-9801", "fel form: andra tecken än siffror i numret"),
        ("20100315-T123", "fel form: bokstäver i numret; ett reservnummer skrivs i Löpnummer"),
    ],
)
def test_the_message_says_what_is_wrong_with_a_number_and_never_repeats_it(cell: str, cause: str) -> None:
    for dataset, code in (("arenden", "ARE-005"), ("oppenvard", "OPP-009")):
        raw = csv_bytes(dataset, [base_row(dataset, personnummer=cell)])
        report = check(raw, f"bromma_{dataset}_2018Q3.csv")
        (message,) = (found.message for found in report.findings() if found.rule == code)
        assert message.endswith(f" ({cause})") and cell not in message
        assert "9801" not in message and "2010" not in message


@given(st.text(st.sampled_from("0123456789-+ xåT\u2013\u00a0"), max_size=14) | st.integers(0, 10**12).map(str))
def test_a_number_is_read_or_it_is_said_why_not(cell: str) -> None:
    status = read(cell or None).status.tolist()[0]
    beside = [b"20100315-9801", b"100315-9802", b"x"]  # many are looked at together
    wrong = why_no_number([*beside, cell.encode()], "utf-8", date(2018, 9, 30))
    assert bool(wrong[cell.encode()]) == (status != 0)
    assert [wrong[one] for one in beside[1:]] == ["fel kontrollsiffra", "saknar siffror"]


def test_running_numbers_keep_their_noughts() -> None:
    """000123 and 123 are two children."""
    who = {"personnummer": "", "id_typ": "reservnummer", "fodelsear": "2011"}
    rows = [
        base_row("arenden", arende_id=str(n), lopnummer=text, **who) for n, text in enumerate(["000123", "123", "0123"])
    ]
    report = check(csv_bytes("arenden", rows))
    assert report.table is not None and len(set(report.table.person_keys.to_pylist())) == 3
    assert len(set(report.table.values["person"].tolist())) == 3


@pytest.mark.parametrize(
    "cell", ["20100315-9802", "20100230-9806", "2010-0315-9801", "20100315 9801", "201003159", "ÅÄÖ", "20100391-9800"]
)
def test_wrong_numbers_are_refused(cell: str) -> None:
    assert read(cell).status.tolist() == [BAD]


def test_empty_cells_are_empty() -> None:
    assert read(None, "  ").status.tolist() == [EMPTY, EMPTY]


@given(st.dates(date(1998, 1, 1), date(2018, 9, 30)), st.integers(980, 989), st.integers(0, 9))
def test_only_the_right_check_digit_is_read(birth: date, serial: int, digit: int) -> None:
    right = number(birth, serial)
    tried = right[:-1] + str(digit)
    assert (read(tried).status[0] == 0) == (tried == right)
    assert reads_as_number(f"se {tried} i akten") == (tried == right)


@pytest.mark.parametrize("column", ["arende_id", "hanvisad_till", "orsak", "lopnummer"])
def test_person_number_in_another_column_is_an_error_and_never_quoted(column: str) -> None:
    planted = number(date(2010, 3, 15), 980)
    report = check(csv_bytes("arenden", [base_row("arenden", **{column: planted})]))
    assert "FIL-015" in {c.rule for c in report.counts()} and not report.accepted
    assert all(planted not in f.message and planted[2:] not in f.message for f in report.findings())


def test_person_number_in_an_unknown_column_is_an_error() -> None:
    planted = number(date(2010, 3, 15), 980)
    lines = csv_bytes("arenden", [base_row("arenden")]).split(b"\r\n")
    report = check(b"\r\n".join([lines[0] + b";Not", lines[1] + b";om " + planted.encode(), b""]))
    assert "FIL-015" in {c.rule for c in report.counts()}


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
def test_keys_are_aes_siv_of_the_keyed_hash(values: list[bytes]) -> None:
    """Keys made many at a time are, one by one, what the library's AES-SIV makes of HMAC-SHA256's first half."""
    siv = AESSIV(KEYS.person_keys[KEYS.person_version])
    digests = [hmac.digest(KEYS.person_secret, value, "sha256")[:16] for value in values]
    expected = [base64.urlsafe_b64encode(siv.encrypt(half, None)).rstrip(b"=").decode() for half in digests]
    assert key_maker(KEYS)(values).to_pylist() == expected


def test_spaces_around_a_number_and_cells_of_other_letters_beside_it_change_nothing() -> None:
    right = number(date(2010, 3, 15), 980)
    found = read(f" {right}\t", "åäö", None, right)
    assert found.status.tolist() == [0, BAD, EMPTY, 0]
    assert found.person.tolist() == [0, EMPTY, EMPTY, 0]


@pytest.mark.parametrize("cell", ["18491231-9800", "2010031*-9801", "20100315*9801", "2010-03159801"])
def test_wrong_forms_and_years_before_1850_are_refused(cell: str) -> None:
    assert read(cell).status.tolist() == [BAD]
