"""Dirty discussions to strips and feeds; the outbox to Kafka."""
