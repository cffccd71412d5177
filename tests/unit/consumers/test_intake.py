from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from consumers import intake as intake_module
from consumers.intake import CopyUnavailable, Intake
from consumers.readiness import Readiness, State
from hub.domain.envelope import Rejected
from tests.unit.consumers.fakes import FakeIngest, batch_of, good


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(intake_module, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(intake_module, "_MAX_WAIT_S", 0.0)
    # Rendering a traceback for a terminal takes seconds.
    with capture_logs():
        yield


@pytest.fixture
def readiness() -> Readiness:
    readiness = Readiness("kafka")
    readiness.enter(State.CONNECTED)
    return readiness


@dataclass
class FakeCopy:
    refusals: int = 0
    letters: list[Rejected] = field(default_factory=list)

    async def copy(self, letters: Sequence[Rejected], /) -> None:
        if self.refusals:
            self.refusals -= 1
            raise CopyUnavailable("no leader")
        self.letters += letters


async def test_a_batch_is_written_under_the_generation_that_was_read_before(readiness: Readiness) -> None:
    ingest = FakeIngest()
    assert await Intake(ingest, readiness).write(batch_of(good("a"), b"x")) == "first"
    assert ingest.processed == ["a"]
    assert [letter.body for letter in ingest.letters] == [b"x"]


@pytest.mark.parametrize("outages", range(1, 8))
async def test_an_outage_at_any_call_is_waited_out(readiness: Readiness, outages: int) -> None:
    ingest = FakeIngest(outages=outages)
    intake = Intake(ingest, readiness)
    await intake.write(batch_of(good("a"), b"x"))
    assert ingest.processed[-1] == "a"
    assert len(ingest.letters) == 1
    assert not intake.holding
    assert readiness.ready


async def test_an_outage_of_redis_shows_in_the_readiness(readiness: Readiness) -> None:
    intake = Intake(FakeIngest(outages=1), readiness)
    assert await intake.read_generation() is None
    assert readiness.condition.reason == "Redis: refused"
    assert await intake.read_generation() == "first"
    assert readiness.ready


async def test_after_an_outage_the_generation_is_read_again(readiness: Readiness) -> None:
    ingest = FakeIngest()
    intake = Intake(ingest, readiness)
    await intake.write(batch_of(good("a")))
    ingest.outages, ingest.life = 1, "second"
    assert await intake.write(batch_of(good("b"))) == "second"


async def test_an_event_that_breaks_the_program_is_put_aside_alone(readiness: Readiness) -> None:
    ingest = FakeIngest(poison=frozenset({"b"}))
    await Intake(ingest, readiness).write(batch_of(good("a"), good("b"), good("c")))
    assert ingest.processed == ["a", "c"]
    assert [(letter.origin.place, letter.reason) for letter in ingest.letters] == [
        ("orders/0/1", "processing failed: LookupError")
    ]


async def test_a_program_that_breaks_at_every_event_stops_before_it_puts_them_all_aside(readiness: Readiness) -> None:
    names = [f"e{number}" for number in range(30)]
    ingest = FakeIngest(poison=frozenset(names))
    with pytest.raises(LookupError):
        await Intake(ingest, readiness).write(batch_of(*map(good, names)))
    assert ingest.letters == []


async def test_letters_are_copied_too_and_an_unreachable_copy_is_waited_for(readiness: Readiness) -> None:
    copy = FakeCopy(refusals=3)
    await Intake(FakeIngest(), readiness, copy=copy).write(batch_of(b"x"))
    assert [letter.body for letter in copy.letters] == [b"x"]
    assert readiness.ready
