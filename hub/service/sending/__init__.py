"""What services send to people, and what became of it."""
