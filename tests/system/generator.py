"""Seeded traffic: what a portal with lively readers sends, as HTTP items with their meaning.

Texts come from a few harmless words, or from recorded threads where a folder of them is given.
Every item states `occurredat`, so that the oracle knows every time that readers will see.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.oracle import HOLD, REJECT, Discussion, Portal

TEXT = """
the bridge over the river was closed again and nobody told the bus drivers
мост через реку снова закрыли и никто не сказал водителям автобусов
market square bell assembly спор площадь колокол собрание letter birch береста
"""
WORDS = TEXT.split()
START = datetime(2026, 2, 1, 6, 0, tzinfo=UTC)
SECTIONS = ("town", "culture", "sport")


@dataclass(frozen=True)
class Act:
    """One HTTP item, and what it does to the oracle's discussion."""

    item: dict[str, Any]
    discussion: str
    settle: Callable[[Portal], str | None]
    """Returns the outcome that its receipt must show; None where a vote or view answers."""
    pass_: int = 1
    """Votes and views (2) do not depend on when the comment arrived, so they settle last."""


@dataclass
class Scene:
    """What was generated so far; ids of comments by discussion, with their authors."""

    acts: list[Act] = field(default_factory=list)
    comments: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


class Generator:
    """Draws acts from one seed; `texts` replaces the made-up texts (one a comment, in order)."""

    def __init__(self, seed: int, *, discussions: int, readers: int, texts: Sequence[str] = ()):
        self.random = random.Random(seed)
        self.scene = Scene()
        self.names = [f"d{number:03}" for number in range(discussions)]
        self.readers = [f"reader{number:03}" for number in range(readers)]
        self.texts = list(texts)
        self.clock = START
        self.number = 0
        weights = [1 / (rank + 1) for rank in range(discussions)]
        self.weights = [weight / sum(weights) for weight in weights]

    def first_part(self, comments: int) -> list[Act]:
        """Discussions with comments, replies, edits, deletions, votes, views, reports, repeats."""
        early = [self.view(name) for name in self.names[:5]]  # before their discussion is opened
        opened = [self.open(name) for name in self.names]
        acts = early + opened
        for _ in range(comments):
            name = self.random.choices(self.names, self.weights)[0]
            submitted = self.submit(name)
            vote_first = self.random.random() < 0.05
            acts += [self.vote(name, on_newest=True)] if vote_first else []
            acts.append(submitted)
            acts += self.around(name)
        acts += self.close_some()
        return self.with_repeats(acts)

    def second_part(self, acts_count: int) -> list[Act]:
        """After the decisions: edits, deletions and vote flips on what is there."""
        acts = []
        for _ in range(acts_count):
            name = self.random.choices(self.names, self.weights)[0]
            acts += self.around(name, lively=2.0)
        return self.with_repeats(acts)

    def around(self, name: str, lively: float = 1.0) -> list[Act]:
        acts = []
        chance = self.random.random
        for share, draw in (
            (0.9, self.vote),
            (0.9, self.vote),
            (0.4, self.vote_discussion),
            (0.8, self.view),
            (0.05, self.edit),
            (0.03, self.delete),
            (0.06, self.report),
        ):
            if self.scene.comments.get(name) and chance() < share * lively:
                acts.append(draw(name))
        return acts

    # --- one kind of act each

    def open(self, name: str) -> Act:
        number = self.names.index(name)
        at = START - timedelta(hours=number * 7)
        data = {
            "discussion": name,
            "revision": 1,
            "title": f"Вопрос {number}: question № {number}",
            "url": f"https://portal.example/{name}",
            "language": ("ru", "en")[number % 2],
            "section": SECTIONS[number % 3],
        }

        def settle(portal: Portal) -> str:
            portal.discussions[name] = Discussion(
                name, data["title"], data["url"], data["language"], data["section"], at
            )
            return "applied"

        return self._act("discussion.opened", name, data, at, settle, actor=None)

    def submit(self, name: str) -> Act:
        there = self.scene.comments.setdefault(name, [])
        self.number += 1
        id, author = f"c{self.number:05}", self.random.choice(self.readers)
        parent = self.random.choice(there)[0] if there and self.random.random() < 0.4 else None
        text, at = self._text(), self._tick()
        data = {"discussion": name, "comment": id, "body": text}
        if parent is not None:
            data["parent"] = parent
        there.append((id, author))
        return self._act(
            "comment.submitted",
            name,
            data,
            at,
            lambda portal: portal.discussions[name].submit(id, author, text, at, parent),
            author,
        )

    def edit(self, name: str) -> Act:
        id, author = self.random.choice(self.scene.comments[name])
        if self.random.random() < 0.1:
            author = self.random.choice(self.readers)
        text = self._text()
        return self._act(
            "comment.edited",
            name,
            {"discussion": name, "comment": id, "body": text},
            self._tick(),
            lambda portal: portal.discussions[name].edit(id, author, text),
            author,
        )

    def delete(self, name: str) -> Act:
        id, author = self.random.choice(self.scene.comments[name])
        return self._act(
            "comment.deleted",
            name,
            {"discussion": name, "comment": id},
            self._tick(),
            lambda portal: portal.discussions[name].delete(id, author),
            author,
        )

    def report(self, name: str) -> Act:
        recent = self.scene.comments[name][-3:]
        id, _ = recent[0]
        reader = self.random.choice(self.readers)
        data = {"discussion": name, "comment": id, "revision": 1, "reason": "insult"}
        return self._act(
            "report.filed",
            name,
            data,
            self._tick(),
            lambda portal: portal.discussions[name].report(id, reader, 1),
            reader,
        )

    def vote(self, name: str, on_newest: bool = False) -> Act:
        there = self.scene.comments[name]
        id, _ = there[-1] if on_newest else self.random.choice(there)
        return self._vote(name, id)

    def vote_discussion(self, name: str) -> Act:
        return self._vote(name, None)

    def _vote(self, name: str, id: str | None) -> Act:
        voter = self.random.choice(self.readers)
        value = self.random.choices((1, -1, 0), (6, 3, 1))[0]
        data: dict[str, Any] = {"discussion": name, "value": value}
        if id is not None:
            data["comment"] = id

        def settle(portal: Portal) -> None:
            portal.discussions[name].vote(voter, value, id)

        return self._act("vote.cast", name, data, self._tick(), settle, voter, pass_=2)

    def view(self, name: str) -> Act:
        viewer, at = self.random.choice(self.readers[:20]), self._tick()

        def settle(portal: Portal) -> None:
            portal.discussions[name].view(viewer, at)

        return self._act(
            "discussion.viewed", name, {"discussion": name}, at, settle, viewer, pass_=2
        )

    def close_some(self) -> list[Act]:
        acts = []
        for name, state in ((self.names[-1], "removed"), (self.names[-2], "closed")):
            opened = self.open(name).item["data"]
            data = opened | {"revision": 2, "state": state}

            def settle(portal: Portal, name: str = name, state: str = state) -> str:
                portal.discussions[name].state = state
                return "applied"

            acts.append(self._act("discussion.changed", name, data, self._tick(), settle, None))
        return acts

    def with_repeats(self, acts: list[Act]) -> list[Act]:
        """Some items again, a little later and to the letter: retries of an impatient client."""
        sent: list[Act] = []
        for place, act in enumerate(acts):
            sent.append(act)
            if self.random.random() < 0.03:
                sent.append(acts[max(0, place - self.random.randrange(4))])
        return sent

    # --- details

    def _act(
        self,
        kind: str,
        name: str,
        data: dict[str, Any],
        at: datetime,
        settle: Callable[[Portal], str | None],
        actor: str | None,
        *,
        pass_: int = 1,
    ) -> Act:
        self.number += 1
        item = {
            "id": f"e{self.number:06}",
            "type": f"veche.{kind}.v1",
            "time": at.isoformat(),
            "occurredat": at.isoformat(),
            "data": data,
        }
        if actor is not None:
            item |= {"actor": actor, "actorname": actor.title()}
        return Act(item, name, settle, pass_)

    def _tick(self) -> datetime:
        self.clock += timedelta(seconds=self.random.randrange(1, 40))
        return self.clock

    def _text(self) -> str:
        if self.texts:
            return self.texts.pop(0)
        words = self.random.choices(WORDS, k=self.random.randrange(3, 20))
        fate = self.random.random()
        if fate < 0.06:
            words.insert(self.random.randrange(len(words)), self.random.choice(HOLD))
        elif fate < 0.09:
            words.insert(self.random.randrange(len(words)), self.random.choice(REJECT))
        return " ".join(words)


def settle(acts: Sequence[Act], portal: Portal) -> dict[str, str]:
    """Plays the acts on the oracle, each id once; returns the outcome by event id."""
    seen: set[str] = set()
    outcomes: dict[str, str] = {}
    for pass_ in (1, 2):
        for act in acts:
            if act.pass_ == pass_ and act.item["id"] not in seen:
                seen.add(act.item["id"])
                outcome = act.settle(portal)
                if outcome is not None:
                    outcomes[act.item["id"]] = outcome
    return outcomes
