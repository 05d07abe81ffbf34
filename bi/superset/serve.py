"""`make bi`: Superset with the dashboard, on the PostgreSQL that `make up` started, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys

from bundle import write_bundle
from superset_client import SupersetClient
from superset_server import ADMINISTRATOR, SupersetError, SupersetServer

from followup.local.postgres_server import PostgresServer, PostgresServerError
from ingest.file_permissions import go_private
from ingest.settings import ROOT, Settings
from publish.serving.sessions import READER


def main() -> None:
    """Set up, start, import, print the address, wait."""
    go_private()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that Superset is stopped then too
    settings = Settings()
    home = (settings.home if settings.names_its_home else ROOT / "data") / "superset"
    try:
        running = PostgresServer(settings.postgres_home).running()
    except PostgresServerError as error:
        sys.exit(f"bi: {error}")
    if running is None:
        sys.exit("bi: no PostgreSQL runs here: make up, then followup publish --approve")
    superset = SupersetServer(home)
    try:
        superset.set_up()
        address = superset.start()
        client = SupersetClient(address, ADMINISTRATOR, superset.password)
        archive = home / "bundle.zip"
        write_bundle(archive, running.reader_url.replace("postgresql://", "postgresql+psycopg2://"))
        client.import_bundle(archive, json.loads(running.logins_file.read_text(encoding="utf-8"))[READER])
        said = f"{address}/superset/dashboard/uppfoljning/   user {ADMINISTRATOR}, password in {superset.login_file}"
        sys.stdout.write(f"Superset: {said}\nCtrl-C stops it.\n")
        sys.stdout.flush()
        superset.wait()
    except SupersetError as error:
        sys.exit(f"bi: {error}")
    except KeyboardInterrupt:
        pass
    finally:
        superset.stop()


if __name__ == "__main__":
    main()
