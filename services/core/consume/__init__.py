"""The one consumer loop: fenced partitions, batches in one transaction, dead letters, tails."""

from services.core.consume.batch import Batch, Handle, Record, Source, Sweep
from services.core.consume.bounded import read_to_ends
from services.core.consume.cluster import Log, logs
from services.core.consume.consumer import Consumer
from services.core.consume.letters import DeadLetter
from services.core.consume.tail import Tail, TailRecord, tail
from services.core.consume.timing import Timing

__all__ = [
    "Batch",
    "Consumer",
    "DeadLetter",
    "Handle",
    "Log",
    "Record",
    "Source",
    "Sweep",
    "Tail",
    "TailRecord",
    "Timing",
    "logs",
    "read_to_ends",
    "tail",
]
