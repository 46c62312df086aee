"""A linear model over hashed n-grams, as it scores: a value that never changes.

An n-gram's value in a text is (1 + log count) × the model's scale of its bin, all values together
of length 1. The margin is their weighted sum plus a bias; the score is a logistic curve of it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.core.model.features import Bins, Floats, counted, located

TELLING = 5
"""n-grams in an explanation."""


class Telling(NamedTuple):
    """An n-gram that spoke for the label, its share of the margin, its span in the text."""

    ngram: str
    weight: float
    span: tuple[int, int]


class Score(NamedTuple):
    value: float
    """0 to 1: of comments with this score, about this share has the label."""
    telling: list[Telling]
    """The most telling n-grams that do not overlap, the strongest first; empty if not asked."""


@dataclass(frozen=True, eq=False)
class Model:
    label: str
    version: str
    """Names the state it was made from: equal versions give equal scores."""
    bits: int
    scale: Floats
    weight: Floats
    """Per bin, before the scale."""
    bias: float
    slope: float
    offset: float
    """The score is 1 / (1 + exp(-(slope × margin + offset)))."""
    positives: int
    negatives: int
    """What it was made from."""

    def score(self, text: str, telling: int = 0) -> Score:
        """With `telling` above 0 the score is explained by so many n-grams."""
        bins, counts = counted(text, self.bits)
        value = probability(self._margin(bins, counts), self.slope, self.offset)
        return Score(value, self.explain(text, telling) if telling else [])

    def margin(self, text: str) -> float:
        return self._margin(*counted(text, self.bits))

    def _margin(self, bins: Bins, counts: Floats) -> float:
        values = scaled(counts, self.scale[bins])
        return float(values @ self.weight[bins]) + self.bias

    def explain(self, text: str, telling: int = TELLING) -> list[Telling]:
        grams = located(text, self.bits)
        bins, first, counts = np.unique(grams.bins, return_index=True, return_counts=True)
        values = scaled((1.0 + np.log(counts)).astype(np.float32), self.scale[bins])
        shares = values * self.weight[bins] * self.slope
        found: list[Telling] = []
        for i in np.argsort(-shares, kind="stable"):
            if shares[i] <= 0 or len(found) == telling:
                break
            start, end = int(grams.starts[first[i]]), int(grams.ends[first[i]])
            while start < end and text[start].isspace():
                start += 1
            while start < end and text[end - 1].isspace():
                end -= 1
            if start < end and all(end <= f.span[0] or f.span[1] <= start for f in found):
                found.append(Telling(text[start:end], round(float(shares[i]), 4), (start, end)))
        return found


def scaled(counts: Floats, scale: Floats) -> Floats:
    """Values of a text's n-grams: counts × scale, together of length 1."""
    values = counts * scale
    length = float(np.sqrt(values @ values))
    return values / np.float32(length) if length else values


def probability(margin: float, slope: float, offset: float) -> float:
    z = min(max(slope * margin + offset, -40.0), 40.0)
    return 1.0 / (1.0 + math.exp(-z))


def fingerprint(scale: Floats, weight: Floats, bias: float, slope: float, offset: float) -> str:
    """Names a model by what it says: 16 hex digits."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(scale.tobytes())
    digest.update(weight.tobytes())
    digest.update(np.array([bias, slope, offset], np.float64).tobytes())
    return digest.hexdigest()
