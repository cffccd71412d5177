"""What can go wrong with a local service.

LocalServiceError
├── MissingProgramError    a program is not installed; the message says how to install it
└── DidNotStartError       it is installed, but did not become ready; the message ends with its log
"""


class LocalServiceError(Exception):
    """A local service cannot be used."""


class MissingProgramError(LocalServiceError):
    """A program that a service needs is not installed."""

    def __init__(self, *, program: str, package: str) -> None:
        super().__init__(f"{program} is not installed. Install it with: apt-get install {package}")
        self.program = program
        self.package = package


class DidNotStartError(LocalServiceError):
    """A service ended early, or was not ready in time."""

    def __init__(self, *, name: str, reason: str, log_tail: str) -> None:
        super().__init__(f"{name} did not start: {reason}. The end of its log:\n{log_tail}")
