"""The ledger: submissions, findings, decisions, builds and releases. It alone says what is in force.

`opening` connects and migrates, `tables` declares, `store` reads and writes submissions; the other modules each read
and write one kind of fact.
"""

from ingest.ledger.store import ChangeRefused, Ledger, LedgerError, Submission

__all__ = ["ChangeRefused", "Ledger", "LedgerError", "Submission"]
