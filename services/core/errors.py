"""Errors, named by what the caller does about them. They carry data; messages are for people."""

from __future__ import annotations


class VecheError(Exception):
    """Base of every named error of Veche."""


class BadEvent(VecheError):
    """A record that can never be applied: write it to the dead-letter topic.

    Attributes:
        code: a snake_case reason from a closed set; it is the metric's label.
        field: JSON path of the member at fault (`$.data.body`), or "" where there is none.
    """

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(f"{code}: {detail}" + (f" at {field}" if field else ""))
        self.code = code
        self.detail = detail
        self.field = field


class Retryable(VecheError):
    """The attempt ended without a known result or without one at all: try again later."""


class Fenced(VecheError):
    """Another process owns this partition now: drop the batch, leave the group, join again."""


class PartitionStopped(VecheError):
    """This partition must not go on by itself: park it, raise an alert, wait for an operator.

    Attributes:
        reason: `dead_letter_limit`, `topic_recreated` or `offset_out_of_range`.
    """

    def __init__(self, reason: str, topic: str, partition: int, offset: int, detail: str) -> None:
        super().__init__(
            f"{topic}[{partition}] stopped at offset {offset}: {reason}: {detail}; "
            f"look with `veche partitions list`, go on with `veche partitions resume`"
        )
        self.reason = reason
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.detail = detail


class Misconfigured(VecheError):
    """The process cannot start as it is configured: say what to change and exit."""


class BadRuleset(VecheError):
    """A ruleset that does not load: names the file, the line and the nearest valid name."""
