"""A Superset of this checkout's own, in the environment `.venv-superset`: set up in a folder, started, stopped.

It listens on 127.0.0.1 alone, with a secret key and an administrator's password drawn when the folder is set up, and
sends nothing to anyone.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx

from ingest.file_permissions import make_folder, write_private_file

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-superset"
ADMINISTRATOR = "admin"
SETUP_SECONDS = 240
START_SECONDS = 120
_CONFIG = '''"""Written by bi/superset/superset_server.py."""

SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
WTF_CSRF_ENABLED = True
TALISMAN_ENABLED = False  # it would send browsers to https
FAB_ADD_SECURITY_API = True
RATELIMIT_ENABLED = False
FILTER_STATE_CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache"}}
EXPLORE_FORM_DATA_CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache"}}
# The dashboard's bars are drawn with the style attribute.
HTML_SANITIZATION_SCHEMA_EXTENSIONS = {{"attributes": {{"*": ["style"]}}}}
FEATURE_FLAGS = {{"DASHBOARD_VIRTUALIZATION": False}}
D3_FORMAT = {{"decimal": ",", "thousands": "\\u00a0", "grouping": [3], "currency": ["", " kr"]}}
'''


class SupersetError(Exception):
    """Superset can't be set up or started; the message says why, and which log to read."""


class SupersetServer:
    """One Superset under one folder.

    Args:
        home: holds its configuration, its own database (SQLite) and its log. Made when missing.
    """

    def __init__(self, home: Path) -> None:
        """Nothing is written or started yet."""
        self.home = home.absolute()
        self.log = self.home / "superset.log"
        self.address = ""
        self.login_file = self.home / "login.json"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The administrator's."""
        return str(json.loads(self.login_file.read_text(encoding="utf-8"))[ADMINISTRATOR])

    def set_up(self) -> None:
        """Make its configuration, its own database and the administrator; does nothing when they are there.

        Raises:
            SupersetError: there is no environment, or a step fails.
        """
        if not (ENVIRONMENT / "bin" / "superset").exists():
            raise SupersetError("there is no .venv-superset: run tools/bi_environment.sh superset")
        if self.login_file.exists():
            self._write_config()
            return
        shutil.rmtree(self.home, ignore_errors=True)
        make_folder(self.home)
        self._write_config()
        password = secrets.token_urlsafe(18)
        person = ("--username", ADMINISTRATOR, "--firstname", "A", "--lastname", "A", "--email", "admin@localhost")
        self._run("db", "upgrade")
        # By the environment: arguments can be read by every user of the machine.
        self._run("fab", "create-admin", *person, FLASK_FAB_CREATE_ADMIN_PASSWORD=password)
        self._run("init")
        self.login_file.touch(mode=0o600)
        self.login_file.write_text(json.dumps({ADMINISTRATOR: password}), encoding="utf-8")

    def _write_config(self) -> None:
        """The configuration as it is now; what an earlier one encrypted stays readable by its key."""
        config = self.home / "superset_config.py"
        known = re.search(r"SECRET_KEY = '([\w-]+)'", config.read_text(encoding="utf-8")) if config.exists() else None
        secret = known[1] if known else secrets.token_urlsafe(42)
        write_private_file(config, _CONFIG.format(secret=secret, home=self.home))

    def start(self) -> str:
        """Start it, and return its address when it answers.

        Raises:
            SupersetError: it ends, or does not answer in time.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}"
        command = [str(ENVIRONMENT / "bin" / "gunicorn"), "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
        command += ["--workers", "1", "--threads", "8", "--timeout", "120", "superset.app:create_app()"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                raise SupersetError(f"Superset ended at once; see {self.log}")
            try:
                if httpx.get(f"{self.address}/health", timeout=5).is_success:
                    return self.address
            except httpx.HTTPError:
                time.sleep(0.5)
        self.stop()
        raise SupersetError(f"Superset did not answer within {START_SECONDS} s; see {self.log}")

    def wait(self) -> None:
        """Until it ends, or Ctrl-C."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Stop it with all that it started."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def _environment(self) -> dict[str, str]:
        """Superset's own variables; nothing of ours, so that no password of ours is in its reach."""
        passed_on = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **passed_on,
            "HOME": str(self.home),
            "SUPERSET_HOME": str(self.home),
            "SUPERSET_CONFIG_PATH": str(self.home / "superset_config.py"),
            "FLASK_APP": "superset.app:create_app()",
            "SCARF_ANALYTICS": "false",
        }

    def _run(self, *arguments: str, **variables: str) -> None:
        with self.log.open("ab") as log:
            done = subprocess.run(
                [str(ENVIRONMENT / "bin" / "superset"), *arguments],
                env={**self._environment, **variables},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=SETUP_SECONDS,
                check=False,
            )
        if done.returncode:
            raise SupersetError(f"superset {arguments[0]} failed; see {self.log}")
