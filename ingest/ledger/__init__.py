"""The ledger: what was submitted, what was found, what is in force, what was built. It alone says what counts."""

from ingest.ledger.store import Ledger, LedgerError, Submission

__all__ = ["Ledger", "LedgerError", "Submission"]
