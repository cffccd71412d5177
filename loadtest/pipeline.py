"""Events from Kafka through Redis to 1,000 sockets: how many a second, at what cost, and how late.

Throughput is measured on a backlog: the events are in Kafka before the consumer starts, so nothing but the hub sets the
pace. It counts from the first to the last publication that a client gets. Latency is measured at a steady rate, from
handing an event to the Kafka producer to the client's socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaProducer

from loadtest.measure import Figure, percentile
from loadtest.stack import Cost, Stack, running_stack
from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally

NAME = "pipeline"
CLIENTS = 1_000
_WARM_UP_S = 3
_QUIET_S = 5.0
"""Without a publication for so long, a run is over."""
_TIMEOUT_S = 180.0
_HEADERS = [("content-type", b"application/cloudevents+json")]
_HUB_CPU_US = 70.0
"""What a plain publication may cost consumer and gateway together."""
_LATENCY_MS: dict[int, tuple[float | None, float]] = {500: (None, 30.0), 1_000: (5.0, 20.0)}
"""Budgets of the median and of the 99th percentile, by events a second."""
Event = tuple[str, bytes, bytes]
"""Kafka topic, key and value."""


class Arrivals:
    """Notes when publications reach the clients."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.count = 0
        self.first_s = self.last_s = 0.0
        self.at_first: dict[str, Cost] = {}
        self.driver_cpu_s = 0.0
        self.sent_s: dict[str, float] = {}
        self.late_ms: list[float] = []

    def __call__(self, client: Client, topic: str, offset: int, data: bytes) -> None:
        """Take one publication."""
        now_s = time.perf_counter()
        if not self.count:
            self.first_s = now_s
            self.at_first = self._stack.costs()
            self.driver_cpu_s = time.process_time()
        self.count += 1
        self.last_s = now_s
        if self.sent_s:
            sent_s = self.sent_s.pop(_order_of(data), None)
            if sent_s is not None:
                self.late_ms.append((now_s - sent_s) * 1e3)

    async def all(self, wanted: int) -> None:
        """Wait until `wanted` publications have come, or no more do."""
        async with asyncio.timeout(_TIMEOUT_S):
            while self.count < wanted:
                await asyncio.sleep(0.05)
                if self.count and time.perf_counter() - self.last_s > _QUIET_S:
                    raise RuntimeError(f"{self.count} of {wanted} publications came, then no more")


class _Told(msgspec.Struct):
    data: dict[str, object] = {}


class _Message(msgspec.Struct):
    notification: _Told | None = None


_decode = msgspec.json.Decoder(_Message).decode


def _order_of(data: bytes) -> str:
    message = _decode(data)
    return str(message.notification.data.get("order_id")) if message.notification else ""


