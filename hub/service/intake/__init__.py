"""From events to effects."""
