"""Lineage of a build by OpenLineage's own provider: to a file, when that is configured, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from city import Place, received_city
from small_project import use_project, write_project

from followup.build.building import build
from ingest.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    place: Place = received_city().copy(tmp_path / "p")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    use_project(monkeypatch, write_project(tmp_path / "project"), tmp_path / "parsed")
    return Settings()


def test_a_build_sends_what_each_model_is_made_of(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "events.jsonl"
    assert build(settings).status == "built"  # nothing is configured
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(written))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    assert build(settings, force=True).status == "built"
    events = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    made = {
        output["name"].rpartition(".")[2]: {one["name"].rpartition(".")[2] for one in event["inputs"]}
        for event in events
        if event["eventType"] == "COMPLETE"
        for output in event["outputs"]
    }
    assert made["mart_versions"] == {"fct_submission"}  # dbt's provider names no seeds
    assert {event["eventType"] for event in events} == {"START", "COMPLETE"}


def test_a_build_is_good_though_its_events_can_not_be_sent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY__TOTAL", "0")
    assert build(settings).status == "built"
