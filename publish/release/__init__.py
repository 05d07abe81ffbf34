"""Releases: made from the keyed marts, certified, approved, written for readers."""
