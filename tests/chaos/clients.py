"""What all clients share: the addresses, the history, the seed, and what no fault explains."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import httpx

from tests.chaos.history import History
from tests.chaos.stack import Stack
from tests.chaos.world import SITE, World

TROUBLE = (httpx.HTTPError, OSError, ValueError)
"""No answer, or one that is none: nothing is known of what was asked for."""


class Clients:
    def __init__(self, stack: Stack, history: History, world: World, chance: random.Random) -> None:
        self.stack = stack
        self.history = history
        self.world = world
        self.random = chance
        self.http = stack.http
        self.stop = asyncio.Event()
        self.secret = stack.trust.env["VECHE_RECEIPT_SECRET"].encode()
        self.broken: list[str] = []
        """Answers that no fault explains: 500s, and 4xx to a good request."""
        self.open_streams: Counter[str] = Counter()
        """Label of a reader → how many of our streams it serves now."""
        self._tokens: dict[tuple[str, str], str] = {}

    def token(self, role: str, sub: str) -> dict[str, str]:
        if (role, sub) not in self._tokens:
            self._tokens[role, sub] = self.stack.trust.mint(
                role=role, sub=sub, site=SITE, exp=2_000_000_000
            )
        return {"Authorization": f"Bearer {self._tokens[role, sub]}"}

    def url(self, name: str) -> str:
        return self.random.choice(self.stack.of(name)).url
