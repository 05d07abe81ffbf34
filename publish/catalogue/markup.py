"""The little of Markdown that texts for readers use, as HTML: headings, lists, paragraphs, `code`; all else is text."""

from __future__ import annotations

import re
from html import escape


def markdown(text: str, *, level: int) -> str:
    """A text as HTML.

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
            found.append(f"<h{level}>{inline(lines[0].lstrip('# '))}</h{level}>")
        elif lines[0].startswith("- "):
            items = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
            found.append("<ul>" + "".join(f"<li>{inline(' '.join(item.split()))}</li>" for item in items) + "</ul>")
        else:
            found.append(f"<p>{inline(' '.join(lines))}</p>")
    return "".join(found)


def inline(text: str) -> str:
    """A line of text as HTML: what is between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
