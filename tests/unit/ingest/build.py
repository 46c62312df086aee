"""Ingest in this process: a log that keeps what it is given, two issuers, a clock that stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt

from services.core.errors import Retryable
from services.core.produce import Outgoing, Sent
from services.core.tokens import Issuers
from services.ingest.app import create_app

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
ISS = "https://portal.test"
SECRET = "s" * 32
RECEIPT_SECRET = b"r" * 32
VIEWER_SECRET = b"v" * 32

ISSUERS = f"""
[[issuer]]
iss = "{ISS}"
sites = ["gazette", "herald"]
roles = ["reader", "portal", "importer", "moderator", "admin"]
algorithms = ["HS256"]
secret = "{SECRET}"
"""


@dataclass
class KeepingLog:
    """Acknowledges everything, or fails the sends that `failing` names by their event's number."""

    kept: list[Outgoing] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)
    deadlines: list[float] = field(default_factory=list)
    up: bool = True

    async def send_all(
        self, records: Sequence[Outgoing], *, deadline_seconds: float
    ) -> list[Sent | Retryable]:
        self.deadlines.append(deadline_seconds)
        answers: list[Sent | Retryable] = []
        for number, record in enumerate(records):
            if not self.up or number in self.failing:
                answers.append(Retryable("Kafka is not reachable"))
                continue
            self.kept.append(record)
            answers.append(Sent(record.topic, 3, len(self.kept) - 1, NOW))
        return answers


def issuers(folder: Path, text: str = ISSUERS) -> Issuers:
    file = folder / "issuers.toml"
    file.write_text(text)
    return Issuers.load(file)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    said = {
        "iss": ISS,
        "aud": "veche",
        "sub": "ada",
        "site": "gazette",
        "role": "reader",
        "name": "Ада",
        "exp": now + 600,
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


def client(folder: Path, log: KeepingLog | None = None, **more: Any) -> httpx.AsyncClient:
    app = create_app(
        log or KeepingLog(), issuers(folder), RECEIPT_SECRET, VIEWER_SECRET, lambda: NOW, **more
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://veche.test", timeout=5
    )


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(**changes)}"}


DATA: dict[str, dict[str, Any]] = {
    "veche.discussion.opened.v1": {
        "discussion": "d1",
        "revision": 1,
        "url": "https://gazette.example/d1",
        "title": "Мост открыт",
        "language": "ru",
        "section": "city",
    },
    "veche.comment.submitted.v1": {"discussion": "d1", "comment": "c1", "body": "Ура"},
    "veche.comment.edited.v1": {"discussion": "d1", "comment": "c1", "body": "Ура!"},
    "veche.comment.deleted.v1": {"discussion": "d1", "comment": "c1"},
    "veche.report.filed.v1": {
        "discussion": "d1",
        "comment": "c1",
        "revision": 1,
        "reason": "spam",
    },
    "veche.vote.cast.v1": {"discussion": "d1", "value": 1},
    "veche.discussion.viewed.v1": {"discussion": "d1"},
}
DATA["veche.discussion.changed.v1"] = DATA["veche.discussion.opened.v1"]
DATA["veche.discussion.closed.v1"] = DATA["veche.discussion.opened.v1"]


def item(type: str = "veche.comment.submitted.v1", **changes: Any) -> dict[str, Any]:
    return {"id": "e1", "type": type, "data": DATA[type]} | changes
