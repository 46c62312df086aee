"""What the demonstration page makes of old copies, failures and answers in another order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Portal
from tests.browser.visitor import Visit, act, body, say, sign_in, until

ENGLISH = "/v1/sites/demo/discussions/veche-en"

# The stream of the discussion says what the test says, and nothing else.
OWN_STREAM = """
    const Real = EventSource;
    window.EventSource = class extends Real {
      heard = {};
      addEventListener(name, handle) {
        if (!this.url.includes("/discussions/")) return super.addEventListener(name, handle);
        this.heard[name] = handle;
        window.stream = this;
      }
    };
"""


def own_stream(page: Page) -> None:
    page.add_init_script(OWN_STREAM)


def tell(page: Page, name: str, data: Any) -> None:
    page.wait_for_function("window.stream")
    page.evaluate(
        "([name, data]) => window.stream.heard[name]({ lastEventId: '', data })",
        [name, json.dumps(data)],
    )


def version(page: Page, portal: Portal) -> Any:
    return page.request.get(portal.url + ENGLISH).json()["version"]


def failing(answers: list[Callable[[Route], None]]) -> Callable[[Route], None]:
    """Each of `answers` once, then what the portal says."""
    return lambda route: answers.pop(0)(route) if answers else route.continue_()


def away(route: Route) -> None:
    route.fulfill(
        status=503, content_type="application/problem+json", body='{"detail": "Away for a moment."}'
    )


def broken(route: Route) -> None:
    route.fulfill(content_type="application/json", body='{"comments": [')


def test_after_a_reset_no_copy_that_the_browser_keeps_is_shown(
    visit: Visit, portal: Portal
) -> None:
    other = visit()
    sign_in(other, "alice")
    page = visit(prepare=own_stream)
    say(other, "Said behind a copy.")
    expect(other.locator("[data-status=published]")).to_be_visible()
    until(
        page,
        lambda: (
            "Said behind a copy."
            in other.request.get(f"{portal.url}{ENGLISH}/comments?sort=newest").text()
        ),
    )
    tell(page, "reset", {"reason": "", "version": version(other, portal)})
    expect(page.locator(".thread")).to_contain_text("Said behind a copy.")


def test_a_page_older_than_the_reset_is_asked_for_again(visit: Visit, portal: Portal) -> None:
    other = visit()
    sign_in(other, "nina")
    page = visit(prepare=own_stream)
    pattern = "**/comments?sort=*"
    old = page.request.get(f"{portal.url}{ENGLISH}/comments?sort=newest").text()
    say(other, "Said where another server is behind.")
    expect(other.locator("[data-status=published]")).to_be_visible()
    before = json.loads(old)["version"].split(".")
    until(page, lambda: version(page, portal) > [int(part) for part in before])
    answers: list[Callable[[Route], None]] = [
        lambda route: route.fulfill(content_type="application/json", body=old)
    ]
    page.route(pattern, failing(answers))
    tell(page, "reset", {"reason": "", "version": version(page, portal)})
    expect(page.locator(".discussion")).to_contain_text("sent an old copy")
    expect(page.locator(".thread")).to_contain_text("Said where another server is behind.")
    expect(page.locator(".discussion")).not_to_contain_text("sent an old copy")


def test_a_load_that_fails_is_tried_again(visit: Visit, portal: Portal) -> None:
    answers: list[Callable[[Route], None]] = [away, broken]

    def prepare(page: Page) -> None:
        own_stream(page)
        page.route("**/comments?sort=*", failing(answers))

    page = visit(prepare=prepare, expected="503")
    status = page.locator("#discussion > div > [role=status]")
    expect(status).to_be_empty()
    answers.extend([away, away])
    tell(page, "reset", {"reason": "", "version": version(page, portal)})
    expect(status).to_have_text("Away for a moment.")
    expect(page.locator(".thread > .comment").first).to_be_visible()
    expect(status).to_be_empty()
    assert answers == []


def test_an_edit_that_changes_nothing_says_nothing(visit: Visit) -> None:
    page = visit()
    sign_in(page, "zoya")
    comment = say(page, "Once is enough.")
    expect(comment.locator("[data-status=published]")).to_be_visible()
    act(comment, "edit")
    with page.expect_response(
        lambda response: "/v1/receipts/" in response.url and response.json()["result"] == "applied"
    ):
        comment.locator(".slot [type=submit]").click()
    expect(comment.locator("textarea")).to_have_count(0)
    expect(comment.locator("> article > .told")).to_be_empty()
    expect(body(comment)).to_have_text("Once is enough.")


def test_only_an_applied_deletion_takes_the_comment_away(visit: Visit) -> None:
    page = visit(prepare=own_stream)  # the real one would say that the first deletion had effect
    sign_in(page, "gleb")
    comment = say(page, "Hard to get rid of.")
    expect(comment.locator("[data-status=published]")).to_be_visible()
    told = {"result": "dead_lettered", "reason": {"ru": "Отложено.", "en": "Put aside."}}
    page.route("**/v1/receipts/*", lambda route: route.fulfill(json=told))
    act(comment, "remove")
    comment.locator(".slot [type=submit]").click()
    expect(comment.locator(".slot .error")).to_have_text("Put aside.")
    expect(body(comment)).to_have_text("Hard to get rid of.")
    page.unroute("**/v1/receipts/*")
    comment.locator(".slot [type=submit]").click()
    expect(page.locator(".thread")).not_to_contain_text("Hard to get rid of.")


def test_of_two_quick_votes_the_second_lands_last_and_stays(visit: Visit, portal: Portal) -> None:
    page = visit(prepare=own_stream, expected="503")
    sign_in(page, "zoya")
    url = f"{portal.url}{ENGLISH}/comments?sort=newest"
    before = _found(page, url, "en-1")["down"]
    cast: list[Route] = []

    def hold_first(route: Route) -> None:
        cast.append(route)
        if len(cast) > 1:
            route.continue_()

    page.route("**/v1/events/vote", hold_first)
    comment = page.locator("#c-en-1")
    arrows = comment.locator("> article .arrow")
    arrows.first.click()
    until(page, lambda: cast)
    arrows.last.click()
    away(cast[0])
    until(page, lambda: len(cast) == 3)
    values = [json.loads(route.request.post_data or "")["data"]["value"] for route in cast]
    assert values == [1, 1, -1]
    until(page, lambda: _found(page, url, "en-1")["down"] == before + 1)
    edited = {"revision": 2, "at": "2026-01-01T00:00:00Z"}
    changed = _found(page, url, "en-1") | {"body": "Said better.", "edited": edited}
    told = {"version": version(page, portal), "comments": [changed], "vanished": []}
    tell(page, "comments", told)
    expect(body(comment)).to_have_text("Said better.")
    expect(arrows.last).to_have_attribute("aria-pressed", "true")


def test_an_old_comment_that_changes_waits_for_its_page(visit: Visit, portal: Portal) -> None:
    whole: list[Any] = []

    def only_the_first(route: Route) -> None:
        thread = route.fetch().json()
        whole[:] = thread["comments"]
        route.fulfill(json=thread | {"comments": whole[:1], "next": "more"})

    def prepare(page: Page) -> None:
        own_stream(page)
        page.route("**/comments?sort=*", only_the_first)

    page = visit(prepare=prepare)
    first, second = whole[0], whole[-1]
    changed = [second, first | {"body": "Changed in its place."}]
    told = {"version": version(page, portal), "comments": changed, "vanished": []}
    tell(page, "comments", told)
    expect(body(page.locator(f"#c-{first['id']}"))).to_have_text("Changed in its place.")
    expect(page.locator(f"#c-{second['id']}")).to_have_count(0)


def _found(page: Page, url: str, comment: str) -> Any:
    return next(one for one in page.request.get(url).json()["comments"] if one["id"] == comment)
