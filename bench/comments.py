"""Row `comments`: comments through 50 rules, against bare consume and insert."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from random import Random

import asyncpg

from bench.consume import service
from bench.figures import Figure, compared
from bench.ground import Ground, python
from bench.latency import WORDS
from bench.traffic import SITE, Crowd, comments, load
from services.core import codec, rules, settings, topics
from services.core.events import DiscussionDescribed, DiscussionOpened

RULES = 50
RULE = """
  - id: list_{number}
    title: {{ru: "Список {number}", en: "List {number}"}}
    reason: {{ru: "Слово из списка {number}.", en: "A word of list {number}."}}
    when: {{lists: [words/list_{number}.txt]}}
    then: note
"""
PATTERN = """
  - id: pattern_{number}
    title: {{ru: "Образец {number}", en: "Pattern {number}"}}
    reason: {{ru: "Образец {number}.", en: "Pattern {number}."}}
    when: {{patterns: ['\\b{word}[ -]?\\d{{2,{number}}}\\b']}}
    then: note
"""


def write_rules(folder: Path) -> Path:
    """The shipped rules, word lists of 40 words each, and patterns: 50 in all."""
    shipped = settings.rules_texts(settings.rules_dir({}))
    count = len(rules.load(shipped).rules)
    random = Random(1)
    texts = shipped | {"more.yml": ""}
    for number in range(10, 10 + RULES - count):
        if number % 4 == 0:
            texts["more.yml"] += PATTERN.format(number=number, word=random.choice(WORDS))
            continue
        texts["more.yml"] += RULE.format(number=number)
        words = {"".join(random.choices("бвгдежзиклмнопрстуabcdefgh", k=9)) for _ in range(40)}
        texts[f"words/list_{number}.txt"] = "\n".join(sorted(words)) + "\n"
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def prose(random: Random, count: int) -> list[str]:
    """Texts of 5 to 80 of 20,000 made-up words, of both alphabets, by a Zipf law."""
    syllables = {
        "en": [a + b for a in "bdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "ou", "er")],
        "ru": [a + b for a in "бвгджзклмнпрст" for b in ("а", "е", "и", "о", "у", "ой", "ел")],
    }
    languages = []
    for sounds in syllables.values():
        words = ["".join(random.choices(sounds, k=random.randrange(1, 5))) for _ in range(10_000)]
        languages.append((words, list(accumulate(1 / (n + 10) for n in range(len(words))))))
    made = []
    for _ in range(count):
        words, weights = random.choice(languages)
        chosen = random.choices(words, cum_weights=weights, k=random.randrange(5, 80))
        made.append(" ".join(chosen).capitalize() + ".")
    return made


def openings(crowd: Crowd) -> list[tuple[str, bytes]]:
    now = datetime.now(UTC)
    return [
        (
            f"{SITE}/d{n}",
            codec.encode(
                DiscussionOpened(
                    id=f"open-{n}", source=f"/sites/{SITE}", site=SITE, actor="portal",
                    role="portal", time=now,
                    data=DiscussionDescribed(
                        discussion=f"d{n}", revision=1, url=f"https://gazette.example/{n}",
                        title=f"Article {n}", language="en", section="city",
                    ),
                )
            ),
        )
        for n in range(crowd.discussions)
    ]  # fmt: skip


async def all_judged(dsn: str, count: int) -> None:
    """Comments that were refused would cost less than those that rules look at."""
    connection = await asyncpg.connect(dsn, timeout=10)
    judged = await connection.fetchval(
        "SELECT count(*) FROM outcomes WHERE comment <> '' AND result <> 'refused'"
    )
    await connection.close(timeout=10)
    if judged != count:
        raise SystemExit(f"{judged} of {count} comments were judged: the figure is worth nothing")


async def comments_row(ground: Ground) -> list[Figure]:
    count = ground.size(60_000, 12_000)
    crowd = Crowd(discussions=2_000, readers=200_000)
    random = Random(2)
    texts = prose(random, count)
    prefix = await ground.topics()
    records = [*openings(crowd), *comments(count, crowd, texts)]
    await load(ground.kafka, prefix + topics.COMMENTS, records)
    rules = write_rules(ground.home / "rules")

    async def ours() -> float:
        dsn = await ground.database()
        rate = await service(
            ground, "moderation", prefix, dsn, topics.COMMENTS, len(records),
            env={"VECHE_RULES_DIR": str(rules)},
        )  # fmt: skip
        await all_judged(dsn, count)
        await ground.drop(dsn)
        return rate

    async def bare() -> float:
        dsn = await ground.database()
        said = await python(
            "bench.ceiling", "comments", ground.kafka, prefix + topics.COMMENTS, dsn,
            str(len(records)),
        )  # fmt: skip
        await ground.drop(dsn)
        return float(said["per_second"])

    seen = await ground.alternate("comments", {"veche": ours, "bare": bare})
    return [
        compared("comments", "comments/s", seen["veche"], "bare consume + insert", seen["bare"],
                 0.60, rules=RULES, records=len(records))
    ]  # fmt: skip
