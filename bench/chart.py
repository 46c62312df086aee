"""The figures as one SVG: how far each row is on its way to its target. No library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LABEL, LINE, TOP = 860, 190, 26, 56
FULL = 420
"""Pixels at which a target is reached."""
LONGEST = 1.4


def share(row: Mapping[str, Any]) -> float | None:
    """1.0: the target is just reached; above: better. None where there is no target."""
    target = row["target"]
    judged = row["value"] if row["ratio"] is None else row["ratio"]
    if not target or not judged:
        return None
    return float(target / judged if row["better"] == "low" else judged / target)


def svg(rows: Sequence[Mapping[str, Any]]) -> str:
    drawn = [(row, part) for row in rows if (part := share(row)) is not None]
    height = TOP + LINE * len(drawn) + 16
    target = LABEL + FULL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="16" y="24" font-size="16" font-weight="600">Measured, as a share of the target'
        "</text>",
        f'<text x="{target}" y="46" text-anchor="middle" fill="#555">target</text>',
    ]
    for number, (row, part) in enumerate(drawn):
        y = TOP + LINE * number
        length = FULL * min(part, LONGEST)
        colour = "#2a7f62" if row["reached"] else "#c2572b"
        ratio = "" if row["ratio"] is None else f" · {row['ratio']:,}×"
        said = f"{row['value']:,} {row['unit']}{ratio}"
        parts += [
            f'<text x="{LABEL - 10}" y="{y + 15}" text-anchor="end">{escape(row["name"])}</text>',
            f'<rect x="{LABEL}" y="{y + 3}" width="{length:.0f}" height="16" rx="2" '
            f'fill="{colour}"/>',
            f'<text x="{LABEL + max(length, FULL) + 10:.0f}" y="{y + 15}" fill="#333">'
            f"{escape(said)}</text>",
        ]
    parts += [
        f'<line x1="{target}" x2="{target}" y1="{TOP - 6}" y2="{height - 12}" stroke="#222" '
        'stroke-dasharray="4 3"/>',
        "</svg>\n",
    ]
    return "\n".join(parts)
