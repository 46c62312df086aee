"""Why a stored comment was stopped, or was not: the console over a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from services.console import why
from services.console.app import create_app
from services.console.decide import Decider
from services.core import codec, db
from services.core.events import ActivatedRuleset, DiscussionKey, VerdictGiven
from services.core.rules import Facts, Submission, judge, load, read
from services.core.rules.features import TEXT, Feature
from services.core.store import rulesets
from services.core.tokens import Issuers

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = 'title: {ru: "т", en: t}\nreason: {ru: "т", en: t}\n'
RULES = (
    "id: flood\nthen: hold\nwhen: count(author, 10m) > 2\n",
    "id: elephants\nthen: reject\nwhen: {all: [{words: [слон]}, author.published < 1]}\n",
    "id: sports\nthen: hold\nwhen: text.length > 0\nscope: {section: [sport]}\n",
    "id: reported\nthen: hold\nwhen: reports.weight > 2\nscope: {event: [reported]}\n",
)
FOLDER = {"a.yml": "---\n".join(rule + TEXTS for rule in RULES)}
FACTS: dict[str, Any] = {"author.published": 1, "author.rejected": 0, "count(author, 10m)": 3}
BESIDE = {"site_policy": {"policy": "publish_first"}}
Ask = Callable[..., Awaitable[httpx.Response]]


class Folder:
    """Its texts may change."""

    def __init__(self) -> None:
        self.texts: Mapping[str, str] = FOLDER

    def __call__(self) -> Mapping[str, str]:
        return self.texts


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[db.Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
async def ask(pool: db.Pool, folder: Folder, tmp_path: Path) -> AsyncIterator[Ask]:
    """`ask("c1", role="reader", event="reported")`: why, of gazette/a1."""
    file = tmp_path / "issuers.toml"
    secret = "k" * 40
    file.write_text(
        f'[[issuer]]\niss = "desk"\nsites = ["gazette"]\nroles = ["reader", "moderator"]\n'
        f'algorithms = ["HS256"]\nsecret = "{secret}"\n'
    )
    decider = Decider(None, pool, b"s" * 32, clock=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    explainer = why.Explainer(pool, folder)
    titles = {"flood": {"ru": "Поток", "en": "Flood"}}
    app = create_app(pool, decider, Issuers.load(file), titles, explainer=explainer)

    async def get(comment: str, role: str = "moderator", **asked: str) -> httpx.Response:
        claims = {"iss": "desk", "aud": "veche", "sub": "m", "site": "gazette", "role": role}
        ends = datetime.now(UTC) + timedelta(minutes=5)
        token = jwt.encode(claims | {"exp": ends}, secret, algorithm="HS256")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://console",
            headers={"authorization": f"Bearer {token}"},
        ) as client:  # fmt: skip
            address = f"/v1/console/sites/gazette/comments/a1/{comment}/why"
            return await client.get(address, params=asked)

    yield get
    explainer.close()


async def a_comment(pool: db.Pool, *bodies: str) -> None:
    """c1 with its revisions, each judged by the folder's rules on FACTS."""
    await pool.execute(
        "INSERT INTO discussions (discussion, site, revision, url, title, language, section, state,"
        " opened_at) VALUES ('gazette/a1', 'gazette', 1, 'https://g.example', 'В', 'ru', 'history',"
        " 'open', $1)",
        T0,
    )
    for revision, body in enumerate(bodies, 1):
        await pool.execute(
            "INSERT INTO revisions VALUES ('gazette/a1', 'c1', $1, 'gazette', 'anna', $2,"
            " ''::bytea, $3, $4)",
            revision, body, f"e{revision}", T0,
        )  # fmt: skip
        submission = Submission(
            DiscussionKey("gazette/a1"), "c1", revision, "gazette", "anna", T0, read(body),
            "history", "ru",
        )  # fmt: skip
        verdict = judge(submission, Facts(FACTS), load(FOLDER))
        type = "submitted" if revision == 1 else "edited"
        at = T0 + timedelta(seconds=revision)
        await an_outcome(pool, f"comment.{type}", revision, verdict, FACTS | BESIDE, at)


async def an_outcome(
    pool: db.Pool, type: str, revision: int, verdict: VerdictGiven | None, facts: Any, at: datetime
) -> None:
    await pool.execute(
        "INSERT INTO outcomes VALUES ('gazette/a1', $1, ''::bytea, $2, 'c1', $3, 'held', 'rule',"
        " 'pending', $4, $5, $6)",
        f"e-{type}-{revision}", f"veche.{type}.v1", revision,
        codec.encode(verdict).decode() if verdict else None, codec.encode(facts).decode(), at,
    )  # fmt: skip


async def activate(pool: db.Pool, files: dict[str, str], parent: str) -> str:
    hash = load(files).hash
    said = ActivatedRuleset(
        files=files, hash=hash, parent=parent, author="ann", approved_by="bob", reason="r"
    )
    async with db.transaction(pool) as connection:
        assert await rulesets.activate(connection, f"r-{hash}", said, T0) is not None
    return hash


