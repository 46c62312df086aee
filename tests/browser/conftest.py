"""The demonstration page in a real browser, against `veche up` on the session's servers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from services.embedded.child import free_ports
from tests.conftest import _database, _execute, new_prefix, run

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
START_SECONDS = 90
TOKEN = re.compile(r"^(eyJ[\w-]+\.[\w-]+\.[\w-]+)$", re.MULTILINE)


@dataclass
class Portal:
    """A running origin, and a moderator's way into its console."""

    url: str
    moderator: str

    def console(self, method: str, path: str, body: Any = None) -> Any:
        return httpx.request(
            method,
            f"{self.url}/v1/console/sites/demo{path}",
            json=body,
            headers={"authorization": f"Bearer {self.moderator}"},
            timeout=10,
        ).raise_for_status()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM} here: `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def portal(
    browser: Browser, kafka_bootstrap: str, postgres_admin_dsn: str, servers_dir: Path
) -> Iterator[Portal]:
    """`veche up` with a database and topics of its own; `browser` first, since it may skip."""
    database = f"veche_page_{uuid.uuid4().hex[:8]}"
    run(_execute(postgres_admin_dsn, f"CREATE DATABASE {database}"))
    (port,) = free_ports(1)
    log = servers_dir / "logs" / "page.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    env = os.environ | {
        "VECHE_PORT": str(port),
        "VECHE_DATA_DIR": str(servers_dir / "page"),
        "VECHE_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "VECHE_POSTGRES_DSN": _database(postgres_admin_dsn, database),
        "VECHE_TOPIC_PREFIX": new_prefix(),
    }
    with log.open("w") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "up"], cwd=ROOT, env=env, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: TOKEN.search(log.read_text()) or up.poll() is not None, START_SECONDS)
        found = TOKEN.search(log.read_text())
        assert found, log.read_text()[-4000:]
        wait(lambda: len(_feed(url)) == 8, START_SECONDS)
        yield Portal(url, found[1])
    finally:
        up.send_signal(signal.SIGINT)
        try:
            up.wait(40)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait(10)
        run(_execute(postgres_admin_dsn, f"DROP DATABASE {database} WITH (FORCE)"))


@pytest.fixture
def visit(browser: Browser, portal: Portal) -> Iterator[Callable[..., Page]]:
    """`visit("?lang=en", **context)`: a page in a browser of its own, opened, its thread shown.

    `prepare(page)` comes before. Fails the test where the page logs an error, a violation of the
    Content-Security-Policy included, unless it has the text `expected`.
    """
    contexts = []
    errors: list[str] = []

    def open_page(
        query: str = "?lang=en",
        prepare: Callable[[Page], None] | None = None,
        expected: str | None = None,
        **context: Any,
    ) -> Page:
        made = browser.new_context(**context)
        contexts.append(made)
        page = made.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text)
                if message.type == "error" and (expected is None or expected not in message.text)
                else None
            ),
        )
        if prepare:
            prepare(page)
        page.goto(f"{portal.url}/{query}")
        page.wait_for_selector(".thread .comment")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def wait(holds: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def _feed(url: str) -> list[Any]:
    try:
        answer = httpx.get(f"{url}/v1/sites/demo/feeds/latest", timeout=5)
    except httpx.HTTPError:
        return []
    return answer.json()["entries"] if answer.status_code == 200 else []
