"""Nearly equal texts: MinHash over the letters of a text, in bands by which the like is looked up.

The shingles are runs of five code points of the words in their order, folded. Two texts are nearly
equal where the signatures say that they share at least half of their shingles (Jaccard).
docs/rules.md says what that finds; a text shorter than SHORTEST is like equal ones only.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.rules.reading import Reading

SHORTEST = 40
"""Code points of the words, spaces between them counted."""
LONGEST = 2_000
"""Code points that are looked at: the first ones."""
SHINGLE = 5
BITS = 128
BANDS = 4
LIKE = 0.5
"""The least share of shingles in common, as the signatures estimate it (deviation 0.08)."""

_DIFFERENT = int(BITS * (1 - LIKE) / 2)
"""So many bits may differ: a bit of unequal minima agrees by chance every other time."""
_Hashes = NDArray[np.uint32]
_DRAWN = np.frombuffer(hashlib.shake_128(b"veche near").digest(8 * BITS), "<u4").astype(np.uint32)
_FACTORS: _Hashes = _DRAWN[:BITS] | np.uint32(1)
_TERMS: _Hashes = _DRAWN[BITS:]


class Signature(NamedTuple):
    bands: tuple[int, ...]
    """64-bit numbers: texts that share one are candidates."""
    bits: int
    """Of BITS."""


def signature(reading: Reading) -> Signature:
    """Equal for equal `body_hash`es."""
    said = reading.said[:LONGEST]
    if len(said) < SHORTEST:
        whole = reading.body_hash
        return Signature((int.from_bytes(whole[:8], signed=True),), int.from_bytes(whole))
    minima = _mixed((_shingles(said)[:, None] * _FACTORS + _TERMS).min(axis=0))
    bands = minima[: 2 * BANDS].astype("<u4").view("<i8")
    bits = np.packbits((minima >> np.uint32(31)).astype(np.uint8)).tobytes()
    return Signature(tuple(bands.tolist()), int.from_bytes(bits))


def alike(one: int, other: int) -> bool:
    """Whether the bits of two signatures say that their texts are nearly equal."""
    return (one ^ other).bit_count() <= _DIFFERENT


def _shingles(said: str) -> _Hashes:
    signs = np.frombuffer(said.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    count = len(signs) - SHINGLE + 1
    hashes = np.zeros(count, np.uint32)
    for n in range(SHINGLE):
        hashes = hashes * np.uint32(0x01000193) + signs[n : n + count] * np.uint32(0x9E3779B1)
    return _mixed(hashes)


def _mixed(hashes: _Hashes) -> _Hashes:
    """Murmur3's last steps: every bit hangs on every other."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))
