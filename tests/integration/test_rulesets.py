"""A ruleset's life on real servers: proposed, approved, swapped, gone back from, undone."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.core import codec, events, topics
from services.core.produce import Producer
from services.core.settings import Kafka
from tests.integration.rebuilding import History
from tests.processes import ROOT, Services, Trust

RULE = """\
id: {id}
title: {{ru: "Слово", en: "Word"}}
reason: {{ru: "Нет.", en: "No."}}
when: {{words: [{word}]}}
then: {then}
tests: {{must_match: ["a {tested}"]}}
"""
Ask = Callable[..., Awaitable[httpx.Response]]


def rule(id: str, word: str, then: str, tested: str = "") -> str:
    return RULE.format(id=id, word=word, then=then, tested=tested or word)


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = 90.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := await holds()):
        assert time.monotonic() < end, "never"
        await asyncio.sleep(0.1)
    return found


@pytest.mark.timeout(400)
async def test_a_ruleset_lives_from_its_proposal_to_the_undoing_of_what_it_did(
    services: Services,
    kafka_bootstrap: str,
    topic_prefix: str,
    postgres_dsn: str,
    trust: Trust,
    tmp_path: Path,
) -> None:
    (tmp_path / "rules.yml").write_text(rule("mild", "mammoth", "hold"))
    services.env["VECHE_RULES_DIR"] = str(tmp_path)
    workers = [services.start("moderation"), services.start("moderation")]
    console = services.start("console")
    for service in (*workers, console):
        await asyncio.to_thread(service.wait_ready, 90.0)
    history = History(trust.env["VECHE_DECISION_SECRET"].encode())
    pool = await asyncpg.create_pool(postgres_dsn, min_size=1, max_size=2)
    client = httpx.AsyncClient(base_url=console.url, timeout=120)

    async def ask(
        method: str, path: str, body: Any = None, by: str = "ann", site: str = "*"
    ) -> httpx.Response:
        role = "moderator" if by.startswith("mod") else "admin"
        site = "gazette" if path == "/undo" else site
        headers = {"authorization": f"Bearer {trust.mint(role, by, site)}"}
        address = f"/v1/console/rulesets{path}"
        return await client.request(method, address, json=body, headers=headers)

    async def outcome(comment: str) -> Any:
        return await pool.fetchrow("SELECT result FROM outcomes WHERE comment = $1", comment)

    async with Producer(Kafka(kafka_bootstrap, topic_prefix)) as producer:

        async def say(comment: str, body: str) -> str:
            said = history.said("d1", comment, "reader", body)
            await producer.send(topics.COMMENTS, said.key.encode(), codec.encode(said))
            return str((await until(lambda: outcome(comment)))["result"])

        opened = history.opened("d1")
        await producer.send(topics.COMMENTS, opened.key.encode(), codec.encode(opened))
        assert await say("c1", "a badger here") == "published"
        assert await say("c2", "a mammoth here") == "held"

        # What is wrong is named.
        bad = await ask(
            "POST",
            "/proposals",
            {
                "files": {
                    "a.yml": "id: [",
                },
                "reason": "r",
            },
        )
        assert (bad.status_code, bad.json()["file"]) == (422, "a.yml")
        failing = {"a.yml": rule("strict", "badger", "reject", tested="fox")}
        bad = await ask("POST", "/proposals", {"files": failing, "reason": "r"})
        assert (bad.status_code, bad.json()["failed"][0]["rule"]) == (422, "strict")

        # Proposed by a moderator, with its effect; a reject needs a second person.
        files = {
            "rules.yml": rule("mild", "mammoth", "hold"),
            "x.yml": rule("strict", "badger", "reject"),
        }
        made = await ask("POST", "/proposals", {"files": files, "reason": "badgers"})
        assert made.status_code == 201, made.text
        proposal = made.json()
        assert proposal["rejects"] == ["strict"]
        assert proposal["effect"]["moves"] == [
            {"move": "publish -> reject", "comments": 1, "samples": ["gazette/d1/c1"]}
        ]
        assert proposal["effect"]["facts"] == {"recorded": 2, "anew": 0}
        path = f"/proposals/{proposal['id']}/approve"
        assert (await ask("POST", path, by="mod")).status_code == 403
        alone = await ask("POST", path)
        assert (alone.status_code, alone.json()["code"]) == (403, "second_person")
        beyond = await ask("POST", path, by="bob", site="gazette")
        assert (beyond.status_code, beyond.json()["code"]) == (403, "other_site")
        assert beyond.json()["sites"] == ["herald"]
        withdrawn = await ask("POST", path.replace("approve", "withdraw"), by="eve", site="herald")
        assert (withdrawn.status_code, withdrawn.json()["code"]) == (403, "other_site")
        rival = await ask(
            "POST", "/proposals", {"files": {"r.yml": rule("mild", "fox", "hold")}, "reason": "r"}
        )

        async def approved() -> bool:
            answer = await ask("POST", path, by="bob")
            assert answer.status_code in (200, 202), answer.text
            return answer.status_code == 200

        await until(approved)

        # Every worker judges by it, without a pause and without a restart.
        for worker in workers:

            async def swapped(worker: Any = worker) -> bool:
                shown = await asyncio.to_thread(worker.metrics)
                return f'hash="{proposal["hash"]}",version="1"' in shown

            await until(swapped)
        assert await say("c3", "a badger again") == "rejected"
        stale = await ask("POST", f"/proposals/{rival.json()['id']}/approve")
        assert (stale.status_code, stale.json()["code"]) == (409, "stale")
        told = (await ask("GET", "", by="mod")).json()
        assert told["current"] == {"version": 1, "hash": proposal["hash"]}
        assert told["folder"]["differs"]
        assert (told["versions"][0]["author"], told["versions"][0]["approved_by"]) == ("ann", "bob")

        # Back in one step, by one administrator of all it reaches; then what it did is taken back.
        back_to_folder = {"to": 0, "reason": "too strict"}
        beyond = await ask("POST", "/rollback", back_to_folder, site="gazette")
        assert (beyond.status_code, beyond.json()["code"]) == (403, "other_site")

        async def back() -> bool:
            answer = await ask("POST", "/rollback", back_to_folder)
            assert answer.status_code in (200, 202), answer.text
            return answer.status_code == 200

        await until(back)
        for worker in workers:

            async def returned(worker: Any = worker) -> bool:
                return 'version="2"' in await asyncio.to_thread(worker.metrics)

            await until(returned)
        assert await say("c4", "one more badger") == "published"
        verdict = codec.decode(
            await pool.fetchval("SELECT verdict FROM outcomes WHERE comment = 'c3'"),
            events.VerdictGiven,
        )
        undo = {"rule": "strict", "version": verdict.findings[0].version, "reason": "mistaken"}
        dry = (await ask("POST", "/undo", {**undo, "dry_run": True})).json()
        assert (dry["comments"], dry["samples"], dry["next"]) == (1, ["gazette/d1/c3"], None)
        assert (await ask("POST", "/undo", undo, by="mod")).status_code == 403
        assert (await ask("POST", "/undo", undo)).json()["comments"] == 1

        async def published() -> bool:
            return (
                await pool.fetchval("SELECT status FROM comments WHERE comment = 'c3'")
                == "published"
            )

        await until(published)
        again = (await ask("POST", "/undo", undo)).json()
        assert (again["comments"], again["already"]) == (0, 1)
        assert await pool.fetchval("SELECT count(*) FROM lessons") == 0

    # The same from the command line.
    async def veche(*words: str) -> tuple[int, str]:
        token = trust.mint("admin", "ann", "gazette" if "undo" in words else "*")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "rules", *words),
            *("--url", console.url, "--token", token),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode or 0, said.decode()

    out = tmp_path / "current"
    assert (await veche("current", "--out", str(out)))[0] == 0
    assert (out / "rules.yml").read_text() == rule("mild", "mammoth", "hold")
    code, said = await veche("propose", str(out), "--reason", "r")
    assert (code, "unchanged" in said) == (1, True), said
    (out / "rules.yml").write_text(rule("mild", "mammoth", "note"))
    code, said = await veche("propose", str(out), "--reason", "milder")
    assert (code, "hold -> publish" in said, "veche rules approve 3" in said) == (0, True, True), (
        said
    )
    code, said = await veche("withdraw", "3")
    assert (code, "withdrawn" in said) == (0, True), said
    code, said = await veche("history")
    assert (code, "too strict" in said, "in use: version 2" in said) == (0, True, True), said
    code, said = await veche("undo", f"strict@{undo['version']}", "--reason", "r", "--dry-run")
    assert (code, "concerns 0 comments (1 before)" in said) == (0, True), said
    await client.aclose()
    await pool.close()
