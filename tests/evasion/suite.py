"""The suite's items, read from the text files beside this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PARTS = ("first", "later", "fresh", "blind", "unseen")


class Disguised(NamedTuple):
    class_: str
    word: str
    comment: str


def disguised(language: str, part: str) -> Iterator[Disguised]:
    """`part` is `first` or `fresh` (written before any run), `later`, or `blind` or
    `unseen` (each by another author)."""
    for line in _lines(f"{language}_{part}.txt"):
        head, _, comments = line.partition(": ")
        class_, _, word = head.partition(" ")
        for comment in comments.replace("\\n", "\n").split(" ¦ "):
            yield Disguised(class_, word, comment)


def innocent() -> list[str]:
    parts = ("", "_fresh", "_blind", "_unseen")
    return [line.replace("\\n", "\n") for part in parts for line in _lines(f"innocent{part}.txt")]


def words(language: str) -> list[str]:
    return sorted({item.word for part in PARTS for item in disguised(language, part)})


def _lines(name: str) -> Iterator[str]:
    for line in (HERE / name).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("# "):
            yield line
