"""Measures the judgement alone: `python -m bench.judging [FILE…]`, JSONL files of comments.

Rows: judge (200 rules with 10,000 words in lists, whole: fold, facts known, verdict), its 99th
percentile, reload of that ruleset, and hostile texts (30 shapes of 10 KB). Rates are of CPU time of
one process, so that other work on the machine counts less. Prints figures only, never a row.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from bench.figures import percentile
from services.core.events import DiscussionKey
from services.core.rules import Facts, Ruleset, Submission, judge, load, read

RULES, WORDS, COMMENTS, SEED = 200, 10_000, 20_000, 1
AT = datetime(2026, 1, 1, tzinfo=UTC)
SYLLABLES = (
    "ба", "ве", "ги", "до", "жу", "зы", "кра", "лен", "мир", "нос", "пов", "рук", "сту", "тех",
    "фон", "хло", "ца", "чем", "шо", "щи", "эт", "юг", "яд",
)  # fmt: skip
FACTS = Facts(
    {"author.published": 5, "author.rejected": 0, "author.age_days": 40, "count(author, 10m)": 1,
     "copies(author, 1h)": 0, "copies(site, 1h)": 0}
)  # fmt: skip
WHENS = (
    "{{lists: [words/{n}.txt]}}",
    "{{all: [{{lists: [words/{n}.txt]}}, text.length > 20]}}",
    "{{any: [{{lists: [words/{n}.txt]}}, {{patterns: ['скидк\\w* {n}%']}}]}}",
    "{{all: [author.published < {n}, text.links >= 2]}}",
    "{{patterns: ['\\bтел\\.? ?{n}\\d{{4}}']}}",
)


def ruleset_texts(chance: random.Random) -> dict[str, str]:
    texts = {"rules.yml": ""}
    each = WORDS // sum("lists" in WHENS[n % len(WHENS)] for n in range(RULES)) + 1
    made: set[str] = set()
    for n in range(RULES):
        when = WHENS[n % len(WHENS)].format(n=n)
        texts["rules.yml"] += (
            f"---\nid: r{n}\ntitle: {{ru: а, en: a}}\nreason: {{ru: а, en: a}}\n"
            f"when: {when}\nthen: hold\n"
        )
        if "lists" in when:
            words: list[str] = []
            while len(words) < each:
                word = "".join(chance.choices(SYLLABLES, k=4))
                if word not in made:
                    made.add(word)
                    words.append(word)
            texts[f"words/{n}.txt"] = "\n".join(words)
    return texts


def synthetic(chance: random.Random) -> Iterator[str]:
    """About 220 characters, a vocabulary of 20,000 words with few of them common."""
    vocabulary = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(20_000)]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    for _ in range(COMMENTS):
        yield " ".join(chance.choices(vocabulary, weights, k=30)).capitalize() + "."


def texts_of(files: list[str]) -> Iterator[str]:
    for name in files:
        file = Path(name)
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                yield str(json.loads(line).get("text", ""))


def hostile() -> Iterator[tuple[str, str]]:
    """30 shapes of 10 KB that make careless matchers slow."""
    units = [
        "а", "a", "аa", "а ", "а.", "а-", "а*", "*", "1", "1 ", "(", ".", "a.", "a.b", "http://",
        "www.", "@", "a@", "@a", "\u200b", "а\u0301", "а\u200b", "ﬁ", "½", "б1", "0о", "дурaк ",
        "д у р а ", "+7", "👍",
    ]  # fmt: skip
    for unit in units:
        yield unit, (unit * (10_000 // len(unit) + 1))[:10_000]


def judged(text: str, ruleset: Ruleset) -> str:
    comment = Submission(
        DiscussionKey("bench/d"), "c", 1, "bench", "anna", AT, read(text), "news", "ru"
    )
    return judge(comment, FACTS, ruleset).action


def rate(texts: list[str], ruleset: Ruleset) -> tuple[float, float]:
    """(comments a second of CPU, the 99th percentile in ms of one judgement), caches warm."""
    for text in texts[: len(texts) // 2]:
        judged(text, ruleset)
    measured = texts[len(texts) // 2 :]
    times = []
    for text in measured:
        began = process_time()
        judged(text, ruleset)
        times.append(process_time() - began)
    return len(measured) / sum(times), percentile(times, 0.99) * 1_000


def main(files: list[str]) -> None:
    chance = random.Random(SEED)
    texts = ruleset_texts(chance)
    load({"a.yml": texts["rules.yml"].split("---")[1]} | texts | {"rules.yml": ""})
    began, wall = process_time(), perf_counter()
    ruleset = load(texts)
    say("reload", f"{process_time() - began:.2f} s CPU, {perf_counter() - wall:.2f} s", "< 5 s")
    chance.seed(SEED)
    for name, corpus in (("synthetic", list(synthetic(chance))), ("files", list(texts_of(files)))):
        if corpus:
            persecond, slow = rate(corpus, ruleset)
            say(f"judge {name}", f"{persecond:,.0f} comments/s per core", "≥ 8,000")
            say(f"judge {name} p99", f"{slow:.3f} ms", "< 1 ms")
    times = {}
    for unit, text in hostile():
        began = process_time()
        judged(text, ruleset)
        times[unit] = (process_time() - began) * 1_000
    worst = max(times, key=times.__getitem__)
    say("hostile", f"worst {times[worst]:.1f} ms ({worst!r}), {len(times)} shapes", "< 10 ms")
    say("load average", " ".join(f"{value:.1f}" for value in os.getloadavg()), "")


def say(row: str, value: str, target: str) -> None:
    sys.stdout.write(f"{row:24} {value:48} {target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
