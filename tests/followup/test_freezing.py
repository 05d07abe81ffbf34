"""Rows about persons are erased only once the figures that they are in are frozen; then no figure changes any more."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import frozen_city
import pyarrow.parquet as pq
import pytest
from city import marts
from frozen_city import (
    FREEZES,
    NOW,
    UNIT,
    figures,
    fill,
    persons_in_files,
    settings_of,
    state,
    submit,
    write_frozen_project,
)
from killing import Ended, die, spread
from made_once import made_once
from small_project import use_project

from followup.build import freezing
from followup.build.building import BuildFailed, build
from followup.build.freezing import (
    Due,
    FiguresWouldChange,
    Freeze,
    RowsCameMeanwhile,
    due_quarters,
    freeze_and_erase,
    rows_due,
)
from followup.deciding import DecisionRefused, Fault, require_withdrawable
from followup.expiring import earlier_reports, erase_expired, what_expires
from ingest.ledger import ChangeRefused, Ledger, decisions
from ingest.ledger.acts import acts, system_now, verify
from ingest.ledger.freezes import newest_frozen
from ingest.ledger.tables import portal_session, portal_user, submission
from ingest.maintenance.rotating import rotate
from ingest.persons.keys import load_keys
from ingest.quarters import Quarter
from ingest.queries import queries_path
from ingest.recording import open_intake
from ingest.settings import Settings
from ingest.storing import DamagedRows

Q3_2018, Q4_2018, Q4_2017 = Quarter(2018, 3), Quarter(2018, 4), Quarter(2017, 4)
GONE, FILES = 8, 4
"""Rows of 2017 about persons who have none later, and the files that held them."""


def _filled(folder: Path) -> None:
    fill(folder / "place")
    write_frozen_project(folder / "project")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Three years of a unit, 2017Q1 to 2018Q3 locked, not built yet."""
    made = made_once("frozen_city", _filled)
    shutil.copytree(made / "place", tmp_path / "place")
    use_project(monkeypatch, made / "project", made / "parsed")
    return settings_of(tmp_path / "place")


@pytest.fixture
def ledger(place: Settings) -> Iterator[Ledger]:
    with closing(Ledger(place.ledger)) as opened:
        yield opened


def freeze(settings: Settings) -> Freeze | None:
    with open_intake(settings) as intake:
        return freeze_and_erase(intake, NOW)


