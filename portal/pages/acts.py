"""The audit log's acts in Swedish: what was done, and who did it."""

from __future__ import annotations

from ingest.ledger.acts import Act

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


def action_of(action: str) -> str:
    """What was done; an act without Swedish words by its name."""
    return ACTIONS.get(action, action)


def actor_of(act: Act) -> str:
    """Who acted: `anna (användare)`."""
    return f"{act.actor} ({_ACTORS.get(act.actor_kind, act.actor_kind)})"
