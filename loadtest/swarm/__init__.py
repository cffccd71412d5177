"""The lean driver: many WebSocket clients in one process, each checking what it gets."""
