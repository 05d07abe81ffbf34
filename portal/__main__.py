"""`python -m portal`: serve the portal, and check files in processes of their own, until a signal ends it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn

from ingest.districts import load_districts
from ingest.failures import in_sentences
from ingest.file_permissions import close_home, go_private
from ingest.logs import TEXT, start_logging
from ingest.settings import Settings, SettingsError
from portal.app import make_app
from portal.serving import server_options
from portal.settings import PortalSettings

log = logging.getLogger("portal")
_RESTART_SECONDS = 2.0
_STOP_SECONDS = 40.0
"""The workers end the files that they work with within half of it."""


def serve(settings: Settings, own: PortalSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    uvicorn.run(make_app(settings, own), **server_options(own))


@contextmanager
def workers() -> Iterator[None]:
    """Run the processes that check files beside the block, and start them again if they end."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            command = [sys.executable, "-m", "portal.handover.worker", "--parent", str(os.getpid())]
            running = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            while running.poll() is None and not is_over.wait(0.2):
                pass
            if is_over.is_set():
                running.terminate()
                try:
                    running.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    running.kill()
                return
            log.error("the processes that check files have ended (%s); they are started again", running.returncode)
            is_over.wait(_RESTART_SECONDS)

    watcher = threading.Thread(target=watch, name="workers")
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def main() -> None:
    """Read the settings and serve."""
    parser = argparse.ArgumentParser(prog="python -m portal", description=__doc__)
    parser.add_argument("--no-workers", action="store_true", help="check no files: `portal.handover.worker` does it")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=TEXT)  # until the settings are read
    go_private()
    # the server sends itself the signal once more when it has ended: the workers must be ended even so
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        settings, own = Settings(), PortalSettings()
        load_districts()  # without units every page would fail, and every worker
        start_logging(settings, logging.INFO)
        close_home(settings.home)
        log.info("serving %s on %s port %s", own.url, own.host, own.port)
        with nullcontext() if chosen.no_workers else workers():
            serve(settings, own)
    except Exception as error:
        sentences = [str(error)] if isinstance(error, SettingsError) else in_sentences(error)
        if not sentences:
            raise
        for sentence in sentences:
            log.error("%s", sentence)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
