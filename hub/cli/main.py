"""`doorbell`: reads the arguments and the configuration, and hands over to a role or a command.

Exit codes: 0 done; 1 it did not work, with the reason on stderr; 2 wrong arguments; 78 mistakes in the configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from hub.cli.parser import build_parser
from hub.config import environment, read
from hub.domain.errors import ConfigurationError, DoorbellError
from hub.observe import configure_logging
from hub.supervisor import EXIT_CONFIGURATION


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        settings, mistakes = read(arguments.config, environment())
        if mistakes and "tells_mistakes" not in arguments:
            return _complain(mistakes, EXIT_CONFIGURATION)
        configure_logging(level=settings.log_level, role=arguments.command)
        code: int = resolve_name(arguments.run)(arguments, settings)
    except ConfigurationError as error:
        return _complain(error.mistakes, EXIT_CONFIGURATION)
    except DoorbellError as error:
        return _complain([error], 1)
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does. Nothing is left to flush at exit.
        sys.stdout = None
        return 1
    return code


def _complain(problems: Sequence[object], code: int) -> int:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return code
