"""How good scores are, from (label, score) pairs: AUC, precision at a recall, calibration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.float64]
Scores = NDArray[np.float64]

BUCKETS = 10


class Bucket(NamedTuple):
    """Scores from `low` up to `low` + 0.1: texts, their mean score, the share with the label."""

    low: float
    texts: int
    mean_score: float
    share: float


class Measures(NamedTuple):
    rows: int
    positives: int
    auc: float
    precision_at_90_recall: float
    threshold_at_90_recall: float
    expected_calibration_error: float
    accuracy: float
    log_loss: float
    reliability: list[Bucket]


def measures(labels: Labels, scores: Scores) -> Measures:
    """Needs at least one row of each kind."""
    precision, threshold = precision_at_recall(labels, scores, 0.9)
    table = reliability(labels, scores)
    error = sum(b.texts * abs(b.mean_score - b.share) for b in table) / len(labels)
    clipped = np.clip(scores, 1e-9, 1 - 1e-9)
    return Measures(
        rows=len(labels),
        positives=int(labels.sum()),
        auc=auc(labels, scores),
        precision_at_90_recall=precision,
        threshold_at_90_recall=threshold,
        expected_calibration_error=error,
        accuracy=float(np.mean((scores >= 0.5) == (labels > 0))),
        log_loss=float(-np.mean(np.where(labels > 0, np.log(clipped), np.log(1 - clipped)))),
        reliability=table,
    )


def auc(labels: Labels, scores: Scores) -> float:
    """The chance that a text with the label scores higher than one without; ties count half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = labels.sum()
    negatives = len(labels) - positives
    rank_sum = ranks[labels > 0].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def precision_at_recall(labels: Labels, scores: Scores, recall: float) -> tuple[float, float]:
    """The best precision of a threshold that finds this share of the labelled; the threshold."""
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    ends = np.append(np.diff(scores[order]) != 0, True)
    enough = ends & (found >= recall * labels.sum())
    precisions = np.where(enough, found / np.arange(1, len(labels) + 1), -1.0)
    best = int(np.argmax(precisions))
    return float(precisions[best]), float(scores[order][best])


def reliability(labels: Labels, scores: Scores) -> list[Bucket]:
    buckets = np.minimum((scores * BUCKETS).astype(int), BUCKETS - 1)
    table = []
    for number in range(BUCKETS):
        inside = buckets == number
        if count := int(inside.sum()):
            mean, share = float(scores[inside].mean()), float(labels[inside].mean())
            table.append(Bucket(number / BUCKETS, count, mean, share))
    return table
