"""Rows `peers_*`: the same four things over HTTP, by the same client, at Isso and at Waline.

Create a comment, vote on one comment (every vote by another reader; Isso, which keeps 142 votes a
comment, on another one every 100), list a thread of 1,000, read the latest 20. A write counts once
its effect is stored: Veche's rate is over the time until Postgres holds all that was accepted.
Waline stores in the same Postgres; Isso has SQLite only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bench import peer_isso, peer_veche, peer_waline
from bench.client import load
from bench.figures import Figure, Sample, compared
from bench.ground import Ground
from bench.peer import Peer

CONNECTIONS = 16
THREAD = 1_000
MEASURES = (
    ("create", "comments/s", 10),
    ("vote", "votes/s", 10),
    ("thread", "threads/s", 3),
    ("latest", "requests/s", 3),
)


@dataclass
class Seen:
    create: float = 0.0
    vote: float = 0.0
    thread: float = 0.0
    latest: float = 0.0
    votes_accepted: float = 0.0
    """A second, kept or not."""
    votes_lost: float = 0.0
    """Share of the accepted votes that the comments do not show."""


async def written(peer: Peer, make: Callable[[], bytes], stored: Callable[[], Awaitable[int]],
                  seconds: float) -> tuple[float, int, int]:  # fmt: skip
    """(writes per second until stored, accepted, stored)."""
    before = await stored()
    began = time.perf_counter()
    seen = await load(
        peer.url, make, connections=CONNECTIONS, seconds=seconds, warm_seconds=0,
    )  # fmt: skip
    accepted = sum(n for status, n in seen.statuses.items() if status < 300)
    if accepted < len(seen.latencies) * (1.0 if peer.asynchronous else 0.9):
        raise RuntimeError(f"{peer.name} answered {seen.statuses}")  # a peer may fail now and then
    kept = await stored() - before
    deadline = time.perf_counter() + (10 if peer.asynchronous else 0)
    while kept < accepted and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)
        kept = await stored() - before
    if peer.asynchronous and kept < accepted:
        raise RuntimeError(f"{peer.name} accepted {accepted} writes and holds {kept} of them")
    return min(kept, accepted) / (time.perf_counter() - began), accepted, kept


async def asked(peer: Peer, requests: list[bytes], seconds: float) -> float:
    """Times per second that all these requests were answered."""
    position = 0

    def make() -> bytes:
        nonlocal position
        position += 1
        return requests[position % len(requests)]

    seen = await load(peer.url, make, connections=CONNECTIONS, seconds=seconds)
    return seen.expect(200).per_second / len(requests)


async def tried(ground: Ground, peer: Peer) -> Seen:
    seconds = ground.size(5, 1)
    seen = Seen()
    await peer.fill(THREAD)
    seen.create, _, _ = await written(peer, peer.create, peer.count_comments, seconds)
    seen.vote, accepted, kept = await written(peer, peer.vote, peer.count_votes, seconds)
    seen.votes_lost = 1 - kept / accepted
    seen.votes_accepted = accepted / seconds
    seen.thread = await asked(peer, await peer.thread(), seconds)
    seen.latest = await asked(peer, [peer.latest()], seconds)
    ground.tell(
        f"peers: {peer.name} creates {seen.create:,.0f}/s, votes {seen.vote:,.0f}/s "
        f"({seen.votes_lost:.0%} of {accepted:,} lost), threads {seen.thread:,.1f}/s, "
        f"latest {seen.latest:,.0f}/s"
    )
    return seen


@asynccontextmanager
async def only(opening: Callable[[Ground], object], ground: Ground) -> AsyncIterator[Peer]:
    async with opening(ground) as peer:  # type: ignore[attr-defined]
        yield peer


async def peers_row(ground: Ground) -> list[Figure]:
    openings = {"veche": peer_veche.opened, "isso": peer_isso.opened, "waline": peer_waline.opened}
    seen: dict[str, list[Seen]] = {name: [] for name in openings}
    for _ in range(ground.runs):
        for name, opening in openings.items():
            async with only(opening, ground) as peer:
                seen[name].append(await tried(ground, peer))
    figures = []
    for name in ("isso", "waline"):
        lost = Sample([one.votes_lost for one in seen[name]]).median
        accepted = Sample([one.votes_accepted for one in seen[name]]).median
        for what, unit, target in MEASURES:
            ours, theirs = (
                Sample([getattr(one, what) for one in seen[side]]) for side in ("veche", name)
            )
            extra = {}
            if what == "vote":
                extra = {"votes_lost_share": round(lost, 3), "accepted_by_peer": round(accepted)}
            figures.append(
                compared(f"peers_{name}_{what}", unit, ours, name, theirs, target, **extra)
            )
    return [weakest(figures), *figures]


def weakest(figures: Sequence[Figure]) -> Figure:
    """Row `peers`: the comparison that is worst beside its target, so all are reached if it is."""
    worst = min(figures, key=lambda figure: (figure.ratio or 0) / (figure.target or 1))
    said = {"weakest": worst.name, "comparisons": len(figures)}
    return replace(worst, name="peers", extra={**worst.extra, **said})
