"""Use cases: what happens when an event, an operation or a due job arrives."""
