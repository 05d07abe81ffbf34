"""Corpus: rows that are totals or sums of others, and rows and files of another quarter."""

from __future__ import annotations

from collections.abc import Iterator

from cases import Case, Row, beside, one, refused, row, table, taken, text
from corpus_books import workbook
from corpus_datasets import CANCELLED, NOT_OPENED, WAITS

SERVICE = {
    "antal_nya": 10, "antal_pagaende": 14, "antal_fullfoljt": 6, "antal_avbrutit": 1, "antal_samtal": 40,
    "antal_uppfoljda": 5, "antal_i_ko": 2, "vantade_0_7": 4, "vantade_8_14": 3, "vantade_15_30": 2, "vantade_31_90": 1,
    "vantade_over_90": 0, "vantetid_summa_dagar": 120, "antal_battre": 3, "antal_oforandrat": 1, "antal_samre": 1,
}  # fmt: skip
"""Counts that hang together, also when each is so many times as large."""


def totals() -> Iterator[Case]:
    """Rows that say that they are a total or a part of another, and rows that only sound so."""
    ung, ser, sky = "ungdomsmottagning", "serviceinsatser", "skyddsuppfoljning"
    labels = {
        "unit_after_total": "Totalt Bromma",
        "unit_after_sum": "Summa Bromma",
        "unit_before_total": "Bromma, totalt",
        "every_clinic": "Alla mottagningar",
        "every_one_of_them": "Samtliga i västerort",
        "whole_district": "Hela stadsdelen",
        "english_sum": "Sum",
        "english_grand_total": "Grand Total",
        "german_total": "Gesamtergebnis",
        "part_sum": "Delsumma",
        "short_for_sum": "S:a",
        "of_which": "varav digitala",
        "thereof": "Därav flickor",
        "sum_of_a_clinic": "Summa Alvik",
        "short_for_total": "Tot Bromma",
        "short_for_accumulated": "Ack.",
        "sum_of_the_column": "Kolumnsumma",
        "sum_of_the_quarter": "TOTALT kvartal 3 2018",
        "together": "Tillsammans",
        "unit_before_every": "Bromma alla",
        "every_short_for_clinics": "Alla UM",
        "sum_of_the_year": "Årssumma",
    }
    other = row(ung, mottagning="Alviks ungdomsmottagning")
    for name, label in labels.items():
        total = row(ung, mottagning=label, aldersgrupp="18-20", besok="999")
        yield refused(f"totals/{name}.csv", table(ung, [other, total]), "FIL-014", dataset=ung)
    for name, label in {"clinic_of_that_name": "Total Hälsa ungdomsmottagning", "last_word": "Unga Total"}.items():
        yield taken(f"totals/{name}.csv", beside(ung, mottagning=label, besok="999"), "FIL-085", dataset=ung)
    likely = {
        "mean": "Medelvärde", "mean_of_all": "Snitt alla mottagningar", "difference": "Differens mot 2017",
        "share": "Andel digitala", "median": "Median", "ratio": "Kvot", "per_cent": "Procent", "most": "Max",
        "country": "Riket", "whole_country": "Hela riket", "city": "Stockholms stad",
        "group_of_that_name": "Unga tillsammans",
    }  # fmt: skip
    for name, label in likely.items():
        yield taken(f"totals/{name}.csv", beside(ung, mottagning=label, besok="999"), "FIL-085", dataset=ung)
    names = {
        "clinic_called_min": "Mini-Maria Väst", "clinic_called_max": "Maxgruppen",
        "clinic_of_the_city": "Stockholms UM",
        "clinic_medley": "Medley ungdomsmottagning", "square": "Stadshagens mottagning",
    }  # fmt: skip
    for name, label in names.items():
        yield taken(f"totals/{name}.csv", beside(ung, mottagning=label, besok="999"), dataset=ung)
    for name, label in {"whole_man": "Hela Människan", "island": "Summarö mottagning", "word": "Totalhälsan"}.items():
        yield taken(f"totals/{name}.csv", beside(ung, mottagning=label, besok="999"), dataset=ung)
    head, *lines = (line.split(";") for line in beside(ung, aldersgrupp="18-20").decode().splitlines())
    first, second = lines
    above = text([["Rad", *head], ["Summa", *second], ["", *first]]).encode()
    yield refused("totals/above_the_rows_in_an_unknown_column.csv", above, "FIL-012 FIL-014", dataset=ung)
    comment = text([[*head, "Kommentar"], [*first, "varav 2 digitala"], [*second, ""]]).encode()
    yield taken("totals/part_in_a_comment.csv", comment, "FIL-012 FIL-085", dataset=ung)
    book = workbook(
        {"Blad1": [["Kontoret", "", ""], head, [*second[:2], "Totalt", *second[3:]], first, ["", "Summa Bromma"]]}
    )
    yield refused("totals/rows_of_a_workbook.xlsx", book, "FIL-014 FIL-034", dataset=ung)
    cut = text([head, first, [first[0], "Totalt", "", "240"]]).encode()
    yield refused("totals/cut_short_after_the_second_column.csv", cut, "FIL-014", dataset=ung)
    yield refused(f"totals/{ser}.csv", beside(ser, insats="Totalt Bromma"), "FIL-014", dataset=ser)
    yield refused(f"totals/{ser}_of_an_intervention.csv", beside(ser, insats="Komet summa"), "FIL-014", dataset=ser)
    yield refused(f"totals/{sky}.csv", beside(sky, tidpunkt="Alla dagar"), "FIL-014", dataset=sky)
    yield refused("totals/grupper.csv", beside("grupper", grupp_id="Bromma-totalt"), "FIL-014", dataset="grupper")
    yield taken("totals/group_called_sum.csv", beside("grupper", grupp_id="SUM-12"), dataset="grupper")
    akt = "aktiviteter"
    yield refused(f"totals/{akt}.csv", beside(akt, aktivitet_id="Summa deltagare"), "FIL-014", dataset=akt)
    yield refused("totals/utbud.csv", beside("utbud", insats="Summa insatser"), "FIL-014", dataset="utbud")
    yield refused("totals/rutiner.csv", beside("rutiner", enhet="Totalt förvaltningen"), "FIL-014", dataset="rutiner")
    yield refused("totals/every_sex_throughout.csv", one(ung, kon="Alla"), "UNG-004", dataset=ung)
    yield refused("totals/offered_to_everybody.csv", one("utbud", riktad_till="Samtliga"), "UTB-012", dataset="utbud")


