"""The deviation of each count: a pseudo-random function of its cell's key, under the installation's noise secret."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from publish.cell_keys.keys import CellKeys
from publish.cell_keys.ptable import UNIT_BITS, Counts, PTable, Uniforms

SECRET_BYTES = 32
_AT_ONCE = 1 << 20
"""Cells whose blocks are in memory at a time."""


def uniforms(keys: CellKeys, secret: bytes) -> Uniforms:
    """A number for each cell, even over 0 to 2**53 − 1, the same on every machine.

    It is the upper 53 bits of the first 8 bytes (little-endian) of AES-256 of the cell's block. Every block is one
    AES block and is enciphered by itself: as a pseudo-random function, which is what ECB mode is right for.

    Args:
        keys: n cells.
        secret: 32 bytes.

    Returns:
        uint64[n].

    Raises:
        ValueError: the secret has another length.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"the noise secret has {len(secret)} bytes and must have {SECRET_BYTES}")
    cipher = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()
    enciphered = np.frombuffer(cipher.update(keys.blocks().tobytes()), "<u8")
    return enciphered[::2].astype(np.uint64) >> np.uint64(64 - UNIT_BITS)


def publish_counts(counts: npt.ArrayLike, keys: CellKeys, ptable: PTable, secret: bytes) -> Counts:
    """Published figures of true counts. A count of 0 stays 0; equal keys and counts give equal figures.

    Args:
        counts: n true counts, whole numbers, none missing.
        keys: of the same n cells.
        ptable: from `make_ptable`.
        secret: the installation's noise secret, 32 bytes.

    Returns:
        int64[n]: never 1 to js, never more than D from the true count.

    Raises:
        ValueError: a count is negative or no whole number, or there are not as many counts as keys.
    """
    true = np.asarray(counts)
    if true.shape != (len(keys),) or (len(true) and (true.dtype.kind not in "iu" or true.min() < 0)):
        raise ValueError("counts must be whole numbers from 0, none missing, one for each cell key")
    published = true.astype(np.int64)
    counted = np.flatnonzero(published)
    for start in range(0, len(counted), _AT_ONCE):
        rows = counted[start : start + _AT_ONCE]
        published[rows] = ptable.drawn(published[rows], uniforms(keys.take(rows), secret))
    return published
