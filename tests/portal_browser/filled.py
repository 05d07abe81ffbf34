"""A small synthetic city with its portal: files handed in, marts built, releases made, and uploads in each state."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect
from real_portal import RealPortal
from user_steps import BUILD, ENDED, SLOW, send, sign_in, until

from ingest.ledger.portal_users import Role
from ingest.settings import ROOT

sys.path.insert(0, str(ROOT / "tests" / "portal"))
from district_files import LATE, QUARTER, UNIT, WRONG, cases, named, routines, zipped

__all__ = ["HOSTILE", "QUARTER", "UNIT", "USERS", "fill_city", "fill_uploads", "named"]

USERS = {"anna": Role.OFFICER, "bo": Role.CITY, "lars": Role.READER, "adm": Role.ADMINISTRATOR}
HOSTILE = "<script>alert(1)<b>" + "en-fil-som-har-ett-mycket-langt-namn-" * 4 + ".csv"
"""A name that says neither dataset nor quarter."""
_SCALE = "0.01"


def fill_city(portal: RealPortal) -> None:
    """Draw the city, take in its files, build the marts, and make one release, by the command line."""
    portal.run(
        "demo-data", "--out", str(portal.root / "inbox"), "--from", "2018Q2", "--to", "2018Q3", "--scale", _SCALE,
    )  # fmt: skip
    portal.run("run", "--inbox", str(portal.root / "inbox"))
    (portal.root / "inbox" / UNIT / HOSTILE).write_bytes(cases({}))
    portal.run("receive", "--inbox", str(portal.root / "inbox"), code=1)
    portal.run("publish", "--quarter", "2018Q2", "--approve")
    for name, role in USERS.items():
        portal.add(name, role, *([UNIT] if role is Role.OFFICER else []))


def fill_uploads(portal: RealPortal, chromium: Browser) -> None:
    """Leave an upload in each state in which a page waits for its user, and decisions of the city."""
    folder = portal.root / "chosen"
    folder.mkdir()

    def chosen(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    context = chromium.new_context(locale="sv-SE")
    context.set_default_timeout(SLOW)
    page = context.new_page()
    sign_in(page, portal, "anna")
    send(page, portal, "Kontrollera", UNIT, chosen(named(), cases(WRONG, LATE)))
    until(page, "Filen kan inte tas in")
    send(page, portal, "Lämna in", UNIT, chosen(named(), cases(WRONG, LATE)))
    until(page, "Filen togs inte in")
    send(page, portal, "Kontrollera", UNIT, chosen(HOSTILE, cases(LATE)))
    until(page, "Vilken fil är det")
    send(page, portal, "Lämna in", UNIT, chosen(HOSTILE.replace(".csv", "2.csv"), b"inte en fil"))
    until(page, "Vilken fil är det")
    send(page, portal, "Lämna in", UNIT, chosen(named(), cases({}, LATE, {})))
    until(page, "Filen ersätter en som redan gäller")
    send(page, portal, "Kontrollera", UNIT, chosen("allt.zip", zipped(skyddsuppfoljning=routines())))
    until(page, "Arkivet är uppackat")
    portal.unlinked["anna"] = [page.url]
    send(page, portal, "Kontrollera", UNIT, chosen(named(), cases({})), chosen(named("rutiner"), b"fel"))
    page.wait_for_url("**/omgang/*")
    portal.unlinked["anna"].append(page.url)
    context.close()

    context = chromium.new_context(locale="sv-SE")
    context.set_default_timeout(SLOW)
    page = context.new_page()
    sign_in(page, portal, "bo")
    page.goto(f"{portal.url}/staden/publiceringar")
    page.get_by_label("Till och med kvartal").select_option("2018Q2")
    page.get_by_role("button", name="Gör förslaget").click()
    page.wait_for_url("**/arbete/*")
    portal.unlinked["bo"] = [page.url]
    expect(page.get_by_role("heading", name=ENDED)).to_be_visible(timeout=BUILD)
    context.close()
