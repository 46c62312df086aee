"""Postgres and Kafka as children of `veche up` and of the tests: the real servers, no containers."""
