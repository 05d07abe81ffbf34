# ruff: noqa: RUF001 (digits of other scripts are what is searched for)
"""The search for persons' numbers where none belongs: found however they are written, with few false alarms."""

from __future__ import annotations

import itertools
import random
import unicodedata
from datetime import date

import pyarrow as pa
import pytest
from files import DISTRICT, base_row, check, csv_bytes, fired
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contracts import load_contracts
from ingest.explaining import CannotBeExplained, explain
from ingest.naming import read_name, shown_name
from ingest.persons.number_cells import cells_with_numbers
from ingest.persons.number_search import numbers_in, reads_as_number
from ingest.quarters import Quarter

UTBUD = f"{DISTRICT}_utbud_2018Q3.csv"
BORN, LAST = "20100315", "9801"
SPELLINGS = [
    "20100315-9801", "201003159801", "100315-9801", "1003159801", "100315+9801", "20100315 9801", "20100315\n9801",
    # cut otherwise
    "2010-03-15 9801", "2010.03.15-9801", "20 10 03 15 9801", "2010/03/15/9801", "2010 0315 9801", "10-03-15-9801",
    "20 10 03 15 98 01", "10 03 15 98 01", "100315-980 1", "2 0 1 0 0 3 1 5 9 8 0 1", "1-0-0-3-1-5-9-8-0-1",
    "201 003 159 801", "1.003.159.801", "(2010-03-15) (9801)", "20100315 – 9801", "20100315_9801", "100315 / 9801",
    # the day first, or without noughts
    "15/3 2010 9801", "15/3-10 9801", "15.3.2010 9801", "15-03-2010-9801", "15032010-9801", "150320109801",
    "15-03-10-9801", "2010-3-15 9801", "03/15/2010 9801",
    # months in letters
    "15 mars 2010 9801", "den 15:e mars 2010, 9801", "15 Mars 2010-9801", "15mar10-9801", "2010-mar-15 9801",
    "March 15, 2010 9801", "15th march 2010 (9801)",
    # other digits, and what is invisible
    "２０１００３１５－９８０１", "٢٠١٠٠٣١٥٩٨٠١", "²⁰¹⁰⁰³¹⁵-⁹⁸⁰¹", "②⓪①⓪⓪③①⑤-⑨⑧⓪①", "❷⓿❶⓿⓿❸❶❺❾❽⓿❶",
    "𝟚𝟘𝟙𝟘𝟘𝟛𝟙𝟝𝟡𝟠𝟘𝟙", "2\u200b0\u200b1\u200b0\u200b0315\u200d9801", "20100315\u00ad9801", "100315\ufeff9801",
    "2010\u00a003\u00a015\u00a09801", "20100315\u20119801", "20100315\u22129801",
    "1\u20e30\u20e303159801", "100315\u202f9801",
    # escaped
    "20100315%2D9801", "100315%209801", "20100315&ndash;9801", "&#50;0100315-9801", "_x0032_0100315-9801",
    # cut where no identifier is, or by tags, signs and long gaps
    "201003-159801", "2010-03159801", "20100315-98 01", "2010-03-15 9 8 0 1", "100315-9 8 0 1", "1003 15-9801",
    "20100315<br>9801", "20100315</td><td>9801", "20100315          9801", "20100315 ----------- 9801",
    "20100315\u21169801", "20100315\u21229801", "20100315\u31649801", "2,01003159801E+11", "100315 slutsiffror 9801",
    # a letter or two between, or the last four first
    "100315 x9801", "100315x9801", "100315TF9801", "20100315 TF 9801", "100315-x-9801", "9801-100315", "9801 20100315",
    "9801/100315", "9801 - 20100315",
    # within words and other numbers
    "p201003159801x", "pnr:100315-9801", "nr20100315_9801", "201003159801.0", "3 barn: 100315-9801, 110101-0000",
    "barn 2: 10 03 15 98 01", "1) 2010-03-15 9801",
    # birth date and last four apart, in a text that says so
    "född 2010-03-15, sista fyra 9801", "sista fyra 9801, född 100315", "född 15/3 2010 (sista fyra: 9801)",
    "pnr 100315 och sedan 9801", "Personnummer: födelsedag 15 mars 2010, kontrollsiffror 9801",
]  # fmt: skip
ORDINARY = [
    "2018-09-30 14:30", "2018-09-30 kl. 14.30", "2018-09-03–2018-12-10", "3/9 2018 – 10/12 2018", "2018-07-02 00:00:00",
    "2018-07-02T14:35:10.123Z", "08-508 25 000", "070-123 45 67", "0-5, 6-12, 13-17, 18-20", "10 12 14 16 18 20 22 24",
    "2018-000123", "2018-10-000123", "2010-03-15", "15 mars 2010", "20181342-1234", "100315-9802", "2010-03-15 9802",
    "Fyra träffar 2018-09-03 till 2018-10-12", "Sista anmälan 2018-05-02, start 2018-06-11", "3.1.1-1004/2018",
    "Fyra samtal, beslut 2018-06-12, gäller 2019", "&#" + "9" * 5000 + ";",
    "20100315T0801", "100315 kl 9801", "100315 nr 9801", "100315 x2010", "2010-100315", "0801 20100315",
    "9801-100315-1", "SFS 2001:453", "år 2010, mars: 15 av 9801", "2010 03 15 98 02", "556036-0793",
]  # fmt: skip
"""Dates, times, phone numbers, rows of numbers, a wrong check digit, a company's number."""