def added_up() -> Iterator[Case]:
    """Rows that are the sum of others, though no word says so, and rows that are so by chance."""
    ung, ser, sky, gru, akt = "ungdomsmottagning", "serviceinsatser", "skyddsuppfoljning", "grupper", "aktiviteter"

    def clinic(name: str, sex: str, visits: int, new: int, digital: int) -> Row:
        waits = {**dict.fromkeys(WAITS, "0"), "vantade_0_7": str(new), "vantetid_summa_dagar": "0"}
        counts = {"besok": str(visits), "nya_besokare": str(new), "digitala_besok": str(digital), **waits}
        return row(ung, mottagning=name, kon=sex, **counts)

    first, second = clinic("Alviks UM", "kvinna", 240, 60, 35), clinic("Blackebergs UM", "kvinna", 110, 21, 9)
    both = clinic("Norra", "kvinna", 350, 81, 44)
    third, fourth = clinic("Mariehälls UM", "kvinna", 77, 12, 5), clinic("Äppelvikens UM", "kvinna", 93, 14, 8)
    south, every = clinic("Södra", "kvinna", 170, 26, 13), clinic("Väst", "kvinna", 520, 107, 57)
    sums = {
        "last_is_the_sum": [first, second, both],
        "first_is_the_sum": [both, first, second],
        "sums_of_sums": [first, second, both, third, fourth, south, every],
        "unknown_sex_is_the_sum": [clinic("Alviks UM", *one) for one in (
            ("kvinna", 240, 60, 35), ("man", 110, 21, 9), ("okänt", 350, 81, 44))],
        "small_clinics_row_by_row": [
            {**clinic(name, sex, visits, new, new), "aldersgrupp": band}
            for band in ("12-14", "15-17", "18-20")
            for name, sex, visits, new in (
                ("A", "kvinna", 6, 1), ("B", "kvinna", 5, 2), ("N", "kvinna", 11, 3),
                ("A", "man", 4, 1), ("B", "man", 3, 1), ("N", "man", 7, 2))
        ],
    }  # fmt: skip
    for name, rows in sums.items():
        yield taken(f"added_up/{name}.csv", table(ung, rows), "UNG-026", dataset=ung)
    chance = [clinic("Alviks UM", *one) for one in (("kvinna", 2, 1, 0), ("man", 1, 1, 1), ("okänt", 3, 2, 1))]
    yield taken("added_up/small_numbers.csv", table(ung, chance), dataset=ung)
    off_by_one = table(ung, [first, second, clinic("Norra", "kvinna", 350, 81, 45)])
    yield taken("added_up/one_more.csv", off_by_one, dataset=ung)
    yield taken(
        "added_up/same_as_the_only_other.csv", table(ung, [first, clinic("B", "kvinna", 240, 60, 35)]), dataset=ung
    )
    service = [
        row(ser, insats=name, **{k: str(n * v) for k, v in SERVICE.items()})
        for name, n in (("komet", 2), ("abc", 3), ("annan lokal", 5))
    ]
    yield taken(f"added_up/{ser}.csv", table(ser, service), "SER-053", dataset=ser)
    bands = [
        row(ser, malgrupp="barn", aldersgrupp=band, **{k: str(n * v) for k, v in SERVICE.items()})
        for band, n in (("0-5", 2), ("6-12", 3), ("okänd", 5))
    ]
    yield taken(f"added_up/{ser}_over_ages.csv", table(ser, bands), "SER-053", dataset=ser)
    times = [
        row(sky, tidpunkt=time, antal_barnforhor=str(14 * n), antal_hem_utan_placering=str(9 * n),
            antal_uppfoljda_samma_dygn=str(5 * n), antal_uppfoljda_inom_tre_dygn=str(8 * n))
        for time, n in (("vardag dagtid", 2), ("vardag kväll", 1), ("helg", 3))
    ]  # fmt: skip
    yield taken(f"added_up/{sky}.csv", table(sky, times), "SKY-017", dataset=sky)
    groups = [
        row(gru, grupp_id=f"G-{n}", platser="60", anmalda=str(11 * n), deltagare_mammor=str(7 * n),
            deltagare_pappor=str(3 * n), fullfoljt=str(9 * n), i_ko="0")
        for n in (1, 2, 3)
    ]  # fmt: skip
    yield taken(f"added_up/{gru}.csv", table(gru, groups), "GRU-051", dataset=gru)
    held = [row(akt, aktivitet_id=f"A-{n}", deltagare=str(n)) for n in (24, 31, 40, 95)]
    yield taken(f"added_up/{akt}.csv", table(akt, held), "AKT-018", dataset=akt)


