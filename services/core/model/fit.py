"""The batch fit: scikit-learn's logistic regression on scaled n-grams, calibrated out of fold.

Needs the extra `model` (scikit-learn, scipy); services do not import this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from services.core.model.calibrate import platt
from services.core.model.features import Floats, counted
from services.core.model.linear import Model, fingerprint
from services.core.model.scale import scale

BITS = 19
FLOOR = 2.0
"""How little one-sidedness counts beside what the regression finds."""
STRENGTH = 40.0
"""scikit-learn's C: how little the weights are held back."""
_FEW = 3_000
_GROUP_LETTERS = 60


@dataclass(frozen=True)
class _Counts:
    """Texts that hold each n-gram, with the label and without; texts of each kind."""

    with_label: Floats
    without: Floats
    positives: int
    negatives: int


def fit(
    label: str,
    texts: Sequence[str],
    labels: Sequence[bool],
    *,
    seed: int = 0,
    bits: int = BITS,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Model:
    """Deterministic: equal texts, labels and seed give equal models.

    Fits on parts of the texts first, to calibrate on margins of texts that were left out (copies
    of one text stay in one part), then on all. Raises ValueError with fewer than ten of a
    kind, or where all of a kind are copies of one text.
    """
    kinds = np.array(labels, dtype=bool)
    if min(kinds.sum(), (~kinds).sum()) < 10:
        raise ValueError(
            f"only {int(kinds.sum())} texts with {label} and {int((~kinds).sum())} without; "
            "ten of each are the least to learn from"
        )
    parts = 5 if len(texts) < _FEW else 3
    steps = len(texts) + (parts + 1) * len(texts)
    rows = _Rows.of(texts, bits, lambda done: progress(done, steps))
    part = np.array([_group(text, seed) % parts for text in texts])
    margins = np.zeros(len(texts))
    judged = np.zeros(len(texts), bool)
    for number in range(parts):
        out = part == number
        if not out.any() or len(set(kinds[~out])) < 2:
            continue
        counts = rows.counts(~out, kinds)
        weight, bias = _regress(rows.learning(~out, kinds, counts), kinds[~out], seed)
        margins[out] = rows.scoring(out, counts) @ weight + bias
        judged |= out
        progress(len(texts) * (number + 2), steps)
    if len(set(kinds[judged])) < 2:
        raise ValueError(
            f"the texts with {label}, or those without, begin all alike: no part of them can be "
            "left out to measure the rest by; add others"
        )
    slope, offset = platt(margins[judged], kinds[judged].astype(float))
    every = np.ones(len(texts), bool)
    counts = rows.counts(every, kinds)
    weight, bias = _regress(rows.learning(every, kinds, counts), kinds, seed)
    scales = scale(counts.with_label, counts.without, counts.positives, counts.negatives, FLOOR)
    progress(steps, steps)
    return Model(
        label=label,
        version=fingerprint(scales, weight, bias, slope, offset),
        bits=bits,
        scale=scales,
        weight=weight,
        bias=bias,
        slope=slope,
        offset=offset,
        positives=counts.positives,
        negatives=counts.negatives,
    )


def _regress(matrix: Any, kinds: NDArray[np.bool_], seed: int) -> tuple[Floats, float]:
    # Rows have length 1, so columns need no scaling; the dual solver is quick on wide rows.
    regression = LogisticRegression(
        C=STRENGTH, solver="liblinear", dual=True, tol=1e-2, max_iter=1_000, random_state=seed
    )
    regression.fit(matrix, kinds)
    return regression.coef_[0].astype(np.float32), float(regression.intercept_[0])


def _group(text: str, seed: int) -> int:
    """Equal for texts whose first letters are the same."""
    letters = "".join(c for c in text.lower() if c.isalpha())[:_GROUP_LETTERS]
    digest = hashlib.blake2b(f"{seed} {letters or text}".encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


@dataclass(frozen=True)
class _Rows:
    """A sparse matrix of texts × bins, by its parts."""

    bins: NDArray[np.int32]
    counted: Floats
    ends: NDArray[np.int64]
    width: int

    @classmethod
    def of(cls, texts: Sequence[str], bits: int, progress: Callable[[int], None]) -> _Rows:
        def each() -> Iterator[tuple[NDArray[np.int32], Floats]]:
            for number, text in enumerate(texts):
                if number % 500 == 0:
                    progress(number)
                yield counted(text, bits)

        bins, counts = zip(*each(), strict=True)
        ends = np.concatenate([[0], np.cumsum([len(row) for row in bins])])
        return cls(np.concatenate(bins), np.concatenate(counts), ends, 1 << bits)

    def counts(self, chosen: NDArray[np.bool_], kinds: NDArray[np.bool_]) -> _Counts:
        def of(rows: NDArray[np.bool_]) -> Floats:
            held = self.bins[np.repeat(rows, np.diff(self.ends))]
            return np.bincount(held, minlength=self.width).astype(np.float32)

        with_label, without = chosen & kinds, chosen & ~kinds
        return _Counts(of(with_label), of(without), int(with_label.sum()), int(without.sum()))

    def learning(self, chosen: NDArray[np.bool_], kinds: NDArray[np.bool_], counts: _Counts) -> Any:
        """Rows to learn from: each scaled by the counts of all the others."""
        sizes = np.diff(self.ends)
        inside = np.repeat(chosen, sizes)
        bins = self.bins[inside]
        own = np.repeat(kinds, sizes)[inside].astype(np.float32)
        scales = scale(
            counts.with_label[bins] - own,
            counts.without[bins] - (1 - own),
            counts.positives - own,
            counts.negatives - (1 - own),
            FLOOR,
        )
        return self._matrix(chosen, scales)

    def scoring(self, chosen: NDArray[np.bool_], counts: _Counts) -> Any:
        bins = self.bins[np.repeat(chosen, np.diff(self.ends))]
        return self._matrix(
            chosen,
            scale(
                counts.with_label[bins],
                counts.without[bins],
                counts.positives,
                counts.negatives,
                FLOOR,
            ),
        )

    def _matrix(self, chosen: NDArray[np.bool_], scales: Floats) -> Any:
        sizes = np.diff(self.ends)
        inside = np.repeat(chosen, sizes)
        values = self.counted[inside] * scales
        rows = np.repeat(np.arange(chosen.sum()), sizes[chosen])
        lengths = np.sqrt(np.bincount(rows, values.astype(np.float64) ** 2, chosen.sum()))
        lengths[lengths == 0] = 1.0
        values = (values / lengths[rows]).astype(np.float32)
        ends = np.concatenate([[0], np.cumsum(sizes[chosen])])
        return csr_matrix((values, self.bins[inside], ends), (int(chosen.sum()), self.width))
