"""`python tools/cluster FOLDER`: the services of docker-compose.yml on this machine, without Docker, until Ctrl-C.

A folder that has a file .env is started from it; a new one gets drawn secrets and a certificate that it signs itself.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sys
import threading
from pathlib import Path

from native import Cluster, ClusterError, can_name_hosts, up
from variables import drawn_variables

from ingest.file_permissions import go_private, write_private_file


def free_port() -> int:
    """A port that nothing listens on, below those from which the system chooses."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def variables_of(folder: Path) -> dict[str, str]:
    """The folder's .env; drawn where it is missing."""
    path = folder / ".env"
    if not path.exists():
        drawn = drawn_variables(folder, free_port())
        write_private_file(path, "".join(f"{name}={value}\n" for name, value in sorted(drawn.items())))
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "=" in line and line[:1] != "#"]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def main() -> int:
    """Start, say where all is, wait for a signal, stop."""
    parser = argparse.ArgumentParser(prog="python tools/cluster", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    go_private()
    folder = chosen.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    variables = variables_of(folder)
    portal = int(variables["FOLLOWUP_PORTAL_URL"].rpartition(":")[2])
    cluster = Cluster(folder, variables, free_port, workers=chosen.workers, ports={"proxy": portal})
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    if not can_name_hosts():
        print("no right to give processes host names of their own (unshare --uts): all workers have this machine's")
    try:
        with up(cluster, tell=lambda name: print(f"{name} starts", flush=True)):
            print(f"portal:  {variables['FOLLOWUP_PORTAL_URL']}")
            print(
                f"Airflow: https://localhost:{cluster.ports['proxy-airflow']}, user {variables['AIRFLOW_ADMIN_USER']}"
            )
            print(f"passwords: {folder / '.env'}; logs: {folder / 'printed'}; Ctrl-C ends it", flush=True)
            ended.wait()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
