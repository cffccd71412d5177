"""Doorbell: the real-time notification and tracking hub of an online shop."""

__version__ = "0.1.0"
