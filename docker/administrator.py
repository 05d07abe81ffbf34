"""Makes Airflow's administrator and the portal's user, or gives those that are there their passwords. Safe to repeat.

Passwords come from the environment and a file, and are in no process's arguments, where every user of the machine can
read them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder


def main() -> None:
    """Put AIRFLOW_ADMIN_USER, _PASSWORD and _EMAIL, and the login of PORTAL_AIRFLOW_LOGIN, into Airflow's database."""
    name, password, email = (os.environ[f"AIRFLOW_ADMIN_{part}"] for part in ("USER", "PASSWORD", "EMAIL"))
    portal = json.loads(Path(os.environ["PORTAL_AIRFLOW_LOGIN"]).read_text(encoding="utf-8"))
    users = [
        (name, password, email, "Administrator", "Admin"),
        (portal["user"], portal["password"], f"{portal['user']}@portal.invalid", "Portal", "Op"),
    ]
    with get_application_builder() as builder:
        manager = builder.sm
        for user, secret, address, called, role in users:
            known = manager.find_user(username=user)
            if known is not None:
                done = manager.reset_password(known.id, secret)
            else:
                done = manager.add_user(user, "Follow-up", called, address, manager.find_role(role), secret)
            if not done:
                raise SystemExit(f"Airflow's user {user} could not be made: is the e-mail address another user's?")


if __name__ == "__main__":
    main()
