"""`veche model`: trains, applies and measures a classifier on JSONL files, offline."""

from __future__ import annotations

import gzip
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.cli import json_lines
from services.cli.json_lines import BadLine
from services.core import codec
from services.core.errors import VecheError
from services.core.model import Model
from services.core.model.measure import Measures, measures
from services.core.model.stored import pack_model, unpack_model

FILES = click.Path(exists=True, dir_okay=False, path_type=Path)
MAX_LINE_BYTES = 1 << 20


class BadFile(VecheError):
    """A file that does not hold what the command needs: says which line."""


@click.group()
def model() -> None:
    """Train, apply and measure a classifier of comments.

    FILES are JSON lines (.gz too). A line is an object with `text`, `labels` (names to 0 or 1)
    and, to score, `id`.
    """


@model.command()
@click.option("--label", required=True, help="The label to learn: a key of `labels`.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Equal seeds give equal files.")
@click.argument("files", nargs=-1, required=True, type=FILES)
def train(label: str, out: Path, seed: int, files: tuple[Path, ...]) -> None:
    """Fit a model to the lines that carry the label.

    Lines without it are passed over.
    """
    try:
        from services.core.model.fit import fit
    except ModuleNotFoundError as error:
        raise BadFile(
            f"training needs {error.name}: install the extra with `pip install 'veche[model]'`"
        ) from None
    if not out.parent.is_dir():
        raise BadFile(f"{out.parent} is no folder: make it, or name another --out")
    with beside(out) as keep:
        texts, labels, passed_over = labelled(files, label)
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task(f"learning {label} from {len(texts)} texts", total=None)
            try:
                made = fit(
                    label,
                    texts,
                    labels,
                    seed=seed,
                    progress=lambda done, of: progress.update(task, completed=done, total=of),
                )
            except ValueError as error:
                raise BadFile(str(error)) from None
        keep(pack_model(made))
    click.echo(
        f"{out}: version {made.version}, {label} from {made.positives} texts with it and "
        f"{made.negatives} without" + (f"; {passed_over} lines do not say" if passed_over else ""),
        err=True,
    )


