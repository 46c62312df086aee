"""What a visitor of the demonstration page sees and can do."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.browser.conftest import Portal
from tests.browser.visitor import Visit, act, body, say, sign_in, until


@pytest.mark.parametrize(
    ("language", "title", "prompt", "sidebar"),
    [
        ("ru", "Колокол, который решал", "Войдите, чтобы комментировать", "Обсуждают"),
        ("en", "The bell that decided", "Log in to comment", "Being discussed"),
    ],
)
def test_who_is_not_signed_in_is_asked_to_log_in(
    visit: Visit, language: str, title: str, prompt: str, sidebar: str
) -> None:
    page = visit(f"?lang={language}")
    expect(page.locator("h1")).to_contain_text(title)
    expect(page.locator(".log-in")).to_have_text(prompt)
    expect(page.locator("#sidebar-title")).to_have_text(sidebar)
    assert page.locator("textarea").count() == 0
    assert page.locator("html").get_attribute("lang") == language


def test_the_language_switch_changes_article_and_discussion(visit: Visit) -> None:
    page = visit("?lang=en")
    page.click("[data-language=ru]")
    expect(page.locator("h1")).to_contain_text("Колокол, который решал")
    expect(page.locator(".thread")).to_contain_text("обычай держался веками")
    page.reload()
    expect(page.locator("h1")).to_contain_text("Колокол, который решал")


def test_a_comment_reaches_another_reader_and_the_sidebar(visit: Visit) -> None:
    writer, other = visit(), visit()
    sign_in(writer, "alice")
    before = int(other.locator(".strip .comments b").inner_text())
    say(writer, "Bells are louder than letters.")
    expect(other.locator(".thread")).to_contain_text("Bells are louder than letters.")
    expect(other.locator(".strip .comments b")).to_have_text(str(before + 1))
    first = other.locator(".feed li").first
    expect(first).to_contain_text("The bell that decided")
    expect(first.locator(".count")).to_have_text(str(before + 1))


def test_markup_in_a_comment_stays_text(visit: Visit) -> None:
    page = visit()
    sign_in(page, "tom")
    comment = say(page, "<img src=x onerror=alert(1)><b>bold</b>")
    expect(body(comment)).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert page.locator(".thread img, .thread .text b").count() == 0


def test_a_listed_word_waits_until_a_moderator_approves_it(visit: Visit, portal: Portal) -> None:
    writer, other = visit(), visit()
    sign_in(writer, "gleb")
    comment = say(writer, "Only an idiot rings the bell at night.")
    expect(comment.locator("[data-status=held]")).to_be_visible()
    expect(comment.locator("mark")).to_have_text("idiot")
    expect(comment).to_contain_text("a moderator looks at first")
    writer.reload()
    expect(writer.locator(".waiting [data-status=held]")).to_be_visible()
    expect(other.locator(".thread")).not_to_contain_text("rings the bell at night")
    [item] = portal.console("GET", "/queue").json()["items"]
    [start, end] = item["findings"][0]["spans"][0]
    assert item["body"][start:end] == "idiot"
    decision = {key: item[key] for key in ("discussion", "comment", "expected")}
    portal.console("POST", "/decisions", decision | {"ruling": "approve"})
    expect(other.locator(".thread")).to_contain_text("rings the bell at night")
    expect(writer.locator(".waiting")).to_have_count(0)


def test_a_rejection_tells_its_author_what_the_moderator_said(visit: Visit, portal: Portal) -> None:
    page = visit()
    sign_in(page, "zoya")
    say(page, "What a moron the bell ringer was.")
    expect(page.locator("[data-status=held]")).to_be_visible()
    [item] = portal.console("GET", "/queue").json()["items"]
    decision = {key: item[key] for key in ("discussion", "comment", "expected")}
    rejection = {"ruling": "reject", "reason": "No names, please."}
    portal.console("POST", "/decisions", decision | rejection)
    page.reload()
    expect(page.locator("[data-status=rejected]")).to_be_visible()
    expect(page.locator(".waiting")).to_contain_text("Moderator: No names, please.")


def test_reply_edit_and_deletion_show_to_everybody(visit: Visit) -> None:
    writer, other = visit(), visit()
    sign_in(writer, "nina")
    comment = say(writer, "The bridge was the second chamber.")
    expect(other.locator(".thread")).to_contain_text("the second chamber")
    act(comment, "reply")
    comment.locator("textarea").fill("And the river was the third.")
    comment.locator(".slot [type=submit]").click()
    reply = other.locator(".replies .comment", has_text="the river was the third")
    expect(reply).to_be_visible()
    own = writer.locator(".replies .comment", has_text="the river was the third")
    act(own, "edit")
    own.locator("textarea").fill("The river had the last word.")
    own.locator(".slot [type=submit]").click()
    edited = other.locator(".replies .comment", has_text="The river had the last word.")
    expect(edited).to_contain_text("edited")
    gone = writer.locator(".replies .comment", has_text="The river had the last word.")
    act(gone, "remove")
    gone.locator(".slot [type=submit]").click()
    expect(edited).to_have_count(0)
    expect(gone).to_have_count(0)


def test_a_vote_counts_once_and_can_be_taken_back(visit: Visit) -> None:
    voter, other = visit(), visit()
    sign_in(voter, "tom")
    rating = other.locator(".strip .rating")
    before = rating.inner_text()
    voter.locator(".strip .arrow").first.click()
    expect(rating).to_have_text(f"+{int(before) + 1}")
    voter.reload()
    expect(voter.locator(".strip .arrow").first).to_have_attribute("aria-pressed", "true")
    voter.locator(".strip .arrow").first.click()
    expect(rating).to_have_text(before)
    expect(voter.locator(".strip .rating")).to_have_text(before)


def test_a_report_is_received_and_own_comments_take_no_vote(visit: Visit) -> None:
    page = visit()
    sign_in(page, "tom")
    comment = page.locator("#c-en-1")
    act(comment, "report")
    comment.locator("select").select_option("other")
    comment.locator("> article > .slot [type=submit]").click()
    expect(comment.locator("> article > .told")).to_contain_text("the report was received")
    expect(page.locator("#c-en-2 > article .arrow").first).to_be_disabled()


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Visit) -> None:
    page = visit("?lang=ru", viewport={"width": 360, "height": 740}, color_scheme="dark")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(22, 21, 26)"
    expect(page.locator(".feed li")).to_have_count(8)


def test_every_control_has_a_name(visit: Visit) -> None:
    page = visit()
    sign_in(page, "alice")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, textarea, select, input")]
            .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length))
            .map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_another_article_of_the_sidebar_has_its_own_discussion(visit: Visit) -> None:
    page = visit()
    page.locator(".feed a", has_text="Night ferry").click()
    expect(page.locator("h1")).to_have_text("Night ferry returns after ten years")
    expect(page.locator(".thread")).to_contain_text("Will it carry bicycles?")


def test_what_was_typed_survives_another_order(visit: Visit) -> None:
    page = visit()
    sign_in(page, "nina")
    page.fill(".new-comment textarea", "half a thought")
    page.locator(".orders button").last.click()
    page.wait_for_selector(".thread .comment")
    expect(page.locator(".new-comment textarea")).to_have_value("half a thought")
    assert page.locator(".thread > .comment").count() > 0


def test_what_comes_while_the_thread_is_loaded_again_is_not_lost(visit: Visit) -> None:
    page, other = visit(), visit()
    sign_in(other, "alice")
    streams: list[Route] = []
    pages: list[tuple[Route, APIResponse]] = []
    page.route(
        "**/stream?since=*", lambda route: route.continue_() if streams else streams.append(route)
    )
    sign_in(page, "tom")
    seen = page.locator(".strip .comments b")
    before = int(seen.inner_text())
    first = page.locator(".thread > .comment").first.get_attribute("id")
    reply = page.locator(f"#{first}")
    act(reply, "reply")
    reply.locator("textarea").fill("half a reply")
    until(page, lambda: streams)
    page.route("**/comments?sort=*", lambda route: pages.append((route, route.fetch())))
    streams[0].fulfill(
        content_type="text/event-stream", body="retry: 100\nevent: reset\ndata: {}\n\n"
    )
    until(page, lambda: pages)
    say(other, "Said while another loads.")
    expect(seen).to_have_text(str(before + 1))
    [(route, response)] = pages
    route.fulfill(response=response)
    expect(page.locator(".thread")).to_contain_text("Said while another loads.")
    expect(reply.locator("textarea")).to_have_value("half a reply")
    expect(reply.locator("textarea")).to_be_focused()


def test_by_keyboard_one_goes_on_from_where_one_was(visit: Visit) -> None:
    page = visit()
    page.locator(".log-in").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-reader=tom]")
    page.locator("[data-reader=tom]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".new-comment textarea")).to_be_focused()
    page.keyboard.type("Written without a mouse.")
    page.keyboard.press("Control+Enter")
    comment = page.locator(".comment", has_text="Written without a mouse.")
    expect(comment.locator("[data-status=published]")).to_be_visible()
    for action in ("edit", "remove"):
        link = comment.locator(f"> article [data-action={action}]")
        link.focus()
        page.keyboard.press("Enter")
        expect(comment.locator("form")).to_be_visible()
        page.keyboard.press("Escape")
        expect(link).to_be_focused()
    page.locator(".orders button").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".orders [aria-pressed=true]")).to_be_focused()
    expect(page.locator(".orders [aria-pressed=true]")).to_have_text("best")
