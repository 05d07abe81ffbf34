"""MetricFlow over a published release: every metric, by quarter and by each dimension, is what SQL over the view gives.

The release is one of made-up figures in the views' own columns; FOLLOWUP_BI_RELEASE names a real one to ask instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from release_project import RATIOS, STOCKS, metric_name, metrics, quarterly_views, write_project

from ingest.settings import ROOT
from publish.views.declared import View, load_views

QUARTER = "metric_time__quarter"
PERIODS = ("2018 kv 4", "2019 kv 1", "2019 kv 2")
VIEWS = {view.name: view for view in quarterly_views()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("FOLLOWUP_BI_RELEASE")
    if given:
        return Path(given)
    path, drawn = tmp_path_factory.mktemp("release") / "followup.duckdb", Random(4)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; create table published.dim_period (period_start_date date)")
        for view in VIEWS.values():
            kinds = {
                "count": "integer",
                "rate": "double",
                "days": "double",
                "number": "double",
                "whole": "integer",
                "flag": "boolean",
            }
            columns = ", ".join(f"{one.name} {kinds.get(one.kind, 'varchar')}" for one in view.columns)
            connection.execute(f"create table published.{view.name} ({columns})")
            for period in PERIODS:
                for unit in range(3):
                    row = [_value(one.name, one.kind, period, unit, drawn) for one in view.columns]
                    connection.execute(f"insert into published.{view.name} values ({', '.join('?' * len(row))})", row)
    return path


def _value(name: str, kind: str, period: str, unit: int, drawn: Random) -> object:
    if name == "period":
        return period
    if kind == "count":
        return drawn.choice([0, *range(5, 90)])
    if kind in ("rate", "days", "number", "whole", "flag"):
        return None
    return f"{name} {unit}" if name == "stadsdel" else f"{name} {drawn.choice('ab')}{unit}"


def questions() -> list[tuple[str, str, tuple[str, ...]]]:
    """(view, metric, group-bys)."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for view in VIEWS.values():
        own = view.name.removeprefix("vy_")
        for metric in metrics(view):
            found.append((view.name, metric["name"], (QUARTER,)))
            found += [
                (view.name, metric["name"], (QUARTER, f"{own}__{column}")) for column in view.key if column != "period"
            ]
    return found


@pytest.fixture(scope="module")
def answers(release: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, tuple[str, ...]], list[Any]]:
    project = tmp_path_factory.mktemp("metricflow") / "project"
    write_project(project)
    asked = questions()
    done = subprocess.run(
        [ROOT / ".venv-metrics" / "bin" / "python", ROOT / "bi" / "metrics" / "ask.py", project],
        input=json.dumps([{"metric": name, "by": by} for _, name, by in asked]),
        env={"PATH": os.environ["PATH"], "HOME": str(project), "FOLLOWUP_RELEASE": str(release)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {(name, by): rows for (_, name, by), rows in zip(asked, found, strict=True)}


def test_every_metric_is_what_sql_over_the_view_gives(
    release: Path, answers: dict[tuple[str, tuple[str, ...]], list[Any]]
) -> None:
    different = []
    with duckdb.connect(str(release), read_only=True) as connection:
        for view, name, by in questions():
            columns = ["period", *(one.split("__")[1] for one in by[1:])]
            rows = connection.execute(
                f"select {', '.join(columns)}, {_expression(VIEWS[view], name)} from published.{view} group by all"
            ).fetchall()
            wanted = {(_date(period), *codes): figure for period, *codes, figure in rows if figure is not None}
            given = {tuple(key): figure for *key, figure in answers[name, by] if figure is not None}
            if given != pytest.approx(wanted):
                different.append((name, by))
    assert different == []
    assert len(answers) > 100


def _expression(view: View, name: str) -> str:
    for rate, (part, whole) in RATIOS.get(view.name, {}).items():
        if metric_name(view, rate) == name:
            return f"sum({part})::double / nullif(sum({whole}), 0)"
    (column,) = (one.name for one in view.columns if one.kind == "count" and metric_name(view, one.name) == name)
    return f"sum({column})"


def _date(period: str) -> str:
    return f"{period[:4]}-{3 * int(period[-1]) - 2:02}-01"


def test_ratios_and_stocks_name_columns_of_the_views() -> None:
    counts = {view.name: {one.name for one in view.columns if one.kind == "count"} for view in load_views()}
    for view, rates in RATIOS.items():
        assert {name for pair in rates.values() for name in pair} <= counts[view], view
    assert all(column in counts[view] for view, column in STOCKS)


def test_a_rate_of_the_release_is_the_metric_s(release: Path, answers: dict[Any, list[Any]]) -> None:
    """Where it is a real release: the same counts, so the same rate, unless it is of too few."""
    if "FOLLOWUP_BI_RELEASE" not in os.environ:
        pytest.skip("FOLLOWUP_BI_RELEASE names no real release")
    with duckdb.connect(str(release), read_only=True) as connection:
        rows = connection.execute(
            "select period, stadsdel, andel_erbjudna from published.vy_arendeflode where andel_erbjudna is not null"
        ).fetchall()
    given = {
        tuple(key): figure for *key, figure in answers["arendeflode_andel_erbjudna", (QUARTER, "arendeflode__stadsdel")]
    }
    for period, unit, rate in rows:
        assert given[_date(period), unit] == pytest.approx(rate)
