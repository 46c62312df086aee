"""Settings: small frozen groups, read from the environment here and nowhere else.

Only a process's `__main__` calls these; the rest of the code gets the values as arguments.
A name with `secret` in it is masked wherever settings are printed.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from services.core.errors import BadRuleset, Misconfigured
from services.core.rules.brakes import Brakes

ROOT = Path(__file__).parents[2]


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
    def read(cls, env: Mapping[str, str] = os.environ) -> KafkaSecurity:
        protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
        mechanisms = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
        stated = cls(
            protocol=_one_of(env, "VECHE_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", protocols),
            mechanism=_one_of(env, "VECHE_KAFKA_SASL_MECHANISM", "PLAIN", mechanisms),
            username=env.get("VECHE_KAFKA_SASL_USERNAME", ""),
            password=_text_or_file(env, "VECHE_KAFKA_SASL_PASSWORD"),
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
    def read(cls, env: Mapping[str, str] = os.environ) -> Kafka:
        return cls(
            bootstrap=_required(env, "VECHE_KAFKA_BOOTSTRAP"),
            topic_prefix=env.get("VECHE_TOPIC_PREFIX", ""),
            group_instance_id=env.get("VECHE_GROUP_INSTANCE_ID", ""),
            session_timeout_ms=_whole(env, "VECHE_SESSION_TIMEOUT_MS", 30_000),
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
    def read(cls, env: Mapping[str, str] = os.environ, pool_size: int = 4) -> Postgres:
        return cls(
            dsn=_required(env, "VECHE_POSTGRES_DSN"),
            pool_size=_whole(env, "VECHE_POSTGRES_POOL_SIZE", pool_size),
        )


@dataclass(frozen=True)
class Http:
    host: str
    """VECHE_HTTP_HOST: the address that an HTTP service listens on."""
    port: int
    """VECHE_HTTP_PORT."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ, port: int = 8080) -> Http:
        return cls(
            host=env.get("VECHE_HTTP_HOST", "127.0.0.1"),
            port=_port(env, "VECHE_HTTP_PORT", port),
        )


