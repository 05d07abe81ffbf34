"""The administrator's pages, `/konton/…`: users, their passwords and sessions. No unit's files."""
