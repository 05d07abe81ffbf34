"""Why a workbook is not read: the code of a rule about files, and what its message needs."""

from __future__ import annotations


class Refused(Exception):
    """The workbook is not read. `rule` is a code of file_rules.yml, `facts` fill its message; nothing of the file."""

    def __init__(self, rule: str, **facts: object) -> None:
        """Keep both; the exception's text is the code alone."""
        super().__init__(rule)
        self.rule = rule
        self.facts = facts


DAMAGED, LOCKED, OTHER_KIND, TOO_LARGE = "FIL-024", "FIL-025", "FIL-026", "FIL-027"
WORD, SLIDES, TEXT = "ett Worddokument", "en PowerPointpresentation", "ett textdokument (.odt)"
NUMBERS, ZIP = "ett Numbers-dokument", "ett zip-arkiv"
"""What an archive is that is no workbook."""
NO_VALUES, MERGED = "FIL-029", "FIL-030"
MOST_SHEETS = 256
"""More than any workbook of a district; each costs time to look at."""
