"""Records gather by partition; no partition waits for another one's answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from aiokafka import errors

from services.core import topics
from services.core.errors import Misconfigured, Retryable
from services.core.produce import Outgoing, Sent, partition_of
from services.core.produce.calls import Call, Calls
from services.core.produce.link import BATCH_BYTES, Link


class Metadata(NamedTuple):
    offset: int
    timestamp: int


class Client:
    """Keeps what it is sent as (partition, records, answer)."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, asyncio.Future[Metadata]]] = []

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        assert partition != 5, "Unrecognized partition"
        assert batch.closed()
        future: asyncio.Future[Metadata] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, batch.record_count(), future))
        return future

    @property
    def batches(self) -> list[tuple[int, int]]:
        return [(partition, records) for partition, records, _ in self.sent]


def key(partition: int) -> bytes:
    return next(
        b"k%d" % n for n in range(999) if partition_of(topics.VOTES, b"k%d" % n) == partition
    )


class Case:
    def __init__(self) -> None:
        self.client = Client()
        self.link = Link(self.client, str, lambda _, error: Retryable(repr(error)))

    def put(self, partition: int, value: bytes = b"v") -> Call:
        call = Call(1, float("inf"))
        self.link.put(Outgoing(topics.VOTES, key(partition), value), call, 0)
        return call

    async def sent(self, batches: int) -> None:
        async with asyncio.timeout(5):
            while len(self.client.sent) < batches:
                await asyncio.sleep(0.001)


@pytest.fixture
async def case() -> Case:
    return Case()


async def test_what_one_turn_of_the_loop_brings_goes_together(case: Case) -> None:
    calls = [case.put(partition) for partition in (0, 1, 0, 1, 0)]
    await case.sent(2)
    assert sorted(case.client.batches) == [(0, 3), (1, 2)]
    for _, _, answer in case.client.sent:
        answer.set_result(Metadata(7, 1_000))
    await asyncio.gather(*(call.done for call in calls))
    at = datetime.fromtimestamp(1, UTC)
    assert [call.answers for call in calls] == [
        [Sent(topics.VOTES, partition, offset, at)]
        for partition, offset in ((0, 7), (1, 7), (0, 8), (1, 8), (0, 9))
    ]
    assert case.link.pending == 0


async def test_while_one_is_under_way_the_next_gather_and_keep_their_order(case: Case) -> None:
    case.put(0)
    await case.sent(1)
    for _ in range(10):
        case.put(0)
        await asyncio.sleep(0)
    assert case.client.batches == [(0, 1)]
    case.client.sent[0][2].set_result(Metadata(0, 1))
    await case.sent(2)
    assert case.client.batches == [(0, 1), (0, 10)]


async def test_a_partition_that_is_not_answered_holds_no_other(case: Case) -> None:
    stuck = case.put(0)
    await case.sent(1)
    other = case.put(1)
    await case.sent(2)
    case.client.sent[1][2].set_result(Metadata(0, 1))
    await other.done
    assert not stuck.done.done()


async def test_a_full_batch_is_followed_by_the_next(case: Case) -> None:
    for _ in range(3):
        case.put(0, b"x" * (BATCH_BYTES // 2))
    await case.sent(1)
    for number in range(3):
        case.client.sent[number][2].set_result(Metadata(number, 1))
        await case.sent(min(number + 2, 3))
    assert case.client.batches == [(0, 1), (0, 1), (0, 1)]


async def test_time_of_the_producers_own_is_told_where_the_broker_tells_none(case: Case) -> None:
    call = case.put(0)
    await case.sent(1)
    case.client.sent[0][2].set_result(Metadata(0, -1))
    await call.done
    [sent] = call.answers
    assert isinstance(sent, Sent)
    assert abs((datetime.now(UTC) - sent.recorded_at).total_seconds()) < 30


async def test_a_failed_batch_answers_every_record_of_it(case: Case) -> None:
    calls = [case.put(0) for _ in range(3)]
    await case.sent(1)
    case.client.sent[0][2].set_exception(errors.NotEnoughReplicasError())
    await asyncio.gather(*(call.done for call in calls))
    assert all(isinstance(call.answers[0], Retryable) for call in calls)
    assert case.link.pending == 0


async def test_a_partition_that_is_not_there_is_a_misconfiguration(case: Case) -> None:
    call = case.put(5)
    await call.done
    assert isinstance(call.answers[0], Misconfigured)


async def test_a_call_ends_when_its_time_is_over(case: Case) -> None:
    calls = Calls()
    late, early = Call(1, 0.0), Call(1, float("inf"))
    calls.add(late)
    calls.add(early)
    await late.done
    assert late.answers == [None]
    assert not early.done.done()
    calls.discard(late)
    calls.discard(early)
