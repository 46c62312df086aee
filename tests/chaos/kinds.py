"""Every kind of fault, by name, and how often each ran."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.nemesis import Nemesis


class Missed(Exception):
    """The failpoint was not reached: the fault does not count."""


class Skipped(Exception):
    """This machine cannot do it."""


@dataclass
class Tally:
    ran: int = 0
    struck: int = 0
    """Transactions, where one fault strikes many: commits cut unheard, zombies."""
    missed: int = 0
    skipped: str = ""
    points: dict[str, int] = field(default_factory=dict)


Kind = Callable[["Nemesis"], Awaitable[dict[str, Any]]]
KINDS: dict[str, Kind] = {}
LIGHT: set[str] = set()


def kind(light: bool = False) -> Callable[[Kind], Kind]:
    """Registers a fault by its function's name; `light` ones need no recovery to be waited for."""

    def register(function: Kind) -> Kind:
        name = function.__name__  # type: ignore[attr-defined]
        KINDS[name] = function
        if light:
            LIGHT.add(name)
        return function

    return register
