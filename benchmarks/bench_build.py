"""The warehouse's build over two years of the city at several scales: seconds, peak memory, and against SQL alone.

The files are drawn and taken in as districts' would be, so what is built is stored rows with keys of persons. Then two
things are timed, each in a process of its own: `followup build`, and the compiled SQL of the same models and tests,
parents first, one statement after the other on an empty DuckDB with the same settings and cores, without dbt. The
project is parsed beforehand, in a build of no files: an installation parses it once, not in every build.

Prints figures and ratios; asserts nothing. The bounds to compare with: scale 1 within 30 s; the top, about ten million
case rows, within 300 s and 8 GiB of memory on two cores; no faster than linear in between; at most 1.6 times the SQL
alone.

On two idle cores scale 1 takes about two minutes in all, 10 four minutes, the top half an hour and 12 GB of disk, most
of it for drawing the files and taking them in; `--keep` leaves a city in a folder, where the next run finds it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from followup.build.engines.engine import memory_allowed
from followup.build.rows_at_hand import build_inputs
from followup.build.snapshot import PROJECT, take_snapshot
from ingest.ledger import Ledger
from ingest.persons.keys import make_keys
from ingest.settings import Settings

SCALES = {"1": 1.0, "10": 10.0, "top": 182.0}
"""By name; the top has about ten million case rows in its eight quarters."""
TAKES = {"1": "about 2 minutes", "10": "about 4 minutes", "top": "about half an hour"}
FIRST, LAST, NOW = "2018Q1", "2019Q4", "2020-01-10T08:00:00"
FOLLOWUP = (sys.executable, "-m", "followup.cli.main")
GIB = 2**20
"""ru_maxrss counts KiB."""


@dataclass(frozen=True)
class Cost:
    """What a child process took."""

    seconds: float
    cpu_seconds: float
    gib: float


@dataclass(frozen=True)
class Measured:
    """A scale's case rows and its build's seconds."""

    rows: int
    seconds: float


@dataclass(frozen=True)
class Statement:
    """One compiled model or test."""

    name: str
    kind: str
    relation: str
    sql: str
    columns: tuple[str, ...] = ()
    """Of its contract: a mart is made with its private columns, then copied without them."""

    def makes(self) -> list[str]:
        """The statements that make a model's relations."""
        if self.kind != "mart":
            return [f"create {self.kind} {self.relation} as ({self.sql})"]
        keyed = f'"keyed"."{self.name}"'
        return [
            f"create table {keyed} as ({self.sql})",
            f"create table {self.relation} as select {', '.join(self.columns)} from {keyed}",
        ]


