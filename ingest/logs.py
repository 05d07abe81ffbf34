"""What is logged, as text for people or, by FOLLOWUP_LOG_FORMAT=json, an object a line for programs.

A record says what the process does: `run` (a DAG's run, or a process), and `submission` and `upload` where one is at
hand. Messages never hold anything personal; the fields are ids of ours.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, cast

from ingest.acting_user import current_actor
from ingest.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_AT_HAND: ContextVar[dict[str, str] | None] = ContextVar("at_hand", default=None)
_PROCESS_RUN = os.environ.get("FOLLOWUP_RUN_ID") or secrets.token_hex(6)


@contextmanager
def at_hand(**ids: str) -> Iterator[None]:
    """Name what a block works with, in each record that it logs: `submission`, `upload`."""
    token = _AT_HAND.set({**(_AT_HAND.get() or {}), **ids})
    try:
        with _in_airflow(ids):
            yield
    finally:
        _AT_HAND.reset(token)


def _in_airflow(ids: dict[str, str]) -> AbstractContextManager[None]:
    """Name the same in the logs of Airflow's tasks: it writes what structlog has at hand, beside the run."""
    structlog = sys.modules.get("structlog.contextvars")  # where Airflow runs us it is there; nobody else needs it
    return nullcontext() if structlog is None else cast(Any, structlog).bound_contextvars(**ids)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: at (UTC), level, logger, message, process, run, and what is at hand."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Of an exception only its kind is said: its text may quote data."""
        actor = current_actor()
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "run": actor.name if actor.kind == "dag_run" else _PROCESS_RUN,
            **(_AT_HAND.get() or {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = record.exc_info[0].__name__
        return json.dumps(said, ensure_ascii=False)


def start_logging(settings: Settings, level: int) -> None:
    """Log to standard error from now on, in the form that the installation asks for."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if settings.log_format == "json":
        os.environ.setdefault("FOLLOWUP_RUN_ID", _PROCESS_RUN)  # processes that this one starts are of its run
