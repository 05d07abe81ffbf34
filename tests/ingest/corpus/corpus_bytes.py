"""Corpus: encodings, separators, quotes, line ends, rows and file names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from cases import BOY, Case, cells, headers, one, person, refused, row, table, taken, text

SKY = "skyddsuppfoljning"
UTB = "utbud"
ROWS = [row(), row(arende_id="2018-1002", **BOY)]


def records(dataset: str = "arenden") -> list[list[str]]:
    """Headers and rows: two of cases, one of what else."""
    rows = ROWS if dataset == "arenden" else [row(dataset)]
    return [headers(dataset), *(cells(dataset, given) for given in rows)]


def encodings() -> Iterator[Case]:
    """How text is stored."""
    two, counts = table("arenden", ROWS), text(records(SKY))
    yield taken("encodings/utf8.csv", two)
    yield taken("encodings/utf8_with_bom.csv", b"\xef\xbb\xbf" + two)
    yield taken("encodings/windows1252.csv", table("arenden", ROWS, encoding="cp1252"))
    yield taken("encodings/ascii_only.csv", text(records(SKY)[:1]).encode() + b"helg;2;1;0;1\r\n", dataset=SKY)
    yield taken("encodings/decomposed_letters.csv", unicodedata.normalize("NFD", two.decode()).encode())
    yield taken("encodings/hard_spaces_around_a_code.csv", one(orsak="\u00a0våld i\u00a0familjen\u00a0"))
    yield taken(
        "encodings/typographic_dash_in_a_code.csv",
        one("serviceinsatser", aldersgrupp="vuxen", insats="råd\u2010 och stödsamtal"),
        dataset="serviceinsatser",
    )
    yield taken("encodings/zero_width_space_in_a_code.csv", one(orsak="bo\u200bstad"))
    yield taken("encodings/emoji_in_free_text.csv", one(UTB, innehall="Elva träffar 👨‍👩‍👧"), dataset=UTB)
    yield refused("encodings/utf16_little_endian.csv", two.decode().encode("utf-16"), "FIL-008")
    yield refused("encodings/utf16_big_endian.csv", b"\xfe\xff" + two.decode().encode("utf-16-be"), "FIL-008")
    yield refused("encodings/utf16_without_mark.csv", two.decode().encode("utf-16-le"), "FIL-008")
    mixed = two.splitlines(keepends=True)
    yield refused(
        "encodings/utf8_headers_windows1252_rows.csv",
        mixed[0] + b"".join(mixed[1:]).decode().encode("cp1252"),
        "FIL-007",
    )
    yield refused(
        "encodings/one_windows1252_row_in_utf8.csv", mixed[0] + mixed[1] + mixed[2].decode().encode("cp1252"), "FIL-007"
    )
    yield refused(
        "encodings/byte_that_no_encoding_has.csv",
        table("arenden", ROWS, encoding="cp1252").replace(b"v\xe5ld", b"v\x81ld"),
        "FIL-006",
    )
    yield refused("encodings/nul_byte_in_a_cell.csv", two.replace(b"skola", b"sko\0la"), "FIL-008")
    yield refused("encodings/old_macintosh_letters.csv", counts.encode("mac_roman"), "FIL-068", dataset=SKY)
    yield refused("encodings/old_dos_letters.csv", counts.encode("cp850"), "FIL-068", dataset=SKY)
    yield refused("encodings/encoded_twice.csv", counts.encode().decode("cp1252").encode(), "FIL-068", dataset=SKY)


def separators() -> Iterator[Case]:
    """What stands between fields."""
    yield taken("separators/semicolon.csv", text(records()).encode())
    yield taken("separators/comma.csv", text(records(), ",").encode())
    yield taken("separators/tab.csv", text(records(), "\t").encode())
    yield taken("separators/comma_with_quoted_commas.csv", text(records(UTB), ",").encode(), dataset=UTB)
    yield taken("separators/excels_hint_above_the_headers.csv", b"sep=;\r\n" + text(records()).encode())
    yield refused("separators/pipe.csv", text(records(), "|").encode(), "FIL-021")
    yield refused(
        "separators/fixed_width.csv", b"TIDPUNKT        ANTAL\r\nhelg            12\r\n", "FIL-021", dataset=SKY
    )
    lines = text(records()).splitlines(keepends=True)
    yield refused(
        "separators/commas_in_one_row.csv", (lines[0] + lines[1] + lines[2].replace(";", ",")).encode(), "FIL-013"
    )


def quotes() -> Iterator[Case]:
    """Quoted fields."""
    long = "Elva träffar:\r\n- i grupp\r\n- med barnpassning"
    lines = text(records()).splitlines(keepends=True)
    third = text([cells("arenden", row(arende_id="2018-1003", orsak="bostad"))])
    yield taken("quotes/every_field.csv", text(records(), quote_all=True).encode())
    yield taken("quotes/line_break_in_a_field.csv", one(UTB, innehall=long), dataset=UTB)
    yield taken("quotes/separator_in_a_field.csv", one(UTB, innehall="Grupp; enskilt; familj"), dataset=UTB)
    yield taken("quotes/doubled_quotes_in_a_field.csv", one(UTB, innehall='Kursen "Komet" för föräldrar'), dataset=UTB)
    yield refused("quotes/never_closed.csv", (lines[0] + lines[1] + '"' + lines[2]).encode(), "FIL-009")
    yield refused(
        "quotes/text_after_the_closing_one.csv", "".join(lines).replace("skola", '"sko"la', 1).encode(), "FIL-009"
    )
    stray = lines[0] + lines[1].replace("skola", '"skola', 1) + lines[2] + third.replace("skola", 'skola"', 1)
    yield refused("quotes/stray_pair_swallows_rows.csv", stray.encode(), "FIL-009")


def lines() -> Iterator[Case]:
    """Line ends, blank lines, ragged rows, totals."""
    head, first, second = text(records()).splitlines(keepends=True)
    yield taken("lines/lf.csv", text(records(), end="\n").encode())
    yield taken("lines/cr_of_old_macintosh.csv", text(records(), end="\r").encode())
    yield taken("lines/crlf_and_lf_mixed.csv", (head + first.replace("\r", "") + second).encode())
    yield taken("lines/no_line_end_at_the_end.csv", text(records()).rstrip().encode())
    yield taken("lines/blank_ones_between_and_after.csv", f"{head}\r\n{first}\r\n\r\n{second}\r\n\r\n".encode())
    yield taken("lines/blank_ones_above_the_headers.csv", f"\r\n\r\n{head}{first}".encode())
    yield taken("lines/rows_of_separators_only.csv", (head + first + ";" * 30 + "\r\n" + second).encode())
    yield taken("lines/trailing_empty_columns.csv", (head + first + second).replace("\r\n", ";;;\r\n").encode())
    yield taken(
        "lines/trailing_separators_in_rows_only.csv",
        head.encode() + (first + second).replace("\r\n", ";;\r\n").encode(),
    )
    yield taken("lines/headers_only.csv", head.encode())
    yield refused(
        "lines/row_too_short.csv", (head + first + second.rpartition(";")[0] + "\r\n").encode(), "ARE-078 FIL-070"
    )
    yield refused("lines/row_too_long.csv", (head + first + second.replace("\r\n", ";x\r\n")).encode(), "FIL-013")
    yield refused("lines/row_cut_off_at_the_end.csv", (head + first + second[:60]).encode(), "FIL-013")
    yield refused("lines/totals_row.csv", (head + first + "Summa;" + ";" * 28 + "1\r\n").encode(), "FIL-014")
    yield refused("lines/totals_row_of_one_field.csv", (head + first + "TOTALT:\r\n").encode(), "FIL-014")
    counts = row("serviceinsatser")
    summed = {**dict.fromkeys(counts, ""), "malgrupp": "Totalt", "antal_nya": "10"}
    yield refused(
        "lines/totals_row_of_counts.csv",
        table("serviceinsatser", [counts, summed]),
        "FIL-014",
        dataset="serviceinsatser",
    )


def no_tables() -> Iterator[Case]:
    """Files that hold no table."""
    yield refused("no_tables/no_bytes.csv", b"", "FIL-004")
    yield refused("no_tables/only_a_byte_order_mark.csv", b"\xef\xbb\xbf", "FIL-004")
    yield refused("no_tables/only_blank_lines.csv", b"\r\n\r\n  \r\n", "FIL-004")
    yield refused("no_tables/rows_without_headers.csv", text(records()[1:]).encode(), "FIL-021")
    yield refused("no_tables/title_above_the_headers.csv", b"Uttag kvartal 3\r\n" + text(records()).encode(), "FIL-021")
    yield refused("no_tables/another_datasets_headers.csv", text(records(SKY)).encode(), "FIL-021", dataset="rutiner")
    yield refused("no_tables/web_page.csv", b"<html><table><tr><td>arende_id</td></tr></table></html>", "FIL-026")
    yield refused("no_tables/pdf.csv", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", "FIL-026")
    yield refused("no_tables/xml.csv", b'<?xml version="1.0"?><rows><row id="1"/></rows>', "FIL-026")
    yield refused("no_tables/json.csv", b'[{"arende_id": "2018-1001"}]', "FIL-026")
    yield refused("no_tables/picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "FIL-026")
    yield refused(
        "no_tables/600_columns.csv",
        (";".join(["arende_id", *(f"k{n}" for n in range(600))]) + "\r\n").encode(),
        "FIL-022",
    )


def names() -> Iterator[Case]:
    """What the file is called. All hold the same right rows."""
    good = table("arenden", ROWS)
    alvsjo = table("arenden", [row(omrade="")])
    yield taken("names/capitals.csv", good, name="BROMMA_Arenden_2018q3.CSV")
    yield taken("names/in_its_own_drop_location.csv", good, lies_with="bromma")
    yield refused("names/without_quarter.csv", good, "FIL-001", name="bromma_arenden.csv")
    yield refused("names/fifth_quarter.csv", good, "FIL-001", name="bromma_arenden_2018Q5.csv")
    yield refused("names/year_of_two_digits.csv", good, "FIL-001", name="bromma_arenden_18Q3.csv")
    yield refused("names/copy_of_a_file.csv", good, "FIL-001", name="bromma_arenden_2018Q3 (1).csv")
    yield refused("names/old_ending.csv", good, "FIL-001", name="bromma_arenden_2018Q3.txt")
    yield refused("names/no_such_district.csv", good, "FIL-001", name="gamla-stan_arenden_2018Q3.csv")
    yield refused("names/no_such_dataset.csv", good, "FIL-003", name="bromma_placeringar_2018Q3.csv")
    yield refused("names/in_another_districts_drop_location.csv", good, "FIL-002", lies_with="farsta")
    yield refused("names/holds_a_number.csv", good, "FIL-016", name=f"bromma_{person('20100315', 980)}_2018Q3.csv")
    yield refused("names/quarter_that_has_not_ended.csv", good, "FIL-018", name="bromma_arenden_2019Q1.csv")
    yield taken("names/district_before_its_merger.csv", alvsjo, name="alvsjo_arenden_2018Q3.csv")
    yield refused("names/district_before_it_began.csv", alvsjo, "FIL-017", name="hagersten-alvsjo_arenden_2018Q3.csv")


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (encodings, separators, quotes, lines, no_tables, names):
        yield from group()
