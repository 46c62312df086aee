"""Links: how many there are, and where they lead."""

from __future__ import annotations

from typing import Annotated

import re2
from msgspec import Meta

from services.core.errors import BadRuleset
from services.core.events import FindingSeen
from services.core.rules.facts import Facts, Submission
from services.core.rules.reading import Reading, Span, folded
from services.core.rules.rule import Check, Rule

# Addresses with a scheme or www, and dotted names, which are links where they end in a domain that
# people write bare. RE2: no text of an outsider can make it slow.
_LINK = re2.compile(
    r"(?:https?://|www\.)[^\s<>\"'«»()\[\]]+|(?:[\pL\pN-]+\.)+\pL{2,}(?:/[^\s<>\"'«»()\[\]]*)?"
)
_BARE = frozenset(
    [
        "com",
        "net",
        "org",
        "info",
        "biz",
        "shop",
        "site",
        "online",
        "top",
        "xyz",
        "club",
        "me",
        "io",
        "ru",
        "su",
        "рф",
        "ua",
        "by",
        "kz",
        "de",
        "uk",
    ]
)
_AFTER = ".,;:!?…"

Domain = Annotated[str, Meta(min_length=3, max_length=253)]


class Links(Rule, frozen=True, kw_only=True, tag="links"):
    """Found where there are more links than `more_than`, or one leads to a denied domain."""

    more_than: Annotated[int, Meta(ge=0, le=100)] | None = None
    denied_domains: tuple[Domain, ...] = ()
    allowed_domains: tuple[Domain, ...] = ()
    """Links to these, and to their subdomains, are not counted."""


def compile_links(rule: Links) -> Check:
    """Raises BadRuleset where the rule could never find anything."""
    if rule.more_than is None and not rule.denied_domains:
        raise BadRuleset(f"rule {rule.id}: state `more_than` or `denied_domains`")
    denied = {_host(domain) for domain in rule.denied_domains}
    allowed = {_host(domain) for domain in rule.allowed_domains}

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        links = links_of(comment.reading)
        if not links:
            return None
        bad = [(host, span) for host, span in links if _within(host, denied)]
        if bad:
            return rule.finding(
                [span for _, span in bad], domains=sorted({host for host, _ in bad})[:10]
            )
        counted = [span for host, span in links if not _within(host, allowed)]
        if rule.more_than is not None and len(counted) > rule.more_than:
            return rule.finding(counted, count=len(counted), more_than=rule.more_than)
        return None

    return check


def links_of(reading: Reading) -> list[tuple[str, Span]]:
    """(host, span in the original) of every link."""
    if "." not in reading.folded:
        return []
    links = []
    for match in _LINK.finditer(reading.folded):
        link = match.group().rstrip(_AFTER)
        host = _host(link)
        stated = link.startswith(("http://", "https://", "www."))
        if "." in host and (stated or host.rpartition(".")[2] in _BARE):
            links.append((host, reading.span(match.start(), match.start() + len(link))))
    return links


def _host(link: str) -> str:
    """`https://user@www.Пример.рф:80/x` is at `пример.рф`; punycode is read."""
    _, _, rest = link.rpartition("://")
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = folded(rest.rpartition("@")[2].partition(":")[0]).strip(".").removeprefix("www.")
    return ".".join(_label(label) for label in host.split("."))


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _within(host: str, domains: set[str]) -> bool:
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False
