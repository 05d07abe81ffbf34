"""Imports the bundle into a Superset, whosever it is.

    python bi/superset/import_bundle.py https://superset.example --user admin \\
        --database postgresql+psycopg2://followup_reader@bi.example:5432/followup

Passwords are asked for, never given on the command line: first the user's, then the database role's.
"""

from __future__ import annotations

import argparse
import getpass
import sys
import tempfile
from pathlib import Path

import httpx
from bundle import write_bundle
from superset_client import SupersetClient


def main() -> None:
    """Ask, import, say where the dashboard is."""
    parser = argparse.ArgumentParser(description="Import the dashboard into a Superset.")
    parser.add_argument("superset", help="its address, without a path")
    parser.add_argument("--user", required=True, help="one who may import: an administrator")
    parser.add_argument(
        "--database", required=True, help="as Superset reaches it: postgresql+psycopg2://ROLE@HOST:PORT/NAME"
    )
    given = parser.parse_args()
    address = given.superset.rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "bundle.zip"
        try:
            write_bundle(archive, given.database)
            client = SupersetClient(address, given.user, getpass.getpass(f"Password of {given.user} in Superset: "))
            client.import_bundle(archive, getpass.getpass("Password of the database's role: "))
        except (ValueError, httpx.HTTPError) as error:
            sys.exit(f"bi: {error}")
    sys.stdout.write(f"{address}/superset/dashboard/uppfoljning/\n")


if __name__ == "__main__":
    main()
