"""Events go straight to their address; whoever comes another way is answered alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.ingest.build import bearer, client

ORIGIN = {"origin": "https://gazette.example"}
VOTE = {"id": "e1", "data": {"discussion": "d1", "value": 1}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events/vote", VOTE),
        ("/v1/events/vote", {"id": "e1"}),
        ("/v1/events/nothing", VOTE),
        ("/v1/events/", VOTE),
        ("/v1/events", {"events": [VOTE | {"type": "veche.vote.cast.v1"}]}),
        ("/v1/events", {"events": 7}),
    ],
)
async def test_a_browser_on_another_origin_is_answered_as_everybody(
    path: str, body: Any, tmp_path: Path
) -> None:
    answers = []
    for headers in (bearer(), bearer() | ORIGIN):
        async with client(tmp_path, allowed_origins=ORIGIN.values()) as portal:
            answers.append(await portal.post(path, json=body, headers=headers))
    straight, around = answers
    assert (straight.status_code, straight.json()) == (around.status_code, around.json())
    assert "access-control-allow-origin" not in straight.headers
    assert around.headers["access-control-allow-origin"] == ORIGIN["origin"]
