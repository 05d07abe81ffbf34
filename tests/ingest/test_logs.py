"""Logs for programs: an object a line, with the run and what is at hand, and nothing of any file."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.acting_user import Actor, acting_as
from ingest.logs import JsonLines, at_hand
from ingest.receiving import receive_district


@pytest.fixture
def logged() -> Any:
    """What is logged in the test, line by line."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(stream), root.level
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before)


def test_taking_in_a_file_is_logged_with_its_submission(installation: Installation, logged: Any) -> None:
    for wrong in ({}, {"kon": "20050505-9824"}):
        installation.drop(f"{DISTRICT}_arenden_2018Q3.csv", csv_bytes("arenden", [base_row("arenden", **wrong)]))
        receive_district(installation.settings, DISTRICT)
    found = {one["submission"]: one for one in logged() if "submission" in one}
    assert set(found) == {one.submission_id for one in installation.ledger().submissions()}
    assert sorted(one["message"].partition(": ")[2] for one in found.values()) == ["accepted", "refused"]
    assert all(one["run"] and one["at"].endswith("Z") and one["level"] and one["process"] for one in logged())
    assert "9824" not in json.dumps(logged())


def test_record_names_the_dag_run_and_only_the_kind_of_an_exception(logged: Any) -> None:
    log = logging.getLogger("test")
    try:
        raise ValueError("20050505-9824")
    except ValueError:
        actor = Actor("dag_run", "collect_submissions manual__1")
        with acting_as(actor), at_hand(upload="u1"), at_hand(submission="s1"):
            log.exception("it failed\nin two lines")
    log.info("after")
    first, second = logged()
    assert (first["run"], first["upload"], first["submission"]) == ("collect_submissions manual__1", "u1", "s1")
    assert first["exception"] == "ValueError" and "9824" not in json.dumps(first)
    assert "upload" not in second and second["run"] != first["run"]


def test_airflow_s_task_logs_name_the_submission_too() -> None:
    from structlog.contextvars import get_contextvars

    with at_hand(submission="s1"):
        assert get_contextvars()["submission"] == "s1"
    assert "submission" not in get_contextvars()
