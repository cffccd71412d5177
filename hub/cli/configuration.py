"""`doorbell config check|show`."""

from __future__ import annotations

import argparse
import json
import sys

from channels.registry import registered
from hub.app import build_renderer, load_playbook
from hub.config import environment, read
from hub.config_secrets import redacted
from hub.domain.errors import ConfigurationError, DoorbellError
from hub.service.identity.key_sets import keys_from_files
from hub.settings import Settings
from hub.supervisor import EXIT_CONFIGURATION

_POINTED_AT = (
    load_playbook,
    build_renderer,
    lambda settings: keys_from_files(settings.token),
    lambda settings: registered(settings.channels),
)


def check(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say all that is wrong with the settings and with what they point at, together."""
    _, mistakes = read(arguments.config, environment())
    problems: list[object] = [*mistakes]
    for load in _POINTED_AT:
        try:
            load(settings)
        except ConfigurationError as error:
            problems += error.mistakes
        except DoorbellError as error:
            problems.append(error)
        except OSError as error:
            # A file that is not there has been told with the setting that names it.
            if not any(str(error.filename) in mistake.value for mistake in mistakes):
                problems.append(error)
    for problem in dict.fromkeys(problems):
        sys.stderr.write(f"{problem}\n")
    if problems:
        return EXIT_CONFIGURATION
    print("The configuration is valid.")
    return 0


def show(_: argparse.Namespace, settings: Settings) -> int:
    """Print the settings in effect."""
    print(json.dumps(redacted(settings), indent=2))
    return 0
