"""The PostgreSQL for BI as `make up` and `make down` start and stop it beside Airflow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from followup.local.postgres_server import PostgresServer, PostgresServerError
from ingest.settings import Settings


class ServerForReaders:
    """The server as `make up` and `make down` start and stop it: they report on it and never fail because of it.

    Args:
        tell: takes a line for the terminal.
        warn: takes a line for the terminal's errors.
        is_wanted: without it nothing is ever started or stopped. An installation that names a database of its own
            (FOLLOWUP_PUBLISH_POSTGRES) gets no other.
    """

    def __init__(self, tell: Callable[[str], None], warn: Callable[[str], None], *, is_wanted: bool) -> None:
        """Nothing is started yet."""
        self.tell, self.warn, self.is_wanted = tell, warn, is_wanted
        self.server = PostgresServer(Settings().postgres_home)

    @contextlib.contextmanager
    def starting(self) -> Iterator[dict[str, str]]:
        """Start it and give the settings that lead to it; if the block fails, what was started is stopped."""
        if not self.is_wanted or os.environ.get("FOLLOWUP_PUBLISH_POSTGRES"):
            yield {}
            return
        running, was_there = None, False
        try:
            was_there = self.server.running() is not None
            running = self.server.start(self.tell)
        except PostgresServerError as error:
            self.warn(f"No PostgreSQL for BI: {error}")
        try:
            yield running.environment if running else {}
        except BaseException:
            if running and not was_there:
                self.stop()
            raise

    def stop(self) -> bool:
        """Stop it when it runs; False when that failed."""
        try:
            if self.is_wanted and self.server.stop():
                self.tell("PostgreSQL is stopped")
        except PostgresServerError as error:
            self.warn(str(error))
            return False
        return True

    def describe(self) -> None:
        """Say where it is, when it runs."""
        with contextlib.suppress(PostgresServerError):
            if self.is_wanted and (running := self.server.running()):
                self.tell(f"PostgreSQL for BI: {running.reader_url}   passwords: in {running.logins_file}")

    def variables(self) -> dict[str, str]:
        """Variables of a shell that publishes to it and connects to it; none when it does not run."""
        with contextlib.suppress(PostgresServerError):
            if self.is_wanted and (running := self.server.running()):
                return {**running.environment, "PGSERVICEFILE": str(self.server.write_services(running))}
        return {}
