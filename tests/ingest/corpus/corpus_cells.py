"""Corpus: headers, codes, dates, numbers, persons, numbers out of place."""

from __future__ import annotations

from collections.abc import Iterator

from cases import BOY, Case, cells, headers, one, person, refused, row, table, taken, text

from ingest.contracts import load_contracts

SER, UTB, SKY = "serviceinsatser", "utbud", "skyddsuppfoljning"
NUMBER = person("20100315", 980)
COORDINATION = person("20100375", 984)
RESERVE = {"personnummer": "", "id_typ": "reservnummer", "lopnummer": "L-7", "fodelsear": "2010"}
UNDECIDED = dict.fromkeys(
    ("forhandsbedomning_klar", "utredning_inledd", "utredning_start", "utredning_slut", "barnet_horts",
     "skola_kontaktad", "insats_erbjuden", "insats", "antal_insatser_erbjudna", "insats_accepterad"), "",
)  # fmt: skip
"""A case whose pre-assessment is pending: what is tried in it stands alone."""


def with_headers(dataset: str, changed: dict[str, str], more: tuple[str, ...] = ()) -> bytes:
    """One right row under headers of which some are changed; `more` are columns that hold `x`."""
    head = [changed.get(label, label) for label in headers(dataset)]
    return text([[*head, *more], [*cells(dataset, row(dataset)), *("x" for _ in more)]]).encode()


def header_cases() -> Iterator[Case]:
    """Headers: spellings, near misses, doubles, unknown ones."""
    columns = load_contracts()["arenden"].columns
    labels = headers()
    optional = {column.name for column in columns if column.optional}
    values = dict(zip(labels, cells("arenden", row()), strict=True))
    yield taken("headers/by_name.csv", with_headers("arenden", {c.label_sv: c.name for c in columns}))
    yield taken("headers/capitals.csv", with_headers("arenden", {h: h.upper() for h in labels}))
    yield taken(
        "headers/hyphens_stops_and_slashes.csv",
        with_headers(
            "arenden",
            {"Inkom datum": "Inkom-datum", "Utredning start": "Utredning. start", "Ej inledd skäl": "Ej/inledd  skäl"},
        ),
    )
    yield taken("headers/spaces_around.csv", with_headers("arenden", {h: f"  {h} " for h in labels}))
    yield taken(
        "headers/by_alias.csv",
        with_headers("arenden", {"Personnummer": "Pnr", "Ärende-ID": "Ärendenr", "Orsak": "Huvudorsak"}),
    )
    yield taken(
        "headers/without_swedish_letters.csv",
        with_headers("arenden", {h: h.translate(str.maketrans("åäöÅÄÖ", "aaoAAO")) for h in labels}),
    )
    shuffled = list(reversed(labels))
    yield taken("headers/in_another_order.csv", text([shuffled, [values[h] for h in shuffled]]).encode())
    stored = [column.label_sv for column in columns if column.name not in optional]
    yield taken("headers/optional_columns_left_out.csv", text([stored, [values[h] for h in stored]]).encode())
    yield refused("headers/near_miss.csv", with_headers("arenden", {"Orsak": "Orsk"}), "FIL-010 FIL-012")
    yield refused(
        "headers/required_column_left_out.csv",
        text([h, [values[x] for x in h]]).encode() if (h := [x for x in labels if x != "Kön"]) else b"",
        "FIL-010",
    )
    yield refused("headers/doubled.csv", with_headers("arenden", {"Hänvisad till": "Orsak"}), "FIL-011")
    yield refused("headers/two_spellings_of_one.csv", with_headers("arenden", {"Löpnummer": "Pnr"}), "FIL-011")
    yield refused(
        "headers/unknown_one_doubled.csv", with_headers("arenden", {}, ("Notering", "notering")), "FIL-011 FIL-012"
    )
    yield refused("headers/a_persons_number.csv", with_headers("arenden", {}, (NUMBER,)), "FIL-012 FIL-015")
    yield taken("headers/unknown_column.csv", with_headers("arenden", {}, ("Handläggare",)), "FIL-012")
    yield taken("headers/two_unknown_columns.csv", with_headers("arenden", {}, ("Handläggare", "Enhet")), "FIL-012")
    yield taken("headers/unnamed_column_before_a_named_one.csv", with_headers("arenden", {}, ("", "Enhet")), "FIL-012")
    yield refused("headers/unnamed_column_with_cells_last.csv", with_headers("arenden", {}, ("",)), "FIL-013")


