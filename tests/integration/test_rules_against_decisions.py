"""Rules against what moderators decided, out of a real database: backtest, diff, agreement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from click.testing import CliRunner

from services.cli.rules import rules
from services.console.app import create_app
from services.console.decide import Decider
from services.core import db, events
from services.core.consume import Batch, Record
from services.core.db import Pool
from services.core.discussion import LiveJudge
from services.core.rating import wilson_interval
from services.core.rules import load
from services.core.store import judged
from services.core.tokens import Issuers
from services.moderation.handle import Moderation
from services.moderation.rules import Rules

NOW = datetime.now(UTC)
"""When the tests were collected: some minutes ago."""
TEXTS = "title: {ru: а, en: a}, reason: {ru: а, en: a}"
LIVE = f"""
- {{id: elephants, when: {{words: [слон]}}, then: hold, {TEXTS}}}
- {{id: whales, status: shadow, when: {{words: [кит]}}, then: reject, {TEXTS}}}
- {{id: marked, when: {{words: [лев]}}, then: publish, {TEXTS}}}
- {{id: noted, when: {{words: [слон]}}, then: note, {TEXTS}}}
"""
NEWER = f"""
- {{id: elephants, when: {{words: [слон]}}, then: reject, {TEXTS}}}
- {{id: flood, when: "count(author, 10m) > 3", then: hold, {TEXTS}}}
- {{id: newcomers, when: "author.published < 2", then: note, {TEXTS}}}
- {{id: scored, when: "score(toxicity) > 0.8", on_missing: skip, then: note, {TEXTS}}}
"""


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


def event(kind: type[Any], data: Any, actor: str, id: str, site: str = "gazette", **m: Any) -> Any:
    return kind(id=id, source=f"/sites/{site}", site=site, actor=actor, time=NOW, data=data, **m)


def opened(site: str = "gazette") -> Any:
    data = events.DiscussionDescribed("d1", 1, "https://g.example/1", "T", "ru", "s")
    return event(events.DiscussionOpened, data, "portal", "open", site)


def said(comment: str, body: str, by: str = "anna", site: str = "gazette") -> Any:
    data = events.CommentBody("d1", comment, body)
    return event(events.CommentSubmitted, data, by, f"say-{comment}", site)


def edited(comment: str, body: str, by: str = "anna") -> Any:
    return event(
        events.CommentEdited, events.CommentRewrite("d1", comment, body), by, f"edit-{comment}"
    )


def ruled(comment: str, ruling: Any, status: Any, revision: int = 1, n: int = 1) -> Any:
    data = events.DecisionOnComment(
        "d1", comment, ruling, events.Expected(revision, status), reason="r"
    )
    return event(events.DecisionMade, data, "mod", f"rule-{comment}-{n}", signature="x")


def scored(comment: str, value: float) -> Any:
    data = events.ScoreOfComment("d1", comment, 1, "toxicity", value)
    return event(events.ScoreGiven, data, "scorer", f"score-{comment}", signature="x")


async def take(pool: Pool, told: Sequence[tuple[timedelta, Any]], text: str = LIVE) -> None:
    """(how long ago, event), the oldest first."""
    ruleset = load({"live.yml": text})
    handle = Moderation(LiveJudge(Rules(ruleset)), ruleset.windows)
    records = [Record(n, NOW - ago, one) for n, (ago, one) in enumerate(told)]
    async with db.transaction(pool) as connection:
        await handle(connection, Batch("comments.v1", 2, records))


def a_week() -> list[tuple[timedelta, Any]]:
    """Two elephants rejected, one approved, one left; a whale in view rejected; a lion approved."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    told = [
        (9 * 24 * hour, opened()),
        (9 * 24 * hour, opened("herald")),
        (8 * 24 * hour, said("old", "слон")),
        (8 * 24 * hour, ruled("old", "reject", "pending")),
    ]
    told += [(n * hour, said(f"e{n}", f"слон номер {n}", f"r{n}")) for n in (6, 5, 4, 3)]
    told += [
        (2 * hour, said("w1", "кит")),
        (2 * hour, said("w2", "второй кит")),
        (2 * hour, said("l1", "лев")),
        (2 * hour, said("h1", "слон", site="herald")),
        (hour, ruled("e6", "reject", "pending")),
        (hour, ruled("e5", "approve", "pending")),
        (59 * minute, ruled("e5", "reject", "published", n=2)),  # thought better of it
        (hour, ruled("e4", "approve", "pending")),
        (hour, ruled("w1", "reject", "published")),
        (hour, ruled("l1", "approve", "published")),
    ]
    told += [((40 - n) * minute, said(f"f{n}", f"мышь {n}", "busy")) for n in range(5)]
    return [*told, (minute, edited("w2", "теперь слон"))]


