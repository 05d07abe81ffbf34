"""A unit's own words: its case system's column names and codes, and what each means in the contract.

`documents` reads a mapping from YAML and says what is wrong with it; `applying` lets a contract read the unit's words
and says which of them a file used; `suggesting` proposes a mapping from a file, by the evidence of `likeness`.
"""
