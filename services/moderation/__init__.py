"""comments.v1 and control.v1 to verdicts, comments and outcomes in Postgres."""
