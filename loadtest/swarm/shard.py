"""`python -m loadtest.swarm.shard`: one process of the swarm, holding its members' sockets with epoll.

There are no transports, no tasks and no futures: a member's connection is a file descriptor and a small object, a
read is one system call and one dictionary look-up. Orders come on standard input and reports go out on standard
output; the end of the input ends the shard, and with it all its connections.
"""

from __future__ import annotations

import errno
import gc
import heapq
import itertools
import os
import random
import select
import signal
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import assert_never

import msgspec

from loadtest.swarm.control import Churn, Drop, Leave, Open, Order, Publish, Report, Setup, Subscribe
from loadtest.swarm.histogram import Histogram
from loadtest.swarm.member import Book, Member, Phase
from loadtest.swarm.token import Mint

_READ_BYTES = 1_000
"""Nearly every read is shorter; a large buffer for each costs more than the read."""
_MORE_BYTES = 65_536
_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""Edge-triggered: the kernel need not look at a socket again which has been read until there was no more."""
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
"""Nothing comes after what can be read now."""
_EVENTS = 2_048
_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: a port is chosen on connecting, so that one port serves several destinations."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets, as a network that goes away does, and leaves nothing in TIME_WAIT."""
_STARTS = 32
"""Members that come back in one round: a busy shard reads what the others were sent first, as they would themselves."""
_SOURCES = 8
"""Addresses that a shard connects from: each has some 28,000 ports."""
_ASK_AGAIN_S = 0.3
_IN_PROGRESS = {0, errno.EINPROGRESS}
_INPUT, _OUTPUT = 0, 1
_LIVE, _OVER = Phase.LIVE, Phase.OVER
"""Bound once: they are compared with at every read."""


