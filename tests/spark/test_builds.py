"""What a build on Spark does whatever its models are: swap, failures, kills, frozen figures. Models are few."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import duckdb
import frozen_city
import pyarrow.parquet as pq
import pytest
from frozen_city import NOW, figures, fill, persons_in_files, settings_of, write_frozen_project
from installations import on_spark, start, write_spark_project
from small_project import use_project

from followup.build.building import BuildFailed, build
from followup.build.engines.engine import EngineMissing
from followup.build.engines.parquet_warehouse import COMPACTED, folder_of
from followup.build.freezing import FiguresWouldChange, Freeze, freeze_and_erase
from ingest.ledger import Ledger
from ingest.ledger.erasures import record_erasure
from ingest.ledger.freezes import newest_frozen
from ingest.quarters import Quarter
from ingest.recording import open_intake
from ingest.settings import Settings
from publish.warehouse import PARQUET_FOLDER

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Three years of a unit, built on DuckDB; Spark is the engine from now on."""
    fill(tmp_path / "place")
    use_project(monkeypatch, write_frozen_project(tmp_path / "of_duckdb"), tmp_path / "parsed_duckdb")
    build(settings_of(tmp_path / "place"))
    use_project(monkeypatch, write_spark_project(tmp_path / "project"), tmp_path / "parsed")
    return on_spark(tmp_path / "place")


def folders(settings: Settings) -> set[str]:
    """Names of the folders of builds."""
    return {path.name for path in (settings.home / PARQUET_FOLDER).iterdir()} - {COMPACTED}


def in_place(settings: Settings) -> str:
    """The name of the folder that counts."""
    name = folder_of(settings.warehouse)
    assert name is not None
    return name


def persons_in_marts(settings: Settings) -> int:
    """Rows about persons of 2017 in all Parquet files that belong to marts, whichever warehouse has them."""
    with duckdb.connect() as connection:
        return sum(
            connection.execute("select count(*) from read_parquet(?) where reporting_quarter < '2018'", [str(path)])
            .fetchall()[0][0]
            for path in (settings.home / PARQUET_FOLDER).rglob("*.parquet")
            if {"person_key", "reporting_quarter"} <= set(pq.read_schema(path).names)
        )  # fmt: skip


def test_each_build_has_a_folder_of_its_own_and_one_file_points_to_it(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = figures(place)  # DuckDB's
    names = []
    for _ in range(3):
        build(place, force=True)
        assert figures(place) == before
        names.append(in_place(place))
    assert len(set(names)) == 3
    assert folders(place) == set(names[1:])  # the one before is there for who still reads it
    assert list(here.iterdir()) == []  # no metastore, no warehouse of Spark's own
    assert not (place.half_done / "build" / "spark").exists()


_NAMED_TWICE = """
-- the mart of the small project, with CTEs that are named more than once
with cases as (
    select district_code, reporting_quarter, person_key, source_row_number
    from {{ ref('fct_case') }}
),

quarters as (
    select distinct
        reporting_quarter as quarter,
        cast(left(reporting_quarter, 4) as int) * 4 + cast(right(reporting_quarter, 1) as int) as number
    from cases
)

select
    district_code, reporting_quarter, 'kvartal' as period_kind,
    cast(count(distinct person_key) as int) as persons,
    cast(sum(source_row_number) as {{ key_type() }}) as persons__key
from cases
group by all
union all
select cases.district_code, years.quarter, 'rullande_ar', cast(count(distinct cases.person_key) as int),
    cast(0 as {{ key_type() }})
from quarters as years
inner join quarters as members on members.number between years.number - 3 and years.number
inner join cases on cases.reporting_quarter = members.quarter
group by all
"""


def test_steps_that_are_named_twice_are_stored_until_the_mart_is_made(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = figures(place)  # DuckDB's
    project = write_spark_project(tmp_path / "in_steps", mart_persons_sql=_NAMED_TWICE)
    use_project(monkeypatch, project, tmp_path / "parsed_in_steps")
    build(place, force=True)
    assert figures(place) == before
    steps = place.home / PARQUET_FOLDER / in_place(place) / "steps.db"
    assert steps.is_dir() and list(steps.iterdir()) == []


def test_the_folder_before_goes_when_rows_were_erased_since(place: Settings) -> None:
    build(place, force=True)
    with closing(Ledger(place.ledger)) as ledger:
        record_erasure(ledger, "person", NOW, 1, 1)
    build(place, force=True)
    assert folders(place) == {in_place(place)}


def test_a_build_that_fails_leaves_the_last_good_marts(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(place, force=True)
    before, name, file = figures(place), in_place(place), place.warehouse.read_bytes()
    project = write_spark_project(tmp_path / "failing")
    (project / "tests").mkdir()
    (project / "tests" / "fails.sql").write_text("select * from {{ ref('mart_persons') }}")
    use_project(monkeypatch, project, tmp_path / "parsed_failing")
    with pytest.raises(BuildFailed, match="fails"):
        build(place, force=True)
    assert folders(place) == {name}
    assert place.warehouse.read_bytes() == file and figures(place) == before


def test_a_build_is_good_though_lineage_knows_no_session(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenLineage's provider refuses dbt's connection to a session; the log says that no event was sent."""
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "events.jsonl"))
    assert build(place, force=True).status == "built"
    assert "lineage events were not sent: NotImplementedError" in caplog.text


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from followup.build import building, snapshot
building.PROJECT = snapshot.PROJECT = Path({project!r})
from installations import on_spark

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "swap":
    building.put_in_place = kill
building.build(on_spark(Path(sys.argv[1])), force=True, on_node=lambda node: node.name == sys.argv[2] and kill())
"""


def test_a_build_that_is_killed_leaves_the_last_good_marts(place: Settings, tmp_path: Path) -> None:
    build(place, force=True)
    before, name, file = figures(place), in_place(place), place.warehouse.read_bytes()
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "followup"), str(Path(__file__).parents[1])]
    program = _KILLED.format(paths=paths, project=str(tmp_path / "project"))
    for moment in ("fct_case", "mart_persons", "swap"):
        running = start(program, str(tmp_path / "place"), moment, environment={})
        _, errors = running.communicate()
        assert running.returncode == -signal.SIGKILL, errors
        assert place.warehouse.read_bytes() == file and figures(place) == before, moment
        assert len(folders(place)) > 1, moment  # its own is still there
    build(place, force=True)
    assert figures(place) == before
    assert in_place(place) != name and len(folders(place)) == 2


def freeze(settings: Settings) -> Freeze | None:
    with open_intake(settings) as intake:
        return freeze_and_erase(intake, NOW)


_INTERRUPTED = """
import os, signal, sys, typer
from pathlib import Path
sys.path[:0] = {paths!r}
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, whoever started the tests
from followup.build import building, snapshot
building.PROJECT = snapshot.PROJECT = Path({project!r})
from followup.cli.options import failures_in_a_sentence
from installations import on_spark
try:
    with failures_in_a_sentence():
        building.build(
            on_spark(Path(sys.argv[1])), force=True, on_node=lambda node: os.kill(os.getpid(), signal.SIGINT)
        )
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""


def has_ended(group: int, seconds: float = 60) -> bool:
    """Whether no process of a group is left, now or soon."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


def test_a_build_that_is_interrupted_leaves_the_last_good_marts_and_nothing_else(
    place: Settings, tmp_path: Path
) -> None:
    build(place, force=True)
    before, name = figures(place), in_place(place)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "followup"), str(Path(__file__).parents[1])]
    program = _INTERRUPTED.format(paths=paths, project=str(tmp_path / "project"))
    process = start(program, str(tmp_path / "place"), environment={})
    _, said = process.communicate(timeout=900)
    assert process.returncode == 130, said
    assert "interrupted: nothing half-done counts, so run it again" in said and "Traceback" not in said
    assert (in_place(place), folders(place), figures(place)) == (name, {name}, before)
    assert not (place.half_done / "build" / "spark").exists()
    assert has_ended(process.pid), "Java, which was in its group, is left"
    with closing(Ledger(place.ledger)) as ledger:
        assert [one.state for one in ledger.builds(5)] == ["built", "built"]


