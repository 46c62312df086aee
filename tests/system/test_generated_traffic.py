"""A lively portal through real Kafka and real Postgres, against an independent recomputation."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.system import oracle
from tests.system.comparing import feed_seen, root_ids, same_comment, strip_seen
from tests.system.generator import SECTIONS, Act, Generator, settle
from tests.system.portal import Veche, until_equal

RULES = Path(__file__).parent / "rules"
SERVICES = ("ingest", "moderation", "counters", "publisher", "reader", "console")
SITE = "gazette"
BEST_SECONDS = 10
RECORDED = os.environ.get("VECHE_RECORDED_THREADS", "")


@pytest.fixture
def veche(services: Any, mint: Callable[..., str]) -> Veche:
    # The oracle foretells every verdict, so no brake may change one.
    env = {"VECHE_PROBATION_DAYS": "0", "VECHE_REJECTS_PER_HOUR": "0"}
    env |= {"VECHE_RULES_DIR": str(RULES), "VECHE_READER_BEST_SECONDS": str(BEST_SECONDS)}
    started = {name: services.start(name, env) for name in SERVICES}
    for service in started.values():
        service.wait_ready()
    return Veche(started["ingest"].url, started["reader"].url, started["console"].url, mint, SITE)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_readers_see_equals_the_recomputation(veche: Veche) -> None:
    await replayed(veche, Generator(20260301, discussions=40, readers=120))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not RECORDED, reason="VECHE_RECORDED_THREADS names no folder of recordings")
async def test_recorded_texts_in_lively_threads_equal_the_recomputation(veche: Veche) -> None:
    texts = recorded_texts(Path(RECORDED), 1_500)
    await replayed(veche, Generator(7, discussions=25, readers=150, texts=texts))


async def replayed(veche: Veche, generator: Generator) -> None:
    portal = oracle.Portal()
    async with veche:
        first = generator.first_part(1_500)
        expected = settle(first, portal)
        await same_outcomes(veche, first, expected)
        await same_readings(veche, portal)
        await decide_on_what_is_held(veche, portal, random.Random(11))
        second = generator.second_part(300)
        await same_outcomes(veche, second, settle(second, portal))
        await same_readings(veche, portal)


async def same_outcomes(veche: Veche, acts: Sequence[Act], expected: dict[str, str]) -> None:
    """Every event of comments.v1 has the outcome that the oracle gives; nothing waits."""
    told = await veche.outcomes(await veche.send_acts(acts))
    shown = {id: told[id]["result"] for id in expected}
    wrong = {id: (shown[id], expected[id]) for id in expected if shown[id] != expected[id]}
    assert not wrong
    assert {one["result"] for one in told.values()} <= {
        "applied",
        "published",
        "held",
        "rejected",
        "refused",
    }


async def same_readings(veche: Veche, portal: oracle.Portal) -> None:
    open_ones = [d for d in portal.discussions.values() if d.state != "removed"]
    for discussion in open_ones:
        await until_equal(lambda d=discussion: strip_seen(veche, d.id), discussion.strip())
    scopes = [("", ""), ("ru", ""), ("en", ""), ("", SECTIONS[0]), ("ru", SECTIONS[1])]
    for language, section in scopes:
        for name in ("latest", "hot", "top-all"):
            expected = oracle.entries(portal.feed(name, language=language, section=section))
            await until_equal(
                lambda n=name, at=language, s=section: feed_seen(veche, n, at, s), expected
            )
    for discussion in open_ones[:12]:
        for sort in ("newest", "oldest", "best"):
            expected_ids = [c.id for c in discussion.roots(sort)]
            # `best` is frozen for a while, so a reader may see the order of before.
            await until_equal(
                lambda d=discussion.id, s=sort: root_ids(veche, d, s),
                expected_ids,
                BEST_SECONDS + 15,
            )
            roots = await veche.roots(discussion.id, sort)
            for root in roots:
                same_comment(root, discussion)
                below = discussion.replies(root["id"])
                assert [reply["id"] for reply in root["all_replies"]] == [c.id for c in below]
                for reply in root["all_replies"]:
                    same_comment(reply, discussion)


async def decide_on_what_is_held(
    veche: Veche, portal: oracle.Portal, chance: random.Random
) -> None:
    """The queue is what the oracle holds; decisions, conflicts and restores take effect."""
    held = {
        (d.id, c.id): c
        for d in portal.discussions.values()
        for c in d.comments.values()
        if c.held is not None
    }
    items = {(item["discussion"], item["comment"]): item for item in await veche.queue()}
    assert set(items) == set(held)
    for (name, id), item in sorted(items.items()):
        comment = held[name, id]
        assert item["expected"] == {"revision": comment.revision, "status": comment.status}
        ruling = chance.choice(("approve", "approve", "reject"))
        decision = {
            "discussion": name,
            "comment": id,
            "ruling": ruling,
            "expected": item["expected"],
            "reason": "see the house rules",
        }
        if chance.random() < 0.1:
            seen = decision | {"expected": {"revision": comment.revision + 1, "status": "pending"}}
            status, problem = await veche.decide(seen)
            assert status == 409, problem
        status, answer = await veche.decide(decision)
        assert status == 200, answer
        portal.discussions[name].decide(id, ruling, comment.revision, comment.status)
        if ruling == "reject" and chance.random() < 0.3:
            again = decision | {
                "ruling": "restore",
                "expected": {"revision": comment.revision, "status": "rejected"},
            }
            status, answer = await veche.decide(again)
            assert status == 200, answer
            portal.discussions[name].decide(id, "restore", comment.revision, "rejected")
    assert await veche.queue() == []


def recorded_texts(folder: Path, count: int) -> list[str]:
    """Texts of recorded threads, in turn from each file."""
    files = sorted(folder.glob("*_threads.jsonl.gz"))
    if not files:
        pytest.skip(f"no *_threads.jsonl.gz in {folder.name}")
    texts: list[str] = []
    for file in files:
        with gzip.open(file, "rt") as lines:
            texts += [
                json.loads(line)["text"] for _, line in zip(range(count), lines, strict=False)
            ]
    random.Random(3).shuffle(texts)
    return texts[:count]
