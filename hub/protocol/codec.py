"""What a wire format has to do: the payloads of frames to commands, and replies and pushes to payloads.

A session and the gateway speak in the values of `hub.protocol.wire` only. Each format is one object without state,
shared by all connections that speak it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.protocol.wire import Command, Message


class Malformed(Exception):
    """Something is no command. `id` is that of the command where it can still be told, so that it can be answered."""

    def __init__(self, command_id: int = 0) -> None:
        super().__init__("not a command")
        self.id = command_id


class Codec(Protocol):
    """A wire format. Its methods are pure."""

    ping: bytes
    """The payload that the server sends as a ping, and that the client answers."""

    def decode(self, payload: bytes | bytearray) -> list[Command | Malformed]:
        """Return the commands of a frame in order, with a `Malformed` for each part that is none. Never raises."""

    def encode(self, messages: Sequence[Message]) -> bytes:
        """Return the payload of one frame with these replies and pushes, of which there is at least one."""
