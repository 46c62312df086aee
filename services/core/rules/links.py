"""Links: how many there are, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Set

import re2

from services.core.rules.reading import Reading, Span, folded

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
_DOTTED = re.compile(r"\.\w")
_AFTER = ".,;:!?…"
_LONGEST_LABEL = 63
"""Of a name in the DNS. Reading punycode takes the square of its length."""


def links_of(reading: Reading) -> list[tuple[str, Span]]:
    """(host, span in the original) of every link."""
    if _DOTTED.search(reading.folded) is None and "://" not in reading.folded:
        return []
    links = []
    for match in _LINK.finditer(reading.folded):
        link = match.group().rstrip(_AFTER)
        host = host_of(link)
        stated = link.startswith(("http://", "https://", "www."))
        if "." in host and (stated or host.rpartition(".")[2] in _BARE):
            links.append((host, reading.span(match.start(), match.start() + len(link))))
    return links


def host_of(link: str) -> str:
    """`https://user@www.Пример.рф:80/x` is at `пример.рф`; punycode is read."""
    _, _, rest = link.rpartition("://")
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = folded(rest.rpartition("@")[2].partition(":")[0]).strip(".").removeprefix("www.")
    return ".".join(_label(label) for label in host.split("."))


def _label(label: str) -> str:
    """A label that stands for no text, such as half of a surrogate pair, stays as it is."""
    if not label.startswith("xn--") or len(label) > _LONGEST_LABEL:
        return label
    try:
        written = label[4:].encode("ascii").decode("punycode")
        written.encode()
    except UnicodeError:
        return label
    return written


def within(host: str, domains: Set[str]) -> bool:
    """Whether the host is one of the domains, or below one."""
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False
