"""Names in paths and queries: checked, and made into keys."""

from __future__ import annotations

import re
from typing import get_args
from urllib.parse import parse_qs

from services.core.events import DiscussionKey, FeedName, Version
from services.core.problems import bad_parameter, not_found

SITE = re.compile(r"[a-z0-9-]{1,32}")
DISCUSSION = re.compile(r"[A-Za-z0-9._~-]{1,100}")
COMMENT = re.compile(r"[A-Za-z0-9._~-]{1,64}")
LANGUAGE = re.compile(r"[a-z]{2,3}")
VERSION = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
SECTION = re.compile(r"[a-z0-9-]{1,64}")

FEEDS: frozenset[str] = frozenset(get_args(FeedName))
WINDOWS = ("day", "week", "all")


def feed_key(site: str, feed: str, query: bytes) -> str:
    """`site/feed/language/section`; raises a Problem that names the parameter at fault."""
    language = section = ""
    window = ""
    if query:
        asked = parameters(query)
        language = single(asked, "language", LANGUAGE, "two or three letters, such as ru")
        section = single(asked, "section", SECTION, "lower case letters, digits and hyphens")
        window = single(asked, "window", re.compile("|".join(WINDOWS)), "day, week or all")
    if feed == "top":
        feed = f"top-{window or 'all'}"
    elif window:
        raise bad_parameter("window", "only the feed `top` takes a window")
    if feed not in FEEDS or SITE.fullmatch(site) is None:
        raise not_found("feeds are latest, hot, top, top-day, top-week and top-all of a site")
    return f"{site}/{feed}/{language}/{section}"


def discussion_key(site: str, discussion: str) -> DiscussionKey:
    if SITE.fullmatch(site) is None or DISCUSSION.fullmatch(discussion) is None:
        raise unknown_discussion()
    return DiscussionKey(f"{site}/{discussion}")


def unknown_discussion() -> Exception:
    return not_found("no such discussion on this site")


def version_held(text: str) -> Version | None:
    """A client's `incarnation.number`; None where it holds none that we gave out."""
    found = VERSION.fullmatch(text)
    return Version(int(found[1]), int(found[2])) if found else None


def parameters(query: bytes) -> dict[str, list[str]]:
    """Query parameters; raises a Problem where there are too many."""
    try:
        return parse_qs(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=200, errors="strict"
        )
    except ValueError:
        raise bad_parameter("", "the query is not application/x-www-form-urlencoded") from None


def single(asked: dict[str, list[str]], name: str, form: re.Pattern[str], said: str) -> str:
    """The one value of a parameter, "" where it is absent or empty."""
    values = asked.get(name, [""])
    if len(values) > 1 or (values[0] and form.fullmatch(values[0]) is None):
        raise bad_parameter(name, f"{name} must be given once: {said}")
    return values[0]