def last_four(birth: str, serial: int) -> str:
    """Serial and check digit of six digits of a birth date, worked out apart from the code under test."""
    nine = f"{birth}{serial:03d}"
    doubled = "".join(str(int(d) * (2 - i % 2)) for i, d in enumerate(nine))
    return f"{serial:03d}{-sum(map(int, doubled)) % 10}"


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert reads_as_number(text) and reads_as_number(f"Ring {text} om platsen") and reads_as_number(f"({text})")
    assert "1003159801" in set(numbers_in(text))
    assert cells_with_numbers(pa.array([text.encode()], pa.binary()), "utf-8", without_zero=False) == [text.encode()]


@pytest.mark.parametrize("text", ORDINARY)
def test_dates_times_and_other_numbers_are_no_numbers_of_persons(text: str) -> None:
    assert list(numbers_in(text)) == [] and list(numbers_in(f"Ring {text} om platsen")) == []


@pytest.mark.parametrize("born", ["100075", "100060", "100360", "100375"])
def test_a_coordination_number_is_found_also_when_month_or_day_is_unknown(born: str) -> None:
    number = f"20{born}-{last_four(born, 984)}"
    assert reads_as_number(number) and reads_as_number(number[2:].replace("-", "/"))


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("N", "Cs")), max_size=12).filter(
    lambda text: not any(unicodedata.digit(c, None) is not None for c in unicodedata.normalize("NFKC", text))
)
SEPARATORS = [
    "",
    "-",
    " ",
    ".",
    "/",
    "_",
    "\u00a0",
    "\u2013",
    "\u2212",
    "\u2011",
    "\u200b",
    "\n",
    "\t",
    " - ",
    ", ",
    "+",
]
SCRIPTS = ("0123456789", "０１２３４５６７８９", "⁰¹²³⁴⁵⁶⁷⁸⁹", "٠١٢٣٤٥٦٧٨٩")
MONTHS = (
    "januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november",
    "december",
)  # fmt: skip


@st.composite
def written(draw: st.DrawFn) -> str:
    """A number of anybody, in any of the ways in which one may be written."""
    born, serial = draw(st.dates(date(1925, 1, 1), date(2024, 12, 31))), draw(st.integers(1, 999))
    sixty = draw(st.sampled_from([0, 0, 60]))
    day, inner = f"{born.day + sixty:02d}", draw(st.sampled_from(SEPARATORS))
    outer = draw(st.sampled_from(SEPARATORS[1:] if inner else SEPARATORS))
    last = last_four(f"{born:%y%m}{day}", serial)
    year = draw(st.sampled_from([f"{born:%Y}", f"{born:%y}"]))
    forms = [inner.join([year, f"{born:%m}", day]) + outer + last]
    forms += [inner.join(f"{born:%Y%m}{day}{last}"), f"{born:%Y%m}{day}{last}"[:-2] + inner + last[-2:]]
    forms[2] = inner.join([f"{born:%Y}"[:2], f"{born:%y}", f"{born:%m}", day, last[:2], last[2:]])
    forms += [f"{day}/{born.month} {born:%Y}{outer or ' '}{last}", f"{day}{born:%m%Y}{outer}{last}"]
    forms += [f"{day} {MONTHS[born.month - 1]} {born:%Y}{outer or ' '}{last}"]
    return draw(st.sampled_from(forms)).translate(str.maketrans(SCRIPTS[0], draw(st.sampled_from(SCRIPTS))))


