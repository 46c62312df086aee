"""The one consumer loop: fenced partitions, batches in one transaction, dead letters, tails."""

from services.core.consume.batch import Batch, Handle, Record, Source, Sweep
from services.core.consume.consumer import Consumer
from services.core.consume.tail import Tail, TailRecord, tail

__all__ = [
    "Batch",
    "Consumer",
    "Handle",
    "Record",
    "Source",
    "Sweep",
    "Tail",
    "TailRecord",
    "tail",
]
