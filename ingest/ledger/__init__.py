"""The ledger: what was submitted, what was found, what is in force, what was built. It alone says what counts."""

from ingest.ledger.store import ChangeRefused, Ledger, LedgerError, Submission

__all__ = ["ChangeRefused", "Ledger", "LedgerError", "Submission"]
