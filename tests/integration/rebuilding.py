"""A lively little history for the tests of `veche rebuild`, sent to the input topics in waves."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.core import codec, events, topics
from services.core.produce import Outgoing
from services.core.rules import load

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

RULES = """\
id: held_words
title: {ru: "Слово", en: "Word"}
reason: {ru: "Ждёт.", en: "Waits."}
when: {lists: [words/held.txt]}
then: {action: hold, labels: [word], notify: [editors]}
---
id: rejected_words
title: {ru: "Слово", en: "Word"}
reason: {ru: "Нет.", en: "No."}
when: {lists: [words/rejected.txt]}
then: reject
---
id: braked
title: {ru: "Щука", en: "Pike"}
reason: {ru: "Нет.", en: "No."}
when: {words: [pike]}
then: {action: reject, labels: [fish], notify: [anglers], limit: 1h}
limits: {per_hour: 1}
---
id: scored
title: {ru: "Оценка", en: "Score"}
reason: {ru: "Ждёт.", en: "Waits."}
when: score(rude) > 0.8
on_missing: skip
then: hold
"""


def write_rules(folder: Path, held: str, rejected: str) -> Path:
    (folder / "words").mkdir(parents=True)
    for name, text in texts_of(held, rejected).items():
        (folder / name).write_text(text)
    return folder


def texts_of(held: str, rejected: str) -> dict[str, str]:
    return {
        "rules.yml": RULES,
        "words/held.txt": held + "\n",
        "words/rejected.txt": rejected + "\n",
    }


class History:
    """Makes events with ids of their own; `secret` is the console's."""

    def __init__(self, secret: bytes, seed: int = 7) -> None:
        self.secret = secret
        self.chance = random.Random(seed)
        self.made = 0

    def event(self, kind: Any, data: Any, actor: str, site: str = "gazette", **more: Any) -> Any:
        self.made += 1
        said = {
            "id": f"e{self.made}", "source": f"/sites/{site}", "site": site, "actor": actor,
            "actorname": actor.title(), "time": NOON, "data": data, **more,
        }  # fmt: skip
        return kind(**said)

    def signed(self, kind: Any, data: Any, **more: Any) -> Any:
        unsigned = self.event(kind, data, "mod", signature="", **more)
        signature = codec.sign(codec.digest(unsigned), unsigned.id, self.secret)
        values = {name: getattr(unsigned, name) for name in unsigned.__struct_fields__}
        return kind(**values | {"signature": signature})

    def opened(self, discussion: str, revision: int = 1, **more: Any) -> Any:
        data = events.DiscussionDescribed(
            discussion=discussion, revision=revision, url=f"https://g.example/{discussion}",
            title=f"On {discussion}, {revision}", language="en", section="news",
        )  # fmt: skip
        return self.event(events.DiscussionOpened, data, "portal", **more)

    def said(self, discussion: str, comment: str, actor: str, body: str, **more: Any) -> Any:
        parent = more.pop("parent", None)
        data = events.CommentBody(discussion=discussion, comment=comment, body=body, parent=parent)
        return self.event(events.CommentSubmitted, data, actor, **more)

    def edited(self, discussion: str, comment: str, actor: str, body: str) -> Any:
        data = events.CommentRewrite(discussion, comment, body)
        return self.event(events.CommentEdited, data, actor)

    def decided(self, comment: str, ruling: str, revision: int, status: Any) -> Any:
        data = events.DecisionOnComment(
            discussion="d1", comment=comment, ruling=ruling, reason="seen",  # type: ignore[arg-type]
            expected=events.Expected(revision, status),
        )  # fmt: skip
        return self.signed(events.DecisionMade, data)

    def reported(self, comment: str, reader: str, revision: int = 1) -> Any:
        data = events.ReportOnComment("d1", comment, revision, "spam", note="look")
        return self.event(events.ReportFiled, data, reader)

    def scored(
        self, discussion: str, comment: str, value: float, revision: int = 1, **m: Any
    ) -> Any:
        data = events.ScoreOfComment(discussion, comment, revision, "rude", value, "m7")
        return self.signed(events.ScoreGiven, data, **m)

    def vote(
        self, discussion: str, value: Any, voter: str, comment: str | None = None, **more: Any
    ) -> Any:
        return self.event(events.VoteCast, events.Vote(discussion, value, comment), voter, **more)

    def view(self, discussion: str, viewer: str, **more: Any) -> Any:
        return self.event(events.DiscussionViewed, events.View(discussion), viewer, **more)

    def undone(self, comment: str, rule: str, revision: int = 1) -> Any:
        """Of the rules that `write_rules` writes, with mammoth and badger."""
        [version] = [
            one.version
            for one in load(texts_of("mammoth", "badger")).compiled
            if one.rule.id == rule
        ]
        data = events.UndoOnComment("d1", comment, revision, rule, version, "mistaken")
        return self.signed(events.RuleUndone, data)

    def activated(self, held: str, rejected: str) -> Any:
        """A ruleset that control.v1 brings."""
        files = texts_of(held, rejected)
        data = events.ActivatedRuleset(
            files=files, hash=load(files).hash, parent=load(texts_of("mammoth", "badger")).hash,
            author="mod", approved_by="chief", reason="other words",
        )  # fmt: skip
        return self.signed(events.RulesetActivated, data, site="*")

    def policy(self, site: str = "gazette", **said: Any) -> Any:
        return self.signed(events.SitePolicySet, events.SitePolicy(**said), site=site)

    # --- waves

    def first(self) -> list[Outgoing]:
        """Openings, a tree of comments, all kinds of votes, views, and records nobody can apply."""
        made = [self.opened("d1"), self.opened("d2"), self.opened("d3", site="herald")]
        for number in range(40):
            word = {5: "a mammoth", 6: "a badger", 13: "a mammoth", 21: "a badger"}.get(number, "")
            parent = f"c{number // 2}" if number % 3 else None
            made.append(
                self.said(
                    "d1", f"c{number}", f"r{number % 9}", f"thought {number} {word}",
                    parent=parent if number else None,
                )
            )  # fmt: skip
        imported = {"role": "importer", "occurredat": NOON - timedelta(days=400)}
        made += [self.said("d2", f"c{n}", f"r{n}", "copied text", **imported) for n in range(6)]
        made += [
            self.said("d2", f"p{n}", "angler", "a pike" if n < 3 else "a carp") for n in range(5)
        ]
        made.append(self.said("d9", "c1", "r1", "of no discussion"))
        for number in range(120):
            comment = self.chance.choice([None, f"c{number % 40}", "c3", "late1", "never"])
            value = self.chance.choice([-1, 0, 1, 1])
            made.append(self.vote("d1", value, f"r{number % 15}", comment))
        made += [self.vote("d1", 1, "eager", f"nothing{number}") for number in range(53)]
        made.append(self.vote("d2", 1, "eager", "future"))
        for number in range(80):
            made.append(self.view(self.chance.choice(["d1", "d2", "d8"]), f"v{number % 30}"))
        made += [self.view("d1", f"old{number % 4}", **imported) for number in range(9)]
        records = self.records(made)
        for topic in (topics.COMMENTS, topics.VOTES, topics.VIEWS):
            for value in (b"not json", b'{"type":"veche.of.another.kind"}'):
                records.insert(len(records) // 2, Outgoing(topic, b"gazette/d1", value))
        unsigned = self.event(
            events.SitePolicySet, events.SitePolicy(policy="closed"), "evil", signature="none"
        )
        return [*records, Outgoing(topics.CONTROL, b"gazette", codec.encode(unsigned))]

    def policies(self, threshold: int, herald: str) -> list[Outgoing]:
        return self.records(
            [
                self.policy(report_threshold=threshold, edit_hold="hide"),
                self.policy("herald", policy=herald, late_scores="hold"),
            ]
        )

    def second(self) -> list[Outgoing]:
        """What policies decide, what moderators decide, and what was waited for."""
        again = self.said("d1", "c1", "r1", "another text under an id in use")
        made = [
            self.said("d3", "h1", "r1", "while the herald is closed", site="herald"),
            self.edited("d1", "c1", "r1", "an edit that nobody minds"),
            self.edited("d1", "c2", "r2", "an edit with a mammoth"),
            self.edited("d1", "c3", "r3", "an edit with a badger"),
            self.edited("d1", "c4", "r7", "by another hand"),
            self.reported("c7", "r1"), self.reported("c7", "r1"), self.reported("c8", "r8"),
            self.reported("c10", "r2"),
            self.reported("c5", "r8"), self.reported("c6", "r8"),
            self.decided("c5", "approve", 1, "pending"),
            self.decided("c6", "restore", 1, "rejected"),
            self.decided("c9", "reject", 1, "published"),
            self.decided("c9", "reject", 7, "pending"),
            self.reported("c5", "r1"),
            self.edited("d1", "c9", "r0", "a better text after the rejection"),
            self.event(events.CommentDeleted, events.CommentRef("d1", "c11"), "r2"),
            self.reported("c11", "r5"),
            self.opened("d2", 3), self.opened("d2", 2),
            self.said("d1", "late1", "r4", "the comment that votes waited for"),
            self.said("d1", "nothing7", "r4", "one of those that the eager voted for"),
            self.said("d2", "future", "r2", "x", role="importer",
                      occurredat=datetime(2190, 1, 1, tzinfo=UTC)),
            again, again,
            self.scored("d1", "late1", 0.93), self.scored("d1", "nothing7", 0.1),
            self.scored("d1", "c11", 0.93), self.scored("d1", "c0", 0.93),
            self.scored("d1", "none", 0.93),
        ]  # fmt: skip
        made += [self.vote("d1", 1, "r4", "late1"), self.vote("d1", -1, "r1", "c1")]
        made += [self.vote("d1", value, "flip") for value in (1, -1, 1, 0, -1)]
        made += [self.view("d2", f"v{number}") for number in range(25)]
        return self.records(made)

    def crowd(self, size: int) -> list[Outgoing]:
        """Whatever comes to mind, on whatever exists or not, a tenth of it sent again later."""
        made = [self.whim(number, size) for number in range(size)]
        return self.records([*made, *self.chance.sample(made, size // 10)])

    def whim(self, number: int, size: int) -> Any:
        draw = self.chance
        n = draw.randrange(size // 3)
        comment, writer, reader = f"x{n}", f"r{n % 40}", f"r{draw.randrange(40)}"
        body = f"word {draw.randrange(200)} {draw.choice(['', '', '', 'mammoth', 'badger'])}"
        revision, value = draw.randrange(1, 3), draw.choice([-1, 0, 1])
        ruling = draw.choice(["approve", "reject", "restore"])
        status = draw.choice(["pending", "published", "rejected"])
        match draw.randrange(11):
            case 0 | 1:
                return self.said("d1", comment, writer, body)
            case 2:
                return self.said("d1", comment, writer, body, parent=f"x{number // 9}")
            case 3:
                return self.edited("d1", comment, writer, body)
            case 4:
                return self.event(events.CommentDeleted, events.CommentRef("d1", comment), writer)
            case 5:
                return self.reported(comment, reader, revision)
            case 6:
                return self.decided(comment, ruling, revision, status)
            case 7:
                return self.vote("d2", value, reader)
            case 8:
                return self.vote("d1", value, reader, comment)
            case 9:
                return self.scored("d1", comment, draw.choice([0.1, 0.9]), revision)
        return self.view("d1", f"v{draw.randrange(size)}")

    def third(self) -> list[Outgoing]:
        """A policy later: what was undecided before, decided otherwise."""
        return self.records(
            [
                self.said("d3", "h2", "r1", "now the herald is open", site="herald"),
                self.reported("c12", "r1"), self.reported("c12", "r2"),
                self.decided("c2", "approve", 2, "pending"),
                self.vote("d3", 1, "r2", "h2", site="herald"),
                self.scored("d3", "h2", 0.2, site="herald"),
                self.undone("c13", "held_words"), self.undone("c21", "rejected_words"),
                self.undone("c5", "held_words"), self.undone("c13", "held_words"),
                self.activated("thought", "x1"),
                self.said("d3", "h3", "r1", "this one waits in vain", site="herald"),
            ]
        )  # fmt: skip

    @staticmethod
    def records(made: Iterable[Any]) -> list[Outgoing]:
        topic_of = {
            events.VoteCast: (topics.VOTES, "{key}|{actor}"),
            events.DiscussionViewed: (topics.VIEWS, "{key}|{actor}"),
            events.SitePolicySet: (topics.CONTROL, "{site}"),
            events.RulesetActivated: (topics.CONTROL, "*"),
        }
        records = []
        for one in made:
            topic, key = topic_of.get(type(one), (topics.COMMENTS, "{key}"))
            whole = getattr(one, "key", "") if topic != topics.CONTROL else ""
            named = key.format(key=whole, actor=one.actor, site=one.site)
            records.append(Outgoing(topic, named.encode(), codec.encode(one)))
        return records
