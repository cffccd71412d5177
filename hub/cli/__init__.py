"""The command line: `doorbell <command>`."""

from hub.cli.main import main

__all__ = ["main"]
