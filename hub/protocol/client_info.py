"""What others see of a client, as it lies in Redis and travels between workers: a `ClientInfo` as JSON."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hub.protocol.wire import ClientInfo

_ABSENT = Raw()


class _Encoded(Struct, frozen=True, gc=False):
    """A `ClientInfo` that is being read: msgspec takes no `Raw | None`."""

    user: str = ""
    client: str = ""
    conn_info: Raw = _ABSENT
    chan_info: Raw = _ABSENT


_decode = msgspec.json.Decoder(_Encoded).decode
_encode = msgspec.json.Encoder().encode


def encode_info(info: ClientInfo) -> bytes:
    """Return the JSON of what is seen of a client."""
    return _encode(info)


def decode_info(data: bytes) -> ClientInfo:
    """Return what is seen of a client. Raises msgspec.DecodeError for anything else."""
    read = _decode(data)
    return ClientInfo(read.user, read.client, read.conn_info or None, read.chan_info or None)
