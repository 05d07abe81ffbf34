"""The audit log's acts in Swedish: what was done, and who did it."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.ledger import Ledger
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.ledger.acts import Act
from portal.pages.numbers import page_number

ACTIONS = {
    "access.refused": "nekades en sida",
    "backup.made": "säkerhetskopierade",
    "backup.restored": "återställde en säkerhetskopia",
    "build.built": "byggde marterna",
    "build.failed": "bygget misslyckades",
    "closing.asked": "frågade om kvartalet ska stängas",
    "contact.added": "lade till kontakt",
    "contact.removed": "tog bort kontakt",
    "erasure.done": "gallrade",
    "exception.closed": "stängde undantag",
    "exception.opened": "öppnade undantag",
    "expired.erased": "gallrade det som gått ut",
    "extract.made": "tog ut en enhets uppgifter",
    "local_name.added": "lade till namn på insats",
    "login.refused": "nekades inloggning",
    "mail.refused": "brev nekades av e-postservern",
    "mail.sent": "skickade brev",
    "mail.unsure": "brev kan ha kommit fram eller inte",
    "mapping.set": "satte översättning av en enhets ord",
    "person.extracted": "sökte fram en persons uppgifter (registerutdrag)",
    "password.rehashed": "lösenordets skydd förnyades",
    "password.set": "satte lösenord",
    "quarter.locked": "låste kvartal",
    "quarter.unlocked": "låste upp kvartal",
    "quarters.frozen": "frös kvartal och gallrade rader",
    "query.explained": "förklarade frågor",
    "release.approved": "godkände utgåva",
    "release.blocked": "utgåva stoppades av prövningen",
    "release.proposed": "föreslog utgåva",
    "release.rejected": "avvisade utgåva",
    "release.released": "gav ut utgåva",
    "revision.noted": "skrev till läsarna om revidering",
    "revision.opened": "öppnade revidering",
    "rotation.begun": "började byta nycklar",
    "rotation.ended": "bytte nycklar",
    "session.begun": "loggade in",
    "session.ended": "loggade ut",
    "session.revoked": "avslutade inloggning",
    "submission.accepted": "lämnade in, togs in",
    "submission.refused": "lämnade in, togs inte in",
    "submission.rows_restored": "återställde rader",
    "submission.withdrawn": "återkallade inlämning",
    "user.added": "lade till konto",
    "user.disabled": "stängde av konto",
    "user.enabled": "öppnade konto",
    "user.wait_ended": "avslutade väntan efter fel lösenord",
}
"""Acts of the audit log."""
_ACTORS = {"account": "konto på servern", "dag_run": "Airflow", "user": "användare", "token": "system med nyckel"}


@dataclass(frozen=True)
class ActPage:
    """A page of the audit log: its acts, how many fit the search in all, its number and the number of pages."""

    acts: list[Act]
    count: int
    number: int
    pages: int


def page_of_acts(ledger: Ledger, search: ActSearch, asked: str, per_page: int) -> ActPage:
    """The page that an address names, newest acts first; the last one where there are fewer pages."""
    number = page_number(asked)
    acts, count = find_acts(ledger, search, limit=per_page, skipped=(number - 1) * per_page)
    pages = max(1, -(-count // per_page))
    if number > pages:
        number = pages
        acts, _ = find_acts(ledger, search, limit=per_page, skipped=(number - 1) * per_page)
    return ActPage(acts, count, number, pages)


def action_of(action: str) -> str:
    """What was done; an act without Swedish words by its name."""
    return ACTIONS.get(action, action)


def actor_of(act: Act) -> str:
    """Who acted: `anna (användare)`."""
    return f"{act.actor} ({_ACTORS.get(act.actor_kind, act.actor_kind)})"
