"""A systemd unit that starts Airflow with the machine, for an installation without containers."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from followup.local.orchestrator import HOME_VARIABLE, installation_variables
from ingest.file_permissions import write_private_file
from ingest.settings import ROOT

UNIT = "followup.service"
_TEMPLATE = """\
# Airflow of the follow-up warehouse. Written by `followup service install`; settings: {environment_file}
[Unit]
Description=Follow-up warehouse (Airflow)
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
{user}WorkingDirectory={root}
EnvironmentFile={environment_file}
ExecStart={python} -m followup.local.orchestrator run
Restart=always
RestartSec=10
TimeoutStartSec=infinity
TimeoutStopSec=90
KillMode=mixed
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy={target}
"""


class ServiceError(Exception):
    """The unit can't be written; the message says what to do."""


@dataclass(frozen=True)
class Service:
    """The paths of the unit and its settings.

    Attributes:
        is_system: of the machine (root writes it); else of the user who is logged in.
        run_as: the user under whom a unit of the machine runs.
        units, configuration: folders.
    """

    is_system: bool
    run_as: str
    units: Path
    configuration: Path

    @property
    def unit_file(self) -> Path:
        """The unit."""
        return self.units / UNIT

    @property
    def environment_file(self) -> Path:
        """Settings, for the owner alone; read by systemd when the service starts."""
        return self.configuration / "followup.env"

    @property
    def systemctl(self) -> str:
        """The command that speaks to the right manager."""
        return "systemctl" if self.is_system else "systemctl --user"


def find_service(run_as: str | None = None, to: Path | None = None) -> Service:
    """The service as this user can have it.

    Args:
        run_as: for root: under whom it runs; by default who called sudo.
        to: write both files into this folder instead, to be put in place by hand.

    Raises:
        ServiceError: root has not said under whom, or the user does not exist.
    """
    if os.getuid() == 0:
        user = run_as or os.environ.get("SUDO_USER", "")
        if not user or user == "root":
            raise ServiceError("say under which user it runs: --run-as USER (not root); that user must own the data")
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise ServiceError(f"there is no user {user}: adduser --system --group {user}") from None
        return Service(True, user, to or Path("/etc/systemd/system"), to or Path("/etc/followup"))
    if run_as is not None:
        raise ServiceError("--run-as is for root; without root the service is yours")
    given = os.environ.get("XDG_CONFIG_HOME")
    configuration = Path(given) if given else Path.home() / ".config"
    return Service(False, "", to or configuration / "systemd" / "user", to or configuration / "followup")


def install(service: Service, airflow_home: Path) -> bool:
    """Write the unit, and its settings unless they are there already; returns whether the settings were written.

    Args:
        service: from `find_service`.
        airflow_home: AIRFLOW_HOME of the service.

    Raises:
        ServiceError: a folder can't be written, or a path has a line break.
    """
    settings = installation_variables() | {HOME_VARIABLE: str(airflow_home.absolute())}
    if ledger := os.environ.get("FOLLOWUP_LEDGER_URL"):
        settings["FOLLOWUP_LEDGER_URL"] = ledger
    unit = _TEMPLATE.format(
        user=f"User={service.run_as}\n" if service.is_system else "",
        root=_path(ROOT),
        python=_quoted(sys.executable),
        environment_file=_path(service.environment_file),
        target="multi-user.target" if service.is_system else "default.target",
    )
    lines = ["# Settings of the service, one a line. Secrets that districts.yml names by variable belong here too."]
    lines += [f"{name}={_quoted(value, is_command=False)}" for name, value in sorted(settings.items())]
    try:
        service.units.mkdir(parents=True, exist_ok=True, mode=0o755)
        is_new = not service.environment_file.exists()
        if is_new:
            write_private_file(service.environment_file, "\n".join(lines) + "\n")
        write_private_file(service.unit_file, unit)
        service.unit_file.chmod(0o644)
    except OSError as error:
        raise ServiceError(f"{error.filename or service.units} can't be written: {error.strerror}") from None
    return is_new


def remove(service: Service) -> bool:
    """Remove the unit; its settings stay. Returns whether there was one.

    Raises:
        ServiceError: it can't be removed.
    """
    try:
        was_there = service.unit_file.exists()
        service.unit_file.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(f"{service.unit_file} can't be removed: {error.strerror}") from None
    return was_there


def _path(path: Path) -> str:
    """A path as a unit's value: systemd takes % for its own, and no quotes there."""
    text = str(path)
    if "\n" in text:
        raise ServiceError("a path with a line break in it can't be named in a unit")
    return text.replace("%", "%%")


def _quoted(text: str, *, is_command: bool = True) -> str:
    """A value in double quotes as systemd reads it; in a command % and $ mean something too."""
    if "\n" in text:
        raise ServiceError("a setting with a line break in it can't be written for systemd")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    if is_command:
        quoted = quoted.replace("%", "%%").replace("$", "$$")
    return f'"{quoted}"'
