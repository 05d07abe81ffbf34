"""Templates that districts fill in: a header line as CSV, or a workbook with drop-downs, formats and instructions."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import xlsxwriter

from ingest.checks.suites import Rule, load_rules
from ingest.contracts import Column, Contract, LocalName
from ingest.districts import District
from ingest.feedback_workbook import CREATED
from ingest.organisation import own_words
from ingest.organisation_tables import read_seed
from ingest.quarters import Quarter

_LAST_ROW = 1_048_575
_SHOWN_CODES = 25
_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)
_FORMS = {
    "identifier": "Högst 40 tecken: A–Z, a–z, 0–9, bindestreck, snedstreck, understreck.",
    "person_number": "ÅÅÅÅMMDD-NNNN eller ÅÅMMDD-NNNN. Kolumnen är text, så att inledande nollor blir kvar.",
    "code": "Ett värde ur listan.",
    "code_list": "Ett eller flera värden ur listan, med | emellan.",
    "date": "Datum, till exempel 2018-09-30.",
    "integer": "Heltal, 0 eller mer.",
    "text": "Fri text, högst {max_length} tecken. Inga personuppgifter.",
}


@dataclass(frozen=True)
class TemplateColumn:
    """A column with what a person who fills it in needs to know."""

    column: Column
    codes: tuple[str, ...]
    """What the drop-down offers: the labels, then the district's own names."""
    requirement: str
    rules: tuple[str, ...]

    @property
    def instruction(self) -> str:
        """How a cell is written."""
        return _FORMS[self.column.type].format(max_length=self.column.max_length)


def file_name(contract: Contract, district: District | None, quarter: Quarter | None, ending: str) -> str:
    """The name under which the filled-in file is submitted; for a general template a name that can't be submitted."""
    if district is None or quarter is None:
        parts = [district.code if district else None, contract.dataset, str(quarter) if quarter else None]
        return f"mall_{'_'.join(part for part in parts if part)}.{ending}"
    return f"{district.code}_{contract.dataset}_{quarter}.{ending}"


def as_csv(contract: Contract) -> bytes:
    """The header line: labels, `;` between, UTF-8 with BOM (so that Excel reads å, ä, ö), CRLF."""
    return (";".join(column.label_sv for column in contract.columns) + "\r\n").encode("utf-8-sig")


def template_columns(
    contract: Contract, district: District | None, local_names: Sequence[LocalName] = ()
) -> list[TemplateColumn]:
    """The contract's columns with their codes, requirements and rules.

    Args:
        contract: the dataset's.
        district: whose areas and own names of interventions are offered; without it, neither.
        local_names: names that the city has added beside the seed.
    """
    rules = [rule for rule in load_rules(contract) if rule.severity == "error"]
    return [
        TemplateColumn(
            column,
            tuple(_offered(contract, column, district, local_names)),
            _requirement(column, rules),
            tuple(f"{rule.code}: {rule.message_sv}" for rule in rules if _is_shown_at(column, rule)),
        )
        for column in contract.columns
    ]


def _offered(
    contract: Contract, column: Column, district: District | None, local_names: Sequence[LocalName]
) -> Iterator[str]:
    if column.type not in ("code", "code_list"):
        return
    code = district.code if district else ""
    yield from contract.code_list(column.name, code).labels
    if column.codes_from == "interventions" and district is not None:
        yield from (row["alias"] for row in read_seed("intervention_aliases") if row["district_code"] == code)
        yield from (name.alias for name in local_names if name.district_code == code)


def _requirement(column: Column, rules: list[Rule]) -> str:
    of_column = {rule.kind for rule in rules if rule.column == column.name}
    if "expect_values_to_be_filled" in of_column:
        return "Ska fyllas i på varje rad."
    if "expect_values_to_be_filled_when" in of_column:
        return "Ska fyllas i på vissa rader, se reglerna; kolumnen får tas bort om ingen rad behöver den."
    return "Frivillig; kolumnen får tas bort." if column.optional else "Kolumnen ska finnas; cellen får vara tom."


def _is_shown_at(column: Column, rule: Rule) -> bool:
    return rule.column == column.name and "{codes}" not in rule.message_sv


def as_template(
    contract: Contract,
    district: District | None = None,
    quarter: Quarter | None = None,
    local_names: Sequence[LocalName] = (),
) -> bytes:
    """The template as a workbook.

    The first sheet is named after the dataset and bears the headers, each with a comment; code columns have
    drop-downs (their lists are on a hidden sheet, as named ranges), days are formatted as days, and numbers of persons,
    identifiers and codes as text, so that Excel leaves them as they are typed. The second sheet says how to fill in
    the first.

    Args:
        contract: the dataset's.
        district: whose areas and own names are offered; None leaves such lists open.
        quarter: only for the file's name in the instructions.
        local_names: see `template_columns`.
    """
    columns = template_columns(contract, district, local_names)
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": contract.title_sv, "created": CREATED})
        sheet, instructions = book.add_worksheet(contract.dataset), book.add_worksheet("Anvisning")
        lists = book.add_worksheet("Listor")
        _write_table(book, sheet, columns)
        _write_lists(book, lists, columns)
        _write_instructions(book, instructions, contract, columns, file_name(contract, district, quarter, "xlsx"))
        sheet.activate()
    return out.getvalue()


def _list_name(column: Column) -> str:
    return f"lista_{column.name}"


