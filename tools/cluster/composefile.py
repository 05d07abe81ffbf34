"""docker-compose.yml merged, with variables filled in the way Compose does."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ingest.settings import ROOT

COMPOSE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z0-9_]+)(?:(:?[-?+])([^}]*))?\})")


class MissingVariable(Exception):
    """A variable that must have a value has none."""


def interpolate(text: str, variables: dict[str, str]) -> str:
    """Fill in ${NAME}, ${NAME:-default}, ${NAME:+instead} and ${NAME:?message}; $$ is a dollar sign.

    Raises:
        MissingVariable: one with a message has no value.
    """

    def fill(match: re.Match[str]) -> str:
        dollar, name, operator, argument = match.groups()
        if dollar:
            return "$"
        value = variables.get(name)
        if operator == ":?" and not value:
            raise MissingVariable(name)
        if operator == ":-" and not value:
            return str(argument)
        if operator == ":+":
            return str(argument) if value else ""
        return value or ""

    return _VARIABLE.sub(fill, text)


def required() -> set[str]:
    """Variables without which nothing starts."""
    return {match[2] for match in _VARIABLE.finditer(_without_comments()) if match[3] == ":?"}


def named() -> set[str]:
    """All variables that the file names."""
    return {match[2] for match in _VARIABLE.finditer(_without_comments()) if match[2]}


def load(variables: dict[str, str]) -> dict[str, Any]:
    """The file with merges done and variables filled in.

    Raises:
        MissingVariable: one that must have a value has none.
    """

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return interpolate(part, variables)
        if isinstance(part, list):
            return [walk(item) for item in part]
        if isinstance(part, dict):
            return {key: walk(value) for key, value in part.items()}
        return part

    found: dict[str, Any] = walk(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))
    return found


def _without_comments() -> str:
    return "\n".join(
        line for line in COMPOSE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")
    )
