"""Metrics of an installation, its alerts, and the page that each alert and error code has."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from city import Place, received_city
from prometheus_client.parser import text_string_to_metric_families

from followup.cli.options import Exit
from followup.metrics import metrics_text, write_metrics
from ingest.checks.suites import load_rules
from ingest.contracts import load_contracts
from ingest.findings import file_rules
from ingest.ledger import Ledger
from ingest.ledger.releases import ReleaseRow, record_release
from ingest.ledger.store import Build
from ingest.settings import ROOT, Settings
from portal.api.problems import TITLES

FIRES = {
    "FollowupLedgerDown": {"followup_ledger_up": "0"},
    "FollowupMetricsOld": {"followup_metrics_made_timestamp_seconds": "-7200"},
    "FollowupDiskNearlyFull": {
        'followup_disk_free_bytes{place="home"}': "9e9",
        'followup_disk_size_bytes{place="home"}': "1e11",
    },
    "FollowupBuildFailing": {"followup_build_failing": "1"},
    "FollowupMartsOld": {"followup_unbuilt_age_seconds": "22000"},
    "FollowupReleaseOld": {"followup_release_age_seconds": "11000000"},
    "FollowupAuditBlocked": {"followup_blocked_audits": "1"},
    "FollowupReleaseWaits": {'followup_releases{state="proposed"}': "1"},
    "FollowupFilesMissing": {'followup_expected_files{state="missing"}': "2", "followup_deadline_passed": "1"},
    "FollowupFilesRefused": {"followup_refused_files": "1", "followup_deadline_passed": "1"},
    "FollowupQueueStuck": {"followup_queue_age_seconds": "1000"},
    "FollowupMailNotSent": {'followup_mails{state="unsure"}': "1"},
}
"""Alert → series that raise it, and all others are as on a good day."""
GOOD_DAY = {
    "followup_ledger_up": "1", "followup_metrics_made_timestamp_seconds": "0+900x400",
    'followup_disk_free_bytes{place="home"}': "5e10", 'followup_disk_size_bytes{place="home"}': "1e11",
    "followup_build_failing": "0", "followup_unbuilt_age_seconds": "0", "followup_release_age_seconds": "86400",
    "followup_blocked_audits": "0", 'followup_releases{state="proposed"}': "0",
    'followup_expected_files{state="missing"}': "0", "followup_refused_files": "0", "followup_deadline_passed": "1",
    "followup_queue_age_seconds": "10", 'followup_mails{state="unsure"}': "0",
    'followup_mails{state="refused"}': "0",
}  # fmt: skip
ALERTS = ROOT / "docker" / "prometheus" / "alerts.yml"
PAGE = ROOT / "docs" / "alerts.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return received_city().copy(tmp_path_factory.mktemp("city") / "p")


@pytest.fixture
def settings(place: Place, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


def values(text: str) -> dict[tuple[str, str], float]:
    """(metric, value of its label) → value; read by Prometheus's own parser."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type == "gauge"
        for sample in family.samples:
            found[sample.name, next(iter(sample.labels.values()), "")] = sample.value
    return found


def test_metrics_count_what_the_ledger_holds(settings: Settings) -> None:
    ledger = Ledger(settings.ledger)
    found = values(metrics_text(settings, ledger))
    submissions = ledger.submissions()
    for state in ("accepted", "refused", "withdrawn"):
        assert found["followup_submissions", state] == sum(one.state == state for one in submissions)
    in_force = found["followup_expected_files", "in_force"]
    assert in_force == len({(s.district_code, s.dataset) for s in ledger.in_force(quarter="2018Q1")}) > 0
    assert found["followup_ledger_up", ""] == 1 and found["followup_disk_free_bytes", "home"] > 0
    assert ("followup_marts_age_seconds", "") not in found  # nothing is built yet
    for name, _ in found:
        assert not any(unit in name for unit in ("alvsjo", "norrmalm"))


def test_ages_and_blocked_audits_follow_builds_and_releases(settings: Settings) -> None:
    ledger, now = Ledger(settings.ledger), datetime.now(UTC).replace(tzinfo=None)
    ledger.record_build(Build("a" * 64, "built", now - timedelta(hours=2), 1.0, None))
    ledger.record_build(Build("b" * 64, "failed", now - timedelta(hours=1), 1.0, "x"))
    clock = settings.now().replace(tzinfo=None)
    for number, state in enumerate(("blocked", "released", "blocked", "blocked", "proposed"), start=1):
        out = clock - timedelta(days=3) if state == "released" else None
        record_release(ledger, ReleaseRow(number, state, clock, out, "2018Q1", False, "{}", None, None))
    found = values(metrics_text(settings, ledger))
    assert found["followup_marts_age_seconds", ""] == pytest.approx(7200, abs=120)
    assert found["followup_build_failing", ""] == 1
    assert found["followup_release_age_seconds", ""] == pytest.approx(3 * 86400, abs=120)
    assert found["followup_blocked_audits", ""] == 2
    assert found["followup_releases", "proposed"] == 1


def test_file_for_the_collector_is_whole_and_says_when_the_ledger_is_down(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "followup.prom"
    assert write_metrics(settings, path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert values(path.read_text(encoding="utf-8"))["followup_ledger_up", ""] == 1
    broken = settings.model_copy(update={"ledger_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    assert not write_metrics(broken, path)
    found = values(path.read_text(encoding="utf-8"))
    assert found["followup_ledger_up", ""] == 0 and len(found) == 2


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def headings() -> set[str]:
    return set(re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_alert_asks_only_for_metrics_that_there_are(settings: Settings) -> None:
    made = {name for name, _ in values(metrics_text(settings, Ledger(settings.ledger)))}
    made |= {"followup_marts_age_seconds", "followup_release_age_seconds", "followup_unbuilt_age_seconds"}
    asked = {name for rule in rules() for name in re.findall(r"followup_\w+", rule["expr"])}
    assert asked <= made
    assert all(rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"] for rule in rules())


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    names = {rule["alert"] for rule in rules()}
    assert names == {heading for heading in headings() if heading.startswith("Followup")}


def test_every_error_code_has_a_page() -> None:
    page, listed = PAGE.read_text(encoding="utf-8"), (ROOT / "expectations" / "RULES.md").read_text(encoding="utf-8")
    assert {f"Exit code {code.value}" for code in Exit} <= headings()
    assert [name for name in TITLES if f"| `{name}` | " not in page] == []
    codes = [*file_rules(), *(rule.code for dataset in load_contracts() for rule in load_rules(dataset))]
    assert [code for code in codes if f"\n| {code} " not in listed] == []


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool here: sudo apt-get install prometheus")
    return found


def test_every_alert_has_series_that_raise_it() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    assert [rule["alert"] for rule in group["rules"]] == list(FIRES)


def test_prometheus_s_own_tool_reads_the_rules_and_raises_each_alert_by_itself(promtool: str, tmp_path: Path) -> None:
    """After four days in which only one alert's series are bad, that alert is raised, and no other."""

    def tested(bad: dict[str, str], raised: list[str]) -> dict[str, Any]:
        series = {**GOOD_DAY, **bad}
        firing = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "4d"}
        samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in raised]
        return {
            "interval": "15m",
            "input_series": [
                {"series": name, "values": value if "x" in value else f"{value}+0x400"}
                for name, value in series.items()
            ],
            "promql_expr_test": [{**firing, "exp_samples": samples}],
        }

    tests = [tested({}, []), *(tested(bad, [name]) for name, bad in FIRES.items())]
    whole = {"rule_files": [str(ALERTS)], "evaluation_interval": "15m", "tests": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(tmp_path / "tests.yml")]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