def test_nothing_is_left_when_spark_can_not_be_started(place: Settings, tmp_path: Path) -> None:
    before = figures(place)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    away = on_spark(tmp_path / "place", f"spark://127.0.0.1:{port}")
    with pytest.raises(EngineMissing, match="no master answers there"):
        build(away, force=True)
    assert not (place.home / PARQUET_FOLDER).exists() and figures(place) == before


def test_figures_are_the_same_after_rows_are_frozen_and_erased(place: Settings) -> None:
    before = figures(place)  # DuckDB's
    assert sum(map(len, before.values())) > 40  # type: ignore[arg-type]
    assert freeze(place) == Freeze(Quarter(2018, 3), Quarter(2017, 4), 8, 4)
    assert figures(place) == before
    assert folders(place) == {in_place(place)}
    assert persons_in_marts(place) == 2 * 2  # in core and in what was compacted: of who has rows later too
    assert sum(rows for quarter, rows in persons_in_files(place).items() if quarter < "2018") == 2
    assert build(place).status == "unchanged"
    build(place, force=True)
    assert figures(place) == before


def test_figures_that_duckdb_froze_are_taken_up(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A city that outgrows its machine has frozen quarters; and it may go back."""
    before = figures(place)
    use_project(monkeypatch, tmp_path / "of_duckdb", tmp_path / "parsed_duckdb")
    freeze(settings_of(tmp_path / "place"))
    use_project(monkeypatch, tmp_path / "project", tmp_path / "parsed")
    build(place, force=True)
    assert folder_of(place.warehouse) is not None
    assert figures(place) == before
    use_project(monkeypatch, tmp_path / "of_duckdb", tmp_path / "parsed_duckdb")
    build(settings_of(tmp_path / "place"), force=True)
    assert folder_of(place.warehouse) is None
    assert figures(place) == before


def test_nothing_is_erased_when_a_figure_would_change(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mart that is not marked as frozen, and looks at rows of all quarters."""
    own = frozen_city.MODELS["models/marts/mart_persons.yml"].replace("meta: {frozen: true}", "meta: {}")
    project = write_spark_project(tmp_path / "unmarked", mart_persons_yml=own)
    use_project(monkeypatch, project, tmp_path / "parsed_unmarked")
    with pytest.raises(FiguresWouldChange, match="mart_persons: nothing is erased"):
        freeze(place)
    with closing(Ledger(place.ledger)) as ledger:
        assert newest_frozen(ledger) is None
    assert folders(place) == {in_place(place)}