def veche(dsn: str, *arguments: object, code: int = 0) -> Any:
    result = CliRunner(env={"VECHE_POSTGRES_DSN": dsn}).invoke(rules, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout) if "--json" in arguments else result.output


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        place = tmp_path / f"rules{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        (place / "a.yml").write_text(text)
        return place

    return write


async def test_backtest_measures_rules_against_rulings_of_the_last_days(
    pool: Pool, postgres_dsn: str, folder: Callable[[str], Path]
) -> None:
    await take(pool, a_week())
    words = ("backtest", "--days", 7, "--rules", folder(LIVE), "--workers", 1, "--json")
    report = await asyncio.to_thread(veche, postgres_dsn, *words)
    assert report["comments"] == 14  # the old one left out; the edit is one of its own
    assert (report["labelled"], report["bad"]) == (5, 3)
    of = {rule["rule"]: rule for rule in report["rules"]}
    assert of["elephants"]["hits"] == 6
    assert (of["elephants"]["precision"], of["elephants"]["recall"]) == (0.6667, 0.6667)
    assert of["whales"]["samples"] == ["gazette/d1/w1", "gazette/d1/w2"]
    assert "windows computed anew" in report["facts"]
    one_site = await asyncio.to_thread(veche, postgres_dsn, *words, "--site", "herald")
    assert one_site["comments"] == 1
    newest = await asyncio.to_thread(veche, postgres_dsn, *words, "--limit", 3)
    assert newest["comments"] == 3


async def test_windows_are_filled_from_before_the_days_and_standing_is_as_recorded(
    pool: Pool, postgres_dsn: str, folder: Callable[[str], Path]
) -> None:
    await take(pool, a_week())
    # From busy's fourth mouse on: the three before are in its window.
    days = (datetime.now(UTC) - NOW + timedelta(minutes=37.5)) / timedelta(days=1)
    words = ("--rules", folder(NEWER), "--workers", 1, "--json", "--days", days)
    report = await asyncio.to_thread(veche, postgres_dsn, "backtest", *words)
    of = {rule["rule"]: rule["samples"] for rule in report["rules"]}
    assert report["comments"] == 3
    assert of["flood"] == ["gazette/d1/f3", "gazette/d1/f4"]
    assert "newcomers" not in of, "everybody had two published comments before these"
    assert "3 comments before them" in report["facts"]


async def test_recorded_facts_are_judged_on_where_asked(
    pool: Pool, postgres_dsn: str, folder: Callable[[str], Path]
) -> None:
    minute = timedelta(minutes=1)
    told = [
        (9 * minute, opened()),
        (8 * minute, said("c1", "текст")),
        (7.9 * minute, scored("c1", 0.9)),
    ]
    await take(pool, told, NEWER)
    await pool.execute(
        "UPDATE outcomes SET facts = facts || '{\"count(author, 10m)\": 9}' WHERE comment = 'c1'"
    )
    words = ("backtest", "--days", 1, "--rules", folder(NEWER), "--workers", 1, "--json")
    anew = await asyncio.to_thread(veche, postgres_dsn, *words)
    assert {rule["rule"] for rule in anew["rules"]} == {"newcomers", "scored"}
    recorded = await asyncio.to_thread(veche, postgres_dsn, *words, "--recorded")
    assert {rule["rule"] for rule in recorded["rules"]} == {"newcomers", "scored", "flood"}
    assert recorded["facts"].startswith("as recorded")


async def test_diff_says_what_another_ruleset_would_have_done(
    pool: Pool, postgres_dsn: str, folder: Callable[[str], Path]
) -> None:
    await take(pool, a_week())
    words = ("diff", folder(LIVE), folder(NEWER), "--days", 7, "--workers", 1, "--json")
    told = await asyncio.to_thread(veche, postgres_dsn, *words)
    moves = {move["move"]: move["comments"] for move in told["moves"]}
    assert moves == {"hold -> reject": 6, "publish -> hold": 2}


