"""The figures of the latest release for everyone: a finding in words, a chart, a table and a file for each question."""
