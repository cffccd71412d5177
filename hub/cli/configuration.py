"""`doorbell config check|show`."""

from __future__ import annotations

import argparse
import json

from hub.app import build_renderer, load_playbook
from hub.config import redacted
from hub.service.key_sets import keys_from_files
from hub.settings import Settings


def check(_: argparse.Namespace, settings: Settings) -> int:
    """Look at what the settings point at; they themselves have been checked as they were loaded."""
    load_playbook(settings)
    build_renderer(settings)
    keys_from_files(settings.token)
    print("The configuration is valid.")
    return 0


def show(_: argparse.Namespace, settings: Settings) -> int:
    """Print the settings in effect."""
    print(json.dumps(redacted(settings), indent=2))
    return 0
