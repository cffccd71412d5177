"""A client's connection over a WebSocket: frames to commands, pings and pongs, the closing handshake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as Parser

from hub.gateway.connection import Connection
from hub.gateway.formats import WebSocketFormat
from hub.gateway.frames import close_frame, holds_whole_messages, whole_messages
from hub.gateway.worker import Worker
from hub.protocol import codes
from hub.protocol.codes import Disconnect
from hub.protocol.effects import Effect

_WHOLE = (Opcode.TEXT, Opcode.BINARY)


def _is_text(payload: bytes | bytearray) -> bool:
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


class WebSocket(Connection):
    """A connection that speaks both ways, in frames of one kind."""

    __slots__ = ("_awaiting_pong", "_fragments", "_parser", "_pinged")

    format: WebSocketFormat

    def __init__(self, worker: Worker, spoken: WebSocketFormat) -> None:
        super().__init__(worker, spoken)
        self._parser: Parser | None = None
        self._fragments: bytearray | None = None
        self._awaiting_pong = False
        self._pinged = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        super().connection_lost(exc)
        self._parser = None

    def resume_writing(self) -> None:
        """The socket has drained: begin with a ping, whatever became of the one before."""
        self._awaiting_pong = self._pinged = False
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        if self._closing:
            return
        parser = self._parser
        if parser is None:
            messages = whole_messages(data, self.format.first_byte, max_bytes=self._worker.settings.max_message_bytes)
            if messages is not None:
                self._awaiting_pong = False
                for message in messages:
                    self._message(message)
                return
            if holds_whole_messages(data):
                parser = self._worker.parsers.shared()
            else:
                parser = self._parser = self._worker.parsers.new()
        parser.receive_data(data)
        answers = iter(parser.data_to_send())
        self._awaiting_pong = False
        for frame in parser.events_received():
            if isinstance(frame, Frame):
                self._frame(frame, answers)
        self._answer(parser, answers)

    def _answer(self, parser: Parser, answers: Iterable[bytes]) -> None:
        """Write what the WebSocket protocol itself has to say at the end of a read: how the connection ends."""
        if self._closing:
            return
        for answer in answers:
            if answer:
                self.write(answer)
            else:
                # The end of the stream: the parser has failed the connection, or the client has closed it.
                code = parser.close_sent.code if parser.close_sent is not None else 0
                self._hang_up(code, by_client=parser.close_rcvd is not None)

    def _frame(self, frame: Frame, answers: Iterator[bytes]) -> None:
        """Take a frame; `answers` has a pong for each ping, in order."""
        if self._closing:
            return
        opcode, final = frame.opcode, frame.fin
        if opcode not in _WHOLE or not final:
            # Only messages are counted where they are read; a flood of anything else must not come cheaper.
            self.perform(self.session.spend(self._worker.now_s()))
        if opcode is Opcode.PING and not self._closing:
            self.write(next(answers))
        elif opcode is self.format.opcode:
            if final:
                self._message(bytes(frame.data))
            else:
                self._fragments = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
            if final:
                whole, self._fragments = self._fragments, None
                self._message(whole)
        elif opcode in _WHOLE:
            self.perform(self.session.close(codes.INAPPROPRIATE_PROTOCOL))

    def _message(self, payload: bytes | bytearray) -> None:
        if self._closing:
            return
        if self.format.opcode is Opcode.TEXT and not _is_text(payload):
            self.perform(self.session.close(codes.INVALID_TEXT))
            return
        now_s = self._worker.now_s()
        commands = self.format.codec.decode(payload)
        if not commands:
            self.perform(self.session.close(codes.BAD_REQUEST))
            return
        effects: list[Effect] = []
        for command in commands:
            effects += self.session.receive(command, now_s)
        self.perform(effects)

    def _heartbeat(self, now_s: float) -> float:
        settings, limits = self._worker.settings, self._worker.limits
        if self._awaiting_pong:
            self.perform(self.session.close(codes.NO_PONG))
            return now_s
        if self._pinged:
            self._pinged = False
            return now_s + max(0.0, limits.ping_s - settings.pong_timeout_s)
        self.write(self.format.ping_frame)
        self._awaiting_pong = self._pinged = True
        return now_s + min(settings.pong_timeout_s, limits.ping_s)

    def _say_goodbye(self, why: Disconnect) -> None:
        self.write(close_frame(why.code, why.reason))
