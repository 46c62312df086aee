"""What a visitor of the demonstration page does."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]


def sign_in(page: Page, reader: str) -> None:
    page.locator("#reader button").click()
    page.locator(f"[data-reader={reader}]").click()
    page.wait_for_selector(".new-comment textarea")
    page.wait_for_selector(".thread .comment")


def say(page: Page, text: str) -> Locator:
    page.fill(".new-comment textarea", text)
    page.click(".new-comment [type=submit]")
    comment = page.locator(".comment", has_text=text).first
    expect(comment).to_be_visible()
    return comment


def body(comment: Locator) -> Locator:
    return comment.locator("> article > .body")


def act(comment: Locator, name: str) -> None:
    comment.locator(f"> article [data-action={name}]").click()


def until(page: Page, holds: Callable[[], object]) -> None:
    """Waits, and lets the page's requests be answered meanwhile."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came")
