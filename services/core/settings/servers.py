"""Kafka and Postgres: where they are, how one speaks to them, how long topics are kept."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.core.errors import Misconfigured
from services.core.settings.variables import ENVIRONMENT, one_of, required, text_or_file, whole


@dataclass(frozen=True)
class KafkaSecurity:
    """How every client speaks to the brokers; plain text to a cluster of one's own by default."""

    protocol: str = "PLAINTEXT"
    """VECHE_KAFKA_SECURITY_PROTOCOL: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str = "PLAIN"
    """VECHE_KAFKA_SASL_MECHANISM: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    username: str = ""
    """VECHE_KAFKA_SASL_USERNAME."""
    password: str = field(default="", repr=False)
    """VECHE_KAFKA_SASL_PASSWORD, or VECHE_KAFKA_SASL_PASSWORD_FILE."""
    ca_file: str = ""
    """VECHE_KAFKA_CA_FILE: PEM certificates to trust with TLS; those of the system by default."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> KafkaSecurity:
        protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
        mechanisms = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
        stated = cls(
            protocol=one_of(env, "VECHE_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", protocols),
            mechanism=one_of(env, "VECHE_KAFKA_SASL_MECHANISM", "PLAIN", mechanisms),
            username=env.get("VECHE_KAFKA_SASL_USERNAME", ""),
            password=text_or_file(env, "VECHE_KAFKA_SASL_PASSWORD"),
            ca_file=env.get("VECHE_KAFKA_CA_FILE", ""),
        )
        if stated.protocol.startswith("SASL") and not (stated.username and stated.password):
            raise Misconfigured(
                f"VECHE_KAFKA_SECURITY_PROTOCOL {stated.protocol} needs VECHE_KAFKA_SASL_USERNAME "
                f"and VECHE_KAFKA_SASL_PASSWORD (or VECHE_KAFKA_SASL_PASSWORD_FILE)"
            )
        return stated

    def client_options(self) -> dict[str, Any]:
        """What aiokafka's clients take. Raises Misconfigured where the CA file is no good."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            try:
                options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file or None)
            except OSError as error:
                raise Misconfigured(f"VECHE_KAFKA_CA_FILE {self.ca_file}: {error}") from error
        if self.protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


PLAINTEXT = KafkaSecurity()


@dataclass(frozen=True)
class Kafka:
    bootstrap: str
    """VECHE_KAFKA_BOOTSTRAP: `host:port[,host:port…]` of a Kafka 3.9 or 4.x cluster."""
    topic_prefix: str
    """VECHE_TOPIC_PREFIX: put before names of topics and groups; for tests and shared clusters."""
    group_instance_id: str = ""
    """VECHE_GROUP_INSTANCE_ID: static membership, one id per copy of a consumer; empty: dynamic."""
    session_timeout_ms: int = 30_000
    """VECHE_SESSION_TIMEOUT_MS: a consumer silent for longer loses its partitions to its copies."""
    security: KafkaSecurity = PLAINTEXT

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Kafka:
        return cls(
            bootstrap=required(env, "VECHE_KAFKA_BOOTSTRAP"),
            topic_prefix=env.get("VECHE_TOPIC_PREFIX", ""),
            group_instance_id=env.get("VECHE_GROUP_INSTANCE_ID", ""),
            session_timeout_ms=whole(env, "VECHE_SESSION_TIMEOUT_MS", 30_000),
            security=KafkaSecurity.read(env),
        )

    def topic(self, name: str) -> str:
        """The name on the cluster of a topic of schemas/topics.toml."""
        return self.topic_prefix + name

    def client_options(self) -> dict[str, Any]:
        """What every client of the cluster is made with, apart from its own task."""
        return {"bootstrap_servers": self.bootstrap} | self.security.client_options()


@dataclass(frozen=True)
class Postgres:
    dsn: str
    """VECHE_POSTGRES_DSN: `postgresql://user@host:port/database`, Postgres 16 or newer."""
    pool_size: int
    """VECHE_POSTGRES_POOL_SIZE: connections of one process at most."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT, pool_size: int = 4) -> Postgres:
        return cls(
            dsn=required(env, "VECHE_POSTGRES_DSN"),
            pool_size=whole(env, "VECHE_POSTGRES_POOL_SIZE", pool_size),
        )


def topic_prefix(env: Mapping[str, str] = ENVIRONMENT) -> str:
    """VECHE_TOPIC_PREFIX, for commands that are told the cluster otherwise."""
    return env.get("VECHE_TOPIC_PREFIX", "")


def retention_ms(names: Iterable[str], env: Mapping[str, str] = ENVIRONMENT) -> dict[str, int]:
    """VECHE_RETENTION_MS_<TOPIC>: by topic, where it is set; `-1` keeps everything.

    The topic's name is in upper case with underscores: VECHE_RETENTION_MS_COMMENTS_V1.
    """
    stated: dict[str, int] = {}
    for name in names:
        variable = "VECHE_RETENTION_MS_" + name.upper().replace(".", "_")
        value = env.get(variable, "")
        if value and value != "-1" and not (value.isdecimal() and int(value) > 0):
            raise Misconfigured(f"{variable} must be milliseconds or -1 (all), not {value!r}")
        if value:
            stated[name] = int(value)
    return stated