def code_cases() -> Iterator[Case]:
    """Codes: spellings, unknown and ambiguous words, lists."""
    yield taken("codes/as_codes.csv", one(kon="kvinna", orsak="vald_i_familjen", aktualisering="anmalan"))
    yield taken("codes/as_labels.csv", one(kon="Kvinna", orsak="Våld mot annan familjemedlem", uppgiftslamnare="Skola"))
    yield taken("codes/capitals.csv", one(kon="FLICKA", orsak="VÅLD I FAMILJEN", utredning_inledd="JA"))
    yield taken("codes/single_letters.csv", one(kon="f", utredning_inledd="j", barnet_horts="J"))
    yield taken("codes/hyphens_and_slashes.csv", one(orsak="våld-i/familjen", uppgiftslamnare="Hälso- och sjukvård"))
    yield taken("codes/local_name_of_the_district.csv", one(SER, insats="Föräldrasamtal"), dataset=SER)
    yield refused("codes/local_name_of_another_district.csv", one(insats="familjeteamet"), "ARE-071")
    yield refused("codes/area_of_another_district.csv", one(omrade="Farsta strand"), "ARE-018")
    yield refused("codes/unknown_word.csv", one(orsak="oklart"), "ARE-033")
    yield refused("codes/near_miss.csv", one(orsak="familjekonflickt"), "ARE-033")
    yield refused("codes/number_for_a_code.csv", one(kon="2"), "ARE-015")
    yield refused("codes/two_codes_in_one_cell.csv", one(orsak="bostad, vanvård"), "ARE-033")
    yield refused("codes/ambiguous_missbruk.csv", one(orsak="missbruk"), "ARE-034")
    yield refused("codes/ambiguous_psykisk_ohalsa.csv", one(orsak="Psykisk ohälsa"), "ARE-034")
    yield refused("codes/ambiguous_kriminalitet.csv", one(orsak="kriminalitet"), "ARE-034")
    yield refused("codes/ambiguous_vardag.csv", one(SKY, tidpunkt="vardag"), "SKY-003", dataset=SKY)
    yield taken("codes/list_with_spaces_and_an_empty_part.csv", one(ytterligare_orsaker=" bostad | vanvård |"))
    yield refused("codes/list_with_an_ambiguous_word.csv", one(ytterligare_orsaker="bostad|missbruk"), "ARE-036")
    yield refused("codes/list_with_an_unknown_word.csv", one(ytterligare_orsaker="bostad|zzz"), "ARE-035")
    yield refused("codes/list_with_commas.csv", one(ytterligare_orsaker="bostad,vanvård"), "ARE-035")
    yield refused("codes/no_investigation_opened_by_a_word_of_its_own.csv", one(utredning_inledd="kanske"), "ARE-043")
    yield refused("codes/formula_in_a_code.csv", one(hanvisad_till="=cmd|'/c calc'!A0"), "ARE-048")
    yield refused("codes/error_value_of_excel.csv", one(hanvisad_till="#SAKNAS!"), "FIL-028")


def date_cases() -> Iterator[Case]:
    """Dates: every form, and what is none."""
    for name, text_ in (
        ("iso", "2018-07-02"), ("compact", "20180702"), ("points", "02.07.2018"), ("points_without_zeros", "2.7.2018"),
        ("slashes", "02/07/2018"), ("slashes_without_zeros", "2/7/2018"), ("spaces_around", " 2018-07-02 "),
    ):  # fmt: skip
        yield taken(f"dates/{name}.csv", one(inkom_datum=text_))
    forms = {"inkom_datum": "2/7/2018", "forhandsbedomning_klar": "10.7.2018", "utredning_start": "20180711"}
    yield taken("dates/forms_mixed.csv", one(**forms))
    for name, text_ in (
        ("month_first", "7/13/2018"), ("serial_number_of_excel", "43283"), ("31_february", "2018-02-31"),
        ("29_february_of_no_leap_year", "29.2.2018"),
        ("year_of_two_digits", "180702"), ("month_as_a_word", "2 juli 2018"), ("hyphens_day_first", "02-07-2018"),
        ("marks_mixed", "2/7.2018"), ("only_year_and_month", "2018-07"), ("nought", "0000-00-00"),
        ("arabic_digits", "\u0662\u0660\u0661\u0668-\u0660\u0667-\u0660\u0662"),
    ):  # fmt: skip
        yield refused(f"dates/{name}.csv", one(inkom_datum=text_), "ARE-021")
    yield taken("dates/with_a_time_of_day.csv", one(inkom_datum="2018-07-02 08:30"), "FIL-036")
    yield refused("dates/missing.csv", one(inkom_datum=""), "ARE-020")
    yield refused("dates/after_the_quarter.csv", one(inkom_datum="2018-10-01", **UNDECIDED), "ARE-022")
    old = {**RESERVE, "fodelsear": "1990", "inkom_datum": "1999-12-31", **UNDECIDED}
    yield refused("dates/before_2000.csv", one(**old), "ARE-023")
    yield taken("dates/last_day_of_the_quarter.csv", one(inkom_datum="2018-09-30", **UNDECIDED))


