"""`python -m bench [--rows votes,views] [--quick]`: measure, print, write build/bench.json."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench import chart, comments, consume, feed, ingest, judging, latency, peers, sse, volume
from bench.figures import Figure, merged
from bench.ground import ROOT, Ground, servers
from tests.processes import Trust

ROWS: dict[str, Callable[[Ground], Awaitable[list[Figure]]]] = {
    "votes": consume.votes_row,
    "views": consume.views_row,
    "feed": feed.feed_row,
    "latency": latency.latency_row,
    "feed_latency": latency.latency_row,
    "ingest": ingest.ingest_row,
    "comments": comments.comments_row,
    "judge": judging.judging_row,
    "reload": judging.judging_row,
    "hostile": judging.judging_row,
    "backtest": judging.backtest_row,
    "skew": volume.skew_row,
    "backlog": volume.backlog_row,
    "growth": volume.growth_row,
    "scale": volume.scale_row,
    "sse": sse.sse_row,
    "peers": peers.peers_row,
}
"""In the order in which they run. A measurement may answer several figures, named after it."""

LEFT = ("row", "against", "reached")
OUT = ROOT / "build" / "bench.json"


def chosen(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]

    def measured(name: str) -> str:
        """`votes_naive` is measured together with `votes`."""
        rows = [row for row in ROWS if name == row or name.startswith(f"{row}_")]
        return max(rows, key=len, default=name)

    rows = [measured(name) for name in names]
    if unknown := [name for name in rows if name not in ROWS]:
        raise SystemExit(f"no such rows: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    wanted = [row for row in ROWS if row in rows] if names else list(ROWS)
    # Names that one measurement answers together are measured once.
    return list({ROWS[row]: row for row in reversed(wanted)}.values())[::-1]


async def measure(ground: Ground, rows: list[str], keep: Callable[[list[Figure]], None]) -> bool:
    """Every row; one that breaks is told and does not take the others with it."""
    whole = True
    for row in rows:
        ground.tell(f"[bold]{row}[/]")
        try:
            keep(await ROWS[row](ground))
        except (Exception, SystemExit) as error:  # noqa: BLE001
            whole = False
            ground.tell(f"[red]{row} was not measured[/]: {error!r}")
        finally:
            ground.services.end()
    return whole


def table(figures: list[Figure]) -> Table:
    shown = Table(title="veche bench")
    for column in ("row", "value", "against", "its value", "ratio", "target", "reached"):
        shown.add_column(column, justify="left" if column in LEFT else "right", min_width=6)
    for figure in figures:
        row = figure.row()
        said = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row["reached"]]
        beside = row["against_value"]
        sign = "≥" if figure.better == "high" else "≤"
        shown.add_row(
            row["name"],
            f"{row['value']:,} {row['unit']}",
            row["against"] or "",
            "" if beside is None else f"{beside:,}",
            "" if row["ratio"] is None else f"{row['ratio']:,}",
            "" if row["target"] is None else f"{sign} {row['target']:,}",
            said,
        )
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default="", help="comma-separated; all by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work?")
    parser.add_argument("--runs", type=int, default=3, help="of each side, in turns")
    parser.add_argument("--fresh", action="store_true", help="forget rows of earlier runs")
    asked = parser.parse_args()
    rows = chosen(asked.rows)
    # A fresh topic's first leader is told a moment late; aiokafka asks again and logs an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    home = Path(tempfile.mkdtemp(prefix="veche-bench-"))
    home.chmod(0o711)
    (home / "logs").mkdir()
    load = os.getloadavg()[0]
    if load > 1.5:
        console.print(f"[yellow]The machine is busy (load {load:.1f}): figures will be low.[/]")
    figures: list[Figure] = []

    def keep(new: list[Figure]) -> None:
        """After every row, so that a run that is ended early leaves what it measured."""
        figures.extend(new)
        OUT.parent.mkdir(exist_ok=True)
        old = [] if asked.fresh or not OUT.exists() else json.loads(OUT.read_text())["rows"]
        together = merged(old, figures)
        OUT.write_text(json.dumps({"rows": together}, indent=1, ensure_ascii=False) + "\n")
        (OUT.parent / "bench.svg").write_text(chart.svg(together))

    try:
        console.print("starting Kafka and Postgres")
        with servers(home, console) as (kafka, postgres):
            ground = Ground(home, kafka, postgres, console, Trust.make(home))
            ground.quick, ground.runs = asked.quick, 1 if asked.quick else asked.runs
            whole = uvloop.run(measure(ground, rows, keep))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    console.print(table(figures))
    console.print(f"written to {OUT.relative_to(ROOT)}")
    return 0 if whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
