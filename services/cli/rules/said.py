"""What people read in a terminal of 80 columns."""

from __future__ import annotations

from textwrap import fill

import click

WIDTH = 80


def tell(text: str, indent: int = 0, hang: int = 2) -> None:
    """Wrapped; what is longer by itself, such as an id to be copied, is not broken."""
    click.echo(
        fill(
            text,
            WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
