"""A check at start-up: `channels`, `templates` and `consumers` are generic names that other distributions use too.

Django Channels, for one, installs a `channels` package over ours without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions

from hub.domain.errors import ConfigurationError, Mistake

OURS = "doorbell-hub"
PACKAGES = ("hub", "consumers", "channels", "templates")


def check_packages(installed: Mapping[str, Sequence[str]] | None = None) -> None:
    """Make sure that our packages come from our distribution only. A checkout that is not installed passes.

    `installed` maps packages to distributions, as `importlib.metadata.packages_distributions()` does by default.

    Raises:
        ConfigurationError: another distribution has brought a package of the same name.
    """
    known = packages_distributions() if installed is None else installed
    mistakes = [
        Mistake("environment", package, ", ".join(others), f"install {OURS} in an environment of its own")
        for package in PACKAGES
        if (others := sorted(set(known.get(package, ())) - {OURS}))
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
