"""What dbt's documentation page lacks: the glossary on its first page, and a promise to ask nothing of the network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

END = "{% enddocs %}"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
    " font-src data:; form-action 'none'"
)
"""All of the page is in the page itself: a browser that reads this fetches nothing, whatever the script asks for."""

FETCHED = re.compile(r"""\b(src=|href=)(["'])(?:https?:)?//[^"'\s]+\.(?:js|css|png|svg|ico|woff2?)\2""")
ICON = re.compile(r'<link rel="shortcut icon"[^>]*>')


def with_glossary(overview: str, glossary: str) -> str:
    """Give the overview's doc block with the glossary at its end, its headings a step down.

    Raises:
        ValueError: the overview is not one doc block.
    """
    if overview.count(END) != 1:
        raise ValueError("the overview is not one doc block")
    lowered = re.sub(r"^(#+ )", r"#\1", glossary, flags=re.MULTILINE)
    return overview.replace(END, f"\n{lowered.strip()}\n{END}")


def offline(page: str) -> str:
    """Give dbt's page without what it would fetch, and with a policy under which a browser fetches nothing.

    Raises:
        ValueError: the page has no head to put the policy in.
    """
    head = '<meta charset="utf-8">'
    if page.count(head) != 1:
        raise ValueError("dbt's page does not begin as expected")
    # dbt's page can load a script that counts its readers; the icon's address was never filled in.
    page = FETCHED.sub(r"\1\2data:,\2", page)
    page = ICON.sub("", page, count=1)
    return page.replace(head, f'{head}<meta http-equiv="Content-Security-Policy" content="{POLICY}">')


def main(step: str, read: Path, changed: Path) -> None:
    """Do one step: `overview GLOSSARY OVERVIEW` (in place) or `offline PAGE RESULT`.

    Raises:
        ValueError: there is no such step, or what it works on is not as expected.
    """
    text = read.read_text(encoding="utf-8")
    if step == "overview":
        changed.write_text(with_glossary(changed.read_text(encoding="utf-8"), text), encoding="utf-8")
    elif step == "offline":
        changed.write_text(offline(text), encoding="utf-8")
    else:
        raise ValueError(f"no step {step}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
