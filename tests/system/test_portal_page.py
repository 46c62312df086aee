"""The sidebar and the strip of one portal page, recreated from events and read back over HTTP.

A page says what it shows: fifteen rows (last activity, comments, title, language), newest first,
and the strip under one headline. The story that leads there is drawn from a seed: comments that
count, and beside them comments that are rejected, held, turned down or deleted, which must not.
The page read off a real portal is no part of this repository: VECHE_PORTAL_PAGE names the file.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.system.oracle import HOLD, REJECT
from tests.system.portal import Veche, instant, until_equal

RULES = Path(__file__).parent / "rules"
SERVICES = ("ingest", "moderation", "counters", "publisher", "reader", "console")
SITE = "gazette"
ZONE = timezone(timedelta(hours=3))
PAGE = os.environ.get("VECHE_PORTAL_PAGE", "")
ARTICLE = "article"

MADE_UP: dict[str, Any] = {
    "strip": {
        "title": "Council advised to mind the “slow thaw” of the river",
        "language": "en",
        "views": 1118,
        "comments": 0,
        "rating": -1,
    },
    "feed": [
        {"last_activity": stamp, "comments": comments, "language": language, "title": title}
        for stamp, comments, language, title in (
            ("01-01T00:40", 1, "ru", "Часы на площади отстали на минуту"),
            ("01-01T00:02", 2, "en", "First bell of the year"),
            ("12-31T23:59", 0, "ru", "Ответ на «Зачем городу второй мост»"),
            ("12-31T21:08", 4919, "en", "Who owns the ice: a reply to “Skating on the canal”"),
            ("12-31T18:59", 2, "ru", "Ёлка у ратуши"),
            ("12-31T16:28", 0, "ru", "«Тихая ночь» и громкая улица: как договориться"),
            ("12-31T15:41", 1, "en", "A list of everything the tram has been late for"),
            ("12-31T15:30", 0, "ru", "Берестяные письма"),
            (
                "12-31T14:22",
                1,
                "en",
                "What the archive's oldest ledger says about the price of salt",
            ),
            ("12-31T14:18", 1, "en", "Market hours & <holiday> exceptions"),
            ("12-31T09:06", 0, "ru", "Расписание катка"),
            ("12-31T05:16", 1, "en", "Night ferry: notes from the last crossing"),
            ("12-31T03:27", 0, "ru", "Снег убирают ночью — и правильно делают"),
            ("12-31T01:55", 1, "en", "Letters: the bridge, again"),
            ("12-30T18:49", 2, "ru", "Спор о колоколе"),
        )
    ],
}


@dataclass(frozen=True)
class Row:
    """One row of the page."""

    discussion: str
    title: str
    language: str
    comments: int
    last_activity: datetime


@dataclass
class Thread:
    """What is sent about one discussion, in an order that the discussion allows."""

    items: list[dict[str, Any]] = field(default_factory=list)
    visible: list[tuple[datetime, str]] = field(default_factory=list)
    approve: list[str] = field(default_factory=list)
    turn_down: list[str] = field(default_factory=list)


def rows_of(page: dict[str, Any], year: int) -> list[Row]:
    """The page gives no year: `year` is the newest row's, and down the page time only goes back."""
    rows: list[Row] = []
    before = datetime.max.replace(tzinfo=ZONE)
    for number, given in enumerate(page["feed"]):
        at = instant(f"{year}-{given['last_activity']}:00+03:00")
        if rows and at > before:
            year -= 1
            at = at.replace(year=year)
        rows.append(
            Row(f"row{number:02}", given["title"], given["language"], given["comments"], at)
        )
        before = at
    return rows


