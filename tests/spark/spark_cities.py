"""Cities for both engines, and building them without a ledger: dbt's inputs are written by hand or drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
from dbt_inputs import Inputs, case, concluded, ended_episode, episode, investigated, service
from dbt_small_city import submit_small_city
from dbt_small_city_counts import submit_counts

from followup.build.engines import Engine
from followup.build.engines.duckdb_engine import DuckDBEngine
from followup.build.engines.spark_engine import SparkEngine
from followup.build.snapshot import PROJECT
from publish.catalogue.manifest import Manifest, distil

OF_TESTS = {
    # on tables of a few rows, compiling Java code for each query takes longer than the query
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.memory": "3g",
}


@dataclass(frozen=True)
class Built:
    """A city on both engines. `outcomes` are of Spark's nodes: (kind, name) → status."""

    duckdb: Path
    spark: Path
    outcomes: dict[tuple[str, str], str]


def _small_city(folder: Path) -> Inputs:
    """The city that the project's own tests know by hand: a merger, a resubmission, an empty and a missing file."""
    inputs = Inputs(folder, as_of_date="2020-10-25")
    submit_small_city(inputs)
    submit_counts(inputs)
    return inputs


def drawn_city(seed: int, cases: int = 25) -> Callable[[Path], Inputs]:
    """Drawn rows over five quarters: Älvsjö merges into Hägersten-Älvsjö, one file is missing, one came twice."""

    def draw(folder: Path) -> Inputs:
        random, inputs = Random(seed), Inputs(folder, as_of_date="2021-02-25")
        people = 3 * cases
        for quarter in ("2019Q4", "2020Q1", "2020Q2", "2020Q3", "2020Q4"):
            units = ["farsta", "norrmalm"]
            units += ["alvsjo", "hagersten-liljeholmen"] if quarter < "2020Q3" else ["hagersten-alvsjo"]
            for unit in units:
                if (unit, quarter) == ("norrmalm", "2020Q2"):
                    continue
                rows = [_drawn_case(random, unit, quarter, number, people) for number in range(cases)]
                if (unit, quarter) == ("farsta", "2020Q1"):
                    inputs.submit(unit, "arenden", quarter, *rows[:5], version=1, in_force=False)
                    inputs.submit(unit, "arenden", quarter, *rows, version=2, days_after_quarter=30, open_queries=1)
                else:
                    inputs.submit(unit, "arenden", quarter, *rows)
                inputs.submit(
                    unit,
                    "oppenvard",
                    quarter,
                    *(_drawn_episode(random, unit, quarter, n, people) for n in range(cases // 2)),
                )
                inputs.submit(
                    unit,
                    "serviceinsatser",
                    quarter,
                    *(
                        service(name, antal_nya=random.randrange(9), antal_pagaende=random.randrange(9))
                        for name in ("foraldraradgivning", "familjeradgivning")
                    ),
                )
        return inputs

    return draw


def _days(quarter: str, random: Random, span: int = 80) -> date:
    year, number = int(quarter[:4]), int(quarter[-1])
    return date(year, 3 * number - 2, 1) + timedelta(days=random.randrange(span))


def _drawn_case(random: Random, unit: str, quarter: str, number: int, people: int) -> Any:
    name, person = f"{unit[:2]}{quarter}-{number}", f"p{random.randrange(people)}"
    received = _days(quarter, random, 30)
    about = {"kon": random.choice(["kvinna", "man"]), "orsak": random.choice(["beteende", "vanvard", "bostad"])}
    started = received + timedelta(days=random.randrange(1, 14))
    ended = started + timedelta(days=random.randrange(5, 40))
    kind = random.randrange(3)
    if kind == 0:
        return case(name, person, str(received), **about)
    if kind == 1:
        return investigated(name, person, str(received), str(started), **about)
    return concluded(name, person, str(received), str(started), str(ended), **about)


def _drawn_episode(random: Random, unit: str, quarter: str, number: int, people: int) -> Any:
    name, person = f"e{unit[:2]}{quarter}-{number}", f"p{random.randrange(people)}"
    decided = _days(quarter, random, 30)
    if random.randrange(2):
        return episode(name, person, str(decided), regi=random.choice(["egen", "upphandlad"]))
    started = decided + timedelta(days=random.randrange(20))
    return ended_episode(
        name, person, str(decided), str(started), str(started + timedelta(days=random.randrange(1, 30)))
    )


CITIES: dict[str, Callable[[Path], Inputs]] = {
    "small": _small_city,
    "drawn_1": drawn_city(1),
    "drawn_2": drawn_city(2),
}


_PARSED: dict[str, tuple[bytes, Manifest]] = {}
"""dbt's target → the project as dbt parsed it, and what is distilled of it: what differs by build is read later."""


def _run(
    engine: Engine,
    inputs: Inputs,
    folder: Path,
    commands: list[list[str]],
    on_node: Callable[[str], None] | None = None,
) -> tuple[Path, dict[tuple[str, str], str]]:
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest as ParsedProject

    outcomes: dict[tuple[str, str], str] = {}

    def on_event(event: Any) -> None:
        if event.info.name == "NodeFinished":
            info, result = event.data.node_info, event.data.run_result
            outcomes[info.resource_type, info.node_name] = result.status
            if result.status in ("error", "fail", "runtime error"):
                outcomes[info.resource_type, info.node_name] += f": {result.message}"
            if on_node is not None:
                on_node(info.node_name)

    folder.mkdir(parents=True, exist_ok=True)
    variables, warehouse = inputs.write(), folder / "warehouse.duckdb"
    place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(folder / "target")]
    place += ["--log-path", str(folder / "logs"), "--log-level", "none", "--log-level-file", "none", "--quiet"]
    place += ["--target", engine.target, "--vars", json.dumps(variables), "--no-partial-parse"]
    with engine.session(warehouse, inputs.folder, folder / "marts"):
        if engine.target not in _PARSED:
            outcome = dbtRunner().invoke(["parse", *place])
            assert outcome.success, outcome.exception
            described = distil(json.loads((folder / "target" / "manifest.json").read_bytes()))
            _PARSED[engine.target] = (folder / "target" / "partial_parse.msgpack").read_bytes(), described
        packed, described = _PARSED[engine.target]
        for command in commands:
            runner = dbtRunner(manifest=ParsedProject.from_msgpack(packed), callbacks=[on_event])
            outcome = runner.invoke([*command, *place, "--no-write-json"])
            assert outcome.exception is None, outcome.exception
        engine.complete(warehouse, described)
    return warehouse, outcomes


_TESTS = {
    "data": ["test", "--exclude-resource-type", "unit_test"],
    # one at a time: dbt makes a temporary view by the model's name for each
    "unit": ["test", "--select", "test_type:unit", "--threads", "1"],
}
BUILD = ["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type"]


def build_on_duckdb(inputs: Inputs, folder: Path) -> Path:
    """The city's warehouse on DuckDB, without tests."""
    return _run(DuckDBEngine(), inputs, folder, [[*BUILD, "test"]])[0]


def build_on_spark(
    inputs: Inputs,
    folder: Path,
    master: str,
    *,
    tests: Collection[str] = (),
    on_node: Callable[[str], None] | None = None,
    options: Mapping[str, str] = OF_TESTS,
) -> tuple[Path, dict[tuple[str, str], str]]:
    """The city's warehouse on Spark, and the outcome of each node: models, and tests of the kinds `data` and `unit`.

    `options` are Spark's settings, by default those for tables of a few rows.
    """
    commands = [[*BUILD, "test"], *(_TESTS[kind] for kind in tests)]
    return _run(SparkEngine(master, options), inputs, folder, commands, on_node)


def differing_tables(spark: Path, other: Path) -> dict[str, tuple[int, ...]]:
    """Tables that differ: rows of one only, by all columns but fractions, and by all with fractions to 9 decimals."""
    found = {}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name, path in (("s", spark), ("d", other)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        tables = connection.execute(
            "select distinct schema_name, table_name from duckdb_columns() "
            "where database_name = 'd' and schema_name in ('seeds', 'intermediate', 'core', 'marts', 'keyed') "
            "and table_name not in (select view_name from duckdb_views() where database_name = 'd' and not temporary "
            "and schema_name not in ('core', 'marts', 'keyed')) order by all"
        ).fetchall()
        assert len(tables) > 90
        for schema, table in tables:
            kinds = dict(
                connection.execute(
                    "select column_name, data_type from duckdb_columns() "
                    "where database_name = 'd' and schema_name = ? and table_name = ? order by column_index",
                    [schema, table],
                ).fetchall()
            )
            whole = [f'"{name}"::varchar' for name, kind in kinds.items() if not _is_fraction(kind)]
            near = [f'round("{name}"::double, 9) + 0.0' for name, kind in kinds.items() if _is_fraction(kind)]
            rows = tuple(
                len(
                    connection.execute(
                        f"(select {', '.join(columns)} from {one}.{schema}.{table}) "
                        f"except all (select {', '.join(columns)} from {two}.{schema}.{table})"
                    ).fetchall()
                )
                for columns in (whole, whole + near)
                for one, two in (("s", "d"), ("d", "s"))
            )
            if any(rows):
                found[f"{schema}.{table}"] = rows
    return found


def _is_fraction(kind: str) -> bool:
    return kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL")
