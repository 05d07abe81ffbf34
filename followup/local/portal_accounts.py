"""Accounts for a try of the portal: one for each role, on an installation with synthetic data alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ingest.file_permissions import write_private_file
from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, add_user, users
from ingest.portal_login.passwords import Passwords, draw_password
from ingest.settings import Settings

FILE = "portal_accounts.json"
_NAMES = {
    Role.OFFICER: "stadsdel",
    Role.CITY: "staden",
    Role.READER: "lasare",
    Role.ADMINISTRATOR: "administrator",
}


def portal_accounts(settings: Settings) -> Iterator[str]:
    """Make the accounts where there is no user yet and all in force is synthetic; say who can sign in.

    Their passwords are drawn and written to a file in FOLLOWUP_HOME for its owner alone. An installation with real
    data, or with none, gets no account.

    Yields:
        Lines for who started the portal.
    """
    path = settings.home / FILE
    with closing(Ledger(settings.ledger)) as ledger:
        known = {user.name for user in users(ledger) if not user.is_disabled}
        in_force = ledger.in_force()
        if not known and in_force and all(one.is_synthetic for one in in_force):
            _make(ledger, path, sorted({one.district_code for one in in_force})[0])
            known = set(_NAMES.values())
    if path.exists() and known >= set(_NAMES.values()):
        yield f"  One account for each role ({', '.join(_NAMES.values())}): passwords in {path}"
    elif not known:
        yield "  Nobody can sign in yet: followup user add NAME --role officer --unit UNIT (or --role administrator)"


def _make(ledger: Ledger, path: Path, unit: str) -> None:
    drawn = {role: draw_password() for role in _NAMES}
    accounts = {name: {"role": str(role), "password": drawn[role]} for role, name in _NAMES.items()}
    accounts[_NAMES[Role.OFFICER]]["unit"] = unit
    write_private_file(path, json.dumps(accounts, indent=2) + "\n")
    hashes = Passwords()
    for role, name in _NAMES.items():
        units = (unit,) if role is Role.OFFICER else ()
        add_user(ledger, name, role, units, hashes.hash(drawn[role]), system_now())
