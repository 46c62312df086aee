"""What was found out about a token, since people repeat their words."""

from __future__ import annotations

from collections.abc import Callable

LONGEST = 32
"""Code points; longer ones are hardly words, and not kept."""


class Remembered(dict[str, str]):
    """Bounded: of two generations the older one goes when the younger is full; what is still in
    use moves over."""

    def __init__(self, find_out: Callable[[str], str], most: int) -> None:
        self._find_out = find_out
        self._half = most // 2
        self._older: dict[str, str] = {}

    def __missing__(self, token: str) -> str:
        found = self._older.get(token)
        if found is None:
            found = self._find_out(token)
        if len(token) <= LONGEST:
            if len(self) >= self._half:
                self._older = dict(self)
                self.clear()
            self[token] = found
        return found
