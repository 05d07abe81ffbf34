"""From a district's bytes to rows in force: settings, contracts, reading, conforming, checking, storing, ledger."""
