"""Postgres and Kafka as children of `veche up` and of the tests: real servers, no containers."""
