"""What a row of `peers` asks of each side."""

from __future__ import annotations

from typing import Protocol


class Peer(Protocol):
    name: str
    url: str
    asynchronous: bool
    """An accepted write may be stored a moment later."""

    async def fill(self, count: int) -> None:
        """Makes one thread with so many comments."""

    def create(self) -> bytes:
        """A request for another comment in another thread."""

    def vote(self) -> bytes:
        """A request for a vote by another reader each time, on one comment as long as it takes any
        more."""

    async def thread(self) -> list[bytes]:
        """The requests that together read the thread of `fill`."""

    def latest(self) -> bytes: ...

    async def count_comments(self) -> int: ...

    async def count_votes(self) -> int:
        """Votes that the comments voted on show."""
