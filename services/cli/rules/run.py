"""One pass of a ruleset over a file of comments, in event-time order.

Worker processes decode and judge with every fact unknown: they inherit the lines and send back
columns, no objects. This process follows who wrote what and when, and answers what hangs on that.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click

from services.cli.json_lines import BadLine
from services.cli.rules import lines
from services.core.errors import Misconfigured
from services.core.events import DiscussionKey
from services.core.rules import Ruleset, Submission, replay
from services.core.rules.near import Signature, signatures
from services.core.rules.questions import Seen
from services.core.rules.reading import read
from services.core.rules.replay import Replay, Settler
from services.core.rules.timeline import STATUS, Timeline

CHUNK = 1_000
_HASH = 16


class Told(NamedTuple):
    """A comment, as far as counting asks."""

    id: str
    bad: bool | None
    """What a moderator or the label says; None where nobody said."""
    warm: bool = False
    """Only read for what windows count."""


class Known(NamedTuple):
    """What facts are computed from, of a chunk's comments."""

    named: list[tuple[str, DiscussionKey, str, float, int]]
    """site, discussion, author, seconds since 1970, revision."""
    hashes: bytes
    stated: dict[int, Mapping[str, Any]]
    """Recorded facts, by place."""
    signatures: list[Signature]
    """Where a rule asks for nearly equal texts."""


class Chunk(NamedTuple):
    """What a worker found out about the comments among some lines."""

    lines: Sequence[int]
    """Which of the lines are comments."""
    why: str
    """Why the first of the others is none."""
    told: list[Told]
    which: list[int]
    seen: list[Seen]
    """Mostly each once: most comments of a chunk look alike to the rules."""
    known: Known | None


class Place(NamedTuple):
    """A comment of a chunk, in the order of time."""

    chunk: Chunk
    place: int
    settlers: Sequence[Settler]
    """What answers its open rules, by its number in `chunk.which`."""


class Inherited(NamedTuple):
    """What workers have from this process, without copying it."""

    raw: Sequence[bytes]
    rules: Replay
    label: str | None
    timed: bool


_INHERITED: Inherited | None = None