@dataclass(frozen=True)
class Probes:
    host: str
    """VECHE_PROBES_HOST: where /livez, /readyz and /metrics listen, apart from the public port."""
    port: int
    """VECHE_PROBES_PORT."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ, port: int = 9090) -> Probes:
        return cls(
            host=env.get("VECHE_PROBES_HOST", "127.0.0.1"),
            port=_port(env, "VECHE_PROBES_PORT", port),
        )


@dataclass(frozen=True)
class Logs:
    level: str
    """VECHE_LOG_LEVEL: debug, info, warning or error."""
    format: str
    """VECHE_LOG_FORMAT: text or json."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Logs:
        return cls(
            level=_one_of(env, "VECHE_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            format=_one_of(env, "VECHE_LOG_FORMAT", "text", ("text", "json")),
        )


@dataclass(frozen=True)
class Trust:
    """Whom a service believes, and the keys that it signs with."""

    issuers_file: Path
    """VECHE_ISSUERS_FILE: TOML, who may issue tokens for which sites and roles."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Trust:
        return cls(issuers_file=Path(_required(env, "VECHE_ISSUERS_FILE")))


@dataclass(frozen=True)
class Reader:
    """Bounds of one reader process."""

    strips: int
    """VECHE_READER_STRIPS: newest strips kept in memory; the rest are read from Postgres."""
    streams: int
    """VECHE_READER_STREAMS: open streams at most; one more is told to come back later."""
    stream_queue: int
    """VECHE_READER_STREAM_QUEUE: events that wait for a slow reader before it is dropped."""
    socket_buffer_bytes: int
    """VECHE_READER_SOCKET_BUFFER: what the kernel holds for one connection (SO_SNDBUF)."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Reader:
        return cls(
            strips=_whole(env, "VECHE_READER_STRIPS", 50_000),
            streams=_whole(env, "VECHE_READER_STREAMS", 10_000),
            stream_queue=_whole(env, "VECHE_READER_STREAM_QUEUE", 16),
            socket_buffer_bytes=_whole(env, "VECHE_READER_SOCKET_BUFFER", 65_536),
        )


@dataclass(frozen=True)
class Scorer:
    """A portal's own classifier, asked over HTTP; the scorer runs only where it has an address."""

    url: str
    """VECHE_SCORER_URL: where comments are POSTed."""
    secret: str
    """VECHE_SCORER_SECRET, or the file that the same with _FILE names; none by default."""
    deadline_ms: int
    """VECHE_SCORER_DEADLINE_MS: of one request."""
    at_once: int
    """VECHE_SCORER_AT_ONCE: requests of one process that wait for an answer."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Scorer:
        scorer = cls(
            url=_required(env, "VECHE_SCORER_URL"),
            secret=_text_or_file(env, "VECHE_SCORER_SECRET"),
            deadline_ms=_whole(env, "VECHE_SCORER_DEADLINE_MS", 2_000),
            at_once=_whole(env, "VECHE_SCORER_AT_ONCE", 16),
        )
        if not scorer.url.startswith(("http://", "https://")):
            raise Misconfigured("VECHE_SCORER_URL must begin with http:// or https://")
        if not 1 <= scorer.deadline_ms <= 10_000:
            raise Misconfigured("VECHE_SCORER_DEADLINE_MS must be 1 to 10000 milliseconds")
        if not 1 <= scorer.at_once <= 64:
            raise Misconfigured("VECHE_SCORER_AT_ONCE must be 1 to 64 requests")
        return scorer

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def scorer_url(env: Mapping[str, str] = os.environ) -> str:
    """VECHE_SCORER_URL, for `veche up`: whether there is a scorer to start."""
    return env.get("VECHE_SCORER_URL", "")


@dataclass(frozen=True)
class Local:
    """What `veche up` and the tests take from the machine that they run on."""

    port: int
    """VECHE_PORT: the one origin of `veche up`."""
    data_dir: Path
    """VECHE_DATA_DIR: where `veche up` keeps everything; `.veche` beside the code by default."""
    cache_dir: Path
    """VECHE_CACHE_DIR: the broker's jars, fetched once; `~/.cache/veche` by default."""
    java_home: Path | None
    """JAVA_HOME: wins over the wheel's Java where it is 17 or newer."""
    maven_url: str
    """MVNW_REPOURL: a mirror of Maven Central; the central repository by default."""
    kafka_bootstrap: str
    """VECHE_KAFKA_BOOTSTRAP: use this cluster and start none."""
    postgres_dsn: str
    """VECHE_POSTGRES_DSN: use this server and start none."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Local:
        cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "veche"
        return cls(
            port=_port(env, "VECHE_PORT", 8000),
            data_dir=Path(env.get("VECHE_DATA_DIR") or ROOT / ".veche").resolve(),
            cache_dir=Path(env.get("VECHE_CACHE_DIR") or cache).resolve(),
            java_home=Path(env["JAVA_HOME"]) if env.get("JAVA_HOME") else None,
            maven_url=env.get("MVNW_REPOURL", ""),
            kafka_bootstrap=env.get("VECHE_KAFKA_BOOTSTRAP", ""),
            postgres_dsn=env.get("VECHE_POSTGRES_DSN", ""),
        )


@dataclass(frozen=True)
class Demo:
    """The demonstration's issuer, which exists under `veche up` only."""

    origin: str
    """VECHE_ORIGIN: the one origin, through which it opens the sample discussions."""

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Demo:
        return cls(origin=_required(env, "VECHE_ORIGIN").rstrip("/"))


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child process's environment: this one's, with `changes`."""
    return {**os.environ, **(changes or {})}


def secret(name: str, env: Mapping[str, str] = os.environ) -> bytes:
    """A signing key: at least 32 bytes, given as text, or by `{name}_FILE`.

    Names in use: VECHE_RECEIPT_SECRET, VECHE_VIEWER_SECRET, VECHE_DECISION_SECRET;
    VECHE_DEMO_SECRET under `veche up` only.
    """
    given = _text_or_file(env, name)
    if len(given.encode()) < 32:
        raise Misconfigured(f"{name} must hold at least 32 bytes; try `openssl rand -hex 32`")
    return given.encode()


def allowed_origins(env: Mapping[str, str] = os.environ) -> frozenset[str]:
    """VECHE_ALLOWED_ORIGINS: exact origins of portals, split by spaces or commas; default none."""
    origins = frozenset(env.get("VECHE_ALLOWED_ORIGINS", "").replace(",", " ").split())
    for origin in origins:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or set(rest) & set("/*?#@"):
            raise Misconfigured(
                f"VECHE_ALLOWED_ORIGINS holds {origin!r}; an origin looks like https://news.example"
            )
    return origins


def retention_ms(names: Iterable[str], env: Mapping[str, str] = os.environ) -> dict[str, int]:
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


def rules_dir(env: Mapping[str, str] = os.environ) -> Path:
    """VECHE_RULES_DIR: the folder of the ruleset; the shipped one by default."""
    return Path(env.get("VECHE_RULES_DIR", str(ROOT / "deploy" / "rules")))


def rules_texts(folder: Path) -> dict[str, str]:
    """The ruleset's texts by name within the folder: `*.yml`, `words/*.txt`, `lists/*.txt`.

    Raises Misconfigured, and BadRuleset of a file that is not UTF-8.
    """
    globs = ("*.yml", "*.yaml", "words/*.txt", "lists/*.txt")
    files = [file for each in globs for file in folder.glob(each)]
    if not files:
        raise Misconfigured(
            f"{folder} holds no rules (*.yml): name another folder, or set VECHE_RULES_DIR"
        )
    return {file.relative_to(folder).as_posix(): text_of(file) for file in files}


def text_of(file: Path) -> str:
    """Raises Misconfigured."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadRuleset(f"{file.name}:{line}:1: this is not UTF-8: save the file so") from None


def issuers_file(env: Mapping[str, str] = os.environ) -> Path | None:
    """VECHE_ISSUERS_FILE, for commands that can do without."""
    return Path(env["VECHE_ISSUERS_FILE"]) if env.get("VECHE_ISSUERS_FILE") else None


def topic_prefix(env: Mapping[str, str] = os.environ) -> str:
    """VECHE_TOPIC_PREFIX, for commands that are told the cluster otherwise."""
    return env.get("VECHE_TOPIC_PREFIX", "")


def rebuilding(env: Mapping[str, str] = os.environ) -> bool:
    """VECHE_REBUILD: set by `veche rebuild` for the children that it starts, never by hand."""
    return env.get("VECHE_REBUILD", "") == "1"


def decisions_needed(env: Mapping[str, str] = os.environ) -> int:
    """VECHE_MODEL_DECISIONS: approvals and rejections, each, before a site's model is used."""
    return _whole(env, "VECHE_MODEL_DECISIONS", 100)


def console_token(env: Mapping[str, str] = os.environ) -> str:
    """VECHE_TOKEN: what `veche rules propose` and its like bring to the console."""
    return env.get("VECHE_TOKEN", "")


def replayed_comments(env: Mapping[str, str] = os.environ) -> int:
    """VECHE_REPLAYED_COMMENTS: the newest comments that a proposed ruleset is replayed over."""
    return _whole(env, "VECHE_REPLAYED_COMMENTS", 2_000)


def brakes(env: Mapping[str, str] = os.environ) -> Brakes:
    """What stops rules that do too much; 0 switches a brake off."""
    return Brakes(
        rejects_per_hour=_whole(env, "VECHE_REJECTS_PER_HOUR", 1_000),
        holds_per_hour=_whole(env, "VECHE_HOLDS_PER_HOUR", 0),
        probation_days=_whole(env, "VECHE_PROBATION_DAYS", 7),
        probation_hits=_whole(env, "VECHE_PROBATION_HITS", 25),
        probation_percent=_whole(env, "VECHE_PROBATION_PERCENT", 5),
    )


def masked(group: object) -> dict[str, str]:
    """A settings group for a log line: secrets and passwords never show."""
    shown = {}
    for member in fields(group):  # type: ignore[arg-type]
        value = str(getattr(group, member.name))
        if "secret" in member.name or "password" in member.name:
            value = "***"
        elif member.name == "dsn" and "@" in value:
            scheme, _, rest = value.partition("://")
            user, _, host = rest.rpartition("@")
            value = f"{scheme}://{user.split(':')[0]}@{host}"
        shown[member.name] = value
    return shown


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise Misconfigured(f"{name} is not set; docs/configuration.md says what it means")
    return value


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, str(default))
    if not value.isdecimal():
        raise Misconfigured(f"{name} must be a whole number, not {value!r}")
    return int(value)


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    port = _whole(env, name, default)
    if port > 65_535:
        raise Misconfigured(f"{name} must be a port, 65535 at most, not {port}")
    return port


def _one_of(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(name) or default
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise Misconfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _text_or_file(env: Mapping[str, str], name: str) -> str:
    """The variable's value, else the text of the file that `{name}_FILE` names, else ""."""
    if env.get(name) or not env.get(f"{name}_FILE"):
        return env.get(name, "")
    file = Path(env[f"{name}_FILE"])
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{name}_FILE names {file}, which cannot be read: {error}") from error
