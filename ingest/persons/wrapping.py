"""Wrapping persons' values into the keys that are stored, and unwrapping them: AES-SIV of many values at once.

The wrapping key has versions. The wrapped value is the same under each, so that rows change versions without the
numbers.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

ByteArray = npt.NDArray[np.uint8]
BLOCK = 16
"""Bytes of a value that is wrapped; wrapped it has twice as many."""
_LETTERS = 43
"""Of 32 bytes in base64url without padding."""


class WrongWrapping(Exception):
    """A stored key is not wrapped under the version that it should be: another key, or the file was changed."""


def wrapped(wrapping: bytes, values: ByteArray) -> pa.StringArray:
    """Values as keys.

    Args:
        wrapping: 64 bytes.
        values: n × BLOCK.

    Returns:
        n texts of 43 letters.
    """
    return _as_base64(_siv(wrapping, values))


def unwrapped(wrapping: bytes, texts: pa.Array) -> tuple[ByteArray, npt.NDArray[np.bool_]]:
    """The values in keys, and which of the texts are keys under this wrapping; the values of others mean nothing.

    Args:
        wrapping: 64 bytes.
        texts: strings, none null.

    Returns:
        n × BLOCK bytes, and n truths.
    """
    rows, ok = _from_base64(texts)
    half = len(wrapping) // 2
    vector, sealed = np.ascontiguousarray(rows[:, :BLOCK]), rows[:, BLOCK:]
    values = sealed ^ _keystream(wrapping[half:], vector)
    return values, ok & (_synthetic(wrapping[:half], values) == vector).all(axis=1)


def rewrapped(before: bytes, after: bytes, texts: pa.Array) -> pa.StringArray:
    """Keys under one wrapping as keys under another, in their order.

    Raises:
        WrongWrapping: one of them is no key under the first.
    """
    values, ok = unwrapped(before, texts)
    if not ok.all():
        raise WrongWrapping(f"{int((~ok).sum())} of {len(ok)} person keys are not of the version that they should be")
    return wrapped(after, values)


def _siv(key: bytes, blocks: ByteArray) -> ByteArray:
    """AES-SIV (RFC 5297) without associated data of many texts of one block each: n × 16 bytes → n × 32.

    For one block S2V is a single AES call, V = AES(P xor CMAC(0) xor K1), and so is its counter mode: both run over
    all texts at once, which costs a fifth of one library call per text. `cryptography`'s AESSIV gives the same bytes.
    """
    half = len(key) // 2
    vector = _synthetic(key[:half], blocks)
    return np.concatenate([vector, blocks ^ _keystream(key[half:], vector)], axis=1)


def _synthetic(key: bytes, blocks: ByteArray) -> ByteArray:
    """S2V of each block."""
    mac = CMAC(algorithms.AES(key))
    mac.update(bytes(BLOCK))
    zero = int.from_bytes(_aes(key, bytes(BLOCK)), "big") << 1
    subkey = (zero ^ 0x87 if zero >> 128 else zero) & (1 << 128) - 1
    mask = (int.from_bytes(mac.finalize(), "big") ^ subkey).to_bytes(BLOCK, "big")
    return _aes_blocks(key, blocks ^ np.frombuffer(mask, np.uint8))


def _keystream(key: bytes, vector: ByteArray) -> ByteArray:
    """What counter mode lays over each block, from its synthetic vector."""
    counter = vector.copy()
    counter[:, [8, 12]] &= 0x7F
    return _aes_blocks(key, counter)


def _aes(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def _aes_blocks(key: bytes, blocks: ByteArray) -> ByteArray:
    return np.frombuffer(_aes(key, blocks.tobytes()), np.uint8).reshape(-1, BLOCK)


def _as_base64(rows: ByteArray) -> pa.StringArray:
    """Rows of 32 bytes as base64url text without padding: 43 letters each."""
    padded = np.zeros((len(rows), 33), np.uint8)
    padded[:, : 2 * BLOCK] = rows
    letters = np.frombuffer(base64.urlsafe_b64encode(padded.tobytes()), np.uint8).reshape(-1, 44)[:, :_LETTERS]
    ends = np.arange(0, _LETTERS * (len(rows) + 1), _LETTERS, dtype=np.int32)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(letters)))


def _from_base64(texts: pa.Array) -> tuple[ByteArray, npt.NDArray[np.bool_]]:
    """The inverse of `_as_base64`, and which texts have its form; the bytes of others are zero."""
    cells = texts.cast(pa.string())
    shaped = pc.match_substring_regex(cells, f"^[A-Za-z0-9_-]{{{_LETTERS}}}$")
    ok: npt.NDArray[np.bool_] = shaped.to_numpy(zero_copy_only=False).astype(bool)
    content = "".join(f"{cell}A" for cell in cells.filter(shaped).to_pylist())
    found = np.frombuffer(base64.urlsafe_b64decode(content), np.uint8).reshape(-1, 33)[:, : 2 * BLOCK]
    rows = np.zeros((len(ok), 2 * BLOCK), np.uint8)
    rows[ok] = found
    return rows, ok