class Run:
    """Counts, in its members, what it judged on."""

    def __init__(self, raw: list[bytes], workers: int, label: str | None = None) -> None:
        self.raw = raw
        self.workers = workers
        self.label = label
        self.unread = 0
        self.first_unread = ""
        """Why the first line that is no comment is none."""
        self.recorded = self.timeless = 0

    def verdicts(
        self, ruleset: Ruleset, beside: Ruleset | None = None
    ) -> Iterator[tuple[Told, Seen]]:
        """By time where rules ask facts, else as the lines stand; `beside` is another ruleset whose
        verdicts must come in the same order."""
        global _INHERITED
        self.unread = self.recorded = self.timeless = 0
        self.first_unread = ""
        timed = replay.asks_facts(ruleset) or (beside is not None and replay.asks_facts(beside))
        rules = Replay(ruleset)
        _INHERITED = Inherited(self.raw, rules, self.label, timed)
        starts = range(0, len(self.raw), CHUNK)
        # Nothing here makes cycles, and a collection would copy the pages that workers share.
        gc.disable()
        gc.freeze()
        try:
            with (
                ProcessPoolExecutor(
                    self.workers, mp_context=multiprocessing.get_context("fork")
                ) as pool,
                click.progressbar(length=len(self.raw), label="judging", file=sys.stderr) as bar,
            ):
                chunks = pool.map(_judge, starts)
                if timed:
                    yield from self._settled(rules.ruleset, self._in_order(chunks, bar, rules))
                else:
                    for chunk in self._counted(chunks, bar):
                        closed = [replay.closed(seen, ruleset) for seen in chunk.seen]
                        for told, n in zip(chunk.told, chunk.which, strict=True):
                            yield told, closed[n]
        finally:
            gc.unfreeze()
            gc.enable()

    def _counted(self, chunks: Iterator[Chunk], bar: Any) -> Iterator[Chunk]:
        for start, chunk in zip(range(0, len(self.raw), CHUNK), chunks, strict=True):
            size = min(CHUNK, len(self.raw) - start)
            self.unread += size - len(chunk.lines)
            self.first_unread = self.first_unread or chunk.why
            bar.update(size)
            yield chunk

    def _in_order(self, chunks: Iterator[Chunk], bar: Any, rules: Replay) -> Iterator[Place]:
        """By time; of a file that is not in order all are judged first."""
        times = [lines.stated_time(each) for each in self.raw]
        ready = (
            (chunk, [rules.settler(seen) for seen in chunk.seen])
            for chunk in self._counted(chunks, bar)
        )
        if all(a <= b for a, b in pairwise(times)):
            return (
                Place(chunk, place, settlers)
                for chunk, settlers in ready
                for place in range(len(chunk.lines))
            )
        places = [
            (times[number * CHUNK + line], number, place, chunk, settlers)
            for number, (chunk, settlers) in enumerate(ready)
            for place, line in enumerate(chunk.lines)
        ]
        places.sort(key=lambda one: one[:3])
        return (Place(chunk, place, settlers) for _, _, place, chunk, settlers in places)

    def _settled(self, ruleset: Ruleset, ordered: Iterator[Place]) -> Iterator[tuple[Told, Seen]]:
        timeline = Timeline(ruleset.windows)
        for chunk, place, settlers in ordered:
            assert chunk.known is not None
            site, discussion, author, seconds, revision = chunk.known.named[place]
            told = chunk.told[place]
            stated = chunk.known.stated.get(place)
            timeless = seconds == 0
            self.recorded += stated is not None
            self.timeless += timeless
            body_hash = chunk.known.hashes[place * _HASH : (place + 1) * _HASH]
            comment = Submission(
                discussion, told.id, revision, site, author, datetime.fromtimestamp(seconds, UTC),
                replay.unread(body_hash),
            )  # fmt: skip
            if chunk.known.signatures:
                timeline.signed(body_hash, chunk.known.signatures[place])
            facts = timeline.facts(comment, stated, windows=not timeless)
            seen, verdict = settlers[chunk.which[place]](facts)
            timeline.written(comment, STATUS[verdict], windows=not timeless)
            yield told, seen


def _judge(start: int) -> Chunk:
    """In a worker: the comments of a chunk of lines, their facts unknown."""
    assert _INHERITED is not None
    raw, rules, label, timed = _INHERITED
    places, read_lines, ruled = [], [], []
    why = ""
    for number in range(start, min(start + CHUNK, len(raw))):
        try:
            line = lines.decoded(raw[number])
            ruled.append(lines.bad(line, label))
        except BadLine as error:
            why = why or str(error)
            continue
        places.append(number - start)
        read_lines.append(line)
    # One step for all, then the next: a step's code and data stay in the processor's cache.
    readings = [read(line.text or line.body) for line in read_lines]
    comments = list(map(lines.submission, read_lines, readings))
    looked = list(map(rules.look, comments))
    # Equal ones are mostly the same one, which is cheaper to compare.
    distinct = {id(seen): seen for seen in looked}
    numbers = {name: n for n, name in enumerate(distinct)}
    known = None
    if timed:
        known = Known(
            [(c.site, c.discussion, c.author, c.at.timestamp(), c.revision) for c in comments],
            b"".join([reading.body_hash for reading in readings]),
            {place: line.facts for place, line in enumerate(read_lines) if line.facts},
            signatures(readings) if rules.ruleset.windows.near_most else [],
        )
    told = [
        Told(comment.comment, bad, line.warm)
        for comment, bad, line in zip(comments, ruled, read_lines, strict=True)
    ]
    which = [numbers[id(seen)] for seen in looked]
    return Chunk(places, why, told, which, list(distinct.values()), known)


def prepared(
    files: tuple[Path, ...], limit: int | None, workers: int, label: str | None = None
) -> Run:
    """Raises Misconfigured where there is no line."""
    raw = list(islice(lines.read_lines(files), limit))
    if not raw:
        raise Misconfigured("there is no line in these files")
    return Run(raw, workers, label)
