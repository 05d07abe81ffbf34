"""`make bi`: Superset with the dashboard, on the PostgreSQL that `make up` started, until Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bundle import write_bundle
from superset_client import SupersetClient
from superset_server import ADMINISTRATOR, SupersetError, SupersetServer

from followup.postgres_server import DEFAULT_HOME, HOME_VARIABLE, PostgresServer, PostgresServerError
from ingest.private import go_private
from ingest.settings import ROOT
from publish.serving.roles import READER

HOME = ROOT / "data" / "superset"


def main() -> None:
    """Set up, start, import, tell where, wait."""
    go_private()
    home = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    try:
        running = PostgresServer(home).running()
    except PostgresServerError as error:
        sys.exit(f"bi: {error}")
    if running is None:
        sys.exit("bi: no PostgreSQL runs here: make up, then followup publish --approve")
    superset = SupersetServer(HOME)
    try:
        superset.set_up()
        address = superset.start()
        client = SupersetClient(address, ADMINISTRATOR, superset.password)
        archive = HOME / "bundle.zip"
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
