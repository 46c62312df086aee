"""What the six services stand on: events, topics, SQL, the loop. Nothing here starts a process."""
