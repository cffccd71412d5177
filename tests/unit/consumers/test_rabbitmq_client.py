"""Every way in which a lost connection shows is BrokerLost; everything else passes."""

import asyncio

import pytest
from aio_pika.exceptions import ChannelInvalidStateError, ChannelPreconditionFailed

from consumers.rabbitmq_client import BrokerLost, asked


async def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError("reset"), ChannelInvalidStateError("closed"), asyncio.CancelledError(), Exception()],
    ids=lambda error: type(error).__name__,
)
async def test_a_question_that_the_connection_did_not_survive_finds_the_broker_lost(error: BaseException) -> None:
    with pytest.raises(BrokerLost):
        await asked(_raise(error), timeout_s=5)


async def test_a_question_without_an_answer_in_time_finds_the_broker_lost() -> None:
    with pytest.raises(BrokerLost, match=r"no answer within 0\.01 s"):
        await asked(asyncio.Event().wait(), timeout_s=0.01)


@pytest.mark.parametrize("error", [ChannelPreconditionFailed("x"), ValueError("a bug")])
async def test_a_refusal_and_a_bug_pass(error: Exception) -> None:
    with pytest.raises(type(error)):
        await asked(_raise(error), timeout_s=5)


async def test_a_cancellation_that_was_meant_passes() -> None:
    task = asyncio.create_task(asked(asyncio.Event().wait(), timeout_s=5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
