"""Measures the classifier on labelled JSONL files by grouped cross-validation, set by set.

`python -m bench.classifier DIR [SET…]`, where DIR holds SET.jsonl.gz. Beside the batch fit and one
online pass it fits the yardstick: character 2–5-grams, TF-IDF, logistic regression. Prints figures
only, never a row.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from services.core.model import Learner, Settings
from services.core.model.fit import fit
from services.core.model.measure import measures

SETS = {
    "ru_okru_toxic": "toxic",
    "ru_2ch_pikabu_toxic": "toxic",
    "ru_chat_spam": "spam",
    "en_youtube_spam": "spam",
    "en_davidson_tweets": "toxic",
}
CURVE = (100, 500, 2_000)
SEED = 1

Way = Callable[[Sequence[str], Sequence[bool], Sequence[str]], Sequence[float]]
"""Learns from texts and labels, scores other texts."""


def load(file: Path, label: str) -> tuple[list[str], list[bool]]:
    texts, labels = [], []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["labels"].get(label) in (0, 1):
                texts.append(row["text"])
                labels.append(bool(row["labels"][label]))
    return texts, labels


def look_alikes(folder: Path) -> dict[int, str]:
    """Unicode's confusables, so that re-spelled copies of a template fall into one part."""
    with gzip.open(folder / "confusables.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {ord(r["text"]): r["labels"]["target"] for r in rows if len(r["text"]) == 1}


def part_of(text: str, folds: int, table: dict[int, str]) -> int:
    seen = unicodedata.normalize("NFKC", text).casefold().translate(table)
    letters = "".join(c for c in seen if c.isalpha())[:60]
    return int(hashlib.sha256(f"{SEED} {letters or text}".encode()).hexdigest()[:8], 16) % folds


def yardstick(texts: Sequence[str], labels: Sequence[bool], asked: Sequence[str]) -> list[float]:
    vectors = TfidfVectorizer(
        analyzer="char",
        ngram_range=(2, 5),
        sublinear_tf=True,
        min_df=2 if len(texts) > 2_000 else 1,
    )
    regression = LogisticRegression(C=10, solver="liblinear")
    regression.fit(vectors.fit_transform(texts), labels)
    return list(regression.predict_proba(vectors.transform(asked))[:, 1])


def batch(texts: Sequence[str], labels: Sequence[bool], asked: Sequence[str]) -> list[float]:
    model = fit("label", texts, labels, seed=SEED)
    return [model.score(text).value for text in asked]


def online(limit: int | None = None) -> Way:
    """One pass over the texts in a seeded order, or over the first `limit` of them."""

    def way(texts: Sequence[str], labels: Sequence[bool], asked: Sequence[str]) -> list[float]:
        learner = Learner(Settings("label"))
        for i in np.random.default_rng(SEED).permutation(len(texts))[:limit]:
            learner.learn(texts[i], labels[i])
        model = learner.model()
        return [model.score(text).value for text in asked]

    return way


def crossed(
    way: Way, texts: list[str], labels: list[bool], part: NDArray[np.int64]
) -> NDArray[np.float64]:
    scores = np.zeros(len(texts))
    for number in sorted(set(part)):
        inside, outside = np.flatnonzero(part == number), np.flatnonzero(part != number)
        scores[inside] = way(
            [texts[i] for i in outside],
            [labels[i] for i in outside],
            [texts[i] for i in inside],
        )
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    arguments = parser.parse_args()
    table = look_alikes(arguments.folder)
    print("| set | way | AUC | precision at 90 % recall | ECE | seconds |")
    print("|---|---|---:|---:|---:|---:|")
    for name in arguments.sets:
        texts, labels = load(arguments.folder / f"{name}.jsonl.gz", SETS[name])
        folds = 5 if len(texts) < 3_000 else 3
        part = np.array([part_of(text, folds, table) for text in texts])
        ways: dict[str, Way] = {
            "TF-IDF, for comparison": yardstick,
            "batch": batch,
            "one online pass": online(),
        }
        for limit in CURVE:
            if limit < len(texts) * (folds - 1) / folds:
                ways[f"online, first {limit:,}"] = online(limit)
        for title, way in ways.items():
            began = time.perf_counter()
            m = measures(np.array(labels, float), crossed(way, texts, labels, part))
            print(
                f"| {name} | {title} | {m.auc:.4f} | {m.precision_at_90_recall:.4f} "
                f"| {m.expected_calibration_error:.4f} | {time.perf_counter() - began:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
