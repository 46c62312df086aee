"""Which ruleset a moderation process judges by, as the table `rulesets` says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.core import db
from services.core.db import Pool
from services.core.errors import BadRuleset
from services.core.events import ActivatedRuleset
from services.core.rules import Ruleset, load
from services.core.store import rulesets
from services.moderation.following import Following
from services.moderation.handle import Moderation

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = "title: {ru: т, en: t}\nreason: {ru: т, en: t}"
FOLDER = {"a.yml": f"id: a\n{TEXTS}\nwhen: text.links > 1\nthen: hold"}
OTHER = {"a.yml": FOLDER["a.yml"].replace("> 1", "> 2")}
THIRD = {"a.yml": FOLDER["a.yml"].replace("> 1", "> 3")}
NEWER = {"a.yml": FOLDER["a.yml"] + "\nof_a_later_release: true"}


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


def made(ruleset: Ruleset) -> Moderation:
    judge: Any = None
    return Moderation(judge, ruleset.windows)


def following(folder: Mapping[str, str] = FOLDER) -> Following:
    return Following(made, lambda: folder)


async def activate(
    pool: Pool, files: Mapping[str, str], parent: str, id: str, back_to: int | None = None
) -> int | None:
    try:
        hash = load(files).hash
    except BadRuleset:
        hash = "f" * 64
    said = ActivatedRuleset(
        files=dict(files), hash=hash, parent=parent, author="ann", approved_by="bob", reason="r",
        back_to=back_to,
    )  # fmt: skip
    async with db.transaction(pool) as connection:
        return await rulesets.activate(connection, id, said, T0)


async def test_the_folder_holds_until_a_ruleset_is_activated(pool: Pool) -> None:
    follows = following()
    assert await follows.begin(pool, asyncio.Event())
    before = follows.in_use
    assert (before.version, before.ruleset.hash) == (0, load(FOLDER).hash)
    assert await activate(pool, OTHER, before.ruleset.hash, "e1") == 1
    await follows.look(pool)
    assert (follows.in_use.version, follows.in_use.ruleset.hash) == (1, load(OTHER).hash)
    assert before.ruleset.hash == load(FOLDER).hash  # a batch that has it goes on with it


async def test_of_two_changes_of_one_ruleset_the_first_takes_effect(pool: Pool) -> None:
    assert await activate(pool, FOLDER, "0" * 64, "e1") == 1
    first = load(FOLDER).hash
    assert await activate(pool, OTHER, first, "e2") == 2
    assert await activate(pool, FOLDER, first, "e3") is None
    assert await activate(pool, OTHER, first, "e2") is None  # sent twice
    assert await activate(pool, FOLDER, first, "e4", back_to=1) == 3


async def test_a_change_of_spelling_alone_is_a_version_with_the_same_hash(pool: Pool) -> None:
    follows = following()
    await follows.begin(pool, asyncio.Event())
    hash = follows.in_use.ruleset.hash
    spelled = {"a.yml": f"# Why.\n{FOLDER['a.yml']}"}
    assert await activate(pool, spelled, hash, "e1") == 1
    await follows.look(pool)
    assert (follows.in_use.version, follows.in_use.ruleset.hash) == (1, hash)


async def test_a_ruleset_that_does_not_load_leaves_the_one_before(pool: Pool) -> None:
    follows = following()
    await follows.begin(pool, asyncio.Event())
    assert await activate(pool, NEWER, load(FOLDER).hash, "e1") == 1
    await follows.look(pool)
    assert follows.in_use.version == 0
    assert "version 1 does not load here" in follows.trouble
    assert await activate(pool, OTHER, "f" * 64, "e2") == 2
    await follows.look(pool)
    assert (follows.in_use.version, follows.trouble) == (2, "")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("no such model")])
async def test_any_exception_of_loading_is_trouble_and_leaves_the_one_before(
    pool: Pool, error: Exception
) -> None:
    tried = 0

    def fragile(ruleset: Ruleset) -> Moderation:
        nonlocal tried
        if ruleset.hash == load(OTHER).hash:
            tried += 1
            raise error
        return made(ruleset)

    follows = Following(fragile, lambda: FOLDER)
    await follows.begin(pool, asyncio.Event())
    assert await activate(pool, OTHER, load(FOLDER).hash, "e1") == 1
    for _ in range(2):
        await follows.look(pool)
    assert (follows.in_use.version, tried) == (0, 1)
    assert follows.trouble == (
        f"ruleset version 1 does not load here: {type(error).__name__}: {error}"
    )
    assert REGISTRY.get_sample_value("veche_ruleset_not_loaded") == 1
    assert await activate(pool, THIRD, load(OTHER).hash, "e2") == 2
    await follows.look(pool)
    assert (follows.in_use.version, follows.trouble) == (2, "")
    assert REGISTRY.get_sample_value("veche_ruleset_not_loaded") == 0


async def test_a_process_that_starts_uses_the_newest_that_loads(pool: Pool) -> None:
    await activate(pool, OTHER, "0" * 64, "e1")
    await activate(pool, NEWER, load(OTHER).hash, "e2")
    follows = following({"broken.yml": "id: ["})
    assert await follows.begin(pool, asyncio.Event())
    assert follows.in_use.version == 1
    assert follows.trouble


async def test_a_broken_folder_ends_a_start_without_any_activated_ruleset(pool: Pool) -> None:
    with pytest.raises(BadRuleset):
        await following({"broken.yml": "id: ["}).begin(pool, asyncio.Event())
