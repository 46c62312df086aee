"""A local classifier, pure: hashed n-grams of a text, a linear model, a calibrated score.

`fit` (which needs scikit-learn) is imported by name where it is used; nothing here does I/O.
"""

from services.core.model.learn import Learner, Settings
from services.core.model.linear import Model, Score, Telling
from services.core.model.stored import BadModel

__all__ = ["BadModel", "Learner", "Model", "Score", "Settings", "Telling"]
