"""Margins to probabilities: Platt's logistic curve, fitted to margins of texts not learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEPS = 100
_FLAT = 1e-6


def platt(margins: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """(slope, offset) that make 1 / (1 + exp(-(slope × margin + offset))) fit the labels best.

    Newton's method on Platt's softened targets, so a perfect separation stays finite. The slope
    is never negative: a model that is worse than chance scores all texts alike.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    design = np.stack([margins, np.ones_like(margins)])
    theta = np.array([0.0, np.log((positives + 1.0) / (negatives + 1.0))])
    flat = theta.copy()
    loss = _loss(theta, design, targets)
    for _ in range(_STEPS):
        p = _sigmoid(theta @ design)
        gradient = design @ (p - targets)
        hessian = (design * (p * (1 - p))) @ design.T + np.eye(2) * 1e-9
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > _FLAT and _loss(theta - size * step, design, targets) > loss:
            size /= 2
        theta = theta - size * step
        after = _loss(theta, design, targets)
        if loss - after < _FLAT * len(labels) * 1e-3:
            break
        loss = after
    slope, offset = theta if theta[0] > 0 else flat
    return float(slope), float(offset)


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -40, 40)))


def _loss(
    theta: NDArray[np.float64], design: NDArray[np.float64], targets: NDArray[np.float64]
) -> float:
    z = theta @ design
    return float(np.sum(np.logaddexp(0.0, z) - targets * z))
