"""Which licence each component is under, as an SPDX expression, and whether the project allows it.

`python tools/supply_chain/licences.py` prints the table and exits with 1 when one is missing or not allowed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass

from components import Component, all_components, declared_licences, metadata_of, npm_licences

_WORD = re.compile(r"[A-Za-z0-9.+-]+|[()]")


@dataclass(frozen=True)
class Licensed:
    """A component with its licence; an empty `expression` when nobody says which. `wrong` says why it is refused."""

    component: Component
    expression: str
    wrong: str = ""


def licensed_components() -> list[Licensed]:
    """Every component with its licence, looked at against the list of those that are allowed."""
    declared, npm = declared_licences(), npm_licences()
    found = []
    for one in all_components():
        expression = _expression(one, declared, npm)
        found.append(Licensed(one, expression, _why_refused(expression, set(declared["allowed"]))))
    return found


def unused_statements() -> list[str]:
    """Statements of licences.yml about what is no component any more."""
    known = {f"{one.kind}:{one.name}" for one in all_components()}
    return sorted(set(declared_licences()["packages"]) - known)


def _expression(one: Component, declared: dict[str, dict[str, str]], npm: dict[str, str]) -> str:
    stated = declared["packages"].get(f"{one.kind}:{one.name}")
    if stated is not None:
        return stated
    if one.kind == "npm":
        return npm[one.name]
    metadata = metadata_of(one.name) if one.kind == "pypi" else None
    if metadata is None:
        return ""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    words = [name.rpartition(" :: ")[2] for name in metadata.get_all("Classifier") or [] if name.startswith("License")]
    spoken = [declared["classifiers"][word] for word in words if word in declared["classifiers"]]
    if len(spoken) == 1:
        return spoken[0]
    text = (metadata.get("License") or "").strip()
    return declared["classifiers"].get(text, text if _WORD.fullmatch(text.split(" ")[0]) and len(text) < 60 else "")


def _why_refused(expression: str, allowed: set[str]) -> str:
    if not expression:
        return "no licence is stated, or it is not installed (make setup): state it in licences.yml"
    try:
        is_allowed = _Reader(expression, allowed).read()
    except ValueError:
        return f"{expression} is no SPDX expression: state one in licences.yml"
    return "" if is_allowed else f"{expression} is not allowed in licences.yml"


class _Reader:
    """Reads an SPDX expression: AND needs all of its sides, OR one of them."""

    def __init__(self, expression: str, allowed: set[str]) -> None:
        self._words = _WORD.findall(expression)
        self._allowed = allowed
        self._at = 0
        if "".join(self._words) != re.sub(r"\s", "", expression):
            raise ValueError

    def read(self) -> bool:
        found = self._any()
        if self._at != len(self._words):
            raise ValueError
        return found

    def _any(self) -> bool:
        found = self._all()
        while self._take("OR"):
            other = self._all()
            found = found or other
        return found

    def _all(self) -> bool:
        found = self._one()
        while self._take("AND"):
            other = self._one()
            found = found and other
        return found

    def _one(self) -> bool:
        if self._take("("):
            found = self._any()
            if not self._take(")"):
                raise ValueError
            return found
        if self._at == len(self._words) or self._words[self._at] in {"AND", "OR", "WITH", ")"}:
            raise ValueError
        name = self._words[self._at]
        self._at += 1
        if self._take("WITH"):
            name += f" WITH {self._words[self._at]}"
            self._at += 1
        return name in self._allowed

    def _take(self, word: str) -> bool:
        if self._at < len(self._words) and self._words[self._at] == word:
            self._at += 1
            return True
        return False


def main() -> int:
    """Print licences by how often they occur, and what is wrong."""
    found = licensed_components()
    for expression, count in sorted(Counter(one.expression or "?" for one in found).items()):
        print(f"{count:4}  {expression}")
    wrong = [f"{one.component.kind}:{one.component.name}: {one.wrong}" for one in found if one.wrong]
    wrong += [f"{name}: stated in licences.yml, and no component" for name in unused_statements()]
    print(f"{len(found)} components, {len(wrong)} to look at")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
