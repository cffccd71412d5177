"""`doorbell serve|consume|deliver|demo`: the roles. Each is imported only when it is run."""

from __future__ import annotations

import argparse
from functools import partial
from pkgutil import resolve_name

from channels.distribution import check_packages
from hub.config import environment
from hub.roles.lifetime import Launch, run_role
from hub.settings import Settings


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    check_packages()
    role = resolve_name(f"hub.roles.{arguments.command}:{arguments.command}")
    launch = Launch.of(environment(), config=arguments.config)
    return run_role(partial(role, settings, launch=launch), supervised=arguments.supervised)


serve = consume = deliver = demo = _run
