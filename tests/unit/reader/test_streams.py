"""What a client says it holds is believed, or not."""

from __future__ import annotations

import pytest

from services.core.events import Version
from services.core.problems import away
from services.reader.broadcast import Channel
from services.reader.shared import Shared
from services.reader.shelf import KeptStrip, Strips
from services.reader.streams import believed, first_told
from tests.unit.reader.build import T0, a_strip


class Written:
    """Postgres as far as streams know it."""

    def __init__(self, version: Version | None = None) -> None:
        self.version = version
        self.away = False
        self.asked = 0

    async def __call__(self) -> Version | None:
        self.asked += 1
        if self.away:
            raise away("away")
        return self.version


async def held(
    said: Version | None, newest: Version | None, written: Written, answers: Shared[Version | None]
) -> Version | None:
    return await believed(said, newest, "key", written, answers)


@pytest.fixture
def answers() -> Shared[Version | None]:
    return Shared(1.0, 100, lambda: 0.0)


@pytest.mark.parametrize(
    ("said", "newest"),
    [
        (None, None),
        (None, Version(1, 5)),
        (Version(1, 5), Version(1, 5)),
        (Version(1, 9), Version(2, 5)),
    ],
)
async def test_what_memory_knows_costs_no_question(
    said: Version | None, newest: Version | None, answers: Shared[Version | None]
) -> None:
    written = Written()
    assert await held(said, newest, written, answers) == said
    assert written.asked == 0


async def test_who_is_ahead_of_memory_is_believed_where_postgres_is_as_far(
    answers: Shared[Version | None],
) -> None:
    written = Written(Version(1, 9))
    assert await held(Version(1, 9), Version(1, 5), written, answers) == Version(1, 9)
    assert await held(Version(1, 10), Version(1, 5), written, answers) is None
    assert await held(Version(2, 1), Version(1, 5), written, answers) is None
    assert await held(Version(1, 11), None, Written(None), answers) is None


async def test_a_newer_claim_is_not_judged_by_an_older_answer(
    answers: Shared[Version | None],
) -> None:
    """Between two clients the publisher went on: what was read for one is too old for the next."""
    written = Written(Version(1, 9))
    await held(Version(1, 9), Version(1, 5), written, answers)
    written.version = Version(1, 10)
    assert await held(Version(1, 10), Version(1, 5), written, answers) == Version(1, 10)


async def test_many_who_hold_the_same_ask_once(answers: Shared[Version | None]) -> None:
    written = Written(Version(1, 9))
    for _ in range(100):
        assert await held(Version(7, 1), Version(1, 5), written, answers) is None
    assert written.asked == 1


async def test_while_postgres_is_away_clients_are_believed(
    answers: Shared[Version | None],
) -> None:
    written = Written(Version(1, 9))
    written.away = True
    assert await held(Version(7, 1), Version(1, 5), written, answers) == Version(7, 1)
    written.away = False
    assert await held(Version(7, 1), Version(1, 5), written, answers) is None


def kept_after(*changed: list[str] | None) -> KeptStrip:
    """The newest of the strips 1.1, 1.2, … with these changes."""
    strips = Strips(10)
    for number, comments in enumerate(changed, 1):
        strips.put("k", a_strip(number, changed_comments=comments), T0)
    kept = strips.get("k")
    assert kept is not None
    return kept


def names(chunk: bytes) -> list[str]:
    return [
        line.removeprefix("event: ")
        for line in chunk.decode().splitlines()
        if line.startswith("event: ")
    ]


def test_who_missed_only_views_and_votes_gets_the_newest_strip_and_no_reset() -> None:
    newest = kept_after([], ["c1"], [], [])
    for number in (2, 3):
        version, chunk = first_told(True, Version(1, number), newest, Channel())
        assert (version, names(chunk)) == (Version(1, 4), ["strip"]), number
    assert first_told(True, Version(1, 4), newest, Channel()) == (Version(1, 4), b"")


def test_who_missed_a_change_of_comments_loads_the_thread_again() -> None:
    for newest in (kept_after([], ["c1"], []), kept_after([], None, [])):
        for held in (Version(1, 1), None):
            version, chunk = first_told(True, held, newest, Channel())
            assert (version, names(chunk)) == (Version(1, 2), ["reset", "strip"])


def test_a_newcomer_that_said_nothing_also_gets_comments_that_are_on_their_way() -> None:
    version, chunk = first_told(False, None, kept_after([], ["c1"]), Channel())
    assert (version, names(chunk)) == (Version(1, 1), ["strip"])
