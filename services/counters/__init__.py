"""Counters: votes.v1 and views.v1 become exact totals in Postgres."""
