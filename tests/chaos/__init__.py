"""The chaos harness: real servers, seeded traffic, faults from outside, and a checker."""
