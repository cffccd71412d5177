"""The measurement of delivery, small: a real worker and stand-ins in processes of their own."""

import pytest

from loadtest.delivery import isolation, many, throughput
from loadtest.delivery.run import installed
from loadtest.measure import Figure


def value(figures: list[Figure], what: str) -> float:
    (found,) = [figure.value for figure in figures if what in figure.what]
    return found


@pytest.mark.timeout(240)
async def test_a_backlog_and_a_bulk_are_sent_and_every_urgent_text_arrives_beside_a_campaign() -> None:
    async with installed(people=20) as place:
        pushes = throughput.kinds(200)[-1]
        figures = await throughput.measure(pushes, stack=place.stack, town=place.town, providers=place.providers)
        assert value(figures, "pushes a second") > 0
        assert place.providers["fcm"].count() == pushes.backlog.count

        figures = await many.measure(
            stack=place.stack, providers=place.providers, people=20, api_key=place.api_key, recipients=60
        )
        assert value(figures, "mails") == 20

        load = isolation.Load(mails=3_000, rate=10, seconds=1)
        figures = await isolation.measure(
            load, stack=place.stack, town=place.town, providers=place.providers, api_key=place.api_key
        )
        assert 0 < value(figures, "p50") <= value(figures, "last")
        assert place.providers["twilio"].count() == load.texts
