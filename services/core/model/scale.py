"""How much an n-gram matters before anything is learned: how rare it is, and how one-sided.

scale = (|log of its odds ratio between the labels| + floor) × (log of its inverse frequency + 1),
from counts of texts. The counts of a text's own label never enter its own scale while a model
learns from it: a model that had seen the answer there would trust rare n-grams too much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.model.features import Floats

Number = float | NDArray[Any]


def scale(
    with_label: Number, without: Number, positives: Number, negatives: Number, floor: float
) -> Floats:
    """Texts that hold the n-gram, with and without the label, of so many texts in all."""
    odds = np.log((with_label + 1.0) / (without + 1.0) * (negatives + 1.0) / (positives + 1.0))
    rarity = np.log((positives + negatives + 1.0) / (with_label + without + 1.0)) + 1.0
    return ((np.abs(odds) + floor) * rarity).astype(np.float32)
