"""Nearly equal texts: a sketch of the letters of a text, in bands by which the like is looked up.

The shingles are runs of five UTF-16 units of the words in their order, folded. Two texts are nearly
equal where the signatures say that they share at least half of their shingles (Jaccard).
docs/rules.md says what that finds; a text shorter than SHORTEST is like equal ones only.

The sketch is that of Dahlgaard, Knudsen and Thorup, "Fast Similarity Sketching" (FOCS 2017): each
shingle is thrown into one of BITS bins and again, in rounds, until all bins are hit; a bin keeps
the first round's greatest shingle. That is as exact as MinHash with BITS permutations, for the work
of a few. Of each kept one a bit is stored: Li and König, "b-Bit Minwise Hashing" (WWW 2010).
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
"""So many bits may differ: a bit of unequal shingles agrees by chance every other time."""
_THROWS = 7 * BITS
"""Of all shingles in all rounds: one bin in 1,000 stays empty."""
_ROUNDS = 1 + _THROWS // (SHORTEST - SHINGLE + 1)
_Hashes = NDArray[np.int64]
_DRAWN: _Hashes = (
    np.frombuffer(hashlib.shake_128(b"veche near").digest(8 * (3 + _ROUNDS + BITS)), "<i8") | 1
).astype(np.int64)
_FIRST, _LAST, _MIX = _DRAWN[:3]
_THROW = _DRAWN[3 : 3 + _ROUNDS, None].copy()
_OF_BIN = _DRAWN[3 + _ROUNDS :].copy()
_HALF, _BIN = np.int64(32), np.int64(64 - 7)


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
    shingles = _shingles(said)
    # The last write stands: the greatest of a round, and the rounds last first.
    shingles.sort()
    bins = shingles * _THROW[-1 - _THROWS // len(shingles) :]
    # From -64 to 63: places are counted from either end.
    bins >>= _BIN
    # A bin that no round hits keeps the greatest of all.
    kept = shingles[-1:].repeat(BITS)
    kept.put(bins, shingles)
    kept *= _OF_BIN
    bands = kept[:BANDS] + kept[BANDS : 2 * BANDS]
    return Signature(tuple(bands.tolist()), int.from_bytes(np.packbits(kept < 0).tobytes()))


def alike(one: int, other: int) -> bool:
    """Whether the bits of two signatures say that their texts are nearly equal."""
    return (one ^ other).bit_count() <= _DIFFERENT


def _shingles(said: str) -> _Hashes:
    """One hash a shingle. Four units are read as one number, so two of them tell a shingle."""
    units = said.encode("utf-16-le", "surrogatepass")
    fours: _Hashes = np.ndarray((len(units) // 2 - SHINGLE + 2,), "<i8", units, 0, (2,))
    mixed = fours * _FIRST
    hashes: _Hashes = mixed[:-1] + mixed[1:] * _LAST
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes
