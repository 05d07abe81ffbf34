"""Starting and stopping the native Airflow: secrets, ports, settings, what an earlier start left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from migrated_airflow import migrated_airflow
from sqlalchemy import make_url

from followup.local import marked_processes, orchestrator
from followup.local.airflow_client import AirflowError
from followup.local.environment import followup_environment
from followup.local.orchestrator import MARK, Orchestrator, Running


def _sleeper(mark: str) -> subprocess.Popen[bytes]:
    """A process with the mark that takes no notice of TERM, in a session of its own."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(300)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, MARK: mark}, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _left_behind(home: Path, pids: dict[str, int], mark: str = "m") -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "running.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "mark": mark, "pids": pids}))


def test_an_airflow_whose_processes_are_gone_does_not_run(tmp_path: Path) -> None:
    _left_behind(tmp_path, {"scheduler": 2**22 - 1})
    assert Orchestrator(tmp_path).running() is None


def test_another_process_under_an_old_id_is_not_taken_for_airflow(tmp_path: Path) -> None:
    _left_behind(tmp_path, {"scheduler": os.getpid()})
    assert Orchestrator(tmp_path).running() is None
    assert not Orchestrator(tmp_path).stop()


def test_stop_ends_marked_processes_that_ignore_term_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marked_processes, "STOP_SECONDS", 1)
    ours, other = _sleeper("ours"), _sleeper("other")
    try:
        _left_behind(tmp_path, {"scheduler": ours.pid}, mark="ours")
        assert Orchestrator(tmp_path).running() == Running("http://127.0.0.1:1", "ours", {"scheduler": ours.pid})
        assert Orchestrator(tmp_path).stop()
        assert ours.wait(10) == -signal.SIGKILL or ours.returncode == 0  # 0: taken up by the orchestrator itself
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        ours.kill()


def test_state_that_can_not_be_read_means_not_running(tmp_path: Path) -> None:
    (tmp_path / "running.json").write_text("{")
    assert Orchestrator(tmp_path).running() is None


def test_a_taken_port_is_avoided() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert orchestrator._free_port(port) != port


def test_secrets_are_the_owners_alone_and_stay_the_same(tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    first = Orchestrator(home)._secrets()
    assert Orchestrator(home)._secrets() == first
    for name in ("password.json", "secrets.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert len(json.loads((home / "password.json").read_text())["admin"]) >= 20


def test_the_environment_passes_our_settings_on_and_nobody_elses_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://somewhere/else")
    monkeypatch.setenv("FOLLOWUP_SFTP_PASSWORD", "x")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = Orchestrator(tmp_path, {"AIRFLOW__CORE__PARALLELISM": "7"})._environment(1234)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/airflow.db"
    assert environment["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "7"
    assert environment["FOLLOWUP_SFTP_PASSWORD"] == "x"
    assert "PYTHONDONTWRITEBYTECODE" not in environment


def test_the_address_of_airflows_database_leads_to_its_home_whatever_the_path_is(tmp_path: Path) -> None:
    home = tmp_path / "en mapp ?a=b#c%41 å"
    address = Orchestrator(home)._environment(1234)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert make_url(address).database == str(home / "airflow.db")


def test_a_wrong_setting_is_one_sentence_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOLLOWUP_SETTLE_SECONDS", "soon")
    assert orchestrator.main(["status"]) == 3
    assert capsys.readouterr().err.startswith("FOLLOWUP_SETTLE_SECONDS: ")


def test_settings_are_passed_on_as_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLLOWUP_HOME", "some/home")
    monkeypatch.setenv("FOLLOWUP_INBOX", "sftp://drop.example/in")
    monkeypatch.setenv("FOLLOWUP_NOW", "@clock")
    monkeypatch.setenv("FOLLOWUP_PUBLISHED", "some/published")
    monkeypatch.setenv("FOLLOWUP_ORGANISATION", "some/organisation")
    found = followup_environment()
    assert found["FOLLOWUP_ORGANISATION"] == str(tmp_path / "some" / "organisation")
    assert found["FOLLOWUP_HOME"] == str(tmp_path / "some" / "home")
    assert found["FOLLOWUP_INBOX"] == "sftp://drop.example/in"
    assert found["FOLLOWUP_NOW"] == f"@{tmp_path / 'clock'}"
    assert found["FOLLOWUP_PUBLISHED"] == str(tmp_path / "some" / "published")


def test_a_default_place_of_what_is_published_is_passed_on_beside_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "KEYS", "INBOX"):
        monkeypatch.delenv(f"FOLLOWUP_{name}")
    found = followup_environment()
    places = {"HOME": "data/home", "KEYS": "data/keys.json", "INBOX": "data/inbox", "PUBLISHED": "data/published"}
    assert {name: found[f"FOLLOWUP_{name}"] for name in places} == {n: str(tmp_path / p) for n, p in places.items()}


def test_status_says_that_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert orchestrator.main(["status", "--home", str(tmp_path)]) == 1
    assert "does not run" in capsys.readouterr().out
    assert orchestrator.main(["down", "--home", str(tmp_path)]) == 0


_FAKE = """
import encodings.idna, http.server, json, os, sys
os.setuid(int(sys.argv[1]))
class Fake(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(201); self.end_headers()
        self.wfile.write(json.dumps({"access_token": "x"}).encode())
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Fake)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
def test_the_password_is_not_given_to_a_program_of_another_user_that_has_taken_the_port(tmp_path: Path) -> None:
    orchestrator = Orchestrator(tmp_path / "airflow")
    orchestrator._secrets()
    heard = {}
    for user in (65534, os.getuid()):
        with subprocess.Popen([sys.executable, "-c", _FAKE, str(user)], stdout=subprocess.PIPE, text=True) as fake:
            assert fake.stdout is not None
            client = orchestrator._client_of(Running(f"http://127.0.0.1:{fake.stdout.readline().strip()}", "m", {}))
            try:
                client._log_in()
            except AirflowError as error:
                assert "not sent" in str(error)
            fake.terminate()
            heard[user] = fake.stdout.read()
    assert heard[65534] == ""
    assert json.loads(orchestrator.password_file.read_text())["admin"] in heard[os.getuid()]  # the test would notice


@pytest.mark.airflow
def test_a_port_taken_while_airflow_starts_is_left_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class SecondStart(Exception):
        """Enough: that Airflow starts on a free port is seen elsewhere."""

    said: list[str] = []

    def listen(line: str) -> None:
        said.append(line)
        if line.startswith("Airflow starts on") and any("taken" in before for before in said):
            raise SecondStart

    look = orchestrator._free_port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(orchestrator, "_free_port", lambda preferred: look(0) if preferred == 0 else port)
        with pytest.raises(SecondStart):
            Orchestrator(migrated_airflow(tmp_path / "airflow")).start(listen)
    first, taken, second = said[-3:]
    assert (first, taken) == (f"Airflow starts on port {port}", f"port {port} was taken meanwhile")
    assert second != first


@pytest.mark.airflow
@pytest.mark.timeout(120)
def test_interrupting_a_start_leaves_nothing_behind(tmp_path: Path) -> None:
    home = migrated_airflow(tmp_path / "airflow")
    up = subprocess.Popen(
        [sys.executable, "-m", "followup.local.orchestrator", "up", "--no-postgres", "--home", str(home)]
    )
    give_up_at = time.monotonic() + 60
    while not (home / "logs" / "scheduler.log").exists() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 143
    wanted, left = f"AIRFLOW_HOME={home}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    left.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    assert left == []
    assert not (home / "running.json").exists()
