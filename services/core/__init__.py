"""What the six services stand on: events, topics, SQL, the consumer loop. Nothing here starts a process."""