class Story:
    """Events that lead to a page; everything is drawn from one seed."""

    def __init__(self, seed: int, page: dict[str, Any], year: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.strip = page["strip"]
        self.rows = rows_of(page, year)
        self.threads = {row.discussion: self.thread(row) for row in self.rows}
        self.threads[ARTICLE] = self.article()

    def items(self) -> list[dict[str, Any]]:
        """All of it: discussions mixed, each in its own order, and some items twice or thrice."""
        queues = [list(reversed(thread.items)) for thread in self.threads.values()]
        queues += [[item] for item in self.votes_and_views()]
        turns = [index for index, queue in enumerate(queues) for _ in queue]
        self.random.shuffle(turns)
        sent: list[dict[str, Any]] = []
        for index in turns:
            sent.append(queues[index].pop())
            while self.random.random() < 0.05:
                sent.append(sent[-self.random.randrange(1, min(200, len(sent)) + 1)])
        return sent

    def thread(self, row: Row) -> Thread:
        """`row.comments` that count, the newest at `row.last_activity`, and some that do not."""
        thread = Thread()
        opened_at = row.last_activity
        if row.comments:
            opened_at -= timedelta(minutes=self.random.randrange(30, 600))
        minutes = (row.last_activity - opened_at).total_seconds() / 60
        story: list[list[dict[str, Any]]] = []
        for place in range(row.comments):
            at = opened_at + timedelta(minutes=minutes * (place + 1) / row.comments)
            held = self.random.random() < 0.01 or (row.comments == 2 and place == 1)
            comment, item = self.comment(row.discussion, at, held=held)
            thread.visible.append((at, comment))
            thread.approve += [comment] if held else []
            story.append([item])
        for kind in ("rejected", "held", "turned down", "deleted", "edited away"):
            for _ in range(self.random.randrange(1, 3 + row.comments // 50)):
                # Some of these are newer than anything that counts.
                at = row.last_activity + timedelta(minutes=self.random.randrange(-20, 50))
                story.append(self.vanishing(row.discussion, max(at, opened_at), kind, thread))
        self.random.shuffle(story)
        thread.items = [
            self.opening(row.discussion, 1, f"{row.title} (draft)", row.language, opened_at),
            *(item for steps in self.spread(story) for item in steps),
            self.opening(row.discussion, 2, row.title, row.language, opened_at),
        ]
        return thread

    def spread(self, story: list[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
        """Second steps (a deletion) come some comments after the first."""
        later: list[dict[str, Any]] = []
        for first, *rest in story:
            yield [first]
            later += rest
            if later and self.random.random() < 0.3:
                yield [later.pop(0)]
        yield later

    def vanishing(
        self, discussion: str, at: datetime, kind: str, thread: Thread
    ) -> list[dict[str, Any]]:
        comment, item = self.comment(
            discussion, at, held=kind in ("held", "turned down"), rejected=kind == "rejected"
        )
        steps = [item]
        author = item["actor"]
        if kind == "turned down":
            thread.turn_down.append(comment)
        elif kind == "edited away":
            # Published, rewritten, then deleted.
            data = {
                "discussion": discussion,
                "comment": comment,
                "body": f"on reflection {comment}",
            }
            steps.append(self.event("comment.edited", data, at, author))
        if kind in ("deleted", "edited away"):
            data = {"discussion": discussion, "comment": comment}
            steps.append(self.event("comment.deleted", data, at, author))
        return steps

    def article(self) -> Thread:
        """The strip's article, older than all rows: nothing under it counts."""
        assert self.strip["comments"] == 0
        opened_at = min(row.last_activity for row in self.rows) - timedelta(days=2)
        thread = Thread()
        story = [
            self.vanishing(ARTICLE, opened_at + timedelta(hours=hour), kind, thread)
            for hour, kind in enumerate(("rejected", "held", "deleted", "turned down"))
        ]
        title, language = self.strip["title"], self.strip["language"]
        thread.items = [
            self.opening(ARTICLE, 1, title, language, opened_at),
            *(item for steps in self.spread(story) for item in steps),
        ]
        return thread

    def votes_and_views(self) -> list[dict[str, Any]]:
        """The rating out of more votes than it shows; views out of more than count."""
        at = min(row.last_activity for row in self.rows)
        up = self.random.randrange(20, 40)
        down = up - self.strip["rating"]
        values = [*(1 for _ in range(up)), *(-1 for _ in range(down)), 0, 0, 0]
        items = [
            self.event("vote.cast", {"discussion": ARTICLE, "value": value}, at, f"voter{number}")
            for number, value in enumerate(values)
        ]
        window = at.replace(minute=0)
        for number in range(self.strip["views"]):
            # Two windows a viewer; a second opening within the window counts for nothing.
            viewer, begins = f"viewer{number // 2}", window + timedelta(minutes=30 * (number % 2))
            for second in (0, 1000) if number % 7 == 0 else (0,):
                seen_at = begins + timedelta(seconds=second + number % 300)
                data = {"discussion": ARTICLE}
                items.append(self.event("discussion.viewed", data, seen_at, viewer))
        return items

    # --- one event each

    def opening(
        self, discussion: str, revision: int, title: str, language: str, at: datetime
    ) -> dict[str, Any]:
        data = {
            "discussion": discussion,
            "revision": revision,
            "title": title,
            "url": f"https://portal.example/{discussion}",
            "language": language,
            "section": "town",
        }
        return self.event("discussion.opened" if revision == 1 else "discussion.changed", data, at)

    def comment(
        self, discussion: str, at: datetime, *, held: bool = False, rejected: bool = False
    ) -> tuple[str, dict[str, Any]]:
        comment = f"c{self.number:05}"
        words = [f"note {self.number} on the matter"]
        words += [self.random.choice(HOLD)] if held else []
        words += [self.random.choice(REJECT)] if rejected else []
        data = {"discussion": discussion, "comment": comment, "body": " ".join(words)}
        author = f"reader{self.random.randrange(400)}"
        return comment, self.event("comment.submitted", data, at, author)

    def event(
        self, kind: str, data: dict[str, Any], at: datetime, actor: str = ""
    ) -> dict[str, Any]:
        self.number += 1
        item = {
            "id": f"e{self.number:05}",
            "type": f"veche.{kind}.v1",
            "occurredat": at.isoformat(),
            "data": data,
        }
        return item | ({"actor": actor} if actor else {})


@pytest.fixture
def veche(services: Any, mint: Callable[..., str]) -> Veche:
    started = {name: services.start(name, {"VECHE_RULES_DIR": str(RULES)}) for name in SERVICES}
    for service in started.values():
        service.wait_ready()
    return Veche(started["ingest"].url, started["reader"].url, started["console"].url, mint, SITE)


@pytest.mark.slow
async def test_a_page_of_fifteen_rows_is_read_back_as_it_was(veche: Veche) -> None:
    await read_back(veche, Story(20270101, MADE_UP, 2026))


@pytest.mark.slow
@pytest.mark.skipif(not PAGE, reason="VECHE_PORTAL_PAGE names no file of a portal's page")
async def test_the_page_of_a_real_portal_is_read_back_as_it_was(veche: Veche) -> None:
    page = json.loads(Path(PAGE).read_text("utf-8"))
    assert len(page["feed"]) == 15
    await read_back(veche, Story(15, page, 2025))


def test_a_page_that_spans_the_year_is_dated_downwards() -> None:
    rows = rows_of(MADE_UP, 2026)
    assert rows[1].last_activity == datetime(2026, 1, 1, 0, 2, tzinfo=ZONE)
    assert rows[2].last_activity == datetime(2025, 12, 31, 23, 59, tzinfo=ZONE)
    assert rows == sorted(rows, key=lambda row: row.last_activity, reverse=True)


async def read_back(veche: Veche, story: Story) -> None:
    async with veche:
        items = story.items()
        sent = zip(items, await veche.send(items), strict=True)
        # Comments are counted below; the last event of each discussion waits for all of its own.
        receipts = {
            item["id"]: receipt for item, receipt in sent if "comment.submitted" not in item["type"]
        }
        told = await veche.outcomes(receipts)
        assert "refused" not in {one["result"] for one in told.values()}
        await moderate(veche, story)

        for language in ("", "ru", "en"):
            expected = [shown(row) for row in story.rows if language in ("", row.language)]
            await until_equal(lambda at=language: sidebar(veche, at), expected)
        strip = {name: story.strip[name] for name in ("title", "views", "comments", "rating")}
        await until_equal(lambda: under_headline(veche), strip)
        for row in story.rows:
            seen = await veche.strip(row.discussion)
            assert (seen["comments"], instant(seen["last_activity"])) == (
                row.comments,
                row.last_activity,
            )
            roots = await veche.roots(row.discussion, "newest", limit=100)
            newest_first = sorted(story.threads[row.discussion].visible, reverse=True)
            assert [root["id"] for root in roots] == [comment for _, comment in newest_first]


async def moderate(veche: Veche, story: Story) -> None:
    """Approves what counts, turns down what does not, and leaves the rest in the queue."""
    items = {(item["discussion"], item["comment"]): item for item in await veche.queue()}
    for discussion, thread in story.threads.items():
        for ruling, comments in (("approve", thread.approve), ("reject", thread.turn_down)):
            for comment in comments:
                status, answer = await veche.decide(
                    {
                        "discussion": discussion,
                        "comment": comment,
                        "ruling": ruling,
                        "expected": items[discussion, comment]["expected"],
                        "reason": "see the house rules",
                    }
                )
                assert status == 200, answer
    assert await veche.queue(), "what is held and not decided stays there"


def shown(row: Row) -> tuple[str, datetime, int, str, str]:
    return row.discussion, row.last_activity, row.comments, row.title, row.language


async def sidebar(veche: Veche, language: str) -> list[tuple[Any, ...]]:
    """The rows of the feed, in its order; the strip's article is the last of all and left out."""
    entries = (await veche.feed("latest", language))["entries"]
    if language in ("", (await veche.strip(ARTICLE))["language"]):
        assert entries.pop()["discussion"] == ARTICLE
    return [
        (
            entry["discussion"],
            instant(entry["last_activity"]),
            entry["comments"],
            entry["title"],
            entry["language"],
        )
        for entry in entries
    ]


async def under_headline(veche: Veche) -> dict[str, Any]:
    strip = await veche.strip(ARTICLE)
    return {name: strip[name] for name in ("title", "views", "comments", "rating")}
