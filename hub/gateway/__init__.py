"""Connections: the one door, fan-out, subscriptions and recovery."""
