"""Producing: a supervised idempotent producer with deadlines, and the topics themselves."""

from services.core.produce.create import TopicsReport, create_topics
from services.core.produce.producer import DEADLINE_SECONDS, Producer
from services.core.produce.records import Outgoing, Sent, home_partition, partition_of

__all__ = [
    "DEADLINE_SECONDS",
    "Outgoing",
    "Producer",
    "Sent",
    "TopicsReport",
    "create_topics",
    "home_partition",
    "partition_of",
]
