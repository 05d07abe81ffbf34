"""Makes Airflow's administrator, or gives the one that is there the password of the environment. Safe to repeat.

The password comes from the environment and is in no process's arguments, where every user of the machine can read it.
"""

from __future__ import annotations

import os

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder


def main() -> None:
    """Read AIRFLOW_ADMIN_USER, AIRFLOW_ADMIN_PASSWORD and AIRFLOW_ADMIN_EMAIL, and put them into Airflow's database."""
    name, password, email = (os.environ[f"AIRFLOW_ADMIN_{part}"] for part in ("USER", "PASSWORD", "EMAIL"))
    with get_application_builder() as builder:
        manager = builder.sm
        user = manager.find_user(username=name)
        if user is not None:
            done = manager.reset_password(user.id, password)
        else:
            role = manager.find_role("Admin")
            done = manager.add_user(name, "Follow-up", "Administrator", email, role, password)
    if not done:
        raise SystemExit("Airflow's administrator could not be made: is the e-mail address another user's?")


if __name__ == "__main__":
    main()
