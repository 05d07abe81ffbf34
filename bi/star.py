"""Writes docs/star.md and docs/star.svg: how a release's views and dimension tables belong together, as declared.

python bi/star.py          a test fails when the pages are not what this writes
"""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path
from xml.sax.saxutils import escape

from publish.views.declared import View, load_views

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOWN = "vy_erbjudna_kon_alder"
"""The view in the middle of the picture."""
_WIDTH, _HEIGHT, _BOX, _ROW = 760, 520, (190, 46), 17
_PAGE = Path(__file__).with_name("star_page.txt")


def main() -> None:
    """Write both."""
    for name, content in pages().items():
        (DOCS / name).write_text(content, encoding="utf-8")


def pages() -> dict[str, str]:
    """File's name → content."""
    views = [view for view in load_views() if view.name == view.base]
    rows = "\n".join(f"| `{view.name}` | {', '.join(_related(view))} |" for view in views)
    (shown,) = (view for view in views if view.name == SHOWN)
    return {"star.md": _PAGE.read_text(encoding="utf-8").format(shown=SHOWN, rows=rows), "star.svg": picture(shown)}


def _related(view: View) -> list[str]:
    return [f"`{one.columns[0]}` → `{one.table}.{one.table_columns[0]}`" for one in view.references()]


def picture(view: View) -> str:
    """The view in the middle, its dimension tables in a ring around it."""
    references = list(view.references())
    middle = (_WIDTH / 2, _HEIGHT / 2)
    parts = []
    for number, one in enumerate(references):
        angle = 2 * pi * number / len(references) - pi / 2
        x, y = middle[0] + 275 * cos(angle), middle[1] + 215 * sin(angle)
        parts.append(
            f'<line x1="{middle[0]:.0f}" y1="{middle[1]:.0f}" x2="{x:.0f}" y2="{y:.0f}" stroke="#4a5a6a"/>'
            f'<text x="{(middle[0] + x) / 2 + 6:.0f}" y="{(middle[1] + y) / 2:.0f}" fill="#4a5a6a">'
            f"{escape(one.columns[0])}</text>"
        )
        parts.append(_box(x, y, one.table, one.table_columns[0], "#e9edf2"))
    counts = ", ".join(column.name for column in view.columns if column.kind == "count")
    parts.append(_box(*middle, view.name, counts, "#cfe0f1", width=380))
    title = f"{view.name} and its dimension tables"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="13">\n<title>{escape(title)}</title>\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _box(x: float, y: float, name: str, below: str, colour: str, *, width: int = _BOX[0]) -> str:
    left, top = x - width / 2, y - _BOX[1] / 2
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width}" height="{_BOX[1]}" rx="4" fill="{colour}" '
        f'stroke="#4a5a6a"/><text x="{x:.0f}" y="{y - 3:.0f}" text-anchor="middle" font-weight="bold">{escape(name)}'
        f'</text><text x="{x:.0f}" y="{y - 3 + _ROW:.0f}" text-anchor="middle">{escape(below)}</text>'
    )


if __name__ == "__main__":
    main()
