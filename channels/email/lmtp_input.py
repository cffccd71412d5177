"""What an LMTP client says: commands by the line, and whole messages, each bounded.

Strangers write the messages: nothing here is done for each of their lines, which a message may have a million of.
"""

from __future__ import annotations

import asyncio

MESSAGE_MAX_BYTES = 1_048_576
DISCARDED_MAX_BYTES = 64 * MESSAGE_MAX_BYTES
"""What is read of a message that is too large before the conversation ends."""
_LINE_MAX_BYTES = 65_536
_CHUNK_BYTES = 65_536
_MESSAGE_END = b"\r\n.\r\n"


class LmtpInput:
    """Reads from one connection. Both methods raise EOFError where it ends, or what is said has no end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._ahead = bytearray()
        """Read, and not yet asked for: a client may say several things at once."""

    async def line(self) -> bytes:
        """Return a command without its line end."""
        ahead = self._ahead
        seen = 0
        while (end := ahead.find(b"\n", seen)) < 0:
            seen = len(ahead)
            if seen > _LINE_MAX_BYTES:
                raise EOFError
            await self._read_on()
        line = bytes(ahead[:end])
        del ahead[: end + 1]
        return line.rstrip(b"\r")

    async def message(self) -> bytes | None:
        """Return a message with its dots as they were, None for one that is too large.

        It ends with CRLF, a dot and CRLF, and nothing like it: where two servers see different ends, mails hide in
        mails.
        """
        ahead = self._ahead
        ahead[:0] = b"\r\n"  # The end of the line before: an empty message is but a dot.
        seen = discarded = 0
        while (end := ahead.find(_MESSAGE_END, seen)) < 0:
            seen = max(0, len(ahead) - len(_MESSAGE_END) + 1)
            if len(ahead) > MESSAGE_MAX_BYTES:
                del ahead[:seen]
                discarded += seen
                seen = 0
            if discarded > DISCARDED_MAX_BYTES:
                raise EOFError
            await self._read_on()
        message = bytes(ahead[: end + 2])
        del ahead[: end + len(_MESSAGE_END)]
        if discarded or len(message) - 2 > MESSAGE_MAX_BYTES:
            return None
        return message.replace(b"\n.", b"\n")[2:]

    async def _read_on(self) -> None:
        chunk = await self._reader.read(_CHUNK_BYTES)
        if not chunk:
            raise EOFError
        self._ahead += chunk
