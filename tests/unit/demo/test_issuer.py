"""The demonstration's issuer and its samples."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.core.tokens import Issuers, Untrusted
from services.demo.app import create_app
from services.demo.issuer import ISSUER, READERS, Issuer
from services.demo.samples import SAMPLES
from services.demo.seed import events_of
from services.ingest.admit import admit

SECRET = "demonstration-secret-demonstration-0123"
NOW = 1_800_000_000


@pytest.fixture
def issuers(tmp_path: Path) -> Issuers:
    file = tmp_path / "issuers.toml"
    file.write_text(
        f'[[issuer]]\niss = "{ISSUER}"\nsites = ["demo"]\nroles = ["reader", "portal"]\n'
        f'algorithms = ["HS256"]\nsecret = "{SECRET}"\n'
    )
    return Issuers.load(file)


async def token_for(body: object, content_type: str = "application/json") -> httpx.Response:
    app = create_app(Issuer(SECRET.encode()), lambda: NOW)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://demo"
    ) as client:
        return await client.post("/demo/token", json=body, headers={"content-type": content_type})


async def test_a_sample_reader_gets_a_token_that_names_them(issuers: Issuers) -> None:
    answer = await token_for({"reader": "nina"})
    identity = await issuers.verify(answer.json()["token"], NOW)
    assert (identity.subject, identity.name) == ("nina", "Нина")
    assert (identity.site, identity.role) == ("demo", "reader")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_token_ends(issuers: Issuers) -> None:
    answer = (await token_for({"reader": "tom"})).json()
    with pytest.raises(Untrusted):
        await issuers.verify(answer["token"], answer["expires_at"] + 61)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ({"reader": "somebody"}, "application/json", 422),
        ({}, "application/json", 422),
        ([], "application/json", 422),
        ({"reader": 1}, "application/json", 422),
        ({"reader": "x" * 2_000}, "application/json", 413),
        ({"reader": "nina"}, "text/plain", 415),
    ],
)
async def test_nobody_else_gets_a_token(body: object, content_type: str, status: int) -> None:
    assert (await token_for(body, content_type)).status_code == status


async def test_ingest_admits_every_sample_of_the_portal(issuers: Issuers) -> None:
    portal = await issuers.verify(Issuer(SECRET.encode()).portal(NOW).token, NOW)
    events = [event for sample in SAMPLES for event in events_of(sample)]
    admitted = [admit(event, portal, datetime.fromtimestamp(NOW, UTC)) for event in events]
    assert len({one.event.id for one in admitted}) == len(events) <= 500
    voters = {one.event.actor for one in admitted if "vote" in one.record.topic}
    assert not voters & READERS.keys()
