"""What the clients know, and the seeded events that they make of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

SITE = "gazette"
TEXT = """the bridge over the river was closed again and nobody told the bus drivers мост через
реку снова закрыли и никто не сказал водителям автобусов market square bell assembly"""
WORDS = TEXT.split()
MOST_DISCUSSIONS = 120


def disputed(there: list[tuple[str, str]]) -> tuple[str, str]:
    """Every tenth comment is the one that everybody reports, and that its author corrects."""
    return there[(len(there) - 1) // 10 * 10]


@dataclass
class World:
    """What the clients remember of what they sent; some of it may not have happened."""

    seed: int
    discussions: list[str] = field(default_factory=list)
    comments: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    number: int = 0
    readers: int = 60
    crowd: float = 0.0
    """The share of events that only vote and view, beside what else `any` makes."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def next_id(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.seed}-{self.number}"

    def text(self) -> str:
        words = self.random.choices(WORDS, k=self.random.randrange(3, 12))
        words.append(f"n{self.number}")
        fate = self.random.random()
        if fate < 0.07:
            words.insert(0, "zhdun")
        elif fate < 0.10:
            words.insert(0, "otvergun")
        return " ".join(words)

    # --- one item each

    def item(self, kind: str, data: dict[str, Any], actor: str | None) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": self.next_id("e"), "type": f"veche.{kind}.v1", "data": data,
        }  # fmt: skip
        if actor is not None:
            item["actor"] = actor
        # Clients' clocks are wrong: order must not come from them.
        skew = self.random.uniform(-280, 280)
        item["time"] = (datetime.now(UTC) + timedelta(seconds=skew)).isoformat()
        return item

    def opened(self) -> dict[str, Any]:
        name = self.next_id("d")
        self.discussions.append(name)
        return self.described(name, 1, "discussion.opened")

    def described(self, name: str, revision: int, kind: str) -> dict[str, Any]:
        number = self.discussions.index(name)
        data = {
            "discussion": name, "revision": revision, "title": f"Question {number} r{revision}",
            "url": f"https://portal.example/{name}", "language": ("ru", "en")[number % 2],
            "section": ("town", "culture", "sport")[number % 3],
        }  # fmt: skip
        return self.item(kind, data, None)

    def any(self) -> dict[str, Any]:
        chance = self.random
        name = self.discussions[int(len(self.discussions) * chance.random() ** 2.5)]
        there = self.comments.get(name)
        if self.crowd and there and chance.random() < self.crowd:
            return self.of_the_crowd(name, there)
        fate = chance.random()
        if fate < 0.16 or not there:
            return self.submitted(name)
        if fate < 0.20:
            id, author = chance.choice(there) if chance.random() < 0.6 else disputed(there)
            return self.item(
                "comment.edited",
                {"discussion": name, "comment": id, "body": self.text()},
                author if chance.random() < 0.95 else self.reader(),
            )
        if fate < 0.22:
            id, author = chance.choice(there)
            return self.item("comment.deleted", {"discussion": name, "comment": id}, author)
        if fate < 0.26:
            id, _ = disputed(there)
            data = {"discussion": name, "comment": id, "revision": 1, "reason": "insult"}
            return self.item("report.filed", data, self.reader())
        if fate < 0.265:
            revision = self.revisions[name] = self.revisions.get(name, 1) + 1
            return self.described(name, revision, "discussion.changed")
        if fate < 0.268 and len(self.discussions) < MOST_DISCUSSIONS:
            return self.opened()
        if fate < 0.60:
            return self.vote(name, None)
        if fate < 0.80:
            return self.vote(name, chance.choice(there)[0])
        return self.item("discussion.viewed", {"discussion": name}, self.reader())

    def of_the_crowd(self, name: str, there: list[tuple[str, str]]) -> dict[str, Any]:
        fate = self.random.random()
        if fate < 0.5:
            return self.item("discussion.viewed", {"discussion": name}, self.reader())
        return self.vote(name, None if fate < 0.75 else self.random.choice(there)[0])

    def submitted(self, name: str, author: str = "") -> dict[str, Any]:
        chance = self.random
        there = self.comments.setdefault(name, [])
        id, author = self.next_id("c"), author or self.reader()
        data = {"discussion": name, "comment": id, "body": self.text()}
        if there and chance.random() < 0.4:
            data["parent"] = chance.choice(there)[0]
        there.append((id, author))
        return self.item("comment.submitted", data, author)

    def vote(self, name: str, comment: str | None, voter: str = "") -> dict[str, Any]:
        value = self.random.choices((1, -1, 0), (5, 3, 2))[0]
        data: dict[str, Any] = {"discussion": name, "value": value}
        if comment is not None:
            data["comment"] = comment
        return self.item("vote.cast", data, voter or self.reader())

    def reader(self) -> str:
        return f"reader{self.random.randrange(self.readers)}"
