"""Rows `judge`, `judge_p99`, `reload`, `hostile` and `backtest`: the rules alone.

200 rules with 10,000 words in lists, judged whole: fold, features, facts known, verdict. Rates are
of CPU time of one process, so that other work on the machine counts less. `python -m bench.judging
[FILE…]` measures on JSONL files of comments instead of made ones, and prints figures only.
"""

from __future__ import annotations

import gc
import gzip
import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from bench.comments import write_rules
from bench.figures import Figure, Sample, percentile, rounded
from bench.ground import Ground, python
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


def measured(files: list[str]) -> dict[str, float | str]:
    chance = random.Random(SEED)
    texts = ruleset_texts(chance)
    load({"a.yml": texts["rules.yml"].split("---")[1]} | texts | {"rules.yml": ""})
    began, wall = process_time(), perf_counter()
    ruleset = load(texts)
    said: dict[str, float | str] = {
        "reload": perf_counter() - wall, "reload_cpu": process_time() - began
    }  # fmt: skip
    gc.freeze()  # as the service does
    chance.seed(SEED)
    corpus = list(texts_of(files)) if files else list(synthetic(chance))
    said["judge"], said["judge_p99"] = rate(corpus, ruleset)
    times = {}
    for unit, text in hostile():
        began = process_time()
        judged(text, ruleset)
        times[unit] = (process_time() - began) * 1_000
    said["hostile_shape"] = max(times, key=times.__getitem__)
    said["hostile"] = max(times.values())
    return said


async def judging_row(ground: Ground) -> list[Figure]:
    """Figures `judge`, `judge_p99`, `reload` and `hostile`, each run in a process of its own."""
    runs: list[dict[str, Any]] = []
    for number in range(ground.runs):
        runs.append(await python("bench.judging"))
        ground.tell(f"judge {number + 1}/{ground.runs}: {runs[-1]}")

    def figure(name: str, unit: str, target: float, better: str, **extra: Any) -> Figure:
        seen = Sample([float(run[name]) for run in runs])
        extra["spread"] = [rounded(value) for value in seen.spread]
        return Figure(name, seen.median, unit, target, better=better, extra=extra)

    return [
        figure("judge", "comments/s per core", 8_000, "high", rules=RULES, words=WORDS),
        figure("judge_p99", "ms", 1.0, "low"),
        figure("reload", "s", 5.0, "low", cpu=rounded(runs[-1]["reload_cpu"])),
        figure("hostile", "ms, the slowest shape", 10.0, "low", shapes=len(list(hostile())),
               slowest=repr(runs[-1]["hostile_shape"]).strip("'")),
    ]  # fmt: skip


def commented(count: int) -> Iterator[str]:
    """Lines as a portal exports them: 100,000 words, some odd ones, links, authors, times."""
    chance = random.Random(SEED)
    vocabulary = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(99_000)]
    vocabulary += [f"w{chance.randrange(10**6)}{end}" for end in ("%", "!!", ":)", "-ка", "?!")]
    vocabulary += [f"https://a{n}.example/{n}" for n in range(95)]
    chance.shuffle(vocabulary)
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(vocabulary))))
    for number in range(count):
        words = chance.choices(vocabulary, cum_weights=weights, k=chance.randrange(3, 50))
        line = {
            "id": str(number), "text": ", ".join(words).capitalize() + ".",
            "author": f"a{int(chance.paretovariate(0.7))}", "discussion": f"d{number % 300}",
            "at": 1_767_225_600 + number * 2, "decision": chance.choice(["approve", "reject", ""]),
        }  # fmt: skip
        yield json.dumps(line, ensure_ascii=False)


async def backtest_row(ground: Ground) -> list[Figure]:
    """`veche rules backtest` with two processes; the rate has reading the file in it, and the whole
    command the start of Python and loading the rules too."""
    count = ground.size(100_000, 3_000)
    file = ground.home / "comments.jsonl"
    file.write_text("\n".join(commented(count)) + "\n")
    rules = write_rules(ground.home / "backtest")
    rates, whole = [], []
    for number in range(ground.runs):
        began = perf_counter()
        said = await python(
            "services.cli", "rules", "backtest", str(file), "--rules", str(rules), "--json"
        )
        whole.append(count / (perf_counter() - began))
        rates.append(float(said["per_second"]))
        ground.tell(f"backtest {number + 1}/{ground.runs}: {rates[-1]:,.0f}/s")
    seen = Sample(rates)
    return [
        Figure("backtest", seen.median, "comments/s on 2 cores", 20_000,
               extra={"spread": [rounded(value) for value in seen.spread], "rules": 50,
                      "comments": count, "whole_command": rounded(Sample(whole).median)})
    ]  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1:])) + "\n")