def other_times() -> Iterator[Case]:
    """Rows that belong to another quarter, and files of which all do."""
    before = {"inkom_datum": "2018-04-02", "forhandsbedomning_klar": "2018-04-12"}
    rows = [row(arende_id=f"2018-{n}", **{**NOT_OPENED, **before, "inkom_datum": f"2018-04-0{n}"}) for n in range(2, 8)]
    yield taken("arenden/all_dates_in_the_quarter_before.csv", table("arenden", rows), "FIL-087")
    one_new = [*rows[1:], {**rows[0], "inkom_datum": "2018-06-28", "forhandsbedomning_klar": "2018-07-01"}]
    yield taken("arenden/one_date_in_the_quarter.csv", table("arenden", one_new))
    after = [{**one, "inkom_datum": f"2018-10-0{n}", "forhandsbedomning_klar": ""} for n, one in enumerate(rows, 1)]
    pending = {"utredning_inledd": "", "ej_inledd_skal": ""}
    yield refused(
        "arenden/all_dates_in_the_quarter_after.csv",
        table("arenden", [{**one, **pending} for one in after]),
        "ARE-022 FIL-087",
    )
    long_ago = {"inkom_datum": "2015-03-02", "forhandsbedomning_klar": "2015-03-10"}
    yield taken(
        "arenden/investigation_that_ended_years_ago.csv",
        one(**long_ago, utredning_start="2015-03-11", utredning_slut="2015-06-20"),
        "ARE-088",
    )
    yield taken("arenden/not_opened_years_ago.csv", one(**{**NOT_OPENED, **long_ago}), "ARE-089")
    ended = {"ansokan_datum": "2015-01-02", "beslut_datum": "2015-01-10", "start_datum": "2015-01-20"}
    yield taken(
        "oppenvard/ended_years_ago.csv",
        one("oppenvard", **ended, slut_datum="2015-06-01"),
        "OPP-060",
        dataset="oppenvard",
    )
    yield taken(
        "grupper/began_years_ago.csv",
        one("grupper", planerad_start="2014-08-20", faktisk_start="2014-09-03"),
        "GRU-052",
        dataset="grupper",
    )
    yield taken(
        "grupper/cancelled_years_ago.csv",
        one("grupper", **{**CANCELLED, "planerad_start": "2014-08-20"}),
        "GRU-053",
        dataset="grupper",
    )
    held = [row("aktiviteter", aktivitet_id=f"A-{n}", datum=f"2018-04-1{n}", deltagare=str(n)) for n in range(3)]
    yield refused(
        "aktiviteter/all_of_the_quarter_before.csv",
        table("aktiviteter", held),
        "AKT-017 FIL-087",
        dataset="aktiviteter",
    )


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (totals, added_up, other_times):
        yield from group()
