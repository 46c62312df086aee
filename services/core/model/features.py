"""Text to hashed n-grams: runs of 1–6 characters, words, pairs of words.

A text is lower-cased code point by code point, so every n-gram's span is a span of the text as
written. The hash of any span comes from prefix sums of code points times powers of one odd number
(modulo 2^64, where odd numbers have inverses), so all n-grams of a text take a few vector
operations. Part of a model's format: a change here makes stored models useless, raise
`stored.FORMAT` with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bins = NDArray[np.int32]
_Hashes = NDArray[np.uint64]

MAX_CODE_POINTS = 10_000
"""What is longer is read up to here: the longest comment that ingest admits."""

_CHARACTERS = (1, 2, 3, 4, 5, 6)
_WORD = re.compile(r"\w+|[^\w\s]")
_SPACE = re.compile(r"\s")

_ODD = 0x9E3779B97F4A7C15
_INVERSE = pow(_ODD, -1, 1 << 64)
_MASK = (1 << 64) - 1


def _powers(of: int) -> _Hashes:
    powers = np.full(MAX_CODE_POINTS + 2, of, np.uint64)
    powers[0] = 1
    return np.cumprod(powers)


_UP = _powers(_ODD)
_DOWN = _powers(_INVERSE)


@dataclass(frozen=True, slots=True)
class Located:
    """n-grams with their places: `bins[i]` is the text's span [starts[i], ends[i])."""

    bins: Bins
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def counted(text: str, bits: int) -> tuple[Bins, Floats]:
    """The distinct n-grams of a text, in 2^bits bins, and 1 + log of how often each occurs."""
    hashes, _, _ = _hashes(text)
    bins, counts = np.unique(_binned(hashes, bits), return_counts=True)
    return bins, (1.0 + np.log(counts)).astype(np.float32)


def located(text: str, bits: int) -> Located:
    hashes, length, words = _hashes(text)
    starts = [np.arange(length - n + 1) for n in _CHARACTERS if n <= length]
    ends = [np.arange(n, length + 1) for n in _CHARACTERS if n <= length]
    starts += [words[:, 0], words[:-1, 0]]
    ends += [words[:, 1], words[1:, 1]]
    # The text stands between two spaces, which are not its own.
    return Located(
        _binned(hashes, bits),
        np.clip(np.concatenate(starts) - 1, 0, length - 2),
        np.clip(np.concatenate(ends) - 1, 0, length - 2),
    )


def _hashes(text: str) -> tuple[Sequence[_Hashes], int, NDArray[np.int64]]:
    """Hashes by kind, length in code points and spans of words, of the text between spaces."""
    seen = f" {_SPACE.sub(' ', _lower(text[: MAX_CODE_POINTS - 2]))} "
    points = np.frombuffer(seen.encode("utf-32-le", "surrogatepass"), np.uint32)
    length = len(points)
    sums = np.zeros(length + 1, np.uint64)
    np.cumsum((points.astype(np.uint64) + 1) * _UP[:length], out=sums[1:])
    hashes = [
        (sums[n:] - sums[:-n]) * _DOWN[: length - n + 1] + _kind(n)
        for n in _CHARACTERS
        if n <= length
    ]
    words = np.array([m.span() for m in _WORD.finditer(seen)], np.int64).reshape(-1, 2)
    single = _mixed((sums[words[:, 1]] - sums[words[:, 0]]) * _DOWN[words[:, 0]])
    hashes += [single + _kind(101), single[:-1] * np.uint64(_ODD) + single[1:] + _kind(102)]
    return hashes, length, words


def _kind(number: int) -> np.uint64:
    """Keeps a word apart from the same characters as a run."""
    return np.uint64(number * _ODD * 0x1000003 & _MASK)


def _lower(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c if len(small := c.lower()) != 1 else small for c in text)


def _binned(hashes: Sequence[_Hashes], bits: int) -> Bins:
    return (_mixed(np.concatenate(hashes)) >> np.uint64(64 - bits)).astype(np.int32)


def _mixed(hashes: _Hashes) -> _Hashes:
    """MurmurHash3's finalizer: every bit of the input reaches every bit of the output."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))
