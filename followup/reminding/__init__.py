"""Reminders and notices by e-mail: what units have left to do, how the quarter goes, and what has failed."""
