"""Texts that are easily told apart, made from a seed; no real person wrote them."""

from __future__ import annotations

import random

KIND = [
    "спасибо",
    "хорошая",
    "статья",
    "читаю",
    "каждый",
    "день",
    "thanks",
    "good",
    "article",
    "great",
    "city",
    "news",
    "bridge",
]
SPAM = [
    "казино",
    "выигрыш",
    "переходи",
    "заработок",
    "крипта",
    "дёшево",
    "casino",
    "bonus",
    "click",
    "earn",
    "crypto",
    "cheap",
]
BOTH = ["и", "в", "на", "это", "так", "the", "a", "of", "to", "and", "все", "как"]


def texts(count: int, seed: int = 7) -> tuple[list[str], list[bool]]:
    chance = random.Random(seed)
    made, labels = [], []
    for number in range(count):
        spam = number % 3 == 0
        words = chance.choices(SPAM if spam else KIND, k=4) + chance.choices(BOTH, k=6)
        chance.shuffle(words)
        made.append(" ".join(words))
        labels.append(spam)
    return made, labels
