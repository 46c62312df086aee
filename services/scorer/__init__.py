"""outcomes.v1 to questions for a portal's own classifier, and its answers to comments.v1."""
