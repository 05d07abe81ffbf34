"""Suppression of single tables that must be exact: `followup protect` and `followup audit`. No release uses it."""