@settings(max_examples=400, deadline=None)
@given(before=WORDS, number=written(), after=WORDS)
def test_any_number_is_found_in_any_text(before: str, number: str, after: str) -> None:
    text = before + number + after
    assert reads_as_number(text)
    cell = text.encode()
    assert cells_with_numbers(pa.array([b"x", cell, None], pa.binary()), "utf-8", without_zero=True) == [cell]
    assert not reads_as_number(before + after)
    shown = shown_name(text)
    assert not any(unicodedata.digit(letter, None) is not None for letter in shown)


@settings(max_examples=300)
@given(st.integers(0, 99), st.integers(13, 99), st.integers(0, 99), st.integers(0, 9999), st.sampled_from(SEPARATORS))
def test_digits_that_are_no_date_are_no_number(year: int, month: int, day: int, last: int, separator: str) -> None:
    parts = (f"{year:02d}", f"{month:02d}", f"{day:02d}", f"{last:04d}")
    assert not reads_as_number("".join(parts[:3]) + separator + parts[3])


@given(st.lists(st.text(st.sampled_from("0123456789-/ .åa"), max_size=24), max_size=20), st.booleans())
def test_searching_cells_at_once_finds_what_searching_each_finds(texts: list[str], without_zero: bool) -> None:
    for encoding in ("utf-8", "cp1252"):
        cells = [text.encode(encoding) for text in texts]
        one_by_one = {c for c in cells if reads_as_number(c.decode(encoding), without_zero=without_zero)}
        assert set(cells_with_numbers(pa.array(cells, pa.binary()), encoding, without_zero=without_zero)) == one_by_one


def test_few_ordinary_case_numbers_are_taken_for_numbers() -> None:
    """The share of false alarms by kind of case number; those made of a date and four digits can't be distinguished."""
    rng = random.Random(7)
    kinds = {
        "running": ([f"2018-{n:06d}" for n in range(20_000)], 0),
        "by quarter": ([f"18Q3/{rng.randrange(10**7)}" for _ in range(20_000)], 0),
        "by month": ([f"2018-{rng.randrange(1, 13):02d}-{rng.randrange(10**6):06d}" for _ in range(20_000)], 0),
        "ten digits": ([f"{rng.randrange(10**10):010d}" for _ in range(20_000)], 200),
        "phone": ([f"07{rng.randrange(10)}-{rng.randrange(1000):03d} {rng.randrange(100):02d} {rng.randrange(100):02d}"
                   for _ in range(20_000)], 0),
    }  # fmt: skip
    for kind, (texts, most) in kinds.items():
        cells = pa.array([text.encode() for text in texts], pa.binary())
        assert len(cells_with_numbers(cells, "ascii", without_zero=False)) <= most, kind


@pytest.mark.parametrize("form", ["2018-{}-{}-{:04d}", "2018-{:02d}-{:02d}-{:04d}", "18{:02d}{:02d}-{:04d}"])
def test_ids_made_of_a_date_are_no_numbers_but_a_number_among_them_is(form: str) -> None:
    """One in ten has a right check digit: the whole column says that they are ids, by year."""
    rng = random.Random(11)
    ids = [form.format(rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(10**4)) for _ in range(400)]
    cells = pa.array([text.encode() for text in [*ids, "100315-9801"]], pa.binary())
    assert cells_with_numbers(cells, "ascii", without_zero=False, is_identifier=True) == [b"100315-9801"]
    numbers = [
        f"10{month:02d}{day:02d}-{last_four(f'10{month:02d}{day:02d}', 123)}" for month in (1, 2) for day in range(1, 9)
    ]
    cells = pa.array([text.encode() for text in [*numbers, "101224-9802"]], pa.binary())
    assert len(cells_with_numbers(cells, "ascii", without_zero=False, is_identifier=True)) == len(numbers)


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_a_number_in_any_column_but_its_own_refuses_the_file_and_is_never_quoted(dataset: str) -> None:
    for column in load_contracts(Quarter(2018, 3))[dataset].columns:
        if column.type == "person_number":
            continue
        spelled = "2010-03-15-9801" if column.type == "identifier" else "2010.03.15 9801"
        row = base_row(dataset, **{column.name: spelled})
        report = check(csv_bytes(dataset, [row]), f"{DISTRICT}_{dataset}_2018Q3.csv")
        assert [f.column for f in report.findings() if f.rule == "FIL-015"] == [column.name]
        assert not report.accepted and all("9801" not in f.message for f in report.findings())


