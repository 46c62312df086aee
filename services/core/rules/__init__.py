"""Moderation rules, pure: a comment and the facts about it go in, a verdict comes out."""

from services.core.rules.facts import Facts, Submission, Windows
from services.core.rules.history import History
from services.core.rules.judge import Budget, fold, judge
from services.core.rules.reading import Reading, read
from services.core.rules.ruleset import Ruleset, load

__all__ = [
    "Budget",
    "Facts",
    "History",
    "Reading",
    "Ruleset",
    "Submission",
    "Windows",
    "fold",
    "judge",
    "load",
    "read",
]
