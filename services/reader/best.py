"""The `best` order: Wilson's lower bound, frozen for a while so that pages do not shift."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.core import rating
from services.core.events import DiscussionKey
from services.reader.cursor import AfterRank, microseconds
from services.reader.shared import Shared

MAX_ORDERS = 1_000
MAX_COMMENTS = 2_000_000

Votes = Sequence[tuple[datetime, str, int, int]]
"""(submitted_at, comment, up, down)"""


@dataclass(frozen=True, slots=True)
class Order:
    """Ranks are (−score, submitted_us, comment), ascending: the best first, then the oldest."""

    name: str
    frozen_at: float
    ranks: Sequence[tuple[float, int, str]]

    def cursor_at(self, position: int) -> AfterRank:
        return AfterRank(self.name, position, *self.ranks[position - 1])


def freeze(votes: Votes, now: float) -> Order:
    ranks = sorted(
        (-rating.wilson_lower_bound(up, down), microseconds(submitted_at), comment)
        for submitted_at, comment, up, down in votes
    )
    return Order(secrets.token_urlsafe(6), now, ranks)


class Orders:
    """Frozen orders by discussion, bounded by number and by comments in all; the oldest go first.

    Who begins within `frozen_seconds` gets the same order; its cursors hold for as long again.
    `clock` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float], frozen_seconds: float) -> None:
        self._clock = clock
        self._frozen_seconds = frozen_seconds
        self._kept: OrderedDict[tuple[DiscussionKey, str], Order] = OrderedDict()
        self._newest: dict[DiscussionKey, Order] = {}
        self._comments = 0
        self._asked: Shared[Order] = Shared(0.0, MAX_ORDERS, clock)
        """Orders that are being made: all who begin meanwhile wait for the same one."""

    async def begin(
        self, discussion: DiscussionKey, votes: Callable[[], Awaitable[Votes]]
    ) -> Order:
        """The order that is frozen now, or a new one."""
        newest = self._newest.get(discussion)
        if newest is not None and self._clock() - newest.frozen_at < self._frozen_seconds:
            return newest

        async def anew() -> Order:
            return self._keep(discussion, freeze(await votes(), self._clock()))

        return await self._asked.get(discussion, anew)

    async def resume(
        self, discussion: DiscussionKey, after: AfterRank, votes: Callable[[], Awaitable[Votes]]
    ) -> tuple[Order, int, bool]:
        """(order, position, whether it expired): a cursor's order, or today's at the same rank."""
        order = self._kept.get((discussion, after.order))
        if order is not None and self._clock() - order.frozen_at < 2 * self._frozen_seconds:
            return order, after.position, False
        order = await self.begin(discussion, votes)
        return order, bisect_right(order.ranks, after.rank), True

    def _keep(self, discussion: DiscussionKey, order: Order) -> Order:
        self._kept[discussion, order.name] = order
        self._newest[discussion] = order
        self._comments += len(order.ranks)
        while self._kept and (
            len(self._kept) > MAX_ORDERS
            or self._comments > MAX_COMMENTS
            or self._clock() - next(iter(self._kept.values())).frozen_at >= 2 * self._frozen_seconds
        ):
            (key, _), gone = self._kept.popitem(last=False)
            self._comments -= len(gone.ranks)
            if self._newest.get(key) is gone:
                del self._newest[key]
        return order
