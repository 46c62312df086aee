"""Publishes what was measured: `python -m bench.document`.

The rows of build/bench.json take their places among those of docs/performance.json, and all of them
go into docs/performance.md, between its two marks, and the chart beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import chart
from bench.ground import ROOT

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SHOWN_ALREADY = {
    "name", "value", "unit", "against", "against_value", "ratio", "target", "reached", "better",
}  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| row | measured | against | its value | ratio | to reach | reached | more |",
        "|---|---:|---|---:|---:|---:|---|---|",
    ]
    for row in rows:
        sign = "≥" if row["better"] == "high" else "≤"
        cells = [
            f"`{row['name']}`",
            f"{row['value']:,} {row['unit']}",
            row["against"] or "",
            _number(row["against_value"]),
            _number(row["ratio"]),
            "" if row["target"] is None else f"{sign} {row['target']:,}",
            {True: "yes", False: "**no**", None: ""}[row["reached"]],
            "; ".join(f"{k} {_said(v)}" for k, v in row.items() if k not in SHOWN_ALREADY),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def put(document: str, rows: Sequence[Mapping[str, Any]]) -> str:
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


def together(
    published: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Rows that were measured again stand where they stood; new ones come last."""
    return list(({row["name"]: row for row in (*published, *measured)}).values())


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _said(value: Any) -> str:
    if isinstance(value, list):
        return "–".join(f"{part:,}" for part in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def main() -> None:
    published = Path(ROOT / "docs/performance.json")
    rows = together(rows_of(published), rows_of(ROOT / "build/bench.json"))
    published.write_text(json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    page = Path(ROOT / "docs/performance.md")
    page.write_text(put(page.read_text(), rows))
    (ROOT / "docs/performance.svg").write_text(chart.svg(rows))


if __name__ == "__main__":
    main()