async def test_a_backtest_needs_files_or_days(postgres_dsn: str, folder: Any) -> None:
    rules_of = ("--rules", folder(LIVE))
    assert "name FILES" in await asyncio.to_thread(
        veche, postgres_dsn, "backtest", *rules_of, code=2
    )
    result = await asyncio.to_thread(
        CliRunner(env={"VECHE_POSTGRES_DSN": postgres_dsn}).invoke,
        rules, ["backtest", "--days", "7", *map(str, rules_of)],
    )  # fmt: skip
    assert "nothing was judged" in str(result.exception)


async def test_agreement_tells_of_every_version_how_moderators_ruled(
    pool: Pool, postgres_dsn: str
) -> None:
    await take(pool, a_week())
    async with db.transaction(pool) as connection:
        found, since = await judged.agreement(connection, NOW - timedelta(days=7), "gazette")
    assert since == NOW - timedelta(days=7)
    of = {(one.rule, one.says): one for one in found}
    assert of.keys() == {("elephants", "hold"), ("whales", "reject"), ("marked", "publish")}
    elephants = of["elephants", "hold"]
    assert (elephants.hits, elephants.ruled, elephants.agreed, elephants.shadow) == (5, 3, 2, False)
    assert elephants.disagreed_on == ["gazette/d1/e4"]
    assert elephants.interval == wilson_interval(2, 3)
    whales = of["whales", "reject"]
    assert (whales.hits, whales.ruled, whales.agreed, whales.shadow) == (2, 1, 1, True)
    marked = of["marked", "publish"]
    assert (marked.hits, marked.ruled, marked.agreed) == (1, 1, 1)
    everywhere = await asyncio.to_thread(veche, postgres_dsn, "agreement", "--json")
    assert {rule["rule"]: rule["hits"] for rule in everywhere["rules"]}["elephants"] == 6
    shown = await asyncio.to_thread(veche, postgres_dsn, "agreement", "--site", "gazette")
    assert max(map(len, shown.splitlines())) <= 80
    assert "66.7% agreed (21% to 94%) of 3 ruled on" in shown


async def test_agreement_over_too_much_says_how_far_it_reached(pool: Pool) -> None:
    await take(pool, a_week())
    async with db.transaction(pool) as connection:
        found, since = await judged.agreement(connection, NOW - timedelta(days=7), "", 7)
    assert since == NOW - timedelta(hours=2)
    assert {one.rule: one.hits for one in found} == {"elephants": 2}


async def test_the_console_answers_a_moderator_for_the_site_of_the_token(
    pool: Pool, tmp_path: Path
) -> None:
    await take(pool, a_week())
    file = tmp_path / "issuers.toml"
    secret = "k" * 40
    file.write_text(
        f'[[issuer]]\niss = "desk"\nsites = ["gazette", "herald"]\n'
        f'roles = ["reader", "moderator"]\n'
        f'algorithms = ["HS256"]\nsecret = "{secret}"\n'
    )
    decider = Decider(None, pool, b"s" * 32, clock=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    app = create_app(pool, decider, Issuers.load(file), {})

    async def get(role: str, address: str) -> httpx.Response:
        claims = {"iss": "desk", "aud": "veche", "sub": "m", "site": "herald", "role": role}
        token = jwt.encode(
            claims | {"exp": datetime.now(UTC) + timedelta(minutes=9)}, secret, algorithm="HS256"
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://console",
            headers={"authorization": f"Bearer {token}"},
        ) as client:  # fmt: skip
            return await client.get(address)

    address = "/v1/console/rulesets/agreement?days=7"
    assert (await get("reader", address)).status_code == 403
    assert (await get("moderator", address + "00")).status_code == 400
    told = (await get("moderator", address)).json()
    assert (told["site"], told["complete"]) == ("herald", True)
    [rule] = told["rules"]
    assert (rule["rule"], rule["hits"], rule["ruled"], rule["share"]) == ("elephants", 1, 0, None)
    assert rule["samples"] == ["herald/d1/h1"]
