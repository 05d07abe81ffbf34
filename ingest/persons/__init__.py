"""Persons' numbers: `numbers` reads and checks them; `number_search` finds them where none belongs, in whole columns
by `number_cells`.

`keys` reads the secret keys; `wrapping` makes the stored person keys, which can be rotated.
"""
