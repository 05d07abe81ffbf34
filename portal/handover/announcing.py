"""Telling Airflow that something is in force, so that the marts are built at once."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field

from followup.local.airflow_client import AirflowClient, AirflowError
from ingest.ledger import Submission
from ingest.settings import SettingsError
from portal.settings import PortalSettings

log = logging.getLogger(__name__)
NOT_TOLD = "Filen gäller. Siffrorna byggs om vid nästa schemalagda körning."
_DAG, _ASSET = "build_marts", "submissions"
_ANSWER_SECONDS = 5.0
_QUIET_SECONDS = 30.0
"""After Airflow did not answer, it is not asked again for so long."""


@dataclass
class Announcer:
    """Tells one Airflow; none where the settings name none."""

    own: PortalSettings
    _quiet_until: float = field(default=0.0, repr=False)

    def announce(self, submission: Submission) -> str | None:
        """Ask for a build that shows a submission.

        Returns:
            What its sender is told when Airflow could not be told, in Swedish; None when it was, or none is named.
        """
        if self.own.airflow_url is None:
            return None
        if time.monotonic() < self._quiet_until:
            return NOT_TOLD
        try:
            self._ask_for_build(submission)
        except (AirflowError, SettingsError, KeyError, TypeError, ValueError) as error:
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            said = error if isinstance(error, AirflowError | SettingsError) else type(error).__name__
            log.warning("submission %s is in force, and Airflow was not told: %s", submission.submission_id, said)
            return NOT_TOLD
        return None

    def _ask_for_build(self, submission: Submission) -> None:
        """Send the event that a collection sends. A build that has still to start shows this submission anyway."""
        user, password = self._login()
        airflow = AirflowClient(str(self.own.airflow_url), user, password, seconds=_ANSWER_SECONDS)
        if airflow.call("GET", f"dags/{_DAG}/dagRuns", state="queued", limit=1)["total_entries"]:
            return
        assets = airflow.call("GET", "assets", name_pattern=_ASSET, limit=100)["assets"]
        number = next((one["id"] for one in assets if one["name"] == _ASSET), None)
        if number is None:
            raise AirflowError(f"Airflow knows no asset {_ASSET}: has it read dags/?")
        key = f"{submission.district_code}|{submission.reporting_quarter}"
        airflow.call("POST", "assets/events", {"asset_id": number, "partition_key": key})

    def _login(self) -> tuple[str, str]:
        path = self.own.airflow_login
        if path is None:
            raise SettingsError("FOLLOWUP_PORTAL_AIRFLOW_LOGIN is not set: it names the file with Airflow's user")
        try:
            if path.stat().st_mode & 0o077:
                raise SettingsError(f"{path} can be read by others: chmod 600 {path}")
            content = json.loads(path.read_text(encoding="utf-8"))
            return str(content["user"]), str(content["password"])
        except (OSError, ValueError, KeyError, TypeError):
            raise SettingsError(f"{path} is no JSON file with user and password, or can't be read") from None
