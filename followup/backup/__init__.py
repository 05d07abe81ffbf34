"""Backing up an installation into encrypted sets, and restoring one into an empty place.

`contents` says what belongs to a set, `backing_up` writes it, `restoring` brings it back; `location` is where sets are,
`sealing` encrypts, `sets` is what a set says of itself.
"""
