"""From a file's bytes to a table of raw cells."""
