"""Clients of every kind against a broker that asks for a name and a password (SASL/PLAIN)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.core import consume, produce, topics
from services.core.errors import Retryable
from services.core.settings import Kafka, KafkaSecurity, Local
from services.embedded import jars, java
from services.embedded.child import free_ports
from services.embedded.kafka import KafkaCluster

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Kafka]:
    """A broker with a second listener, which lets in `veche` with `open sesame` only."""
    plain, controller, sasl = free_ports(3, [])
    home = tmp_path / "kafka" / "broker-1"
    home.mkdir(parents=True)
    (home / "ports").write_text(f"{plain} {controller}\n")
    local = Local.read()
    cluster = KafkaCluster(
        tmp_path / "kafka",
        tmp_path / "logs",
        java=java.find(local.java_home),
        jars=jars.classpath(local, lambda done, total: None),
        options={
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},"
            f"GUARDED://127.0.0.1:{sasl}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},GUARDED://127.0.0.1:{sasl}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "GUARDED:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": f'{LOGIN} user_veche="open sesame";',
        },
    )
    cluster.start()
    security = KafkaSecurity("SASL_PLAINTEXT", "PLAIN", "veche", "open sesame")
    yield Kafka(f"127.0.0.1:{sasl}", "guarded.", security=security)
    cluster.kill()


async def test_who_knows_the_password_makes_topics_writes_and_reads(guarded: Kafka) -> None:
    report = await produce.create_topics(
        guarded.bootstrap, guarded.topic_prefix, [topics.STRIPS], security=guarded.security
    )
    assert report.created == [topics.STRIPS]
    async with produce.Producer(guarded) as producer:
        await producer.send(topics.STRIPS, b"gazette/a", b"{}", deadline_seconds=10)
    async for records in consume.tail(guarded, topics.STRIPS).held():
        if records:
            assert [(record.key, record.value) for record in records] == [(b"gazette/a", b"{}")]
            break
    held = await consume.logs(guarded, [topics.STRIPS])
    assert sum(end - begin for begin, end in held[topics.STRIPS].ranges.values()) == 1

    wrong = replace(guarded, security=replace(guarded.security, password="guess"))
    with pytest.raises(Retryable, match="does not answer"):
        await produce.create_topics(wrong.bootstrap, wrong.topic_prefix, security=wrong.security)
