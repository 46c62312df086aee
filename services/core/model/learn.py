"""Learning from decisions as they are made: one look at each, AdaGrad on the logistic loss.

The step is ours because it must fit inside a running service: about 0.2 ms a decision on numpy
alone. docs/model.md compares it with scikit-learn's batch fit on the same n-grams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.core.model.calibrate import platt
from services.core.model.features import counted
from services.core.model.linear import Model, fingerprint, probability, scaled
from services.core.model.measure import Measures, measures
from services.core.model.scale import scale

FLOOR = 0.5
"""How far one-sidedness counts: far, for one step a text is little to learn weights by."""

RECENT = 1_000
"""Decisions that calibrate the model and measure it."""
_CALIBRATE_EVERY = 50
_CALIBRATE_FROM = 20


@dataclass(frozen=True, slots=True)
class Settings:
    label: str
    bits: int = 19
    rate: float = 0.5
    needed: int = 100
    """Decisions of each kind before the model may be used."""


class Learner:
    """A model in the making. Equal texts and labels in equal order give equal models."""

    def __init__(self, settings: Settings) -> None:
        size = 1 << settings.bits
        self.settings = settings
        self.positives = 0
        self.negatives = 0
        self.with_label = np.zeros(size, np.float32)
        self.without = np.zeros(size, np.float32)
        self.weight = np.zeros(size, np.float32)
        self.squares = np.full(size, 1e-3, np.float32)
        self.bias = 0.0
        self.bias_squares = 1e-3
        self.slope = 1.0
        self.offset = 0.0
        self.recent = np.zeros((0, 3))
        """The last decisions: margin and probability before learning, label (1 or 0)."""

    def learn(self, text: str, labelled: bool) -> float:
        """Answers the probability that the model gave before it learned from this text."""
        bins, counts = counted(text, self.settings.bits)
        values = scaled(
            counts,
            scale(self.with_label[bins], self.without[bins], self.positives, self.negatives, FLOOR),
        )
        margin = float(values @ self.weight[bins]) + self.bias
        given = probability(margin, self.slope, self.offset)
        wrong = probability(margin, 1.0, 0.0) - labelled
        gradient = np.float32(wrong) * values
        self.squares[bins] += gradient * gradient
        self.weight[bins] -= np.float32(self.settings.rate) * gradient / np.sqrt(self.squares[bins])
        self.bias_squares += wrong * wrong
        self.bias -= self.settings.rate * wrong / math.sqrt(self.bias_squares)
        if labelled:
            self.with_label[bins] += 1
            self.positives += 1
        else:
            self.without[bins] += 1
            self.negatives += 1
        self.recent = np.vstack([self.recent, [[margin, given, labelled]]])[-RECENT:]
        if (self.positives + self.negatives) % _CALIBRATE_EVERY == 0:
            self._calibrate()
        return given

    @property
    def seen(self) -> int:
        return self.positives + self.negatives

    @property
    def enough(self) -> bool:
        return min(self.positives, self.negatives) >= self.settings.needed

    def model(self) -> Model:
        """What it has learned so far, to score with."""
        self._calibrate()
        scales = scale(self.with_label, self.without, self.positives, self.negatives, FLOOR)
        weight = self.weight.copy()
        return Model(
            label=self.settings.label,
            version=fingerprint(scales, weight, self.bias, self.slope, self.offset),
            bits=self.settings.bits,
            scale=scales,
            weight=weight,
            bias=self.bias,
            slope=self.slope,
            offset=self.offset,
            positives=self.positives,
            negatives=self.negatives,
        )

    def measured(self) -> Measures | None:
        """Of the recent decisions, each judged before it was learned; None with one kind only."""
        labels = self.recent[:, 2]
        if not 0 < labels.sum() < len(labels):
            return None
        return measures(labels, self.recent[:, 1])

    def _calibrate(self) -> None:
        labels = self.recent[:, 2]
        if min(labels.sum(), len(labels) - labels.sum()) >= _CALIBRATE_FROM:
            self.slope, self.offset = platt(self.recent[:, 0], labels)
