"""`python -m portal`: serve the portal, and check files in processes of their own, until a signal ends it."""

from __future__ import annotations

import argparse
import logging

import uvicorn

from ingest.failures import in_sentences
from ingest.file_permissions import close_home, go_private
from ingest.settings import Settings
from portal.app import make_app
from portal.settings import PortalSettings

_LONGEST_HEADERS = 32_000


def serve(settings: Settings, own: PortalSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    app = make_app(settings, own)
    uvicorn.run(
        app,
        host=own.host,
        port=own.port,
        log_config=None,
        access_log=False,  # addresses of pages name units and submissions
        server_header=False,
        proxy_headers=False,  # the guard reads them, from the proxies that the installation names alone
        h11_max_incomplete_event_size=_LONGEST_HEADERS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
        limit_concurrency=200,
        ws="none",
    )


def main() -> None:
    """Read the settings and serve."""
    argparse.ArgumentParser(prog="python -m portal", description=__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    go_private()
    try:
        settings, own = Settings(), PortalSettings()
        close_home(settings.home)
        logging.getLogger("portal").info("serving %s on %s port %s", own.url, own.host, own.port)
        serve(settings, own)
    except Exception as error:
        sentences = in_sentences(error)
        if not sentences:
            raise
        for sentence in sentences:
            logging.getLogger("portal").error("%s", sentence)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