def test_a_coordination_number_of_unknown_birth_in_an_identifier_refuses_the_file() -> None:
    for column in ("arende_id", "lopnummer"):
        number = f"100060-{last_four('100060', 984)}"
        assert "FIL-015" in fired(check(csv_bytes("arenden", [base_row("arenden", **{column: number})])))


@pytest.mark.parametrize("text", ["2010-03-15 9801", "２０１００３１５９８０１", "15 mars 2010 9801"])
def test_an_explanation_with_a_number_is_not_stored(text: str) -> None:
    with pytest.raises(CannotBeExplained) as reported:
        explain(None, None, None, "ARE-081", f"Syskon {text}", None)
    assert "9801" not in str(reported.value) and "９８０１" not in str(reported.value)


@pytest.mark.parametrize(
    "name",
    [
        "bromma_2010-03-15 9801_2018Q3.csv",
        "15 mars 2010 9801.csv",
        "２０１００３１５９８０１.csv",
        "20 10 03 15 9801.xlsx",
    ],
)
def test_a_file_name_with_a_number_is_refused_and_shown_without_a_digit(name: str) -> None:
    read = read_name(name)
    assert [found.rule for found in read.findings] == ["FIL-016"] and read.dataset is None
    assert not any(unicodedata.digit(letter, None) is not None for letter in read.shown)


@pytest.mark.parametrize(
    "header", ["Sista fyra", "de 4 sista", "Vårdnadshavares personnummer", "Pnr mamma", "Syskon, p-nr"]
)
def test_a_column_that_by_its_header_holds_numbers_or_a_part_of_them_is_refused(header: str) -> None:
    head, row, _ = csv_bytes("arenden", [base_row("arenden")]).split(b"\r\n")
    report = check(b"\r\n".join([head + f";Född;{header}".encode("cp1252"), row + b";2010-03-15;9801", b""]))
    assert [f.message[:13] for f in report.findings() if f.rule == "FIL-050"] == ["Kolumn 32 (AF"]
    assert [f.message[:13] for f in report.findings() if f.rule == "FIL-012"] == ["Kolumn 31 (AE"]
    assert not report.accepted and all("9801" not in f.message for f in report.findings())


@pytest.mark.parametrize("header", ["Diarienr", "Telefonnummer", "Handläggare", "Sista dag", "Nummer", "Personal"])
def test_a_column_of_other_numbers_is_asked_about_as_any_unknown_one(header: str) -> None:
    head, row, _ = csv_bytes("arenden", [base_row("arenden")]).split(b"\r\n")
    report = check(b"\r\n".join([head + f";{header}".encode("cp1252"), row + b";1", b""]))
    assert fired(report) == {"FIL-012"}


def test_dates_of_texts_that_speak_of_numbers_are_seldom_taken_for_numbers() -> None:
    rng = random.Random(2)
    days = [date.fromordinal(rng.randint(736_695, 737_395)) for _ in range(4_000)]
    texts = [f"Fyra träffar {one} till {other}, sista fyra månaderna" for one, other in itertools.pairwise(days)]
    texts += [f"3.{rng.randint(1, 5)}.{rng.randint(1, 9)}-{rng.randint(1000, 9999)}/2018" for _ in range(4_000)]
    assert sum(map(reads_as_number, texts)) < len(texts) * 0.005


def test_a_long_cell_is_searched_in_its_beginning_only() -> None:
    hidden = b"1/1 11 1 " * 100_000
    cells = pa.array([hidden, b"20100315-9801, " + hidden], pa.binary())
    assert len(cells_with_numbers(cells, "utf-8", without_zero=False)) == 1


def test_a_character_number_that_python_refuses_to_read_is_no_fault_of_ours() -> None:
    rows = [base_row("utbud", innehall="&#" + "9" * 480 + ";")]
    assert "FIL-020" not in fired(check(csv_bytes("utbud", rows), f"{DISTRICT}_utbud_2018Q3.csv"))
    header = "&#" + "9" * 5000 + ";"
    raw = csv_bytes("utbud", [base_row("utbud")]).replace(b"\n", f";{header}\n".encode(), 1)
    assert "FIL-020" not in fired(check(raw, f"{DISTRICT}_utbud_2018Q3.csv"))


def test_two_numbers_with_nothing_between_are_both_found() -> None:
    assert list(numbers_in("5 maj 2005, 98245 maj 2005, 9824")) == ["0505059824", "0505059824"]
