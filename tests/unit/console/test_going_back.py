"""A ruleset is gone back from while others activate theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from services.console import rulesets
from services.console.decide import Settled
from services.console.rulesets import Current, Rulesets, Stale
from services.core.tokens import Identity

ANN = Identity("ann", "gazette", "admin", "", 0)
FOLDER = {"a.yml": "id: a"}


class Beside(Rulesets):
    """So many others activate theirs first."""

    others = 0

    async def _back(self, identity: Identity, to: int, reason: str) -> Settled:
        type(self).others -= 1
        if self.others >= 0:
            raise Stale
        return Settled(200, {"version": 5})


class InUse(Rulesets):
    async def current(self) -> Current:
        return Current(3, "h", FOLDER)


def of(kind: type[Rulesets]) -> Rulesets:
    nothing = cast("Any", None)
    return kind(
        nothing, nothing, b"", lambda: datetime(2026, 3, 1, tzinfo=UTC), lambda: FOLDER, nothing, ()
    )


async def test_another_activation_meanwhile_is_gone_back_from_as_well() -> None:
    Beside.others = rulesets.GOING_BACK - 1
    assert (await of(Beside).roll_back(ANN, 0, "r")).status == 200


async def test_it_ends_where_there_is_always_another() -> None:
    Beside.others = rulesets.GOING_BACK
    with pytest.raises(Stale):
        await of(Beside).roll_back(ANN, 0, "r")


async def test_asked_again_once_it_took_effect_it_makes_no_other_version() -> None:
    settled = await of(InUse).roll_back(ANN, 0, "r")
    assert (settled.status, settled.body["version"]) == (200, 3)
