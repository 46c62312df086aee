"""The faults, by what they strike; importing them puts each into `nemesis.KINDS`."""

from tests.chaos.faults import kafka, machine, postgres, processes, records

__all__ = ["kafka", "machine", "postgres", "processes", "records"]
