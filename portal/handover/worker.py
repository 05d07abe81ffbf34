"""`python -m portal.handover.worker`: processes that check files and take them in, and one that makes previews.

The parent imports what they need once, forks them, and starts anew those that die. It opens no ledger and does no work
itself. SIGTERM or SIGINT ends all: a process ends the file that it works with first, and one that takes too long is
killed; its file is taken up by the next worker.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from types import FrameType

from ingest.failures import in_sentences
from ingest.file_permissions import close_home, go_private
from ingest.logs import TEXT, start_logging
from ingest.settings import Settings
from portal.settings import PortalSettings

log = logging.getLogger("portal.handover.worker")
MEMORY_BYTES = 6 << 30
"""Address space of a process that checks. A file of 180 MB that is compared with one of its size needs 4 GiB of it,
2.2 of them in memory."""
_IDLE_SECONDS = 0.25
_TIDY_SECONDS = 60.0
_GRACE_SECONDS = 20.0
_SLOWEST_RESTART = 30.0


def warm_up() -> None:
    """Import and read what checks use, so that the first verdict is as quick as the others. No thread is begun."""
    for name in ("portal.handover.working", "sqlalchemy.dialects.sqlite"):
        import_module(name)
    from ingest.checks.suites import engine, load_rules
    from ingest.contracts import load_contracts
    from ingest.districts import load_districts

    engine()
    load_districts()
    for dataset in load_contracts():
        load_rules(dataset)


class Ending:
    """Whether this process is to end: a signal came, or its parent is gone."""

    def __init__(self, parent: int | None = None) -> None:
        """Take over the signals; `parent` is the process that must be there, which may be gone already."""
        self.is_asked, self._parent = False, parent or os.getppid()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True

    def __bool__(self) -> bool:
        """Whether to end."""
        return self.is_asked or os.getppid() != self._parent

    def pause(self, seconds: float) -> None:
        """Sleep; a signal ends it early."""
        until = time.monotonic() + seconds
        while not self and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def check_files(settings: Settings, own: PortalSettings, ending: Ending) -> None:
    """What a process that checks does until it is to end."""
    from ingest.ledger import Ledger
    from portal.handover.announcing import Announcer
    from portal.handover.working import Worker

    limit_memory()
    ledger = Ledger(settings.ledger)
    worker = Worker(settings, ledger, Announcer(own))
    while not ending:
        if not worker.work():
            ending.pause(_IDLE_SECONDS)
    ledger.close()


def make_previews(settings: Settings, own: PortalSettings, ending: Ending) -> None:
    """What the process of previews does: it tidies the spool, and ends after one preview, so that its memory is free.

    A preview is not waited for when all is to end: the next process makes it again.
    """
    from ingest.ledger import Ledger
    from ingest.ledger.uploads import next_preview
    from portal.handover.tidying import tidy

    ledger, tidied_at = Ledger(settings.ledger), 0.0
    while not ending:
        if time.monotonic() > tidied_at + _TIDY_SECONDS:
            tidy(settings, own, ledger)
            tidied_at = time.monotonic()
        if next_preview(ledger) is not None:
            from portal.handover.previews import make_next_preview

            signal.signal(signal.SIGTERM, _end_at_once)
            if make_next_preview(settings, ledger):
                break
            signal.signal(signal.SIGTERM, ending._ask)
        ending.pause(_IDLE_SECONDS)
    ledger.close()


def _end_at_once(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def limit_memory() -> None:
    """Bound this process's memory; a process that it starts may set its own bound."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


Task = Callable[[Settings, PortalSettings, Ending], None]


@dataclass
class Post:
    """A place that one process fills at a time."""

    task: Task
    pid: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = field(default=0.5)


class Workers:
    """The parent."""

    def __init__(self, settings: Settings, own: PortalSettings, ending: Ending) -> None:
        """Nothing is started yet."""
        self._settings, self._own, self._ending = settings, own, ending
        self._posts = [*[Post(check_files) for _ in range(own.workers)], Post(make_previews)]

    def run(self) -> None:
        """Fill all posts until this process is to end; then end them."""
        ending = self._ending
        while not ending:
            for post in self._posts:
                if not post.pid and time.monotonic() >= post.start_at:
                    self._start(post)
            ending.pause(0.1)
            self._reap()
        self._stop()

    def _start(self, post: Post) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        post.started_at = time.monotonic()
        parent = os.getpid()
        post.pid = os.fork()
        if post.pid:
            return
        code = 1
        try:
            post.task(self._settings, self._own, Ending(parent))
            code = 0
        except SystemExit:
            code = 0
        except Exception as error:  # noqa: BLE001 (the parent starts another)
            for sentence in in_sentences(error) or [type(error).__name__]:
                log.error("a worker process ended: %s", sentence)
        finally:
            logging.shutdown()
            os._exit(code)

    def _reap(self) -> None:
        """Note which processes have ended; those that die soon after their start are started ever later."""
        for post in self._posts:
            if not post.pid:
                continue
            pid, status = os.waitpid(post.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            if code:
                log.warning("worker process %d ended with %d and is started again", pid, code)
            is_sound = code == 0 or time.monotonic() - post.started_at > _SLOWEST_RESTART
            post.pause = 0.5 if is_sound else min(2 * post.pause, _SLOWEST_RESTART)
            post.pid, post.start_at = 0, time.monotonic() + (post.pause if code else 0)

    def _stop(self) -> None:
        """End all processes; kill those that do not end within the grace."""
        for post in self._posts:
            if post.pid:
                os.kill(post.pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE_SECONDS
        while any(post.pid for post in self._posts):
            if time.monotonic() > until:
                for post in self._posts:
                    if post.pid:
                        os.kill(post.pid, signal.SIGKILL)
            self._reap()
            time.sleep(0.05)


def main() -> None:
    """Read the settings and work."""
    parser = argparse.ArgumentParser(prog="python -m portal.handover.worker", description=__doc__)
    parser.add_argument("--parent", type=int, help="end when this process, which started it, is gone")
    ending = Ending(parser.parse_args().parent)  # before the imports, which take seconds
    logging.basicConfig(level=logging.WARNING, format=TEXT)  # until the settings are read
    log.setLevel(logging.INFO)
    go_private()
    try:
        settings, own = Settings(), PortalSettings()
        start_logging(settings, logging.INFO if settings.log_format == "json" else logging.WARNING)
        close_home(settings.home)
        warm_up()
        log.info("%d processes check files, one makes previews", own.workers)
        Workers(settings, own, ending).run()
    except Exception as error:
        sentences = in_sentences(error)
        if not sentences:
            raise
        for sentence in sentences:
            log.error("%s", sentence)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
