"""What is noted about a bulk, person by person."""

from itertools import permutations

import pytest
import pytest_asyncio

from hub.domain.bulks import BulkId, BulkOutcome
from hub.domain.ids import UserId
from hub.store.keys import Keys
from hub.store.outcomes_of_bulks import BulkOutcomes
from hub.store.scripts import Scripts
from hub.store.server import Server

SENT, UNKNOWN, FAILED, SKIPPED = BulkOutcome.SENT, BulkOutcome.UNKNOWN, BulkOutcome.FAILED, BulkOutcome.SKIPPED
BULK = BulkId("b" * 32)
ZOE = UserId("zoe")


class Book:
    """The outcomes, and the only ones that count."""

    def __init__(self, server: Server, prefix: str) -> None:
        self.scripts = Scripts(server)
        self.outcomes = BulkOutcomes(server, self.scripts, Keys(prefix))

    async def note(self, outcome: BulkOutcome, *, over: bool = True, user: UserId = ZOE) -> None:
        await self.scripts.run(*self.outcomes.noting(BULK, user, outcome, over=over))

    async def counts(self) -> dict[str, int]:
        return {outcome.value: count for outcome, count in (await self.outcomes.counts(BULK)).items() if count}


@pytest_asyncio.fixture
async def book(server: Server, key_prefix: str) -> Book:
    return Book(server, key_prefix)


@pytest.mark.parametrize("order", list(permutations([SENT, UNKNOWN, FAILED, SKIPPED])))
async def test_the_best_counts_in_whichever_order_it_comes(book: Book, order: tuple[BulkOutcome, ...]) -> None:
    for outcome in order:
        await book.note(outcome)
        await book.note(outcome)
    assert await book.counts() == {"sent": 1}


async def test_what_has_failed_waits_while_another_step_follows(book: Book) -> None:
    await book.note(FAILED, over=False)
    await book.note(SKIPPED, over=False)
    assert await book.counts() == {}
    await book.note(SENT)
    assert await book.counts() == {"sent": 1}


async def test_a_failure_counts_where_the_last_step_has_nobody_to_ask(book: Book) -> None:
    await book.note(FAILED, over=False)
    await book.note(SKIPPED)
    assert await book.counts() == {"failed": 1}


async def test_a_step_that_fails_after_another_has_arrived_changes_nothing(book: Book) -> None:
    await book.note(SENT, over=False)
    await book.note(FAILED)
    assert await book.counts() == {"sent": 1}


async def test_only_the_failed_wait_again_and_stay_picked_until_something_has_come_of_it(book: Book) -> None:
    ann, ben = UserId("ann"), UserId("ben")
    await book.note(FAILED)
    await book.note(SKIPPED, user=ann)
    await book.note(SENT, user=ben)
    for _ in range(2):
        assert await book.outcomes.reclaim(BULK, [ann, ben, ZOE, UserId("new")], round_number=1) == [ZOE]
        assert await book.counts() == {"skipped": 1, "sent": 1}
    await book.note(FAILED)
    assert await book.counts() == {"skipped": 1, "sent": 1, "failed": 1}
    assert await book.outcomes.reclaim(BULK, [ZOE], round_number=2) == [ZOE]
    await book.note(SENT)
    assert await book.counts() == {"skipped": 1, "sent": 2}
    assert await book.outcomes.reclaim(BULK, [ZOE], round_number=2) == []
