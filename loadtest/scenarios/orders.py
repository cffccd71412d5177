"""Orders through Kafka to random people: state, rendered inbox entry and job for each, then the socket."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaProducer

from loadtest.measure import Figure, Measure
from loadtest.pace import at_rate
from loadtest.stage import Scenario, Stage
from loadtest.swarm import stamp

NAME = "orders"
P50 = Measure("event to socket, p50", "ms", must=5)
P99 = Measure("event to socket, p99", "ms", must=20, reach=12)
RATE = Measure("events per second", "1/s")
CPU = Measure("CPU per event, all hub processes", "µs")
REDIS = Measure("Redis CPU per event", "µs")
_TOPIC = "orders-load"
_HEADERS = [("content-type", b"application/cloudevents+json")]
_WARM_UP_S = 3.0
"""A Java broker that has just started is slow for a moment; that is not what is measured."""
_LINGER_S = 0.005
"""Orders are handed to the producer in batches, as Kafka's own producer makes them by default (linger.ms)."""
_HUB = ("serve", "consume")


class _Orders:
    """Sends `order.placed` of random customers; the order's id is its stamp."""

    def __init__(self, stage: Stage, producer: AIOKafkaProducer, series: str) -> None:
        self._stage = stage
        self._producer = producer
        self._series = series

    async def __call__(self, numbers: range) -> None:
        stage = self._stage
        for number in numbers:
            user = stage.swarm.setup.user.format(stage.dice.randrange(stage.plan.clients))
            order = str(stamp.stamp(self._series, number))
            await self._producer.send(_TOPIC, placed(order, user), key=order.encode(), headers=_HEADERS)


def placed(order: str, user: str) -> bytes:
    """Return an `order.placed` event."""
    price = {"amount_minor": 2_999, "currency": "EUR"}
    item = {"product_id": "p1", "name": "Walking boots", "quantity": 1, "price": price}
    event = {
        "specversion": "1.0",
        "id": f"placed-{order}",
        "source": "/load",
        "type": "order.placed",
        "time": datetime.now(UTC).isoformat(),
        "data": {"order_id": order, "customer_id": user, "total": price, "items": [item]},
    }
    return msgspec.json.encode(event)


async def run(stage: Stage) -> list[Figure]:
    """Send orders at the plan's rate and wait for all of their notifications."""
    plan, own = stage.plan, stage.own
    producer = AIOKafkaProducer(bootstrap_servers=own.stack.kafka_bootstrap, linger_ms=0, acks=1)
    await producer.start()
    try:
        # The topic is there before its consumer: a group learns of new ones only now and then.
        await _Orders(stage, producer, "orders-first")(range(1))
        await own.start("consume", DOORBELL_KAFKA__TOPICS=_TOPIC)
        await stage.swarm.heard("orders-first", 1, timeout_s=plan.patience_s)
        await _send(stage, producer, "orders-warmup", seconds=_WARM_UP_S)
        before = stage.cpu()
        count = await _send(stage, producer, "orders-placed", seconds=plan.orders_s)
        after = stage.cpu()
    finally:
        await producer.stop()
    latencies = stage.swarm.series("orders-placed")
    spent = {role: after[role] - before.get(role, 0.0) for role in after}
    # The time it took to send them, in which pings went on as well.
    hub_s = sum(spent.get(role, 0.0) for role in _HUB) - stage.idle_share * plan.orders_s
    return [
        RATE.figure(NAME, plan.orders_per_s),
        P50.figure(NAME, latencies.percentile_ms(0.5)),
        P99.figure(NAME, latencies.percentile_ms(0.99)),
        CPU.figure(NAME, hub_s / count * 1e6),
        REDIS.figure(NAME, spent.get("redis", 0.0) / count * 1e6),
    ]


async def _send(stage: Stage, producer: AIOKafkaProducer, series: str, *, seconds: float) -> int:
    orders = _Orders(stage, producer, series)
    count = await at_rate(orders, per_s=stage.plan.orders_per_s, seconds=seconds, tick_s=_LINGER_S)
    await stage.swarm.heard(series, count, timeout_s=stage.plan.patience_s)
    return count


SCENARIO = Scenario(NAME, "orders through Kafka to random people", run, own=True, kafka=True)
