"""The RabbitMQ consumer against a real broker."""

from tests.integration.consumers.rabbit_desk import consuming, publish_events, rabbit_settings, waiting_in
from tests.integration.consumers.recording_ingest import RecordingIngest, ids, until


async def test_processes_events_in_order_and_leaves_nothing_in_the_queue(rabbit_url: str, unique_name: str) -> None:
    settings, ingest, events = rabbit_settings(rabbit_url, unique_name), RecordingIngest(), ids("a", 500)
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        await publish_events(settings, events)
        await until(lambda: len(ingest.seen) >= 500)
    assert ingest.seen == events
    assert await waiting_in(rabbit_url, settings.queue) == 0
