"""The topics themselves: creates those that are declared, and tells which differ."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.core import settings, topics
from services.core.errors import Misconfigured, Retryable


@dataclass
class TopicsReport:
    """What `create_topics` found and did; names without the prefix."""

    created: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    differing: dict[str, str] = field(default_factory=dict)
    """Topic → what differs from schemas/topics.toml, as a sentence."""


async def create_topics(
    bootstrap: str,
    prefix: str = "",
    names: Iterable[str] | None = None,
    *,
    replication_factor: int = 1,
    min_insync_replicas: int = 1,
    security: settings.KafkaSecurity = settings.PLAINTEXT,
    retention_ms: Mapping[str, int] | None = None,
) -> TopicsReport:
    """Creates the declared topics that do not exist yet, and reports those that differ.

    `retention_ms` goes before what schemas/topics.toml states; dead letters follow their source.
    Raises Retryable where Kafka does not answer.
    """
    declared = topics.kept(retention_ms or {})
    wanted = {name: declared[name] for name in (names or declared)}
    report = TopicsReport()
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=15_000, **security.client_options()
    )
    try:
        async with asyncio.timeout(15.0):
            await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for name, topic in wanted.items() if prefix + name not in existing]
        if missing:
            response = await admin.create_topics(
                [
                    NewTopic(
                        prefix + topic.name,
                        topic.partitions,
                        replication_factor,
                        topic_configs=topic.configs(min_insync_replicas),
                    )
                    for topic in missing
                ],
                timeout_ms=15_000,
            )
            for name, code, *message in response.topic_errors:
                if code == 0:
                    report.created.append(name.removeprefix(prefix))
                elif code != errors.TopicAlreadyExistsError.errno:  # somebody else was quicker
                    raise Misconfigured(
                        f"Kafka would not create {name}: "
                        f"{message[0] if message and message[0] else errors.for_code(code)}"
                    )
            await _wait_for_leaders(admin, [prefix + topic.name for topic in missing])
        report.existing = [name for name in wanted if name not in report.created]
        report.differing = await _differing(
            admin, prefix, {name: wanted[name] for name in report.existing}, min_insync_replicas
        )
    except (errors.KafkaError, TimeoutError, OSError) as error:
        raise Retryable(f"Kafka at {bootstrap} does not answer: {error!r}") from error
    finally:
        with suppress(errors.KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(5.0):
                await admin.close()
    return report


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    deadline = time.monotonic() + 15.0
    while True:
        described = await admin.describe_topics(names)
        if all(
            topic["error_code"] == 0
            and topic["partitions"]
            and all(partition["leader"] >= 0 for partition in topic["partitions"])
            for topic in described
        ):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("topics were created but have no leaders yet")
        await asyncio.sleep(0.05)


async def _differing(
    admin: AIOKafkaAdminClient,
    prefix: str,
    existing: dict[str, topics.Topic],
    min_insync_replicas: int,
) -> dict[str, str]:
    if not existing:
        return {}
    differing: dict[str, list[str]] = {}
    for described in await admin.describe_topics([prefix + name for name in existing]):
        name = described["topic"].removeprefix(prefix)
        found, stated = len(described["partitions"]), existing[name].partitions
        if found != stated:
            differing.setdefault(name, []).append(f"{found} partitions, not {stated}")
    responses = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, prefix + name) for name in existing]
    )
    for response in responses:
        for _code, _message, _type, resource, entries in response.resources:
            name = resource.removeprefix(prefix)
            held = {entry[0]: entry[1] for entry in entries}
            for key, value in existing[name].configs(min_insync_replicas).items():
                if held.get(key) != value:
                    differing.setdefault(name, []).append(f"{key} is {held.get(key)}, not {value}")
    return {name: "; ".join(sentences) for name, sentences in differing.items()}
