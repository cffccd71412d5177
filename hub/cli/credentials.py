"""`doorbell token` and `doorbell api-key`: credentials for trying things out and for services."""

from __future__ import annotations

import argparse
import sys

from hub.service.identity.api_keys import make_api_key
from hub.service.identity.tokens import mint_subscription_token, mint_token
from hub.settings import Settings


def token(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a connection token, or with `--channel` a subscription token."""
    tokens, user, ttl_s = settings.token, arguments.user, arguments.ttl
    try:
        if arguments.channel:
            print(mint_subscription_token(tokens, user=user, topic=arguments.channel, ttl_s=ttl_s))
        else:
            print(mint_token(tokens, user=user, role=arguments.role, ttl_s=ttl_s))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def api_key(arguments: argparse.Namespace, _: Settings) -> int:
    """Print a new API key and the setting that goes with it."""
    made = make_api_key(arguments.name, scopes=arguments.scope)
    print(f"The key, shown this once:\n\n    {made.key}\n\nInto doorbell.toml:\n")
    scopes = ", ".join(f'"{scope}"' for scope in made.setting.scopes)
    print(f'[[api_keys]]\nname = "{made.setting.name}"\nid = "{made.setting.id}"\nsha256 = "{made.setting.sha256}"')
    print(f"scopes = [{scopes}]")
    return 0
