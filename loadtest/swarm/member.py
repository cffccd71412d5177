"""One of 100,000 clients: bytes from the server in, bytes to the server out. No I/O, no clock, no timers.

The members of a shard share a `Book`, which has everything that is counted and, because a broadcast gives the same
bytes to all, every frame that one of them has read already: the others look it up instead of decoding it.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from enum import IntEnum
from typing import Any

import msgspec

from loadtest.swarm import frames, stamp, wire
from loadtest.swarm.ledger import Position, Tally

_PING = b"{}"
_PONG = frames.encode(_PING)
_HEAD_END = b"\r\n\r\n"
_SWITCHED = b"HTTP/1.1 101"
_BUSY = b"HTTP/1.1 503"
_GOODBYE = frames.encode((1000).to_bytes(2, "big"), frames.CLOSE)
_NO_CODE = 1006
_FINAL = (range(3500, 4000), range(4500, 5000))
"""Close codes after which a client does not come back."""
_KNOWN_FRAMES = 1_024
_KNOWN_BYTES = 4_096
"""Frames beyond are not looked up: they are for one member only."""
CONNECTING = "connecting"
"""The series of how long connecting takes, from the first packet until all subscriptions stand."""

RECOVERED = "-recovered"
"""Ends the name of the series of publications that came with a subscription: they were sent before it."""


class Phase(IntEnum):
    """How far a member's connection is."""

    AWAY = 0
    UPGRADING = 1
    JOINING = 2
    """The WebSocket is open; some subscription is not."""
    LIVE = 3
    OVER = 4
    """The server has ended it: hang up."""


_UPGRADING, _LIVE = Phase.UPGRADING, Phase.LIVE
"""Looked up for every read."""


class Heard:
    """A publication as all its receivers see it. `samples` is None where it carries no stamp."""

    __slots__ = ("offset", "samples", "sent_ns", "topic")

    def __init__(self, topic: str, offset: int, *, sent_ns: int, samples: list[int] | None) -> None:
        self.topic = topic
        self.offset = offset
        self.sent_ns = sent_ns
        self.samples = samples


class Book:
    """What the members of a shard count together, and the frames that they know."""

    def __init__(self, host: str, *, path: str) -> None:
        """Take the `Host` and the path of the upgrade."""
        key = base64.b64encode(bytes(16)).decode()
        self.upgrade = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self.tally = Tally()
        self.samples: dict[str, list[int]] = defaultdict(list)
        """Latencies in nanoseconds by series, emptied by whoever reports them."""
        self.closes: dict[str, int] = {}
        self.known: dict[bytes, tuple[bytes, tuple[Heard, ...]]] = {}
        self.last = b""
        """The last read that was one publication and nothing else, namely `last_heard`. The next is often the same."""
        self.last_heard: Heard | None = None
        self.waiting: list[Member] = []
        """Members that have to ask for a subscription again, a little later."""

    def closed(self, code: int) -> None:
        """Count a connection that the server has ended."""
        self.closes[str(code)] = self.closes.get(str(code), 0) + 1

    def heard(self, topic: str, publication: wire.Pub, *, late: str = "") -> Heard:
        """Return a publication with what its stamp says; `late` is added to the name of its series."""
        mark = stamp.find(publication.data)
        samples = self.samples[mark.series + late] if mark else None
        return Heard(topic, publication.offset, sent_ns=mark.sent_ns if mark else 0, samples=samples)

    def learn(self, data: bytes, answer: bytes, heard: tuple[Heard, ...]) -> None:
        """Remember what a read that holds only pushes and pings says."""
        if len(data) <= _KNOWN_BYTES:
            if len(self.known) >= _KNOWN_FRAMES:
                self.known.clear()
            self.known[data] = (answer, heard)

    def find(self, data: bytes) -> tuple[bytes, tuple[Heard, ...]] | None:
        """Return what a read says that another member has had: what to answer, and its publications."""
        known = self.known.get(data)
        if known is not None and not known[0] and len(known[1]) == 1 and known[1][0].samples is not None:
            self.last, self.last_heard = data, known[1][0]
        return known


