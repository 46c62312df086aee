"""The benchmark: `make bench`, or `make bench ROWS=votes,views`. See docs/performance.md."""
