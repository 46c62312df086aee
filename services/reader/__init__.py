"""What frontends read: feeds, strips, threads, counters, streams, receipts."""