async def measure(events: int, *, rate: int, seconds: int) -> list[Figure]:
    """Measure plain publications and full notifications on a backlog, then latency at `rate` a second and at twice."""
    figures: list[Figure] = []
    with running_stack(kafka=True) as stack, stack.role("serve"):
        figures += await _throughput(stack, "plain publications", plain(events), topics=True, budget=15_000)
        figures += await _throughput(stack, "full notifications", full(events // 2), topics=False, budget=4_000)
        figures += await _latency(stack, rate=rate, seconds=seconds)
        figures += await _latency(stack, rate=2 * rate, seconds=seconds)
    return figures


async def _throughput(stack: Stack, what: str, events: list[Event], *, topics: bool, budget: float) -> list[Figure]:
    await _produce(stack, events)
    arrivals, tally = Arrivals(stack), Tally()
    clients = await _clients(stack, arrivals, tally, topics=topics)
    group = what.replace(" ", "-")
    with stack.role("consume", DOORBELL_KAFKA__GROUP=group, DOORBELL_KAFKA__TOPICS=events[0][0]):
        await arrivals.all(len(events))
        after = stack.costs()
        driver_cpu_s = time.process_time() - arrivals.driver_cpu_s
    _close(clients, tally)
    took_s = arrivals.last_s - arrivals.first_s
    used_s = {name: after[name].cpu_s - before.cpu_s for name, before in arrivals.at_first.items()}
    hub_s = used_s["consume"] + used_s["serve"]
    return [
        Figure(NAME, what, len(events) / took_s, "1/s", budget=budget, ceiling=False),
        _cpu(what, "hub", hub_s, events, budget=_HUB_CPU_US if topics else None),
        *(_cpu(what, name, cpu_s, events) for name, cpu_s in used_s.items()),
        _cpu(what, "driver", driver_cpu_s, events),
    ]


def _cpu(what: str, who: str, cpu_s: float, events: list[Event], *, budget: float | None = None) -> Figure:
    return Figure(NAME, f"{what}: {who} CPU per event", cpu_s / len(events) * 1e6, "µs", budget=budget)


async def _latency(stack: Stack, *, rate: int, seconds: int) -> list[Figure]:
    arrivals, tally = Arrivals(stack), Tally()
    clients = await _clients(stack, arrivals, tally, topics=False)
    topic = f"orders-{rate}"
    await _produce(stack, [(topic, b"first", placed(f"first-{rate}", 0))])
    producer = await _producer(stack, linger_ms=0)
    with stack.role("consume", DOORBELL_KAFKA__GROUP=topic, DOORBELL_KAFKA__TOPICS=topic):
        await arrivals.all(1)
        # A Java broker that has just started is slow for a moment; that is not what is measured.
        for count in (rate * _WARM_UP_S, rate * seconds):
            arrivals.late_ms.clear()
            wanted = arrivals.count + count
            await _at_rate(producer, arrivals, topic, rate=rate, count=count)
            await arrivals.all(wanted)
    await producer.stop()
    _close(clients, tally)
    half, most = _LATENCY_MS.get(rate, (None, None))
    return [
        Figure(NAME, f"event to socket at {rate}/s, p50", percentile(arrivals.late_ms, 0.5), "ms", budget=half),
        Figure(NAME, f"event to socket at {rate}/s, p99", percentile(arrivals.late_ms, 0.99), "ms", budget=most),
    ]


async def _at_rate(producer: AIOKafkaProducer, arrivals: Arrivals, topic: str, *, rate: int, count: int) -> None:
    began_s = time.perf_counter()
    for number in range(count):
        delay_s = began_s + number / rate - time.perf_counter()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        order = f"L{rate}-{count}-{number}"
        arrivals.sent_s[order] = time.perf_counter()
        await producer.send(topic, placed(order, number), key=order.encode(), headers=_HEADERS)


async def _clients(stack: Stack, arrivals: Arrivals, tally: Tally, *, topics: bool) -> list[Client]:
    clients = [
        Client(
            f"user-{number}",
            address=stack.address,
            token=stack.mint,
            tally=tally,
            on_publication=arrivals,
            topics=(f"price:p{number}",) if topics else (),
        )
        for number in range(CLIENTS)
    ]
    for client in clients:
        await client.open()
    async with asyncio.timeout(60):
        await asyncio.gather(*(client.connected.wait() for client in clients))
    return clients


def _close(clients: list[Client], tally: Tally) -> None:
    for client in clients:
        client.close()
    if tally.doubles or tally.holes or tally.unrecovered or tally.errors:
        counts = f"{tally.doubles} doubles, {tally.holes} holes, {tally.unrecovered} unrecovered, {tally.errors}"
        raise RuntimeError(f"the clients were not served right: {counts}")


async def _producer(stack: Stack, *, linger_ms: int) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, linger_ms=linger_ms, acks=1)
    await producer.start()
    return producer


async def _produce(stack: Stack, events: list[Event]) -> None:
    producer = await _producer(stack, linger_ms=20)
    try:
        for topic, key, value in events:
            await producer.send(topic, value, key=key, headers=_HEADERS)
        await producer.flush()
    finally:
        await producer.stop()


def plain(count: int) -> list[Event]:
    """Return price changes: each one publication on the topic of one of 1,000 products."""
    return list(_events("prices", count, _price))


def full(count: int) -> list[Event]:
    """Return placed orders: each a state, a publication, a rendered inbox entry and a job, for one of 1,000 users."""
    return list(_events("orders", count, lambda number: (f"A{number}", placed(f"A{number}", number))))


def _events(topic: str, count: int, make: Callable[[int], tuple[str, bytes]]) -> Iterator[Event]:
    for number in range(count):
        key, value = make(number)
        yield topic, key.encode(), value


def _price(number: int) -> tuple[str, bytes]:
    product = f"p{number % CLIENTS}"
    data = {
        "product_id": product,
        "old": {"amount_minor": 1_999, "currency": "EUR"},
        "new": {"amount_minor": 1_499 + number % 400, "currency": "EUR"},
        "version": number // CLIENTS + 1,
    }
    return product, _cloud_event("price.changed", f"price-{number}", data)


def placed(order: str, number: int) -> bytes:
    """Return `order.placed` for one of the users."""
    price = {"amount_minor": 2_999, "currency": "EUR"}
    item = {"product_id": "p1", "name": "Walking boots", "quantity": 1, "price": price}
    data = {"order_id": order, "customer_id": f"user-{number % CLIENTS}", "total": price, "items": [item]}
    return _cloud_event("order.placed", f"placed-{order}", data)


def _cloud_event(kind: str, event_id: str, data: object) -> bytes:
    time_text = datetime.now(UTC).isoformat()
    event = {"specversion": "1.0", "id": event_id, "source": "/load", "type": kind, "time": time_text, "data": data}
    return msgspec.json.encode(event)
