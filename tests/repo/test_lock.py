"""The lock holds every package to a hash, names no index, and follows from what we chose."""

from __future__ import annotations

import re
from pathlib import Path

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def chosen(root: Path) -> dict[str, str]:
    """Name -> version specifier, from requirements.in."""
    found = {}
    for line in (root / "requirements.in").read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(.*)", line.split("#")[0].strip())
        if match:
            found[canonical(match.group(1))] = match.group(2).strip()
    return found


def entries(root: Path) -> dict[str, str]:
    """Name -> the whole entry of the lock."""
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    starts = list(PIN.finditer(text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return {canonical(m.group(1)): text[m.start() : end] for m, end in zip(starts, ends, strict=True)}


def test_lock_names_no_index(root: Path) -> None:
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-") or "://" in line]
    assert options == []


def test_every_locked_package_has_a_hash(root: Path) -> None:
    assert [name for name, entry in entries(root).items() if "--hash=sha256:" not in entry] == []


def test_every_chosen_package_is_locked_at_its_version(root: Path) -> None:
    locked = entries(root)
    missing = [name for name in chosen(root) if name not in locked]
    assert missing == [], "run: make lock"
    pinned = {name: rest.removeprefix("==") for name, rest in chosen(root).items() if rest.startswith("==")}
    assert {name: v for name, v in pinned.items() if f"=={v}" not in locked[name].splitlines()[0]} == {}, (
        "run: make lock"
    )


def test_every_locked_package_follows_from_a_choice(root: Path) -> None:
    """Each entry says what wants it; what is in the lock for itself must be in requirements.in."""
    own = [name for name, entry in entries(root).items() if "-r requirements.in" in entry]
    assert sorted(own) == sorted(chosen(root)), "run: make lock"


def test_metricflow_s_lock_names_no_index_holds_hashes_and_has_our_dbt_and_duckdb(root: Path) -> None:
    text = (root / "bi" / "metrics" / "requirements.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("-") or "://" in line] == []
    theirs = {canonical(found[1]): found[2] for found in PIN.finditer(text)}
    listed = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert len(listed) > 50 and all("--hash=sha256:" in entry for entry in listed)
    ours = {name: found[2] for name, entry in entries(root).items() if (found := PIN.match(entry))}
    same = ["dbt-core", "dbt-duckdb", "dbt-adapters", "dbt-semantic-interfaces", "duckdb"]
    assert {name: theirs[name] for name in same} == {name: ours[name] for name in same}, "run: make lock-metrics"


def test_sparks_lock_names_no_index_holds_hashes_and_has_all_of_ours(root: Path) -> None:
    """Its environment and image run the same code: what one of ours needs, lineage for one, must be there too."""
    text = (root / "requirements-spark.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("-") or "://" in line] == []
    listed = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(listed) > 300 and all("--hash=sha256:" in entry for entry in listed)
    theirs = {(canonical(found[1]), found[2]) for found in PIN.finditer(text)}
    newer_python = re.compile(r"python_full_version (?:>= '3\.12'|== '3\.13)")
    ours = {
        (canonical(found[1]), found[2])
        for found in PIN.finditer((root / "requirements.txt").read_text(encoding="utf-8"))
        if not newer_python.search(found.string[found.start() : found.string.index("\n", found.start())])
    }
    assert ours - theirs == set(), "run: make lock-spark"
    assert {name for name, _ in theirs - ours} == {"dbt-spark", "py4j", "pyspark", "sqlparams"}
