"""A small client of Airflow's REST API: start runs, wait for them, read the state of each task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

FINISHED = ("success", "failed")


class AirflowError(Exception):
    """Airflow answered otherwise than asked, or not at all; the message says what was asked."""


@dataclass(frozen=True)
class Run:
    """A DAG run. `state` is Airflow's: queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str
    partition_key: str | None
    seconds: float | None
    """From start to end; None while it runs."""


@dataclass(frozen=True)
class TaskOutcome:
    """A task of a run, named by what it maps (`farsta`) when it is mapped."""

    task_id: str
    map_index: int
    """-1 when it is not mapped."""
    mapped_name: str | None
    state: str | None
    try_number: int


class AirflowClient:
    """Talks to one Airflow as one user.

    Args:
        url: base address, such as http://127.0.0.1:8080.
        user, password: of a user of the installation's auth manager.
        may_log_in: asked each time before the password is sent; where it says no, nothing is sent.
        seconds: how long an answer is waited for.
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        may_log_in: Callable[[], bool] = lambda: True,
        seconds: float = 30,
    ) -> None:
        """Prepare; nothing is sent until the first call."""
        self._seconds = seconds
        self.url = url.rstrip("/")
        self._may_log_in = may_log_in
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment has no business between us and our own server

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send one request below /api/v2 and return the decoded answer.

        Raises:
            AirflowError: no answer, or a status of 400 or above.
        """
        for attempt in (1, 2):
            if "Authorization" not in self._session.headers or attempt == 2:
                self._log_in()
            answer = self._send(method, f"/api/v2/{path}", json=body, params=query)
            if answer.status_code != requests.codes.unauthorized:
                break
        if not answer.ok:
            raise AirflowError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, **rest: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=self._seconds, **rest)
        except requests.RequestException as error:
            raise AirflowError(f"{method} {path}: no answer from {self.url} ({type(error).__name__})") from error

    def _log_in(self) -> None:
        if not self._may_log_in():
            raise AirflowError(f"{self.url} is no server of ours (or none): the password is not sent to it")
        answer = self._send("POST", "/auth/token", json=self._login)
        if not answer.ok:
            raise AirflowError(f"login as {self._login['username']}: {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def health(self) -> dict[str, str]:
        """State of each component: `healthy` or `unhealthy`.

        Raises:
            AirflowError: the server does not answer.
        """
        answer = self._send("GET", "/api/v2/monitor/health")
        if not answer.ok:
            raise AirflowError(f"health: {answer.status_code}")
        return {name: part["status"] for name, part in answer.json().items() if part.get("status")}

    def dags(self) -> dict[str, dict[str, Any]]:
        """The DAGs that the DAG processor has read, by id."""
        return {dag["dag_id"]: dag for dag in self.call("GET", "dags", limit=100)["dags"]}

    def import_errors(self) -> dict[str, str]:
        """DAG files that could not be read, with the last line of why."""
        errors = self.call("GET", "importErrors", limit=100)["import_errors"]
        return {error["filename"]: error["stack_trace"].strip().splitlines()[-1] for error in errors}

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run with params and return its id."""
        run = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Run:
        """One run as it is now."""
        return _as_run(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str) -> list[Run]:
        """All runs of a DAG, oldest first."""
        found: list[Run] = []
        while True:
            page = self.call("GET", f"dags/{dag_id}/dagRuns", limit=100, offset=len(found), order_by="id")
            found += [_as_run(run) for run in page["dag_runs"]]
            if not page["dag_runs"] or len(found) >= page["total_entries"]:
                return found

    def tasks(self, dag_id: str, run_id: str) -> list[TaskOutcome]:
        """The tasks of a run, mapped ones by name."""
        answer = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=200)
        return [
            TaskOutcome(
                task["task_id"], task["map_index"], task.get("rendered_map_index"), task["state"], task["try_number"]
            )
            for task in answer["task_instances"]
        ]

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        seconds: float,
        every: float = 1.0,
        on_poll: Callable[[Run], None] | None = None,
    ) -> Run:
        """Wait until a run has ended, whether well or not.

        Raises:
            AirflowError: it has not ended within the time, or the server went away.
        """
        give_up_at = time.monotonic() + seconds
        while True:
            run = self.run(dag_id, run_id)
            if on_poll:
                on_poll(run)
            if run.state in FINISHED:
                return run
            if time.monotonic() > give_up_at:
                raise AirflowError(f"{dag_id} {run_id} is still {run.state} after {seconds:.0f} s")
            time.sleep(every)


def _as_run(answer: dict[str, Any]) -> Run:
    return Run(
        answer["dag_id"], answer["dag_run_id"], answer["state"], answer.get("partition_key"), answer.get("duration")
    )
