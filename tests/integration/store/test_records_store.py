"""What the record of a notification keeps."""

from collections.abc import Callable

from hub.domain.channels import EMAIL, PUSH
from hub.domain.notifications import Job
from hub.store.records import Attempt, Records, Ruling

MakeJob = Callable[..., Job]


async def test_rulings_stand_in_the_record_in_the_order_of_time(records: Records, make_job: MakeJob) -> None:
    told = make_job("n1").notification
    later = Ruling(2_000, 1, 0, EMAIL, "drop", "no consent to marketing")
    first = Ruling(1_000, 0, 0, PUSH, "hold", "quiet hours", until_ms=9_000)
    await records.note_ruling(told, later)
    await records.note_ruling(told, first)
    record = await records.read(told.user, told.id)
    assert record is not None
    assert record.decisions == (first, later)


async def test_a_ruling_noted_again_replaces_itself(records: Records, make_job: MakeJob) -> None:
    told = make_job("n1").notification
    await records.note_ruling(told, Ruling(1_000, 0, 0, PUSH, "hold", "quiet hours"))
    await records.note_ruling(told, Ruling(1_000, 0, 0, PUSH, "hold", "quiet hours"))
    await records.note_ruling(told, Ruling(1_500, 0, 0, PUSH, "send"))
    await records.record_attempt(told, Attempt(1_600, 0, 0, PUSH, "delivered", "fcm-1"))
    record = await records.read(told.user, told.id)
    assert record is not None
    assert [(ruling.at_ms, ruling.verdict) for ruling in record.decisions] == [(1_000, "hold"), (1_500, "send")]
    assert [attempt.outcome for attempt in record.attempts] == ["delivered"]
