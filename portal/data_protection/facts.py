"""What the papers of data protection state, read from the contracts, settings, policy and routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fastapi.dependencies.models import Dependant

from ingest.contracts import PERSON_COLUMNS, Column, Contract, load_contracts
from ingest.ledger.api_tokens import MOST_DAYS, Scope
from ingest.settings import Settings
from portal.app import ROUTERS
from portal.settings import PortalSettings
from portal.signing_in import access
from publish.policy import load_policy

TEXTS = Path(__file__).with_name("texts.yml")
_GATES = ("administrator", "city_user", "unit_of_officer", "officer", "figure_reader", "signed_in_user", "anybody")
"""The dependencies of `access` by which a page says who may open it, the narrowest first."""


@dataclass(frozen=True)
class ColumnFact:
    """A column of a dataset: its label, what it holds, and what is stored of it, in Swedish."""

    label: str
    kind: str
    stored: str


@dataclass(frozen=True)
class DatasetFact:
    """A dataset: its Swedish title, whether its rows are about persons, its columns."""

    title: str
    name: str
    is_about_persons: bool
    columns: tuple[ColumnFact, ...]


@dataclass(frozen=True)
class PlaceFact:
    """A place of an installation: what is in it, its guard, how long, and who can open it, in Swedish."""

    name: str
    what: str
    guard: str
    how_long: str
    who: str


@dataclass(frozen=True)
class AccessFact:
    """What some pages of the portal are for: who may look, and who may also change."""

    what: str
    lookers: tuple[str, ...]
    changers: tuple[str, ...]


def load_texts() -> dict[str, Any]:
    """The Swedish names of what the code declares."""
    texts: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return texts


def all_facts() -> Mapping[str, Any]:
    """What the pages may name."""
    texts = load_texts()
    return {
        "datasets": datasets(texts),
        "places": places(texts),
        "times": times(texts),
        "pages": accesses(texts),
        "scopes": [(scope.value, texts["rattigheter_for_program"][scope.value]) for scope in Scope],
        "token_days": MOST_DAYS,
        "policy": load_policy(),
    }


def datasets(texts: Mapping[str, Any]) -> list[DatasetFact]:
    """Every dataset that the city receives."""
    return [
        DatasetFact(
            contract.title_sv,
            contract.dataset,
            contract.about_persons,
            tuple(
                ColumnFact(column.label_sv, texts["typer"][column.type], _stored(contract, column))
                for column in contract.columns
            ),
        )
        for contract in load_contracts().values()
    ]


def _stored(contract: Contract, column: Column) -> str:
    if contract.about_persons and column.name in PERSON_COLUMNS:
        return "ersätts av pseudonym och födelsedatum innan något sparas"
    if column not in contract.stored_columns:
        return "sparas inte"
    return "sparas; visas aldrig i svar eller loggar" if column.personal else "sparas"


def places(texts: Mapping[str, Any]) -> list[PlaceFact]:
    """Every place of an installation."""
    known = {fact[0]: fact[1] for fact in times(texts)}
    found = []
    for name, place in texts["platser"].items():
        how_long = known[place["tid"]] if "tid" in place else place["hur_lange"]
        found.append(PlaceFact(name, place["vad"], place["skydd"], how_long, place["vem"]))
    return found


def times(texts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(setting, how long by default, what of), of every setting that is there."""
    found = []
    for name, time in texts["tider"].items():
        for model, prefix in ((Settings, "FOLLOWUP_"), (PortalSettings, "FOLLOWUP_PORTAL_")):
            if name in model.model_fields:
                default = model.model_fields[name].default
                found.append((name, f"{default} {time['enhet']} (`{prefix}{name.upper()}`)", time["vad"]))
    return found


def stored_for() -> set[str]:
    """The settings whose names say that something is stored for so long."""
    return {name for model in (Settings, PortalSettings) for name in model.model_fields if "_kept_" in name}


def accesses(texts: Mapping[str, Any]) -> list[AccessFact]:
    """What the pages of the portal are for, and who may open them, as their routes say it."""
    lookers: dict[str, set[str]] = {}
    changers: dict[str, set[str]] = {}
    for methods, path, gate in gated_routes():
        what = texts["sidor"][page_of(texts, path)]
        wanted = lookers if "GET" in methods else changers
        wanted.setdefault(what, set()).add(texts["roller"][gate])
        lookers.setdefault(what, set())
    return [
        AccessFact(what, tuple(sorted(found)), tuple(sorted(changers.get(what, ())))) for what, found in lookers.items()
    ]


def page_of(texts: Mapping[str, Any], path: str) -> str:
    """The longest beginning of an address that has a Swedish name.

    Raises:
        KeyError: none has: it says which file is to name it.
    """
    fitting = [one for one in texts["sidor"] if path == one or (one != "/" and path.startswith(f"{one}/"))]
    if not fitting:
        raise KeyError(f"give {path} a Swedish name in {TEXTS.name}, under sidor")
    return str(max(fitting, key=len))


def gated_routes() -> Iterator[tuple[frozenset[str], str, str]]:
    """(methods, path, the narrowest gate) of every page."""
    gates = {getattr(access, name): name for name in _GATES}
    for router in ROUTERS:
        for route in router.routes:
            dependant: Dependant = route.dependant  # type: ignore[attr-defined]
            named = {gates[call] for call in _calls(dependant) if call in gates}
            yield frozenset(route.methods), route.path, next(gate for gate in _GATES if gate in named)  # type: ignore[attr-defined]


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)
