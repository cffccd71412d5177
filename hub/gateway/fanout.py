"""From a pub/sub message to the sockets of its subscribers.

A publication is encoded once in each format that its subscribers speak, and the same bytes are written to all of them.
Topics with few subscribers are written at once, inside the read. Those with many are written in slices, a slice of one
topic after a slice of another and the loop's other work in between, so that a broadcast never holds up one person's
message.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from hub.domain.ids import Epoch
from hub.domain.topics import Position, TopicKind
from hub.gateway.formats import Format
from hub.gateway.recovery import Recovery
from hub.gateway.subscriptions import Broadcast, LiveTopic, Subscription
from hub.gateway.tally import Tally
from hub.observe import logger
from hub.protocol.client_info import decode_info
from hub.protocol.wire import Attendee, Push, publication
from hub.store.presence import ATTENDANCE, CAME

_SLICE = 100
"""Sockets written to before others get their turn: about a millisecond."""
_BACKLOG = 64
"""Publications of one topic that may wait for their turn. Beyond, subscribers catch up from the stream instead."""
_log = logger(__name__)


class FanOut:
    """Writes publications to their local subscribers."""

    def __init__(
        self,
        recovery: Recovery,
        tally: Tally,
        *,
        call_soon: Callable[[Callable[[], None]], object],
        clock_s: Callable[[], float] = time.perf_counter,
        unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Take `call_soon`, which runs something after the loop has seen to what else is due."""
        self._recovery = recovery
        self._tally = tally
        self._call_soon = call_soon
        self._clock_s = clock_s
        self._unix_ms = unix_ms
        self._busy: deque[LiveTopic] = deque()

    def receive(self, topic: LiveTopic, message: bytes) -> None:
        """Take one pub/sub message of a topic (`hub.store.topics` and `hub.store.presence` say what there is)."""
        read_s = self._clock_s()
        if message.startswith(ATTENDANCE):
            self._attendance(topic, message, read_s)
            return
        try:
            epoch, offset_text, origin_text, data = message.split(b":", 3)
            position = Position(Epoch(epoch.decode()), int(offset_text))
            info = None
            if b"+" in origin_text:
                origin_text, _, length = origin_text.partition(b"+")
                info, data = decode_info(data[: int(length)]), data[int(length) :]
            origin_ms = int(origin_text)
        except (ValueError, msgspec.DecodeError):
            _log.warning("pubsub_message_malformed", namespace_kind=topic.kind)
            return
        if topic.recoverable and position.offset:
            # Offset 0: it was published for those who are connected now, and is not in the stream.
            self._note(topic, position)
        if not topic.subscribers:
            return
        push = publication(topic.name, data, position.offset, info)
        broadcast = Broadcast(push, position.offset, origin_ms=origin_ms, read_s=read_s)
        if topic.backlog is None and len(topic.subscribers) <= _SLICE:
            self._write(topic, broadcast, topic.subscribers)
            self._done(broadcast)
        else:
            self._enqueue(topic, broadcast)

    def _attendance(self, topic: LiveTopic, message: bytes, read_s: float) -> None:
        """Tell who has come or left to those who want to know: at most once, and not to who is slow."""
        told = topic.told_of_attendance
        if not told:
            return
        try:
            attendee = Attendee(decode_info(message[len(ATTENDANCE) + 1 :]))
        except (msgspec.DecodeError, UnicodeDecodeError):
            _log.warning("pubsub_message_malformed", namespace_kind=topic.kind)
            return
        came = message.startswith(CAME)
        push = Push(topic.name, join=attendee) if came else Push(topic.name, leave=attendee)
        broadcast = Broadcast(push, 0, origin_ms=0, read_s=read_s)
        if topic.backlog is None and len(told) <= _SLICE:
            self._write(topic, broadcast, [*told])
        else:
            broadcast.subscribers = [*told]
            self._enqueue(topic, broadcast)

    def _note(self, topic: LiveTopic, position: Position) -> None:
        before = topic.head
        if not topic.heard_of(position):
            self._tally.gaps["epoch"] += 1
            # What was published in the new epoch so far is in the stream.
            self._recovery.restarted(topic, Position(position.epoch, position.offset - 1))
            topic.head = position.offset
        elif position.offset > before + 1 and topic.subscribers and topic.kind is not TopicKind.LATEST:
            self._tally.gaps["offset"] += 1

    def _enqueue(self, topic: LiveTopic, broadcast: Broadcast) -> None:
        if topic.backlog is None:
            topic.backlog = deque()
            if not self._busy:
                self._call_soon(self._step)
            self._busy.append(topic)
        backlog = topic.backlog
        if broadcast.subscribers is not None:
            # A join or leave, which has its audience from the start. It takes no publication's place.
            if len(backlog) < _BACKLOG:
                backlog.append(broadcast)
            return
        if topic.kind is TopicKind.LATEST and backlog and backlog[-1].subscribers is None:
            backlog.pop()
        elif len(backlog) >= _BACKLOG:
            # Keep the one that is under way. The rest is read from the stream as soon as a later one shows the gap.
            del backlog[1]
        backlog.append(broadcast)

    def _step(self) -> None:
        """Write one slice of the topic whose turn it is."""
        topic = self._busy[0]
        backlog = topic.backlog
        if backlog:
            broadcast = backlog[0]
            if broadcast.subscribers is None:
                # Who joins or leaves from here on shows in offsets and `attached`.
                broadcast.subscribers = [*topic.subscribers]
            until = broadcast.at + _SLICE
            self._write(topic, broadcast, broadcast.subscribers[broadcast.at : until])
            broadcast.at = until
            if until >= len(broadcast.subscribers):
                backlog.popleft()
                self._done(broadcast)
        self._busy.popleft()
        if backlog:
            self._busy.append(topic)
        else:
            topic.backlog = None
        if self._busy:
            self._call_soon(self._step)

    def _write(self, topic: LiveTopic, broadcast: Broadcast, subscribers: Sequence[Subscription]) -> None:
        offset = broadcast.offset
        exact = topic.kind is not TopicKind.LATEST
        written = 0
        behind: list[Subscription] = []
        spoken: Format | None = None
        frame = b""
        for subscription in subscribers:
            receiver = subscription.receiver
            if offset:
                ahead = offset - subscription.offset
                if ahead <= 0 or receiver.paused:
                    continue
                if ahead > 1 and exact:
                    behind.append(subscription)
                    continue
                if subscription.index < 0:
                    continue
                subscription.offset = offset
            elif receiver.paused or subscription.index < 0:
                continue
            if receiver.format is not spoken:
                spoken = receiver.format
                frame = broadcast[spoken]
            receiver.write(frame)
            written += 1
        self._tally.live += written
        for subscription in behind:
            self._recovery.request(subscription)

    def _done(self, broadcast: Broadcast) -> None:
        self._tally.fan_out.add(self._clock_s() - broadcast.read_s)
        if broadcast.origin_ms:
            self._tally.event_to_socket.add(max(0, self._unix_ms() - broadcast.origin_ms) / 1000)