def number_cases() -> Iterator[Case]:
    """Whole numbers, and what is none. The queue says nothing of other columns."""
    for name, text_ in (("plain", "2"), ("comma_and_nought", "2,0"), ("comma_and_two_noughts", "2,00"),
                        ("leading_nought", "02"), ("spaces_around", " 2 ")):  # fmt: skip
        yield taken(f"numbers/{name}.csv", one(SER, antal_i_ko=text_), dataset=SER)
    yield taken("numbers/point_and_nought.csv", table(SER, [row(SER, antal_i_ko="2.0")], ","), dataset=SER)
    for name, text_ in (
        ("fraction", "2,5"), ("negative", "-2"), ("thousands_with_a_space", "1 200"),
        ("thousands_with_a_point", "1.200"),
        ("with_a_unit", "2 st"), ("as_a_word", "två"), ("too_large", "1000000000"), ("with_a_plus", "+2"),
        ("question_mark", "?"), ("range", "2-3"), ("less_than_five", "<5"), ("scientific", "1E+03"),
    ):  # fmt: skip
        yield refused(f"numbers/{name}.csv", one(SER, antal_i_ko=text_), "SER-027", dataset=SER)
    yield refused("numbers/missing.csv", one(SER, antal_i_ko=""), "SER-026", dataset=SER)
    yield refused("numbers/error_value_of_excel.csv", one(SER, antal_i_ko="#REFERENS!"), "FIL-028", dataset=SER)


def person_cases() -> Iterator[Case]:
    """Who a row is about."""
    bare = NUMBER.replace("-", "")
    unborn = {"personnummer": "", "id_typ": "ofödd", "lopnummer": "L-7", "kon": "okänt"}
    protected = {**RESERVE, "id_typ": "skyddad identitet", "omrade": ""}
    yield taken("persons/twelve_digits.csv", one(personnummer=bare))
    yield taken("persons/ten_digits.csv", one(personnummer=bare[2:]))
    yield taken("persons/ten_digits_with_hyphen.csv", one(personnummer=NUMBER[2:]))
    yield taken("persons/coordination_number.csv", one(personnummer=COORDINATION))
    yield taken("persons/coordination_number_declared.csv", one(personnummer=COORDINATION, id_typ="samordningsnummer"))
    for name, day in (("day", "20100360"), ("month", "20100075"), ("day_and_month", "20100060")):
        unknown = one(personnummer=person(day, 984), fodelsear="2010")
        yield taken(f"persons/coordination_number_of_unknown_{name}.csv", unknown)
    yield refused("persons/no_such_month.csv", one(personnummer=person("20100015", 984)), "ARE-005")
    yield taken("persons/en_dash.csv", one(personnummer=NUMBER.replace("-", "\u2013")))
    yield taken("persons/minus_sign.csv", one(personnummer=NUMBER.replace("-", "\u2212")))
    yield taken("persons/hyphen_that_does_not_break.csv", one(personnummer=NUMBER.replace("-", "\u2011")))
    yield taken("persons/hard_space.csv", one(personnummer=f"\u00a0{NUMBER.replace('-', chr(0xA0))}"))
    yield taken("persons/invisible_characters.csv", one(personnummer=f"\u200b{NUMBER[:8]}\u00ad{NUMBER[8:]}\ufeff"))
    wide = str.maketrans("0123456789-", "".join(chr(0xFF10 + digit) for digit in range(10)) + "\uff0d")
    yield taken("persons/wide_digits.csv", one(personnummer=NUMBER.translate(wide)))
    yield refused("persons/last_four_left_out.csv", one(personnummer=NUMBER[:8]), "ARE-005")
    yield refused("persons/last_four_masked.csv", one(personnummer=f"{NUMBER[:9]}XXXX"), "ARE-005")
    yield taken("persons/reserve_number.csv", one(**RESERVE))
    yield taken("persons/unborn_child.csv", one(**unborn))
    yield taken("persons/protected_identity.csv", one(**protected))
    yield taken("persons/birth_year_that_agrees.csv", one(fodelsear="2010"))
    yield refused("persons/plus_of_a_centenarian.csv", one(personnummer=NUMBER[2:].replace("-", "+")), "ARE-024")
    yield refused("persons/wrong_check_digit.csv", one(personnummer="20100315-9802"), "ARE-005")
    yield refused("persons/no_such_day.csv", one(personnummer=person("20100231", 982)), "ARE-005")
    yield refused("persons/eleven_digits.csv", one(personnummer=bare[1:]), "ARE-005")
    yield refused("persons/space_before_the_last_four.csv", one(personnummer=NUMBER.replace("-", " ")), "ARE-005")
    yield refused(
        "persons/number_that_lost_its_first_nought.csv",
        one(personnummer=person("20050505", 982).replace("-", "")[3:]),
        "FIL-038",
    )
    yield refused("persons/number_in_scientific_notation.csv", one(personnummer="2,01003E+11"), "FIL-038")
    yield refused("persons/name_for_a_number.csv", one(personnummer="Testa Testsson"), "ARE-005")
    yield refused("persons/neither_number_nor_kind.csv", one(personnummer="", lopnummer="L-7"), "ARE-003 ARE-010")
    yield refused("persons/kind_of_number_without_number.csv", one(personnummer="", id_typ="personnummer"), "ARE-006")
    yield refused(
        "persons/coordination_number_declared_personnummer.csv",
        one(personnummer=COORDINATION, id_typ="personnummer"),
        "ARE-084",
    )
    yield refused("persons/personnummer_declared_coordination_number.csv", one(id_typ="samordningsnummer"), "ARE-084")
    yield refused("persons/birth_year_that_disagrees.csv", one(fodelsear="2011"), "ARE-085")
    yield refused("persons/birth_year_of_two_digits.csv", one(**{**RESERVE, "fodelsear": "10"}), "ARE-013")
    yield refused("persons/reserve_number_without_running_number.csv", one(**{**RESERVE, "lopnummer": ""}), "ARE-009")
    yield refused("persons/reserve_number_without_birth_year.csv", one(**{**RESERVE, "fodelsear": ""}), "ARE-012")
    yield refused("persons/running_number_beside_a_number.csv", one(lopnummer="L-7"), "ARE-010")
    yield refused("persons/running_number_with_a_space.csv", one(**{**RESERVE, "lopnummer": "L 7"}), "ARE-008")
    yield refused("persons/protected_with_number.csv", one(**{**protected, "personnummer": NUMBER}), "ARE-007")
    yield refused("persons/protected_with_area.csv", one(**{**protected, "omrade": "Alvik"}), "ARE-019")
    yield refused("persons/sex_unknown_beside_a_number.csv", one(kon="okänt"), "ARE-016")
    yield taken("persons/sex_that_disagrees.csv", one(kon="pojke"), "ARE-017")
    yield refused("persons/21_on_the_day.csv", one(personnummer=person("19970702", 980)), "ARE-024")
    yield taken("persons/20_on_the_day.csv", one(personnummer=person("19970703", 980)))
    yield refused("persons/born_after_the_day.csv", one(personnummer=person("20180703", 980)), "ARE-025")