@contextmanager
def beside(out: Path) -> Iterator[Callable[[bytes], None]]:
    """Keeps what is to stand in a file, in one beside it that then takes its place whole.

    That one is opened at once: nobody learns for hours what cannot be written. Raises BadFile.
    """
    new = out.with_name(out.name + ".new")

    def keep(content: bytes) -> None:
        with _unwritten(out):
            new.write_bytes(content)
            new.replace(out)

    with _unwritten(out):
        new.write_bytes(b"")
    try:
        yield keep
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _unwritten(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadFile(f"{out} cannot be written: {error.strerror}") from None


@model.command()
@click.option("--model", "model_file", required=True, type=FILES)
@click.option("--explain", is_flag=True, help="Add the most telling n-grams, with their spans.")
@click.argument("files", nargs=-1, required=True, type=FILES)
def score(model_file: Path, explain: bool, files: tuple[Path, ...]) -> None:
    """Write one JSON object per line: `id` and `score`, 0 to 1.

    A line without an id gets its number.
    """
    made = opened(model_file)
    out = sys.stdout.buffer
    with ExitStack() as stack:
        progress = stack.enter_context(
            Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
        )
        task = progress.add_task("scoring", total=None)
        for number, (where, row) in enumerate(rows(files), 1):
            scored = made.score(text_of(where, row), 5 if explain else 0)
            said: dict[str, Any] = {
                "id": row.get("id", number),
                "score": round(scored.value, 6),
            }
            if explain:
                said["telling"] = [
                    {"ngram": t.ngram, "weight": t.weight, "span": t.span} for t in scored.telling
                ]
            out.write(codec.encode(said) + b"\n")
            if number % 500 == 0:
                progress.update(task, completed=number)
    out.flush()


@model.command()
@click.option("--label", required=True, help="The label that the scores are compared with.")
@click.option("--model", "model_file", required=True, type=FILES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("files", nargs=-1, required=True, type=FILES)
def evaluate(label: str, model_file: Path, as_json: bool, files: tuple[Path, ...]) -> None:
    """Measure a model on labelled lines.

    By AUC, precision at 90 % recall, and calibration.
    """
    made = opened(model_file)
    texts, labels, passed_over = labelled(files, label)
    if not 0 < sum(labels) < len(labels):
        raise BadFile(
            f"{len(labels)} lines carry {label}, {sum(labels)} of them with 1: "
            "at least one of each kind is needed"
        )
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        scores = [made.score(text).value for text in progress.track(texts, description="scoring")]
    measured = measures(np.array(labels, float), np.array(scores))
    if as_json:
        sys.stdout.buffer.write(codec.encode(as_object(made, label, measured, passed_over)) + b"\n")
    else:
        show(made, label, measured, passed_over)


def as_object(made: Model, label: str, measured: Measures, passed_over: int) -> dict[str, Any]:
    return {
        "label": label,
        "model": made.version,
        "lines_without_label": passed_over,
        **measured._asdict(),
        "reliability": [bucket._asdict() for bucket in measured.reliability],
    }


def show(made: Model, label: str, measured: Measures, passed_over: int) -> None:
    click.echo(f"model {made.version} ({made.label}) on {label}")
    for name, value in (
        ("rows", f"{measured.rows}"),
        (f"with {label}", f"{measured.positives}"),
        ("lines without the label", f"{passed_over}"),
        ("AUC", f"{measured.auc:.4f}"),
        (
            "precision at 90 % recall",
            f"{measured.precision_at_90_recall:.4f}"
            f" (score ≥ {measured.threshold_at_90_recall:.3f})",
        ),
        ("expected calibration error", f"{measured.expected_calibration_error:.4f}"),
        ("accuracy at 0.5", f"{measured.accuracy:.4f}"),
        ("log loss", f"{measured.log_loss:.4f}"),
    ):
        click.echo(f"  {name:28}{value}")
    table = Table("score", "texts", "mean score", f"share with {label}")
    for bucket in measured.reliability:
        table.add_row(
            f"{bucket.low:.1f}–{bucket.low + 0.1:.1f}",
            str(bucket.texts),
            f"{bucket.mean_score:.3f}",
            f"{bucket.share:.3f}",
        )
    Console().print(table)


def opened(file: Path) -> Model:
    return unpack_model(file.read_bytes())


def labelled(files: tuple[Path, ...], label: str) -> tuple[list[str], list[bool], int]:
    """Texts, labels and how many lines do not carry the label."""
    texts, labels, passed_over = [], [], 0
    seen: set[str] = set()
    for where, row in rows(files):
        given = row.get("labels", {})
        if not isinstance(given, dict):
            raise BadFile(f"{where}: `labels` must be an object")
        try:
            value = json_lines.label_of(given, label)
        except BadLine as error:
            raise BadFile(f"{where}: {error}") from None
        if value is None:
            seen |= given.keys()
            passed_over += 1
        else:
            texts.append(text_of(where, row))
            labels.append(value)
    if not texts:
        names = ", ".join(sorted(seen)[:20]) or "none"
        raise BadFile(f"no line carries the label {label}; labels there: {names}")
    return texts, labels, passed_over


def text_of(where: str, row: dict[str, Any]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise BadFile(f"{where}: `text` must be a string")
    return text


def rows(files: tuple[Path, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(`file:line`, object) of every line that is not empty; raises BadFile with that place."""
    for file in files:
        number = 0
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
                while line := lines.readline(MAX_LINE_BYTES + 1):
                    number += 1
                    where = f"{file}:{number}"
                    if len(line) > MAX_LINE_BYTES:
                        raise BadFile(f"{where}: the line is longer than {MAX_LINE_BYTES} bytes")
                    if number == 1:
                        line = line.removeprefix(BOM_UTF8)
                    if line.strip():
                        yield where, parsed(where, line)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadFile(f"{file}:{number + 1}: not a whole gzip file: {error}") from None


def parsed(where: str, line: bytes) -> dict[str, Any]:
    try:
        return json_lines.object_of(line)
    except BadLine as error:
        raise BadFile(f"{where}: {error}") from None
