from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from services.core.model.calibrate import platt
from services.core.model.measure import auc, measures, precision_at_recall

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=50).filter(
    lambda pairs: 0 < sum(label for label, _ in pairs) < len(pairs)
)


@given(PAIRS)
def test_auc_is_the_same_as_scikit_learns(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in pairs], float)
    scores = np.array([score / 20 for _, score in pairs])
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_precision_at_a_recall_takes_no_threshold_that_splits_equal_scores() -> None:
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    assert precision_at_recall(labels, scores, 0.9) == (pytest.approx(2 / 3), 0.5)


def test_calibration_error_is_zero_where_shares_are_as_scored() -> None:
    labels = np.array([1.0, 0.0, 0.0, 0.0] * 25)
    m = measures(labels, np.full(100, 0.25))
    assert m.expected_calibration_error == pytest.approx(0.0)
    assert [(b.low, b.texts) for b in m.reliability] == [(0.2, 100)]


def test_calibration_finds_the_curve_that_made_the_labels() -> None:
    chance = np.random.default_rng(5)
    margins = chance.normal(size=20_000)
    labels = (chance.random(20_000) < 1 / (1 + np.exp(-(2 * margins - 1)))).astype(float)
    slope, offset = platt(margins, labels)
    assert slope == pytest.approx(2, abs=0.1)
    assert offset == pytest.approx(-1, abs=0.1)


def test_perfect_separation_stays_finite() -> None:
    slope, offset = platt(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0 < slope < 100
    assert abs(offset) < 100


def test_margins_worse_than_chance_score_all_texts_alike() -> None:
    slope, _ = platt(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert slope == 0.0