def test_figures_are_the_same_after_rows_are_frozen_and_erased(place: Settings, ledger: Ledger) -> None:
    build(place)
    before = figures(place)
    assert sum(map(len, before.values())) > 40  # type: ignore[arg-type]
    done = freeze(place)
    assert done == Freeze(Q3_2018, Q4_2017, GONE, FILES)
    assert figures(place) == before
    assert build(place).status == "unchanged"
    build(place, force=True)
    assert figures(place) == before
    assert persons_in_files(place) == {
        "2017Q1": 1, "2017Q2": 0, "2017Q3": 0, "2017Q4": 1, "2018Q1": 2, "2018Q2": 2, "2018Q3": 2, "2018Q4": 2,
        "2019Q1": 2, "2019Q2": 2, "2019Q3": 3, "2019Q4": 2,
    }  # fmt: skip
    with duckdb.connect(str(place.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute("select count(*) from core.fct_case where reporting_quarter < '2018Q1'").fetchone()
    assert rows == (2,)
    assert [one.row_count for one in ledger.submissions(quarter="2017Q1")] == [4]  # as it was reported
    frozen = [one.subject for one in acts(ledger) if one.action == "quarters.frozen"]
    assert frozen == ["to 2018Q3; rows about persons to 2017Q4 erased: 8"]
    assert freeze(place) is None


def test_the_figures_of_later_quarters_still_move_and_join_those_that_are_frozen(
    place: Settings, ledger: Ledger
) -> None:
    freeze(place)
    submit(place, ledger, Q4_2018, (7, 8, 9), version=2)
    build(place)
    persons = {(kind, quarter): count for _, quarter, kind, count in marts(place.warehouse, "marts")["mart_persons"]}
    assert persons[("kvartal", "2018Q4")] == 3
    assert persons[("rullande_ar", "2018Q4")] == 6  # 4 to 9: the year's other quarters are frozen, and there
    assert persons[("rullande_ar", "2018Q3")] == 5  # 3 to 7, of whom the rows of 3 are erased
    assert persons[("kvartal", "2017Q1")] == 4


def test_a_dry_run_lists_what_would_go_and_changes_nothing(place: Settings) -> None:
    before = sorted(path for path in place.home.rglob("*") if path.is_file() and "sqlite" not in path.name)
    with open_intake(place) as intake:
        due = due_quarters(intake)
        found = rows_due(intake, due)
    assert due == Due(Q3_2018, Q4_2017, None)
    assert [(one.found.reporting_quarter, one.gone, one.left) for one in found] == [
        ("2017Q1", 3, 1), ("2017Q2", 2, 0), ("2017Q3", 2, 0), ("2017Q4", 1, 1),
    ]  # fmt: skip
    assert sorted(p for p in place.home.rglob("*") if p.is_file() and "sqlite" not in p.name) == before


def test_only_locked_quarters_are_frozen_and_those_after_an_open_one_wait(place: Settings, ledger: Ledger) -> None:
    decisions.unlock_quarter(ledger, Quarter(2018, 2), NOW)
    with open_intake(place) as intake:
        assert due_quarters(intake) == Due(Quarter(2018, 1), Quarter(2017, 2), Quarter(2018, 2))
        decisions.unlock_quarter(ledger, Quarter(2017, 2), NOW)
        assert due_quarters(intake) == Due(None, None, Quarter(2017, 2))


def test_replaced_and_withdrawn_versions_of_erased_quarters_go_whole(place: Settings, ledger: Ledger) -> None:
    submit(place, ledger, Quarter(2017, 2), (1, 2, 90), version=2)
    withdrawn = submit(place, ledger, Quarter(2017, 3), (2, 3, 90), version=2)
    decisions.withdraw(ledger, withdrawn, "fel", NOW)
    freeze(place)
    rows = persons_in_files(place)
    assert (rows["2017Q2"], rows["2017Q3"]) == (1, 0)  # 90 in the version in force
    assert [one.parquet_path is None for one in ledger.submissions(quarter="2017Q2")] == [True, False]
    assert [one.parquet_path is None for one in ledger.submissions(quarter="2017Q3")] == [False, True]


def test_queries_feedback_and_findings_of_erased_quarters_go_with_the_rows(place: Settings, ledger: Ledger) -> None:
    old, new = (ledger.submissions(quarter=quarter)[0] for quarter in ("2017Q1", "2018Q1"))
    freeze(place)
    for found, is_there in ((old, False), (new, True)):
        assert queries_path(place.home, UNIT, found.submission_id).exists() == is_there
        assert (place.feedback / UNIT / f"{found.submission_id}.txt").exists() == is_there


def test_a_frozen_quarter_takes_no_file_no_exception_and_no_withdrawal(place: Settings, ledger: Ledger) -> None:
    today = place.now_date()
    decisions.open_exception(ledger, Q3_2018, UNIT, None, until=None, why="sen", now=NOW)
    decisions.open_exception(ledger, Q4_2018, UNIT, None, until=None, why="sen", now=NOW)
    assert not decisions.is_closed_to(ledger, UNIT, "arenden", Q3_2018, today)
    freeze(place)
    assert decisions.is_closed_to(ledger, UNIT, "arenden", Q3_2018, today)
    assert decisions.is_closed_to(ledger, UNIT, "utbud", Quarter(2016, 1), today)  # never submitted
    assert not decisions.is_closed_to(ledger, UNIT, "arenden", Q4_2018, today)
    assert [one.reporting_quarter for one in decisions.open_exceptions(ledger, today)] == ["2018Q4"]
    with pytest.raises(ChangeRefused, match="2018Q3 is frozen: its figures can't change"):
        decisions.open_exception(ledger, Q3_2018, UNIT, None, until=None, why="sen", now=NOW)
    with pytest.raises(ChangeRefused, match="2017Q1 is frozen"):
        decisions.unlock_quarter(ledger, Quarter(2017, 1), NOW)
    found = ledger.submissions(quarter="2018Q3")[0]
    with pytest.raises(ChangeRefused, match="2018Q3 is frozen"):
        decisions.withdraw(ledger, found, "fel", NOW)
    with pytest.raises(DecisionRefused, match="2018Q3 is frozen") as refused:
        require_withdrawable(place, ledger, found)
    assert refused.value.fault is Fault.FROZEN


def test_nothing_is_erased_when_a_figure_would_change(place: Settings, ledger: Ledger, tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A mart that is not marked as frozen, and looks at rows of all quarters."""
    own = frozen_city.MODELS["models/marts/mart_persons.yml"].replace("meta: {frozen: true}", "meta: {}")
    project = write_frozen_project(tmp_path / "project", mart_persons_yml=own)
    use_project(monkeypatch, project, tmp_path / "parsed")
    before = persons_in_files(place)
    with pytest.raises(FiguresWouldChange, match="to 2017Q4 other figures would be in mart_persons: nothing is erased"):
        freeze(place)
    assert persons_in_files(place) == {**before, **{q: n + m for q, n, m in _beside(place, before)}}
    assert newest_frozen(ledger) is None
    assert len({one.parquet_path for one in ledger.submissions()}) == 12
    use_project(
        monkeypatch, made_once("frozen_city", _filled) / "project", made_once("frozen_city", _filled) / "parsed"
    )
    assert freeze(place) == Freeze(Q3_2018, Q4_2017, GONE, FILES)


def _beside(place: Settings, before: dict[str, int]) -> list[tuple[str, int, int]]:
    """Rows of files that were written beside those that count, and are removed by the next run."""
    return [
        (path.parts[-3], before[path.parts[-3]], pq.read_metadata(path).num_rows)
        for path in place.validated.glob("**/*x2017Q4.parquet")
    ]


def test_what_comes_between_the_build_and_the_freeze_stops_it(place: Settings, ledger: Ledger,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def build_and_receive(settings: Settings, **_: object) -> None:
        build(settings)
        submit(settings, ledger, Q4_2018, (7,), version=2)

    monkeypatch.setattr(freezing, "build", build_and_receive)
    with pytest.raises(RowsCameMeanwhile, match="run it again"):
        freeze(place)
    assert newest_frozen(ledger) is None


def test_a_column_that_is_newer_than_the_freeze_has_the_value_that_its_model_says(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(place)
    before = marts(place.warehouse, "marts")["mart_persons"]
    mart = frozen_city.MODELS["models/marts/mart_persons.sql"]
    wider = f"select *, 'ny' as legal_basis, 7::uinteger as extra__key from ({mart})"
    yml = frozen_city.MODELS["models/marts/mart_persons.yml"]
    for described, is_said in (("{name: legal_basis, data_type: varchar}", False), (
        "{name: legal_basis, data_type: varchar, config: {meta: {frozen_value: \"'alla'\"}}}", True,
    )):  # fmt: skip
        project = write_frozen_project(
            tmp_path / f"project{is_said}", mart_persons_sql=wider, mart_persons_yml=f"{yml}      - {described}\n"
        )
        use_project(monkeypatch, project, tmp_path / f"parsed{is_said}")
        if not is_said:
            with pytest.raises(BuildFailed) as failed:
                build(place)
            assert "rows of frozen quarters have no column legal_basis" in str(
                [node.message for node in failed.value.nodes]
            )
            continue
        build(place)
    rows = marts(place.warehouse, "marts")["mart_persons"]
    assert sorted(row[:4] for row in rows) == sorted(before)
    assert {(row[1] <= "2018Q3", row[4]) for row in rows} == {(True, "alla"), (False, "ny")}


def test_a_damaged_file_of_frozen_figures_stops_a_build(place: Settings) -> None:
    freeze(place)
    path = place.home / "frozen" / "2018Q3" / "mart_persons.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DamagedRows, match=r"frozen/2018Q3/mart_persons\.parquet.*restore them from a backup"):
        build(place, force=True)


def test_figures_are_the_same_after_rotation_and_freeze_in_either_order(place: Settings, ledger: Ledger) -> None:
    build(place)
    before = figures(place)
    old = load_keys(place.keys)
    with open_intake(place, is_rotating=True) as intake:
        rotate(intake, ["persons"])
    freeze(place)
    assert figures(place) == before
    with open_intake(place, is_rotating=True) as intake:
        rotate(intake, ["persons"])
    build(place)
    assert figures(place) == before
    assert load_keys(place.keys).person_version == old.person_version + 2
    assert persons_in_files(place)["2017Q1"] == 1  # the reduced file is rotated too, and the one before it is gone


def test_each_later_run_freezes_a_quarter_more(place: Settings, ledger: Ledger) -> None:
    build(place)
    before = figures(place)
    freeze(place)
    decisions.lock_quarter(ledger, Q4_2018, NOW)
    later = place.model_copy(update={"now_text": "2020-04-25T08:00:00"})
    assert freeze(later) == Freeze(Q4_2018, Quarter(2018, 1), 2, 2)  # 4 and 5; 4 had a row of 2017Q4 too
    assert figures(later) == before
    assert [folder.name for folder in (place.home / "frozen").iterdir()] == ["2018Q4"]


@pytest.mark.kill
def test_a_freeze_killed_at_any_step_and_run_again_ends_as_undisturbed(place: Settings, tmp_path: Path) -> None:
    made = made_once("frozen_city", _filled)
    build(place)
    before, untouched = figures(place), tmp_path / "untouched"
    shutil.copytree(place.home.parent, untouched)

    def killed_at(root: Path, step: int) -> Ended:
        environment = {"FOLLOWUP_PARSED": str(made / "parsed")}
        return die(FREEZES, str(root), str(made / "project"), environment=environment, watched=root, step=step)

    whole = killed_at(place.home.parent, 0)
    assert whole.code == 0, whole.err
    steps, expected = whole.steps, state(place)
    assert steps > 25 and figures(place) == before
    for step in spread(steps, 4):
        root = tmp_path / f"step{step}"
        shutil.copytree(untouched, root)
        killed = killed_at(root, step)
        assert killed.was_killed, f"step {step} was not reached: {killed.err}"
        again = settings_of(root)
        freeze(again)
        assert state(again) == expected, f"killed at step {step} of {steps}"
        assert figures(again) == before


def test_what_expires_is_listed_erased_and_reported_in_swedish(place: Settings, ledger: Ledger) -> None:
    """Rows with their figures, feedback, a session and a log; what is young stays."""
    build(place)
    now = system_now()
    with ledger.engine.begin() as connection:
        connection.execute(portal_user.insert().values(user_id=1, name="anna", role="city", created_at=NOW))
        for token, ended in (("a", now - timedelta(days=31)), ("b", now - timedelta(days=29))):
            connection.execute(
                portal_session.insert().values(
                    token_hash=token, user_id=1, created_at=ended, last_seen_at=ended, expires_at=ended, network="-",
                    agent="-",
                )
            )  # fmt: skip
    logs = place.airflow_home / "logs" / "tasks" / "dag"
    logs.mkdir(parents=True)
    for name, age in (("old.log", 91), ("new.log", 89)):
        (logs / name).write_text("1 rows\n")
        os.utime(logs / name, (time.time() - age * 86400,) * 2)
    last = next(one for one in ledger.in_force() if one.reporting_quarter == "2017Q4")
    original = place.home / "landing" / "original"
    original.parent.mkdir(exist_ok=True)
    original.write_bytes(b"encrypted")
    with ledger.engine.begin() as connection:  # it is young: it goes as its quarter's rows go
        moved = submission.update().where(submission.c.submission_id == last.submission_id)
        connection.execute(moved.values(original_path="landing/original"))
    with open_intake(place.model_copy(update={"originals_kept_days": 1000, "feedback_kept_days": 1000})) as intake:
        expected, lines = what_expires(intake)
        assert expected.originals == 1
        assert lines[0] == "2017Q1 arenden: 3 rader, 1 kvar" and len(lines) == 4
        assert (expected.rows, expected.sessions, expected.logs, expected.feedback) == (
            GONE,
            1,
            1,
            8,
        )  # feedback and queries of 4
        done = erase_expired(intake)
        assert done == expected and not original.exists()
        assert done.rows == GONE and done.erased_to == "2017Q4"
        text = done.as_text()
        assert text[:2] == [
            "Rader om personer till och med 2017Q4: 8 i 4 filer har gallrats.",
            "Siffrorna till och med 2018Q3 är frysta.",
        ]
        assert "Avslutade inloggningar: 1 har gallrats." in text and "Loggfiler: 1 har gallrats." in text
        assert [report for _, report in earlier_reports(intake, 5)] == [done]
        assert not erase_expired(intake).is_anything
        assert len(earlier_reports(intake, 5)) == 1
    assert sorted(path.name for path in logs.iterdir()) == ["new.log"]
    assert verify(ledger).broken == ()
