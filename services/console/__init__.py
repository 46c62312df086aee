"""The moderators' console: what is held, and decisions on it as signed events."""
