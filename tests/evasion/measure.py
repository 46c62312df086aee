"""`python -m tests.evasion.measure [FILE.jsonl.gz …]` prints the figures of docs/moderation.md.

With files of labelled comments it also counts what the lists find in those labelled innocent,
by disguise; it prints counts only, never a text.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from services.core.rules.inflect import forms
from services.core.rules.listed import Source
from services.core.rules.reading import read
from services.core.rules.word_index import Match, WordIndex
from tests.evasion.peers import PEERS, Finder
from tests.evasion.suite import PARTS, Disguised, disguised, innocent, words

_LABELS = ("toxic", "spam", "inappropriate", "unhealthy")


def index_of(*languages: str) -> WordIndex:
    return WordIndex([Source(language, words(language)) for language in languages])


def found(index: WordIndex, comment: str) -> list[Match]:
    return index.find(read(comment))


def ours(index: WordIndex) -> Finder:
    return lambda text: bool(found(index, text))


def misses(index: WordIndex, language: str, part: str) -> list[Disguised]:
    return [
        item
        for item in disguised(language, part)
        if all(match.entry != item.word for match in found(index, item.comment))
    ]


def _table(language: str) -> None:
    listed = sorted({form for word in words(language) for form in forms(word)} - {""})
    finders = {"ours": ours(index_of(language))} | {
        name: make(listed) for name, make in PEERS.items()
    }
    items = [item for part in PARTS for item in disguised(language, part)]
    classes = list(dict.fromkeys(item.class_ for item in items))
    print(f"{language:15}", *[f"{name:>9}" for name in finders], f"{'items':>7}")
    for class_ in [*classes, ""]:
        of_class = [item.comment for item in items if item.class_ == class_ or not class_]
        shares = [sum(map(find, of_class)) / len(of_class) for find in finders.values()]
        print(f"{class_ or 'all':15}", *[f"{share:9.1%}" for share in shares], f"{len(of_class):7}")
    comments = innocent()
    wrong = [sum(map(find, comments)) / len(comments) for find in finders.values()]
    print(f"{'false hits':15}", *[f"{share:9.1%}" for share in wrong], f"{len(comments):7}")


def _innocent_rows(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for line in rows:
            row = json.loads(line)
            stated = row.get("labels") or row
            labels = [stated[name] for name in _LABELS if name in stated]
            if labels and not any(labels):
                yield row["text"]


def _in_file(index: WordIndex, path: Path) -> None:
    count, hits = 0, Counter[str]()
    for text in _innocent_rows(path):
        count += 1
        hows = {how for match in found(index, text) for how in match.how}
        hits.update(hows)
        hits["any disguise"] += bool(hows - {"plain", "inflected"})
    shown = ", ".join(f"{how} {number}" for how, number in sorted(hits.items()))
    print(f"{path.name}: {count} innocent comments; with {shown}")


def main() -> None:
    for language in ("ru", "en"):
        _table(language)
        print()
    both = index_of("ru", "en")
    for name in sys.argv[1:]:
        _in_file(both, Path(name))


if __name__ == "__main__":
    main()
