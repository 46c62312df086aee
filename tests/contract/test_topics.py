"""schemas/topics.toml agrees with the code: names, producers, consumers, keys, event types."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core import topics
from services.ingest.admit import TYPES

ROOT = Path(__file__).parents[2]
NAMES = (
    topics.COMMENTS,
    topics.VOTES,
    topics.VIEWS,
    topics.CONTROL,
    topics.OUTCOMES,
    topics.STRIPS,
    topics.FEEDS,
)
PROCESSES = {"ingest", "moderation", "counters", "publisher", "reader", "console", "scorer"}
COMMANDS = {"rebuild", "veche dead-letters"}


def test_the_code_names_every_topic_and_no_other() -> None:
    dead = {topic.dead_letters for topic in topics.declared().values()} - {""}
    assert set(topics.declared()) == {*NAMES, *dead}


@pytest.mark.parametrize("topic", topics.declared().values(), ids=lambda topic: topic.name)
def test_producers_and_consumers_are_processes_of_ours(topic: topics.Topic) -> None:
    assert topic.producers
    assert topic.consumers
    assert {*topic.producers, *topic.consumers} <= PROCESSES | COMMANDS


@pytest.mark.parametrize("name", [topics.COMMENTS, topics.VOTES, topics.VIEWS, topics.CONTROL])
def test_input_topics_take_the_brokers_time_and_have_dead_letters(name: str) -> None:
    topic = topics.declared()[name]
    assert topic.timestamp_type == "LogAppendTime"
    assert topic.cleanup_policy == "delete"
    assert topic.dead_letters == f"{name}.dead"


def test_an_event_type_belongs_to_one_topic() -> None:
    types = [type for topic in topics.declared().values() for type in topic.events]
    assert len(types) == len(set(types))


def test_ingest_sends_only_what_topics_say_it_produces() -> None:
    of_ingest = {
        type
        for topic in topics.declared().values()
        if "ingest" in topic.producers
        for type in topic.events
    }
    ours = {"veche.decision.made.v1", "veche.score.given.v1", "veche.rule.undone.v1"}
    assert set(TYPES) == of_ingest - ours
