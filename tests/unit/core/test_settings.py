"""Settings: what the environment says of the cluster, secrets and retention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.core import settings, topics
from services.core.errors import Misconfigured

BROKERS = {"VECHE_KAFKA_BOOTSTRAP": "k1:9092,k2:9092"}
SASL = BROKERS | {
    "VECHE_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
    "VECHE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "VECHE_KAFKA_SASL_USERNAME": "veche",
}


def test_clients_speak_plain_text_where_nothing_else_is_said() -> None:
    assert settings.Kafka.read(BROKERS).client_options() == {
        "bootstrap_servers": "k1:9092,k2:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_a_password_comes_from_a_file_and_shows_nowhere(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    kafka = settings.Kafka.read(
        SASL | {"VECHE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}
    )
    assert kafka.client_options() == {
        "bootstrap_servers": "k1:9092,k2:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "veche",
        "sasl_plain_password": "open sesame",
    }
    assert "sesame" not in repr(kafka) + str(settings.masked(kafka))
    assert settings.masked(kafka.security)["password"] == "***"


def test_tls_verifies_the_broker() -> None:
    options = settings.Kafka.read(
        BROKERS | {"VECHE_KAFKA_SECURITY_PROTOCOL": "SSL"}
    ).client_options()
    assert options["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        (SASL, "VECHE_KAFKA_SASL_PASSWORD"),
        (BROKERS | {"VECHE_KAFKA_SECURITY_PROTOCOL": "TLS"}, "SASL_SSL"),
        (SASL | {"VECHE_KAFKA_SASL_MECHANISM": "GSSAPI"}, "SCRAM-SHA-256"),
        (SASL | {"VECHE_KAFKA_SASL_PASSWORD_FILE": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_is_refused_by_name(stated: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        settings.Kafka.read(stated)


def test_a_ca_file_that_is_not_there_is_named() -> None:
    stated = BROKERS | {
        "VECHE_KAFKA_SECURITY_PROTOCOL": "SSL", "VECHE_KAFKA_CA_FILE": "/nowhere/ca.pem",
    }  # fmt: skip
    with pytest.raises(Misconfigured, match=r"/nowhere/ca\.pem"):
        settings.Kafka.read(stated).client_options()


def test_retention_is_stated_by_topic_and_dead_letters_follow() -> None:
    stated = settings.retention_ms(topics.declared(), {"VECHE_RETENTION_MS_VOTES_V1": "1814400000"})
    assert stated == {topics.VOTES: 1_814_400_000}
    kept = topics.kept(stated)
    for name in (topics.VOTES, "votes.v1.dead"):
        configs = kept[name].configs()
        assert (configs["retention.ms"], configs["segment.ms"]) == ("1814400000", "86400000")
    assert kept[topics.VIEWS].configs()["retention.ms"] == "-1"
    assert topics.declared()[topics.VOTES].retention_ms == -1


@pytest.mark.parametrize("value", ["21d", "0", "-2"])
def test_a_retention_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(Misconfigured, match="VECHE_RETENTION_MS_VIEWS_V1"):
        settings.retention_ms([topics.VIEWS], {"VECHE_RETENTION_MS_VIEWS_V1": value})


def test_a_compacted_topic_has_no_retention() -> None:
    with pytest.raises(Misconfigured, match="strips"):
        topics.kept({topics.STRIPS: 1})


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (settings.Http.read, "VECHE_HTTP_PORT"),
        (settings.Probes.read, "VECHE_PROBES_PORT"),
        (settings.Local.read, "VECHE_PORT"),
    ],
)
@pytest.mark.parametrize("value", ["65536", "-1", "http"])
def test_a_port_that_cannot_be_is_refused_by_name(
    read: Callable[[dict[str, str]], object], name: str, value: str
) -> None:
    with pytest.raises(Misconfigured, match=name):
        read({name: value})
