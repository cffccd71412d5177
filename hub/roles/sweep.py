"""The sweep of events that wait for an order or shipment which does not appear."""

from __future__ import annotations

import asyncio

from hub.domain.errors import StoreUnavailable
from hub.observe import logger
from hub.service.intake.ingest import Ingest

_log = logger(__name__)
_INTERVAL_S = 5.0


async def sweep_parked(ingest: Ingest, *, interval_s: float = _INTERVAL_S) -> None:
    """Give up overdue events until cancelled. Any number of processes may do it: each event is given up once."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            given_up = await ingest.give_up_parked()
        except StoreUnavailable as error:
            _log.warning("parked events could not be looked through", reason=str(error))
            continue
        if given_up:
            _log.warning("parked events given up", count=given_up)
