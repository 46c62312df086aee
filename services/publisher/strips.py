"""Dirty discussions to strips: lock, read, write, commit; then send, and clear what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.core import codec, feed, metrics, topics
from services.core.db import Pool, transaction
from services.core.errors import Retryable
from services.core.events import Strip, StripPublished, Version
from services.core.produce import Outgoing, Producer
from services.core.store import dirty, feeds, strips
from services.core.store.strips import Locked, Seen
from services.publisher import shards


@dataclass(frozen=True, slots=True)
class Folded:
    """What one transaction made of some marks."""

    marks: Sequence[dirty.Mark]
    """As read before the locks, so a state changed later has another mark."""
    versions: Mapping[str, Version] = field(default_factory=dict)
    """Of every discussion that is opened."""
    unsent: Mapping[str, Strip] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Per discussion, the marks of the changed comments that its strip names."""


def next_strip(locked: Locked, seen: Seen, incarnation: int) -> Strip:
    """The strip that holds now: the one before if it still says everything, else a new version."""
    before = locked.strip
    version = Version(incarnation, locked.version.number + 1)
    if before is None or before.version.incarnation != incarnation:
        return feed.strip(seen.facts, version, None)
    # None acknowledged: nobody can name the changes since the last record.
    changes = sorted(seen.changes) if locked.published_version else None
    strip = feed.strip(seen.facts, version, changes)
    if not seen.changes and feed.says_the_same(before, strip):
        return before
    return strip


async def fold(pool: Pool, marks: Sequence[dirty.Mark]) -> Folded:
    """Gives versions under the strips' locks and ranks the discussions; one transaction.

    A discussion that is not opened yet has no strip: its mark is cleared, and its opening makes
    another.
    """
    written: dict[str, Strip] = {}
    unsent: dict[str, Strip] = {}
    versions: dict[str, Version] = {}
    changes: dict[str, Mapping[str, int]] = {}
    async with transaction(pool) as connection:
        incarnation = await strips.current_incarnation(connection)
        locked = await strips.lock(connection, {mark.discussion for mark in marks})
        for seen in await strips.read_facts(connection, locked):
            key = seen.facts.discussion
            strip = next_strip(locked[key], seen, incarnation)
            if strip is not locked[key].strip:
                written[key] = strip
            if locked[key].published_version < strip.version.number:
                unsent[key] = strip
            versions[key] = strip.version
            changes[key] = seen.changes
        if written:
            await strips.write(connection, incarnation, written)
            left = await feeds.rank(connection, written)
            shown = {scope for strip in written.values() for scope in feed.scopes(strip)}
            await feeds.mark(
                connection,
                {key: shards.shard_of_site(key.site) for key in feed.feeds_of(left | shown)},
            )
    return Folded(marks, versions, unsent, changes)


def record(key: str, strip: Strip) -> Outgoing:
    published = StripPublished(
        id=f"{key}@{strip.version}", source=f"/sites/{strip.site}", site=strip.site, data=strip
    )
    return Outgoing(topics.STRIPS, key.encode(), codec.encode(published))


async def publish(pool: Pool, producer: Producer, folded: Folded) -> int:
    """Sends the strips that are unsent, clears what they show; returns how many were sent.

    Raises Retryable where a record was not acknowledged: its discussion stays dirty, and the same
    version is sent again.
    """
    results = await producer.send_all([record(*item) for item in folded.unsent.items()])
    failed = {
        key: result
        for key, result in zip(folded.unsent, results, strict=True)
        if isinstance(result, Retryable)
    }
    await _clear(pool, folded, set(failed))
    metrics.PUBLISHED.labels("strip").inc(len(results) - len(failed))
    for result in failed.values():
        raise result
    return len(results)


async def _clear(pool: Pool, folded: Folded, failed: set[str]) -> None:
    async with transaction(pool) as connection:
        now = await strips.lock_versions(connection, folded.versions)
        # Whose version went on meanwhile is another publisher's, to clear too.
        done = {
            key: version
            for key, version in folded.versions.items()
            if key not in failed and now.get(key) == version
        }
        await strips.set_published(
            connection, {key: done[key] for key in folded.unsent if key in done}
        )
        await strips.clear_changed(
            connection,
            [(key, comment, mark) for key in done for comment, mark in folded.changes[key].items()],
        )
        await dirty.clear(
            connection,
            [
                mark
                for mark in folded.marks
                if mark.discussion in done or mark.discussion not in folded.versions
            ],
        )