def timed(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a child process to its end.

    Raises:
        SystemExit: it failed.
    """
    began = time.monotonic()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ended with {child.returncode}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / GIB)


def compiled(settings: Settings) -> list[Statement]:
    """The models and tests of a build, compiled against the built warehouse, parents first."""
    with closing(Ledger(settings.ledger)) as ledger:
        snapshot = take_snapshot(settings, ledger)
    target = settings.home / "compiled"
    with build_inputs(settings, snapshot, settings.home / "build") as variables:
        arguments = ["compile", "--vars", json.dumps(variables), "--project-dir", str(PROJECT), "--profiles-dir"]
        arguments += [str(PROJECT), "--target-path", str(target), "--log-path", str(target), "--quiet"]
        # dbt holds the warehouse open as long as its process lives.
        timed(
            [str(Path(sys.executable).with_name("dbt")), *arguments],
            {**os.environ, "FOLLOWUP_WAREHOUSE": str(settings.warehouse)},
        )
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    nodes = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "test") and node["config"]["materialized"] != "ephemeral"
    }
    if foreign := [key for key, node in nodes.items() if node["language"] != "sql"]:
        raise SystemExit(f"not SQL, so not comparable: {foreign}")
    found: dict[str, Statement] = {}

    def visit(key: str) -> None:
        if key in found or key not in manifest["parent_map"]:
            return
        for parent in manifest["parent_map"][key]:
            visit(parent)
        if key in nodes:
            node = nodes[key]
            kind = "test" if node["resource_type"] == "test" else node["config"]["materialized"]
            relation = "" if kind == "test" else f'"{node["schema"]}"."{node["alias"]}"'
            found[key] = Statement(node["name"], kind, relation, node["compiled_code"], tuple(node.get("columns", ())))

    for key in nodes:
        visit(key)
    return list(found.values())


def duckdb_options() -> dict[str, Any]:
    """The settings of DuckDB in the project's profile, but with all of a build's cores for one statement."""
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))["followup"]["outputs"]["warehouse"]
    options: dict[str, Any] = profile["config_options"]
    return {**options, "threads": profile["threads"] * options["threads"], "memory_limit": memory_allowed()}


def run_alone(settings: Settings) -> None:
    """Run the compiled SQL on an empty DuckDB that has the seeds, and write down how long models and tests took."""
    statements = compiled(settings)
    folder = settings.home / "alone"
    folder.mkdir(exist_ok=True)
    # The catalogue's name comes from the file's, and the compiled SQL names it.
    path = folder / settings.warehouse.name
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path), config=duckdb_options()) as connection:
        connection.execute(f"attach '{settings.warehouse}' as built (read_only)")
        rows = connection.execute("select schema_name from duckdb_schemas() where database_name = 'built'").fetchall()
        for (schema,) in rows:
            connection.execute(f'create schema if not exists "{schema}"')
        for (seed,) in connection.execute(
            "select table_name from duckdb_tables() where database_name = 'built' and schema_name = 'seeds'"
        ).fetchall():
            connection.execute(f'create table seeds."{seed}" as from built.seeds."{seed}"')
        connection.execute("detach built")
        seconds = {"model": 0.0, "test": 0.0}
        for statement in statements:
            began = time.monotonic()
            if statement.kind == "test":
                connection.execute(f"select count(*) from ({statement.sql})").fetchall()
            else:
                for sql in statement.makes():
                    connection.execute(sql)
            seconds["test" if statement.kind == "test" else "model"] += time.monotonic() - began
    (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


def make_city(name: str, root: Path, environment: dict[str, str]) -> None:
    """Draw a city's files and take them in."""
    print(f"scale {name}: drawing and taking in; all of it takes {TAKES[name]} on idle cores", flush=True)
    make_keys(root / "keys.json")
    inbox = str(root / "inbox")
    window = ["--from", FIRST, "--to", LAST, "--scale", str(SCALES[name])]
    draw = timed([*FOLLOWUP, "demo-data", "--out", inbox, *window], environment)
    receive = timed([*FOLLOWUP, "receive", "--inbox", inbox], environment)
    for done in (root / "inbox", root / "home" / "landing"):
        shutil.rmtree(done, ignore_errors=True)
    print(
        f"scale {name}: drawn in {draw.seconds:.0f} s ({draw.gib:.2f} GiB), taken in in {receive.seconds:.0f} s "
        f"({receive.gib:.2f} GiB)",
        flush=True,
    )


def surroundings(root: Path, parsed: Path) -> dict[str, str]:
    """The environment of an installation in a folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")},
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_NOW": NOW,
        "FOLLOWUP_PARSED": str(parsed),
    }


def parse(parsed: Path) -> None:
    """Build no files, so that the folder holds the parsed project."""
    with tempfile.TemporaryDirectory() as folder:
        make_keys(Path(folder) / "keys.json")
        cost = timed([*FOLLOWUP, "build", "--force"], surroundings(Path(folder), parsed))
    print(f"no files: parsed and built in {cost.seconds:.1f} s, {cost.cpu_seconds:.1f} s of processor", flush=True)


def measure(name: str, root: Path, parsed: Path) -> Measured:
    """Make the city unless the folder holds it, build, run alone, print."""
    environment = surroundings(root, parsed)
    if not (root / "home" / "validated").exists():
        make_city(name, root, environment)
    files = str(root / "home" / "validated" / "arenden" / "**" / "*.parquet")
    (rows,) = duckdb.sql(f"select count(*) from read_parquet('{files}')").fetchone() or (0,)
    build = timed([*FOLLOWUP, "build", "--force"], environment)
    alone = timed([sys.executable, str(Path(__file__).resolve()), "--alone"], environment)
    seconds = json.loads((root / "home" / "alone" / "seconds.json").read_text(encoding="utf-8"))
    both = seconds["model"] + seconds["test"]
    print(
        f"scale {name}: {rows} case rows; build {build.seconds:.1f} s wall, {build.cpu_seconds:.1f} s of processor, "
        f"peak {build.gib:.2f} GiB; its SQL alone {both:.1f} s wall (models {seconds['model']:.1f}, tests "
        f"{seconds['test']:.1f}), peak {alone.gib:.2f} GiB; build / SQL alone {build.seconds / both:.2f}",
        flush=True,
    )
    return Measured(rows, build.seconds)


def compare(less: Measured, more: Measured) -> str:
    """How the build grew between two scales: below 1 it grew slower than the rows."""
    growth = (more.seconds / less.seconds) / (more.rows / less.rows)
    return (
        f"from {less.rows} to {more.rows} case rows ({more.rows / less.rows:.1f} times) the build takes "
        f"{more.seconds / less.seconds:.1f} times as long: {growth:.2f} of linear growth"
    )


def main() -> None:
    """Measure each scale, or, as the child process, run the SQL alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    durations = "; ".join(f"{name}: {takes}" for name, takes in TAKES.items())
    parser.add_argument("--scales", choices=SCALES, nargs="+", default=list(SCALES), help=f"default all. {durations}")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the cities here, a folder for each scale")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        run_alone(Settings())
        return
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as parsed:
        parse(Path(parsed))
        for name in arguments.scales:
            with tempfile.TemporaryDirectory() as folder:
                root = arguments.keep / name if arguments.keep else Path(folder)
                root.mkdir(parents=True, exist_ok=True)
                measured.append(measure(name, root, Path(parsed)))
            if len(measured) > 1:
                print(compare(measured[-2], measured[-1]), flush=True)


if __name__ == "__main__":
    main()