async def test_the_newest_revision_is_explained_on_what_was_recorded(pool, ask: Ask) -> None:
    await a_comment(pool, "кит", "вот слон")
    answer = await ask("c1")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["revision"], told["body"], told["event"]) == (2, "вот слон", "written")
    assert told["facts"] == FACTS
    assert told["verdict"]["action"] == "hold"
    assert [one["rule"] for one in told["verdict"]["findings"]] == ["flood"]
    hash = load(FOLDER).hash
    assert told["ruleset"] == {"then": hash, "now": hash, "version": 0, "same": True}
    assert [one["rule"] for one in told["rules"]] == ["flood", "elephants", "sports", "reported"]
    flood, elephants, sports, reported = told["rules"]
    assert (flood["matched"], flood["title"]["en"]) == (True, "Flood")
    assert flood["values"] == {"count(author, 10m) > 2": 3}
    assert (elephants["matched"], elephants["spans"]) == (False, [[4, 8]])
    assert elephants["misses"] == [
        {"matcher": "author.published < 1", "value": 1, "unknown": False}
    ]
    assert (sports["matched"], sports["in_scope"]) == (False, False)
    assert sports["scope"] == {"section": ["sport"]}
    assert reported["in_scope"] is False


async def test_a_ruleset_activated_since_answers_and_is_said_to_be_another(
    pool, ask: Ask, folder: Folder, monkeypatch
) -> None:
    loaded: list[str] = []

    def counted(files: Mapping[str, str]) -> Any:
        loaded.append(load(files).hash)
        return load(files)

    monkeypatch.setattr(why, "load", counted)
    await a_comment(pool, "кит")
    assert (await ask("c1")).json()["ruleset"]["same"] is True
    then = load(FOLDER).hash
    now = await activate(pool, {"a.yml": FOLDER["a.yml"].replace("> 2", "> 5")}, then)
    for _ in range(2):
        told = (await ask("c1")).json()
        assert told["ruleset"] == {"then": then, "now": now, "version": 1, "same": False}
    by_rule = {one["rule"]: one for one in told["rules"]}
    assert by_rule["flood"]["matched"] is False
    assert by_rule["flood"]["misses"][0]["value"] == 3
    assert loaded == [then, now]  # each once


async def test_a_new_window_that_was_not_recorded_is_unknown(pool, ask: Ask) -> None:
    await a_comment(pool, "кит")
    await activate(pool, {"a.yml": FOLDER["a.yml"].replace("10m", "1h")}, load(FOLDER).hash)
    flood = next(one for one in (await ask("c1")).json()["rules"] if one["rule"] == "flood")
    assert flood["matched"] is None
    assert flood["misses"][0]["unknown"] is True


async def test_a_score_that_came_since_is_among_the_facts(pool, ask: Ask) -> None:
    await a_comment(pool, "кит")
    verdict = VerdictGiven("publish", "another")
    scored = FACTS | {"score(toxicity)": 0.7}
    await an_outcome(pool, "score.given", 1, verdict, scored, T0 + timedelta(minutes=1))
    told = (await ask("c1")).json()
    assert told["facts"] == scored
    assert told["ruleset"]["same"] is True  # as the comment itself was judged


async def test_a_report_is_explained_as_the_rules_on_reports_saw_it(pool, ask: Ask) -> None:
    await a_comment(pool, "кит")
    assert (await ask("c1", event="reported")).status_code == 404
    facts = FACTS | {"reports.count": 2, "reports.weight": 1.5} | BESIDE
    verdict = VerdictGiven("publish", load(FOLDER).hash)
    await an_outcome(pool, "report.filed", 1, verdict, facts, T0 + timedelta(minutes=1))
    told = (await ask("c1", event="reported")).json()
    reported = told["rules"][0]
    assert (reported["rule"], reported["in_scope"]) == ("reported", True)
    assert reported["misses"][0]["value"] == 1.5
    assert not any(one["in_scope"] for one in told["rules"][1:])


async def test_a_feature_that_throws_is_told(pool, ask: Ask, folder: Folder, monkeypatch) -> None:
    def broken(comment: Submission) -> int:
        raise ZeroDivisionError

    await a_comment(pool, "кит")
    monkeypatch.setitem(TEXT, "text.lines", Feature("number", broken, ""))
    folder.texts = {"a.yml": f"id: broken\n{TEXTS}then: hold\nwhen: text.lines > 1\n"}
    answer = await ask("c1")
    assert answer.status_code == 200
    [rule] = answer.json()["rules"]
    assert (rule["matched"], rule["errors"]) == (None, {"text.lines > 1": "ZeroDivisionError"})


async def test_what_was_never_judged_and_rules_that_do_not_load_are_named(
    pool, ask: Ask, folder: Folder
) -> None:
    assert (await ask("c1", role="reader")).status_code == 403
    assert (await ask("c1", event="shouted")).status_code == 400
    assert (await ask("c1")).status_code == 404
    await a_comment(pool, "кит")
    folder.texts = {"a.yml": "id: ["}
    answer = await ask("c1")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    folder.texts = FOLDER
    assert (await ask("c1")).status_code == 200