def misplaced_cases() -> Iterator[Case]:
    """A person's number where none belongs. It is never quoted, and the file is refused."""
    bare = NUMBER.replace("-", "")
    lost = person("20050505", 982).replace("-", "")[3:]
    yield refused("misplaced/in_the_case_number.csv", one(arende_id=NUMBER), "FIL-015")
    yield refused("misplaced/in_the_case_number_without_hyphen.csv", one(arende_id=f"A{bare[2:]}"), "FIL-015")
    yield refused("misplaced/in_the_running_number.csv", one(**{**RESERVE, "lopnummer": bare}), "FIL-015")
    yield refused("misplaced/in_a_code.csv", one(hanvisad_till=f"skola {NUMBER}"), "ARE-048 FIL-015")
    yield refused("misplaced/in_a_date.csv", one(inkom_datum=bare), "ARE-021 FIL-015")
    yield refused("misplaced/in_free_text.csv", one(UTB, innehall=f"Ring {NUMBER} om platsen"), "FIL-015", dataset=UTB)
    yield refused(
        "misplaced/in_a_count_without_its_first_nought.csv", one(SER, antal_samtal=lost), "FIL-015", dataset=SER
    )
    yield refused(
        "misplaced/in_free_text_with_spaces.csv", one(UTB, innehall="Ring 2010-03-15 9801"), "FIL-015", dataset=UTB
    )
    yield refused(
        "misplaced/in_free_text_day_first.csv", one(UTB, innehall="15 mars 2010 9801"), "FIL-015", dataset=UTB
    )
    yield refused("misplaced/in_a_case_number_cut_otherwise.csv", one(arende_id="2010-03-15-9801"), "FIL-015")
    yield refused(
        "misplaced/coordination_number_in_a_case_number.csv", one(arende_id=person("20100060", 984)), "FIL-015"
    )
    parts = text([[*headers(), "Född", "Sista fyra"], [*cells("arenden", row()), "2010-03-15", "9801"]]).encode()
    yield refused("misplaced/split_over_two_columns.csv", parts, "FIL-012 FIL-050")
    unknown = text([[*headers(), "Notering"], [*cells("arenden", row()), f"syskon {NUMBER}"]]).encode()
    yield refused("misplaced/in_an_unknown_column.csv", unknown, "FIL-012 FIL-015")
    yield taken("misplaced/digits_that_are_no_number.csv", one(arende_id="20181342-1234", **BOY))


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (header_cases, code_cases, date_cases, number_cases, person_cases, misplaced_cases):
        yield from group()
