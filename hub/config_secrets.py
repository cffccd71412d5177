"""What of the settings may be shown: in `doorbell config show`, and in what is said about a mistake.

Secrets stand in keys of their own, in URLs, in tables of channels that are not ours, and in whatever an operator has
mistyped: a value under a name that is no setting may be a secret, and so may any part of a table that cannot be read.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from hub.observe import REDACTED, without_password
from hub.settings import Settings

_SECRET_KEYS = frozenset(
    {
        "hmac_secret",
        "auth_token",
        "signing_secret",
        "former_signing_secrets",
        "webhook_secret",
        "sasl_password",
        "sha256",
        "service_key",
    }
)
_NOT_OURS = "channels"
"""Tables of an installation's own channels: which of their values are secrets, only they know."""


def redacted(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values with every secret hidden."""
    values: dict[str, Any] = _without_secrets(msgspec.to_builtins(settings), "")
    values[_NOT_OURS] = {name: _hidden(table) for name, table in values[_NOT_OURS].items()}
    return values


def shown(key: str, value: object) -> str:
    """Return the value of a setting as it may stand in a message."""
    return repr(_without_secrets(value, key.rpartition(".")[2]))


def shown_unread(key: str, value: object, hint: Any) -> str:
    """Return a value that is not what its setting takes. `hint` is the setting's type, None: there is no such one."""
    return REDACTED if hint is None or _has_tables(hint) else shown(key, value)


def _has_tables(hint: Any) -> bool:
    if hint is Any or (isinstance(hint, type) and issubclass(hint, msgspec.Struct)):
        return True
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType, tuple, frozenset, list, dict) else ()
    return any(map(_has_tables, parts))


def _without_secrets(value: Any, key: str) -> Any:
    match value:
        case dict():
            return {name: _without_secrets(part, name) for name, part in value.items()}
        case list() | tuple():
            return [_without_secrets(part, key) for part in value]
        case _ if key in _SECRET_KEYS and value:
            return REDACTED
        case str():
            return without_password(value)
        case _:
            return value


def _hidden(value: Any) -> Any:
    match value:
        case dict():
            return {name: _hidden(part) for name, part in value.items()}
        case list() | tuple():
            return [_hidden(part) for part in value]
        case bool():
            return value
        case _:
            return REDACTED
