"""What aiokafka does not ask the cluster: the ids of topics (Metadata v12, KIP-516)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from services.core import settings
from services.core.errors import Retryable


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _Answer
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_Question]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Question]) -> _Question:
        topics: list[tuple[UUID, str, dict[int, bytes]]] = [
            (UUID(int=0), name, {}) for name in self._names
        ]
        return request_struct_class(topics, False, False, {})


async def topic_ids(client: AIOKafkaClient, names: Iterable[str]) -> dict[str, UUID]:
    """Name on the cluster → Kafka's id of the topic; a topic that does not exist is left out.

    Raises aiokafka's KafkaError where no broker answers.
    """
    node = client.get_random_node()
    if node is None:
        raise errors.KafkaConnectionError("no broker is known")
    answer: Any = await client.send(node, _Metadata(list(names)))
    found: dict[str, UUID] = {}
    for error_code, name, topic_id, *_ in answer.topics:
        if error_code == 0:
            found[name] = topic_id
        elif error_code != errors.UnknownTopicOrPartitionError.errno:
            raise errors.for_code(error_code)(name)
    return found


@dataclass(frozen=True)
class Log:
    """What the cluster holds of a topic: partition → [begin, end) offsets."""

    topic_id: UUID
    ranges: dict[int, tuple[int, int]]


async def logs(kafka: settings.Kafka, names: Iterable[str]) -> dict[str, Log]:
    """Topic as in schemas/topics.toml → what the cluster holds; absent topics are left out.

    Raises Retryable where Kafka does not answer within ten seconds.
    """
    client = AIOKafkaConsumer(**kafka.client_options(), client_id="veche-look")
    found: dict[str, Log] = {}
    try:
        async with asyncio.timeout(10):
            await client.start()
            wanted = {kafka.topic(name): name for name in names}
            for full, topic_id in (await topic_ids(client._client, wanted)).items():
                await client._client._wait_on_metadata(full)
                places = [
                    TopicPartition(full, partition)
                    for partition in sorted(client.partitions_for_topic(full) or ())
                ]
                begins = await client.beginning_offsets(places)
                ends = await client.end_offsets(places)
                found[wanted[full]] = Log(
                    topic_id, {place.partition: (begins[place], ends[place]) for place in places}
                )
    except (errors.KafkaError, TimeoutError, OSError) as error:
        raise Retryable(f"Kafka at {kafka.bootstrap} does not answer: {error!r}") from error
    finally:
        with suppress(errors.KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(5):
                await client.stop()
    return found
