"""How long the loop waits for what, in seconds, and how much it takes at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The defaults are those of production; tests shorten some."""

    max_records: int = 2_000
    min_records: int = 500
    """Smaller batches are not asked for, however long a transaction takes: what each costs apart
    from its records would come to outweigh them, and a backlog would slow down what is slow."""
    transaction_seconds: float = 0.1
    """Batches shrink and grow so that a transaction stays around this."""
    linger: float = 0.05
    """While records keep coming, a small batch waits this long for more; a lone one never."""
    poll: float = 0.1
    """One wait for records; also the longest time to notice a stop."""
    sweep: float = 1.0
    acquire: float = 5.0
    """Waiting for a connection of the pool."""
    backoff: float = 0.1
    backoff_limit: float = 5.0
    stopped_poll: float = 3.0
    """How often a stopped partition looks for an operator's resume."""
    drain: float = 5.0
    """For a running transaction when partitions are revoked or the process stops."""
    identity: float = 2.0
    """How often the topics' ids are compared with the fences'."""
    commit_hint: float = 2.0
    """How often Kafka is told the offsets, for lag tools only."""
    silence: int = 60
    """The watchdog's patience: no attempt has ended, well or badly."""
    session: float = 30.0
    rebalance: float = 60.0
    heartbeat: float = 3.0

    @classmethod
    def within(cls, session: float, *, min_records: int = 500) -> Timing:
        """A shorter session needs heartbeats that keep pace with it."""
        heartbeat = min(cls.heartbeat, session / 5)
        return cls(session=session, heartbeat=heartbeat, min_records=min_records)

    def next_size(self, size: int, count: int, seconds: float) -> int:
        """How many records to fetch after `count` of `size` took `seconds`.

        Twice too long: half as many. Full and quick: more.
        """
        target = self.transaction_seconds
        if seconds > target:
            size = min(size, max(self.min_records, int(count * max(0.5, target / seconds))))
        elif count >= size and seconds < target / 2:
            size = size * 3 // 2
        return min(size, self.max_records)