def _write_table(book: Any, sheet: Any, columns: list[TemplateColumn]) -> None:
    look = {"bold": True, "border": 1, "text_wrap": True, "valign": "top"}
    required, optional = (book.add_format({**look, "bg_color": colour}) for colour in ("#CFE0F3", "#EDEFF2"))
    kinds = {"date": book.add_format({"num_format": "yyyy-mm-dd"}), "integer": book.add_format({"num_format": "0"})}
    text = book.add_format({"num_format": "@"})
    for place, one in enumerate(columns):
        column = one.column
        sheet.set_column(place, place, max(14, len(column.label_sv) + 2), kinds.get(column.type, text))
        sheet.write_string(0, place, column.label_sv, optional if column.optional else required)
        sheet.write_comment(0, place, _comment(one), {"x_scale": 2.5, "y_scale": 2.5})
        if (rule := _validation(one)) is not None:
            sheet.data_validation(1, place, _LAST_ROW, place, rule)
    sheet.freeze_panes(1, 0)


def _comment(one: TemplateColumn) -> str:
    lines = [one.column.label_sv, one.requirement, one.instruction]
    if one.codes:
        more = f" … ({len(one.codes)} värden, se listan)" if len(one.codes) > _SHOWN_CODES else ""
        lines.append("Värden: " + ", ".join(one.codes[:_SHOWN_CODES]) + more)
    elif one.column.codes_from == "areas":
        lines.append(own_words("Värden: stadsdelens egna områden."))
    return "\n".join(lines)


def _validation(one: TemplateColumn) -> dict[str, Any] | None:
    """Excel's check of what is typed. Intake decides; so another spelling that it knows is a warning, no stop."""
    column = one.column
    hint = {"input_title": column.label_sv[:32], "input_message": f"{one.requirement} {one.instruction}"[:255]}
    wrong = {"error_title": column.label_sv[:32], "error_type": "warning"}
    if one.codes:
        several = column.type == "code_list"
        return {
            "validate": "list",
            "source": f"={_list_name(column)}",
            "show_error": not several,
            "error_message": "Värdet finns inte i listan.",
            **hint,
            **wrong,
        }
    if column.type == "date":
        limits = {"criteria": "between", "minimum": _FIRST_DAY, "maximum": _LAST_DAY}
        return {
            "validate": "date",
            **limits,
            "error_message": "Skriv ett datum, till exempel 2018-09-30.",
            **hint,
            **wrong,
        }
    if column.type == "integer":
        return {
            "validate": "integer",
            "criteria": ">=",
            "value": 0,
            "error_message": "Skriv ett heltal.",
            **hint,
            **wrong,
        }
    return {"validate": "any", **hint}


def _write_lists(book: Any, sheet: Any, columns: list[TemplateColumn]) -> None:
    """The drop-downs' lists, one column each, hidden; their headings are none of the dataset's."""
    with_codes = [one for one in columns if one.codes]
    text = book.add_format({"num_format": "@"})
    for place, one in enumerate(with_codes):
        sheet.write_string(0, place, f"Lista: {one.column.label_sv}")
        for at, code in enumerate(one.codes, start=1):
            sheet.write_string(at, place, code, text)
        letters = xlsxwriter.utility.xl_col_to_name(place, col_abs=True)
        book.define_name(_list_name(one.column), f"=Listor!{letters}$2:{letters}${len(one.codes) + 1}")
    sheet.hide()


def _write_instructions(book: Any, sheet: Any, contract: Contract, columns: list[TemplateColumn], name: str) -> None:
    title = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "border": 1, "bg_color": "#E5E9EE"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column("A:A", 28)
    sheet.set_column("B:C", 38)
    sheet.set_column("D:E", 70)
    sheet.write_string(0, 0, contract.title_sv, title)
    at = 1
    for line in _instructions(contract, name):
        sheet.write_string(at, 0, line)
        at += 1
    at += 1
    for place, text in enumerate(("Rubrik", "Krav", "Så skrivs det", "Värden", "Regler")):
        sheet.write_string(at, place, text, head)
    for one in columns:
        at += 1
        codes = ", ".join(one.codes) or (
            own_words("Stadsdelens egna områden.") if one.column.codes_from == "areas" else ""
        )
        cells = (one.column.label_sv, one.requirement, one.instruction, codes, "\n".join(one.rules))
        for place, text in enumerate(cells):
            sheet.write_string(at, place, text[:32_000], wrapped)


def _instructions(contract: Contract, name: str) -> Iterator[str]:
    example = own_words("<stadsdel>") + f"_{contract.dataset}_<ÅÅÅÅ>Q<n>.xlsx"
    named = example if name.startswith("mall_") else f"”{name}”"
    sheet = contract.dataset
    yield f"1. Fyll i bladet {sheet}, en rad i taget från rad 2. Ändra inte rubrikerna; kolumnernas ordning är fri."
    yield "2. Välj värden i listorna. Skriv 0 för antal som är noll; lämna det som inte gäller tomt, utan streck."
    yield "3. Lägg inte till summarader, sammanfogade celler eller dolda rader. Klistra in som värden."
    if contract.about_persons:
        yield "4. Personnummer står bara i kolumnen Personnummer, aldrig i andra kolumner, andra blad eller filnamnet."
    yield f"Har ni inget att rapportera: lämna filen med enbart rubrikerna. Döp filen {named}."
