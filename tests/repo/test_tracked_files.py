"""What may be in the repo, and how files and folders are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MEGABYTE = 1_000_000
LINES = 500
"""About 400 lines is a smell, looked at in review; at 500 a file surely holds two things."""
# Spelled in pieces, so that this file passes its own test.
REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb.debian" + ".org", "golang" + ".org"]
MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:wo" + r"rk|ro" + r"ot|home/[a-z])(?:/|\b)")
TICKETS = re.compile(r"\bissue" + r"s? #?\d|(?<![\w&])#\d+\b(?!;)", re.IGNORECASE)
GENERATED = {"requirements.txt", "LICENSE"}


def texts(root: Path, tracked: list[Path]) -> list[tuple[Path, str]]:
    return [(path, (root / path).read_text(encoding="utf-8", errors="replace")) for path in tracked]


def test_tracked_files_name_no_package_registry(root: Path, tracked: list[Path]) -> None:
    found = [f"{path}: {name}" for path, text in texts(root, tracked) for name in REGISTRIES if name in text]
    assert found == []


def test_tracked_files_name_no_path_of_one_machine(root: Path, tracked: list[Path]) -> None:
    found = [f"{path}: {m.group()}" for path, text in texts(root, tracked) for m in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_tracked_files_name_no_ticket(root: Path, tracked: list[Path]) -> None:
    prose = [path for path in tracked if path.suffix in {".md", ".py", ".sql", ".yml", ".sh", ".in", ".toml"}]
    found = [f"{path}: {m.group()}" for path, text in texts(root, prose) for m in TICKETS.finditer(text)]
    assert found == []


def test_tracked_files_stay_under_one_megabyte(root: Path, tracked: list[Path]) -> None:
    assert [str(path) for path in tracked if (root / path).stat().st_size > MEGABYTE] == []


def test_modules_and_models_hold_one_thing_and_stay_short(root: Path, tracked: list[Path]) -> None:
    code = [path for path in tracked if path.suffix in {".py", ".sql", ".sh"}]
    long = {str(path): text.count("\n") for path, text in texts(root, code) if text.count("\n") > LINES}
    assert long == {}


def test_nothing_is_called_utils_helpers_or_common(tracked: list[Path]) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}
    assert [str(path) for path in tracked if vague & {part.split(".")[0].lower() for part in path.parts}] == []


def test_models_are_named_by_their_layer(tracked: list[Path]) -> None:
    layers = {"staging": ("stg_", "base_"), "intermediate": "int_", "core": ("dim_", "fct_"), "marts": "mart_"}
    dated = re.compile(r"(19|20)\d\d|q[1-4]")
    models = [p for p in tracked if p.parts[:2] == ("dbt_project", "models") and p.suffix == ".sql"]
    assert [str(path) for path in models if dated.search(path.stem)] == []
    assert [str(path) for path in models if not path.name.startswith(layers.get(path.parts[2], ""))] == []


def test_nothing_made_by_running_is_tracked(tracked: list[Path]) -> None:
    made = {".duckdb", ".sqlite", ".db", ".parquet", ".pyc", ".log", ".pem", ".key"}
    assert [str(path) for path in tracked if path.suffix in made or path.parts[0] in {"data", ".venv", "logs"}] == []


def test_text_ends_with_a_newline_and_has_no_carriage_returns(root: Path, tracked: list[Path]) -> None:
    plain = [path for path in tracked if path.suffix in {".py", ".sql", ".md", ".yml", ".toml", ".sh", ".json"}]
    raw = {path: (root / path).read_bytes() for path in plain}
    assert [str(path) for path, data in raw.items() if data and (not data.endswith(b"\n") or b"\r\n" in data)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md", "LICENSE"])
def test_the_repo_has_its_front_pages(root: Path, name: str) -> None:
    assert (root / name).stat().st_size > 500


def test_the_licence_is_whole(root: Path) -> None:
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert all(f"\n{number}." in text for number in range(1, 16))
    assert text.rstrip().endswith(
        "All other changes or additions to this Appendix require the production of a new EUPL version."
    )
