"""Persons' numbers: read, checked, searched for, and replaced by keys."""
