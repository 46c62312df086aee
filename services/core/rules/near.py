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
from collections.abc import Iterator, Sequence
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
"""The least share of shingles in common, as the signatures estimate it (deviation 0.07)."""

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
_TOGETHER = 100
"""Texts: their shingles stay in the processor's cache."""
_HALF, _BIN = np.int64(32), np.int64(64 - 7)


class Signature(NamedTuple):
    bands: tuple[int, ...]
    """64-bit numbers: texts that share one are candidates."""
    bits: int
    """Of BITS."""


def signature(reading: Reading) -> Signature:
    """Equal for equal `body_hash`es."""
    return signatures([reading])[0]


def signatures(readings: Sequence[Reading]) -> list[Signature]:
    """Of each; many together take half the time."""
    return [
        each
        for start in range(0, len(readings), _TOGETHER)
        for each in _signatures(readings[start : start + _TOGETHER])
    ]


def alike(one: int, other: int) -> bool:
    """Whether the bits of two signatures say that their texts are nearly equal."""
    return (one ^ other).bit_count() <= _DIFFERENT


def _signatures(readings: Sequence[Reading]) -> Iterator[Signature]:
    heads = [reading.said[:LONGEST] for reading in readings]
    long = [head.encode("utf-16-le", "surrogatepass") for head in heads if len(head) >= SHORTEST]
    sketches = _sketches(long) if long else iter(())
    for reading, head in zip(readings, heads, strict=True):
        if len(head) >= SHORTEST:
            yield next(sketches)
        else:
            whole = reading.body_hash
            yield Signature((int.from_bytes(whole[:8], signed=True),), int.from_bytes(whole))


def _sketches(texts: Sequence[bytes]) -> Iterator[Signature]:
    """Of texts in UTF-16, hashed as one; what spans two of them is passed over."""
    hashes = _shingles(b"".join(texts))
    kept = np.empty((len(texts), BITS), np.int64)
    start = 0
    for text, bins in zip(texts, kept, strict=True):
        units = len(text) // 2
        shingles = hashes[start : start + units - SHINGLE + 1]
        start += units
        # The last write stands: the greatest of a round, and the rounds last first.
        shingles.sort()
        places = shingles * _THROW[-1 - _THROWS // len(shingles) :]
        # From -64 to 63: counted from either end.
        places >>= _BIN
        # A bin that no round hits keeps the greatest of all.
        bins.fill(shingles[-1])
        bins.put(places, shingles)
    kept *= _OF_BIN
    bands = kept[:, :BANDS] + kept[:, BANDS : 2 * BANDS]
    for numbers, bits in zip(bands.tolist(), np.packbits(kept < 0, axis=1), strict=True):
        yield Signature(tuple(numbers), int.from_bytes(bits.tobytes()))


def _shingles(units: bytes) -> _Hashes:
    """One hash a shingle. Four units are read as one number, so two of them tell a shingle."""
    fours: _Hashes = np.ndarray((len(units) // 2 - SHINGLE + 2,), "<i8", units, 0, (2,))
    mixed = fours * _FIRST
    hashes: _Hashes = mixed[:-1] + mixed[1:] * _LAST
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes
