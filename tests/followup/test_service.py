"""The systemd unit: what it says, by systemd's own check where systemd is; and the commands around it."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from followup.local.service import Service, ServiceError, find_service, install, remove

ANYBODY = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534))


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(True, ANYBODY, tmp_path / "units", tmp_path / "configuration")


def test_the_unit_runs_the_orchestrator_as_the_user_and_starts_it_again(service: Service, tmp_path: Path) -> None:
    assert install(service, tmp_path / "airflow")
    unit = service.unit_file.read_text(encoding="utf-8")
    for line in (f"User={ANYBODY}", "Restart=always", "UMask=0077", "WantedBy=multi-user.target"):
        assert line in unit.splitlines()
    (command,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    program, *arguments = shlex.split(command.removeprefix("ExecStart="))
    assert os.access(program, os.X_OK)
    assert arguments == ["-m", "followup.local.orchestrator", "run"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_systemd_finds_nothing_wrong_with_the_unit(service: Service, tmp_path: Path) -> None:
    install(service, tmp_path / "airflow")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(service.unit_file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    service.unit_file.write_text(service.unit_file.read_text().replace("ExecStart=", "ExecStrat="), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(service.unit_file)], capture_output=True, text=True, check=False
    )
    assert "ExecStrat" in done.stderr  # the check would notice


def test_settings_are_the_owners_alone_and_written_once(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / 'a "home" of $5 and 3 %d'))
    monkeypatch.setenv("FOLLOWUP_LEDGER_URL", "postgresql+psycopg://user:secret@127.0.0.1/ledger")
    install(service, tmp_path / "airflow")
    assert stat.S_IMODE(service.environment_file.stat().st_mode) == 0o600
    lines = service.environment_file.read_text(encoding="utf-8").splitlines()
    assert f'FOLLOWUP_HOME="{tmp_path}/a \\"home\\" of $5 and 3 %d"' in lines
    assert "secret" in service.environment_file.read_text(encoding="utf-8")
    assert "secret" not in service.unit_file.read_text(encoding="utf-8")
    monkeypatch.setenv("FOLLOWUP_HOME", "/elsewhere")
    assert not install(service, tmp_path / "airflow")
    assert service.environment_file.read_text(encoding="utf-8").splitlines() == lines


def test_removing_takes_the_unit_and_leaves_the_settings(service: Service, tmp_path: Path) -> None:
    install(service, tmp_path / "airflow")
    assert remove(service)
    assert not remove(service)
    assert not service.unit_file.exists()
    assert service.environment_file.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root is asked under whom the service runs")
def test_root_must_say_under_whom_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    for user in (None, "root"):
        with pytest.raises(ServiceError, match="--run-as"):
            find_service(user)
    with pytest.raises(ServiceError, match="no user nobody-of-that-name"):
        find_service("nobody-of-that-name")
    assert find_service(ANYBODY).run_as == ANYBODY


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    who = ["--run-as", ANYBODY] if os.getuid() == 0 else []
    done = CliRunner().invoke(app, ["service", "install", "--to", str(tmp_path), *who])
    assert done.exit_code == 0, done.output
    assert "daemon-reload" in done.output
    assert "enable --now followup.service" in done.output
    assert {path.name for path in tmp_path.iterdir()} == {"followup.service", "followup.env"}
    assert CliRunner().invoke(app, ["service", "remove", "--to", str(tmp_path), *who]).exit_code == 0


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    who = ["--run-as", ANYBODY] if os.getuid() == 0 else []
    done = CliRunner().invoke(app, ["service", "install", "--to", str(tmp_path / "file"), *who])
    assert done.exit_code == 3
