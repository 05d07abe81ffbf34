"""The data dictionary: one HTML page in Swedish that fetches nothing, for who reads the tables of a release."""

from __future__ import annotations

import re
from html import escape

from ingest.findings import count_with_noun
from publish.catalogue.described import Column, Described, Table

FILE_NAME = "dictionary.html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{text-align:left;vertical-align:top;border-bottom:1px solid #ccc;padding:.35rem .6rem .35rem 0}
caption{text-align:left;font-weight:600;padding:.3rem 0}
code{background:#f2f2f2;padding:0 .2rem}
.notice{border:2px solid #8a5a00;padding:.5rem 1rem;font-weight:600}
.wide{overflow-x:auto}
nav ul{columns:20rem;padding-left:1.2rem}
""".strip()
_TYPES = {
    "string": "text",
    "integer": "heltal",
    "number": "decimaltal",
    "boolean": "ja/nej",
    "date": "datum",
    "datetime": "tidpunkt",
}
_READING = """
- Antal personer ändras lite och slumpmässigt innan de ges ut, så att ingen enskild kan röjas. Hur mycket står i tabellen `about` och i certifikatet. 1–4 visas aldrig, och en nolla kan stå för ett litet antal. Delar summerar därför inte alltid till totalen. Små skillnader ska inte tolkas.
- En andel eller tid utan värde bygger på för få; då är `too_few` sant. Där `is_capped` är sant betyder en andel "minst": se `is_capped` och `how_to_read` i tabellen `about`.
- Summor av tillfällen och medeltider är förskjutna. Hur mycket står på kolumnen.
- En rad där alla antal är 0 finns inte med.
- `cut` säger vad raden är uppdelad på (`total`, `sex`, `age_band+sex`). Välj ett värde, så kan raderna läggas ihop.
- `alla` betyder att raden inte är uppdelad på den kolumnen. Lägg aldrig ihop `alla` med delarna, eller `stockholm` med stadsdelarna.
- `district_basis` säger vilken indelning raden gäller: `as_submitted`, som den var när uppgiften lämnades, eller `today`, dagens stadsdelar. Välj en av dem.
- Lägg aldrig ihop andelar, medelvärden eller medianer: lägg ihop täljare och nämnare och dela sedan.
- `is_provisional` är sant när något av periodens kvartal ännu kan ändras i en senare utgåva. `districts_in_force` och `districts_expected` säger hur många stadsdelar som har lämnat uppgifter.
"""  # noqa: E501


def dictionary_page(described: Described) -> str:
    """The page as HTML, whole."""
    listed = "".join(
        f'<li><a href="#{escape(table.name)}">{escape(table.label)}</a></li>' for table in described.tables
    )
    notice = f'<p class="notice">{escape(described.notice)}</p>' if described.notice else ""
    released = described.about.get("released_at", "")[:10]
    sections = "".join(map(_section, described.tables))
    return (
        '<!doctype html>\n<html lang="sv"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Datalexikon, utgåva {escape(described.release_id)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>Datalexikon</h1><p>Utgåva {escape(described.release_id)}"
        f"{f', {escape(released)}' if released else ''}. Vad tabellerna handlar om och hur de läses.</p>"
        f"{notice}</header>"
        f'<nav aria-label="Tabeller"><h2>Tabeller</h2><ul>{listed}</ul></nav>'
        f"<main><section><h2>Gäller alla tabeller</h2>{markdown(_READING, level=3)}</section>{sections}</main>"
        "</body></html>\n"
    )


def _section(table: Table) -> str:
    key = ", ".join(f"<code>{escape(column)}</code>" for column in table.key)
    rows = "".join(map(_row, table.columns))
    lists = "".join(_codes(column) for column in table.columns if column.codes)
    return (
        f'<section id="{escape(table.name)}"><h2>{escape(table.label)}</h2>'
        f"<p>{escape(table.explanation)} Tabellen heter <code>{escape(table.name)}</code> och har "
        f"{count_with_noun(table.rows, 'rad', 'rader')}"
        f"{f' ({table.first_day} till {table.last_day})' if table.first_day else ''}.</p>"
        f"{markdown(table.page, level=3)}"
        f"{f'<p>En rad för varje: {key}.</p>' if key else ''}"
        '<div class="wide"><table><caption>Kolumner</caption><thead><tr><th scope="col">Kolumn</th>'
        '<th scope="col">Namn</th><th scope="col">Vad den är</th><th scope="col">Typ</th><th scope="col">Enhet</th>'
        f'<th scope="col">Går att summera</th></tr></thead><tbody>{rows}</tbody></table></div>{lists}</section>'
    )


def _row(column: Column) -> str:
    return (
        f'<tr><th scope="row"><code>{escape(column.name)}</code></th><td>{escape(column.label)}</td>'
        f"<td>{_inline(column.explanation)}</td>"
        f"<td>{_TYPES[column.type]}</td><td>{escape(column.unit) or '–'}</td>"
        f"<td>{escape(column.adds_up) or '–'}</td></tr>"
    )


def _codes(column: Column) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(code)}</code></td><td>{escape(shown)}</td></tr>" for code, shown in column.codes
    )
    return (
        f"<details><summary>Koder i <code>{escape(column.name)}</code> ({len(column.codes)})</summary><table><thead>"
        f'<tr><th scope="col">Kod</th><th scope="col">Betyder</th></tr></thead><tbody>{rows}</tbody></table></details>'
    )


def markdown(text: str, *, level: int) -> str:
    """The little of Markdown that the pages use, as HTML: headings, lists, paragraphs, `code`; all else is text.

    Args:
        text: Markdown.
        level: of the headings, whatever theirs is.
    """
    found: list[str] = []
    for block in re.split(r"\n\s*\n", re.sub(r"^(#+ .*)$", r"\n\1\n", text.strip(), flags=re.MULTILINE)):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines:
            continue
        if lines[0].startswith("#"):
            found.append(f"<h{level}>{_inline(lines[0].lstrip('# '))}</h{level}>")
        elif lines[0].startswith("- "):
            items = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
            found.append("<ul>" + "".join(f"<li>{_inline(' '.join(item.split()))}</li>" for item in items) + "</ul>")
        else:
            found.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(found)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
