"""Error and disconnect codes of the Centrifuge client protocol, and the exceptions that carry them.

A `CommandError` answers one command and leaves the connection open. A `Disconnect` ends the connection: its code is
the WebSocket close code. Codes 3500-3999 and 4500-4999 tell an SDK to stay away; with all others it reconnects.
Source: centrifugal.dev, "Client protocol codes".
"""

from __future__ import annotations

import msgspec


class CommandError(Exception):
    """A command is refused. `temporary` tells the app that the same command may succeed later."""

    def __init__(self, code: int, message: str, temporary: bool = False) -> None:  # noqa: FBT001, FBT002 - as on the wire
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.temporary = temporary


def internal() -> CommandError:
    """Something failed on our side; trying again may help."""
    return CommandError(100, "internal server error", temporary=True)


def unauthorized() -> CommandError:
    """The connect command carries no token."""
    return CommandError(101, "unauthorized")


def unknown_channel() -> CommandError:
    """Nobody has defined the channel's namespace, or its name is no valid topic."""
    return CommandError(102, "unknown channel")


def permission_denied() -> CommandError:
    """This person may not do that."""
    return CommandError(103, "permission denied")


def method_not_found() -> CommandError:
    """The command names no method we know."""
    return CommandError(104, "method not found")


def already_subscribed() -> CommandError:
    """The connection is subscribed to this channel, by itself or by the server."""
    return CommandError(105, "already subscribed")


def limit_exceeded() -> CommandError:
    """The connection has as many subscriptions as it may have."""
    return CommandError(106, "limit exceeded")


def bad_request() -> CommandError:
    """The command's fields have wrong types or lack what they need."""
    return CommandError(107, "bad request")


def not_available() -> CommandError:
    """The feature is switched off, or this version does not serve it."""
    return CommandError(108, "not available")


def token_expired() -> CommandError:
    """The token's time is over. Temporary: with a fresh token the same command succeeds."""
    return CommandError(109, "token expired", temporary=True)


def too_many_requests() -> CommandError:
    """Too many commands of this connection are being worked on."""
    return CommandError(111, "too many requests", temporary=True)


def unrecoverable_position() -> CommandError:
    """The asked-for position belongs to another life of the stream."""
    return CommandError(112, "unrecoverable position")


class Disconnect(msgspec.Struct, frozen=True):
    """Why Doorbell ends a connection: the WebSocket close code and reason."""

    code: int
    reason: str

    @property
    def reconnect(self) -> bool:
        """Whether an SDK comes back by itself."""
        return not (3500 <= self.code < 4000 or 4500 <= self.code < 5000)  # noqa: PLR2004 - the ranges of the protocol


class Unsubscribed(msgspec.Struct, frozen=True):
    """Why Doorbell ends one subscription. With a code of 2500 or above an SDK subscribes again by itself."""

    code: int
    reason: str


SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "internal server error")
EXPIRED = Disconnect(3005, "connection expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
NO_PONG = Disconnect(3012, "no pong")
TOO_MANY_REQUESTS = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
BAD_REQUEST = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")
CHANNEL_LIMIT = Disconnect(3505, "channel limit")
INAPPROPRIATE_PROTOCOL = Disconnect(3506, "inappropriate protocol")

# Close codes of RFC 6455, section 7.4.1.
INVALID_TEXT = Disconnect(1007, "text is not UTF-8")
MESSAGE_TOO_BIG = Disconnect(1009, "message too big")

UNSUBSCRIBED_BY_SERVER = Unsubscribed(2000, "server unsubscribe")
UNSUBSCRIBED_INSUFFICIENT = Unsubscribed(2500, "insufficient state")
UNSUBSCRIBED_EXPIRED = Unsubscribed(2501, "subscription expired")