class Shard:
    """Runs the members that are its own. `run` returns when its input ends."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._addresses = itertools.cycle(setup.addresses)
        self._sources = itertools.cycle(f"127.0.{setup.shard + 1}.{number + 1}" for number in range(_SOURCES))
        host, port = setup.addresses[0]
        self._book = Book(f"{host}:{port}", path=setup.path)
        mint = Mint(setup.secret, channels=setup.channels)
        numbers = range(setup.shard, setup.members, setup.shards)
        self._members = [Member(each, token=mint(setup.user.format(each)), book=self._book) for each in numbers]
        self._by_fd: dict[int, Member] = {}
        self._epoll = select.epoll()
        self._orders = b""
        self._queue: deque[Member] = deque()
        self._at_once = 0
        self._under_way: dict[Member, int] = {}
        """Members that connect, with when they began, oldest first."""
        self._due: list[tuple[int, int, Member, bool]] = []
        """Timers: (when, serial, member, whether to reconnect or else to ask again)."""
        self._serial = itertools.count()
        self._churning: frozenset[Member] = frozenset()
        self._cycles = self._cycles_left = 0
        self._report_ns = 0
        self._running = True

    def run(self) -> None:
        """Serve until the input ends."""
        self._epoll.register(_INPUT, select.EPOLLIN)
        # Nothing here is cyclic, and looking for cycles among 100,000 objects takes longer than a broadcast.
        gc.disable()
        while self._running:
            for fd, event in self._epoll.poll(self._wait_s(), _EVENTS):
                member = self._by_fd.get(fd)
                if member is not None:
                    self._ready(member, event)
                elif fd == _INPUT:
                    self._listen()
            self._turn(time.monotonic_ns())

    # Orders

    def _listen(self) -> None:
        data = os.read(_INPUT, 1 << 20)
        if not data:
            self._running = False
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._obey(msgspec.json.decode(line, type=Order))

    def _obey(self, order: Order) -> None:
        match order:
            case Open(first, until, at_once):
                self._at_once = at_once
                self._queue.extend(each for each in self._range(first, until) if not each.wanted)
            case Subscribe(topics):
                self._subscribe(topics)
            case Publish(messages):
                self._publish(messages)
            case Drop(first, until):
                for member in self._range(first, until):
                    self._hang_up(member)
            case Leave(first, until):
                for member in self._range(first, until):
                    self._bid_farewell(member)
            case Churn(first, until, cycles):
                self._churn(self._range(first, until), cycles)
            case _:
                assert_never(order)

    def _subscribe(self, topics: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
        for topic, numbers in topics:
            for member in self._own(numbers):
                self._send(member, member.watch(topic))

    def _publish(self, messages: tuple[tuple[int, str, str], ...]) -> None:
        for number, topic, data in messages:
            for member in self._own((number,)):
                self._send(member, member.publish(topic, data))

    def _range(self, first: int, until: int) -> list[Member]:
        shard, shards = self._setup.shard, self._setup.shards
        return self._members[max(0, -(-(first - shard) // shards)) : max(0, -(-(until - shard) // shards))]

    def _own(self, numbers: tuple[int, ...]) -> list[Member]:
        shard, shards = self._setup.shard, self._setup.shards
        return [self._members[number // shards] for number in numbers if number % shards == shard]

    def _churn(self, members: list[Member], cycles: int) -> None:
        shard, shards = self._setup.shard, self._setup.shards
        self._churning = frozenset(members)
        self._cycles_left += len(range(shard, cycles, shards))
        for member in members:
            if self._cycles_left and member.fd < 0:
                self._cycles_left -= 1
                self._connect(member)

    # Connections

    def _connect(self, member: Member) -> None:
        member.wanted = True
        sock = _socket(next(self._sources))
        outcome = sock.connect_ex(next(self._addresses))
        now_ns = time.monotonic_ns()
        self._under_way[member] = now_ns
        request = member.opened(now_ns)
        member.fd = sock.detach()
        self._by_fd[member.fd] = member
        self._epoll.register(member.fd, _READ)
        if outcome not in _IN_PROGRESS:
            self._hang_up(member)
            return
        try:
            # On loopback the connection stands already, unless the server's queue is full.
            os.write(member.fd, request)
        except BlockingIOError:
            self._epoll.modify(member.fd, select.EPOLLOUT)
        except OSError:
            self._hang_up(member)

    def _ready(self, member: Member, event: int) -> None:
        try:
            if event & select.EPOLLOUT:
                os.write(member.fd, self._book.upgrade)
                self._epoll.modify(member.fd, _READ)
                return
            data = os.read(member.fd, _READ_BYTES)
            if len(data) == _READ_BYTES:
                data += _rest(member.fd)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if event & _ENDED:
            # There is no other event for an end that has come along with data.
            self._take(member, data)
            self._hang_up(member)
            return
        book = self._book
        if data == book.last and book.last_heard is not None and member.follows(book.last_heard, time.monotonic_ns()):
            return
        self._take(member, data)

    def _take(self, member: Member, data: bytes) -> None:
        """Take what a member was sent; nothing is the end."""
        if not data:
            self._hang_up(member)
            return
        was_live = member.phase is _LIVE
        answer = member.received(data, time.monotonic_ns())
        if answer:
            self._send(member, answer)
        if member.phase is _OVER:
            self._hang_up(member)
        elif not was_live and member.phase is _LIVE:
            self._live(member)

    def _live(self, member: Member) -> None:
        self._under_way.pop(member, None)
        if member in self._churning:
            self._cycles += 1
            self._bid_farewell(member)

    def _send(self, member: Member, data: bytes) -> None:
        if not data or member.fd < 0:
            return
        try:
            written = os.write(member.fd, data)
        except OSError:
            written = -1
        if written != len(data):
            # What a client writes fits into any socket buffer: the connection is gone, or the server does not read.
            if written >= 0:
                self._book.tally.error("the server does not read")
            self._hang_up(member)

    def _bid_farewell(self, member: Member) -> None:
        """Leave: the goodbye is sent, and the server hangs up."""
        if member.wanted and member.fd >= 0:
            self._send(member, member.leave())
        member.wanted = False

    def _hang_up(self, member: Member, *, given_up: bool = False) -> None:
        """Close the socket, and come back unless the member has left."""
        if member.fd < 0:
            return
        del self._by_fd[member.fd]
        os.close(member.fd)
        member.fd = -1
        member.lost(given_up=given_up)
        self._under_way.pop(member, None)
        if member in self._churning:
            self._come_again(member)
        elif member.wanted:
            self._later(member, self._backoff_s(member), reconnect=True)
            member.attempt += 1

    def _come_again(self, member: Member) -> None:
        """Begin the next cycle of churn, or repeat one that did not come about."""
        if member.wanted or self._cycles_left:
            self._cycles_left -= not member.wanted
            self._later(member, self._backoff_s(member) if member.wanted else 0.0, reconnect=True)

    def _backoff_s(self, member: Member) -> float:
        first_s, max_s = self._setup.backoff_first_s, self._setup.backoff_max_s
        return float(min(max_s, first_s + random.uniform(0.0, min(max_s, first_s * 2.0**member.attempt))))

    # Time

    def _later(self, member: Member, wait_s: float, *, reconnect: bool) -> None:
        due_ns = time.monotonic_ns() + int(wait_s * 1e9)
        heapq.heappush(self._due, (due_ns, next(self._serial), member, reconnect))

    def _wait_s(self) -> float:
        if self._queue and len(self._under_way) < self._at_once:
            return 0.0
        next_ns = min(self._report_ns, self._due[0][0] if self._due else self._report_ns)
        return max(0.0, (next_ns - time.monotonic_ns()) / 1e9)

    def _turn(self, now_ns: int) -> None:
        """Do what is due."""
        for _ in range(_STARTS):
            if not self._due or self._due[0][0] > now_ns:
                break
            _, _, member, reconnect = heapq.heappop(self._due)
            if not reconnect:
                self._send(member, member.ask_again())
            elif member.fd < 0 and (member.wanted or member in self._churning):
                self._connect(member)
        while self._queue and len(self._under_way) < self._at_once:
            member = self._queue.popleft()
            if member.fd < 0:
                self._connect(member)
        for member in self._book.waiting:
            self._later(member, random.uniform(0.5, 1.5) * _ASK_AGAIN_S, reconnect=False)
        self._book.waiting.clear()
        if now_ns >= self._report_ns:
            self._give_up_on_the_silent(now_ns)
            self._report(now_ns)

    def _give_up_on_the_silent(self, now_ns: int) -> None:
        limit_ns = now_ns - int(self._setup.connect_timeout_s * 1e9)
        late = list(itertools.takewhile(lambda each: each[1] < limit_ns, self._under_way.items()))
        for member, _ in late:
            self._hang_up(member, given_up=True)

    def _report(self, now_ns: int) -> None:
        self._report_ns = now_ns + int(self._setup.report_s * 1e9)
        book = self._book
        # Lists, and counted in C: nothing is read meanwhile.
        live = [member.phase for member in self._members].count(_LIVE)
        wanted = [member.wanted for member in self._members].count(True)
        histograms = {}
        for series, samples in book.samples.items():
            if samples:
                histograms[series] = Histogram()
                histograms[series].take(samples)
                samples.clear()
        report = Report(
            at_s=now_ns / 1e9,
            shard=self._setup.shard,
            live=live,
            away=wanted - live + len(self._queue),
            counts=book.tally.counts(),
            errors=book.tally.errors,
            closes=book.closes,
            cycles=self._cycles,
            latencies={series: histogram.buckets for series, histogram in histograms.items()},
            greatest_ns={series: histogram.greatest_ns for series, histogram in histograms.items()},
        )
        line = msgspec.json.encode(report) + b"\n"
        while line:
            line = line[os.write(_OUTPUT, line) :]


def _rest(fd: int) -> bytes:
    """Return what can be read from a socket without waiting."""
    parts = []
    with suppress(BlockingIOError):
        while part := os.read(fd, _MORE_BYTES):
            parts.append(part)
            if len(part) < _MORE_BYTES:
                break
    return b"".join(parts)


def _socket(source: str) -> socket.socket:
    """Return a socket that connects from an address and never waits."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.bind((source, 0))
    return sock


def main() -> None:
    """Read the setup, then serve."""
    # Ctrl-C is for the one who started us: it closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = b""
    while not setup.endswith(b"\n"):
        piece = os.read(_INPUT, 1)
        if not piece:
            return
        setup += piece
    with suppress(BrokenPipeError):
        Shard(msgspec.json.decode(setup, type=Setup)).run()


if __name__ == "__main__":
    main()