class Member:
    """A client that connects, subscribes, answers pings, and recovers after a loss."""

    __slots__ = (
        "_book", "_next_id", "_pending", "_refused", "_rest", "_token", "attempt", "began_ns", "fd", "number", "phase",
        "positions", "topics", "wanted",
    )  # fmt: skip

    def __init__(self, number: int, *, token: str, book: Book) -> None:
        """Take the member's `number` in the whole swarm and its connection token."""
        self.number = number
        self.fd = -1
        self.phase = Phase.AWAY
        self.wanted = False
        """Whether it is to be connected."""
        self.attempt = 0
        """Reconnects since it was last live."""
        self.began_ns = 0
        self.topics: tuple[str, ...] = ()
        """Those that it subscribes to itself."""
        self.positions: dict[str, Position] = {}
        self._book = book
        self._token = token
        self._rest = b""
        self._next_id = 1
        self._pending: dict[int, str] = {}
        self._refused: tuple[str, ...] = ()

    def opened(self, now_ns: int) -> bytes:
        """Begin a connection; return the request for the upgrade."""
        self.phase = Phase.UPGRADING
        self.began_ns = now_ns
        self._rest = b""
        self._pending = {}
        self._refused = ()
        return self._book.upgrade

    def lost(self, *, given_up: bool = False) -> None:
        """The connection is gone: `given_up` by the member itself, which has waited for an answer for too long."""
        if given_up or self.phase is Phase.UPGRADING:
            self._book.tally.unmet += 1
        elif self.phase not in {Phase.AWAY, Phase.OVER}:
            self._book.closed(_NO_CODE)
        self.phase = Phase.AWAY
        self._rest = b""

    def leave(self) -> bytes:
        """Say goodbye; the server hangs up then."""
        self.wanted = False
        self.phase = Phase.OVER
        return _GOODBYE

    def watch(self, topic: str) -> bytes:
        """Subscribe to one more topic; return what to send now."""
        if topic in self.topics:
            return b""
        self.topics = (*self.topics, topic)
        if self.phase is not Phase.LIVE:
            return b""
        self.phase = Phase.JOINING
        return self._subscribe(topic)

    def publish(self, topic: str, data: str) -> bytes:
        """Publish a JSON text; return what to send. Nothing while it is not live."""
        if self.phase is not Phase.LIVE:
            return b""
        return self._command("publish", {"channel": topic, "data": msgspec.Raw(data.encode())}, note="publish")

    def ask_again(self) -> bytes:
        """Repeat the subscriptions that were refused for the moment; return what to send."""
        again, self._refused = self._refused, ()
        return b"".join(self._subscribe(topic) for topic in again) if self.phase is Phase.JOINING else b""

    def follows(self, heard: Heard, now_ns: int) -> bool:
        """Take a read that is one publication and nothing else, if that is simply the next one of its topic.

        False is for `received`. This is most of what a broadcast costs the swarm, so it does no more than is needed.
        """
        position = self.positions.get(heard.topic)
        if position is None or heard.offset != position.offset + 1 or self._rest or self.phase is not _LIVE:
            return False
        position.offset = heard.offset
        self._book.tally.received += 1
        if heard.samples is not None:
            heard.samples.append(now_ns - heard.sent_ns)
        return True

    def received(self, data: bytes, now_ns: int) -> bytes:
        """Take bytes from the server; return bytes for it. Look at `phase` afterwards."""
        if not self._rest and self.phase is not _UPGRADING:
            known = self._book.find(data)
            if known is not None:
                self._hear(known[1], now_ns)
                return known[0]
        return self._read(data, now_ns)

    # Inside

    def _hear(self, publications: tuple[Heard, ...], now_ns: int) -> None:
        for heard in publications:
            self._book.tally.publication(self.positions.get(heard.topic), heard.topic, heard.offset)
            if heard.samples is not None:
                heard.samples.append(now_ns - heard.sent_ns)

    def _read(self, data: bytes, now_ns: int) -> bytes:
        whole = not self._rest
        stream = self._rest + data
        answer = b""
        if self.phase is Phase.UPGRADING:
            whole = False
            stream, answer = self._switched(stream)
            if self.phase is Phase.UPGRADING:
                return answer
        messages, consumed = frames.cut(stream)
        self._rest = stream[consumed:]
        pushed: list[Heard] = []
        common = whole and not self._rest
        for opcode, payload in messages:
            if opcode == frames.TEXT:
                for line in payload.split(b"\n"):
                    said, heard = self._message(line, now_ns)
                    answer += said
                    pushed += heard
                    common = common and (bool(heard) or line == _PING)
            else:
                common = False
                answer += self._control(opcode, payload)
        if common:
            self._book.learn(data, answer, tuple(pushed))
        return answer

    def _switched(self, stream: bytes) -> tuple[bytes, bytes]:
        """Read the answer to the upgrade, which may come in pieces; return what follows it, and what to send."""
        head, end, rest = stream.partition(_HEAD_END)
        if not end:
            self._rest = stream
            return b"", b""
        if not head.startswith(_SWITCHED):
            if head.startswith(_BUSY):
                self._book.tally.refused += 1
            else:
                self._book.tally.error(f"the upgrade was answered with {head[:40].decode(errors='replace')}")
            self.phase = Phase.OVER
            return b"", b""
        self.phase = Phase.JOINING
        request: dict[str, Any] = {"token": self._token, "name": "swarm"}
        subs = {topic: at for topic, at in self.positions.items() if topic not in self.topics}
        if subs:
            request["subs"] = {topic: _recovering(at) for topic, at in subs.items()}
        return rest, self._command("connect", request, note="connect")

    def _message(self, line: bytes, now_ns: int) -> tuple[bytes, tuple[Heard, ...]]:
        """Take one reply or push; return what to send, and the publication if it was one."""
        if line == _PING:
            return _PONG, ()
        reply = wire.decode(line)
        if reply.push is not None:
            return self._pushed(reply.push, now_ns)
        note = self._pending.pop(reply.id, "")
        if reply.error is not None:
            self._failed(note, reply.error, now_ns)
            return b"", ()
        if reply.connect is not None:
            return self._connected(reply.connect, now_ns), ()
        if reply.subscribe is not None:
            self._subscribed(note.removeprefix("subscribe "), reply.subscribe, now_ns)
            self._complete(now_ns)
        return b"", ()

    def _pushed(self, push: wire.Push, now_ns: int) -> tuple[bytes, tuple[Heard, ...]]:
        if push.pub is not None:
            heard = (self._book.heard(push.channel, push.pub),)
            self._hear(heard, now_ns)
            return b"", heard
        if push.unsubscribe is not None:
            self.phase = Phase.JOINING
            return self._subscribe(push.channel), ()
        return b"", ()

    def _control(self, opcode: int, payload: bytes) -> bytes:
        if opcode == frames.PING:
            return frames.encode(payload, frames.PONG)
        if opcode == frames.CLOSE and self.phase is not Phase.OVER:
            code = int.from_bytes(payload[:2], "big") or _NO_CODE
            self._book.closed(code)
            if any(code in codes for codes in _FINAL):
                self._book.tally.error(f"closed with {code}")
                self.wanted = False
            self.phase = Phase.OVER
        return b""

    def _failed(self, note: str, error: wire.Error, now_ns: int) -> None:
        """Do as the SDKs do: start the connection over, or ask for the subscription again."""
        command, _, topic = note.partition(" ")
        if error.temporary:
            self._book.tally.refused += 1
        else:
            self._book.tally.error(f"{command} error {error.code}")
        if command == "connect":
            self.wanted = self.wanted and error.temporary
            self.phase = Phase.OVER
        elif command == "subscribe":
            if error.temporary:
                self._refused = (*self._refused, topic)
                self._book.waiting.append(self)
            self._complete(now_ns)

    def _connected(self, result: wire.Connect, now_ns: int) -> bytes:
        for topic, sub in result.subs.items():
            self._subscribed(topic, sub, now_ns)
        asked = b"".join(self._subscribe(topic) for topic in self.topics)
        self._complete(now_ns)
        return asked

    def _complete(self, now_ns: int) -> None:
        """Be live once nothing is asked for any more."""
        if self._pending or self._refused or self.phase is not Phase.JOINING:
            return
        self.phase = Phase.LIVE
        if self.began_ns:
            self._book.tally.connects += 1
            self._book.samples[CONNECTING].append(now_ns - self.began_ns)
            self.began_ns = 0
            self.attempt = 0

    def _subscribed(self, topic: str, sub: wire.Sub, now_ns: int) -> None:
        self._book.tally.subscribed(self.positions, topic, sub)
        self._hear(tuple(self._book.heard(topic, each, late=RECOVERED) for each in sub.publications), now_ns)

    def _subscribe(self, topic: str) -> bytes:
        request: dict[str, Any] = {"channel": topic}
        position = self.positions.get(topic)
        if position is not None:
            request |= _recovering(position)
        return self._command("subscribe", request, note=f"subscribe {topic}")

    def _command(self, name: str, request: dict[str, Any], *, note: str) -> bytes:
        number, self._next_id = self._next_id, self._next_id + 1
        self._pending[number] = note
        return frames.encode(msgspec.json.encode({"id": number, name: request}))


def _recovering(position: Position) -> dict[str, Any]:
    return {"recover": True, "epoch": position.epoch, "offset": position.offset}
