"""Handing over: files come in a request, wait encrypted, are checked by worker processes and taken in by intake."""
