"""How far back the rules of a ruleset look, by what they compare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.core.rules.expression import Comparison
from services.core.rules.facts import Kind, Query, Windows
from services.core.rules.features import OF_DISCUSSIONS, OF_STANDING
from services.core.rules.near import BANDS

_MOST = 500
"""Earlier comments that a count looks at, at most."""


def most_counted(query: Query) -> int:
    return _MOST // BANDS if query.kind == "near" else _MOST


def windows_of(comparisons: Sequence[Comparison], reports: bool) -> Windows:
    """`reports`: whether rules look at reports."""
    queries = {}
    recent = copies = near = timedelta()
    most: dict[Kind, int] = {"recent": 0, "own": 0, "site": 0, "near": 0}
    first = False
    for each in comparisons:
        first = first or each.key == "author.age_days"
        query = each.query
        if query is None:
            continue
        queries[query.key] = query
        bound = int(float(each.bound)) + 1 if isinstance(each.bound, int | float) else 1
        # Of these only some of what is looked at counts.
        scarce = query.over in ("author_here", "copies", "near") or query.what == "near"
        bound = bound * 10 if scarce else bound
        bound = bound * 10 if query.what == "discussions" else bound
        match query.kind:
            case "recent":
                recent = max(recent, query.window)
            case "near":
                near = max(near, query.window)
            case _:
                copies = max(copies, query.window)
        most[query.kind] = min(max(most[query.kind], bound), _MOST)
    return Windows(
        recent=recent,
        recent_most=most["recent"],
        copies=copies,
        own_copies_most=most["own"],
        site_copies_most=most["site"],
        near=near,
        near_most=-(-most["near"] // BANDS),
        standing=any(each.key in OF_STANDING for each in comparisons),
        first=first,
        karma=any(each.key == "author.karma" for each in comparisons),
        discussion=any(each.key in OF_DISCUSSIONS for each in comparisons),
        reports=reports,
        queries=tuple(queries[key] for key in sorted(queries)),
    )
