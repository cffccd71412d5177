import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.backoff import RETRY_AFTER_MAX_S, Backoff
from channels.ladder import (
    PATIENCE_MS,
    UNKNOWN_CALLS_MAX,
    Broken,
    Bury,
    Delivered,
    Done,
    Facts,
    Impossible,
    Limits,
    Refused,
    Result,
    Retry,
    Send,
    Unclear,
    Wait,
    next_move,
)
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification, Step, job_id
from hub.domain.rulings import Hold

NOW_MS = 1_767_261_600_000
LIMITS = Limits(max_tries=5, backoff=Backoff(first_s=2.0, max_s=60.0))
CALLS_MAX = 200

steps = st.builds(Step, st.sampled_from([EMAIL, PUSH, SMS]), st.floats(0, 86_400))
results = st.one_of(
    st.builds(Delivered),
    st.builds(Refused, st.just("451"), st.none() | st.floats(-10, 10**9), st.booleans(), provider_down=st.booleans()),
    st.builds(Impossible, st.just("550"), st.booleans()),
    st.builds(Unclear, st.just("timeout")),
    st.builds(Broken, st.just("bug")),
)

FEW = settings(max_examples=min(100, settings().max_examples))
facts = st.builds(
    Facts,
    now_ms=st.integers(NOW_MS - 10**7, NOW_MS + 10**7),
    state=st.none() | st.sampled_from(EntryState),
    erased=st.booleans(),
    cancelled=st.booleans(),
    replaced=st.booleans(),
    obstacle=st.sampled_from(["", "no address"]),
    tries=st.integers(0, 10),
    unknown_calls=st.integers(0, 4),
    resends_unknown=st.booleans(),
    outages=st.integers(0, 100),
    down_since_ms=st.none() | st.integers(NOW_MS - 10**9, NOW_MS),
    jitter=st.floats(0, 1, exclude_max=True),
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    ladder = tuple(draw(st.lists(steps, min_size=1, max_size=4)))
    notification = Notification(
        id=NotificationId("n-1"),
        user=UserId("u-1"),
        rule=RuleName("r"),
        event_type="order.placed",
        category="orders",
        lane=Lane.CRITICAL,
        template=TemplateName("order-placed"),
        context={},
        created_ms=NOW_MS,
        ladder=ladder,
        expires_ms=draw(st.none() | st.just(NOW_MS)),
    )
    step = draw(st.integers(0, len(ladder) - 1))
    return Job(id=job_id(notification.id, step), step=step, notification=notification, due_ms=NOW_MS)


@FEW
@given(jobs(), facts)
def test_nothing_is_sent_that_must_not_be(job: Job, known: Facts) -> None:
    if isinstance(next_move(job, known, limits=LIMITS), Send):
        expires_ms = job.notification.expires_ms
        assert not any((known.erased, known.cancelled, known.replaced))
        assert not known.obstacle
        assert known.state in {None, EntryState.UNSEEN}
        assert expires_ms is None or known.now_ms < expires_ms
        assert known.unknown_calls < UNKNOWN_CALLS_MAX


@FEW
@given(jobs(), facts, results)
def test_a_result_never_leads_to_another_call_in_one_go(job: Job, known: Facts, result: Result) -> None:
    assert not isinstance(next_move(job, known, result, limits=LIMITS), Send)


@FEW
@given(jobs(), facts, st.none() | results)
def test_what_follows_is_the_next_step_and_not_in_the_past(job: Job, known: Facts, result: Result | None) -> None:
    move = next_move(job, known, result, limits=LIMITS)
    for following in move.followed_by if isinstance(move, Done | Bury) else ():
        assert following.step == job.step + 1
        assert following.due_ms >= known.now_ms
        assert following.lane == job.lane
    if isinstance(move, Retry):
        assert 0 <= move.due_ms - known.now_ms <= 1_100 * RETRY_AFTER_MAX_S


@FEW
@given(jobs(), st.lists(results, min_size=CALLS_MAX, max_size=CALLS_MAX), st.booleans())
def test_every_ladder_ends_with_few_calls_and_at_most_two_unclear_ones_a_step(
    first: Job, answers: list[Result], resends_unknown: bool
) -> None:
    job: Job | None = first
    known = Facts(now_ms=NOW_MS - 10**9, resends_unknown=resends_unknown)
    for answer in answers:
        if job is None:
            return
        move = next_move(job, known, limits=LIMITS)
        if isinstance(move, Send):
            move = next_move(job, known, answer, limits=LIMITS)
        match move:
            case Retry():
                known = given_back(known, move)
                assert known.unknown_calls < UNKNOWN_CALLS_MAX
                assert known.tries < LIMITS.max_tries
                # What waits for its provider ends in days, not after calls.
                days = PATIENCE_MS if move.down_since_ms is not None else 0
                known = msgspec.structs.replace(known, now_ms=known.now_ms + days)
            case Done() | Bury():
                job = next(iter(move.followed_by), None)
                known = msgspec.structs.replace(known, tries=0, unknown_calls=0, outages=0, down_since_ms=None)
    raise AssertionError("the ladder goes on for ever")


def given_back(known: Facts, move: Retry) -> Facts:
    """What the queue knows of a job when it is due again."""
    down = move.down_since_ms is not None
    return msgspec.structs.replace(
        known,
        now_ms=move.due_ms,
        tries=known.tries + (not down),
        outages=known.outages + down,
        down_since_ms=move.down_since_ms,
        unknown_calls=known.unknown_calls + move.unknown,
    )


trials = st.one_of(
    st.builds(Refused, st.just("503"), st.none() | st.floats(0, 3_600), st.booleans(), provider_down=st.just(True)),
    st.just(Refused("451")),
    st.builds(Hold, st.just("quiet hours"), st.integers(1, 3 * PATIENCE_MS)),
)


@FEW
@given(jobs(), st.lists(trials, min_size=CALLS_MAX, max_size=CALLS_MAX), st.integers(0, 10 * PATIENCE_MS))
def test_a_step_is_given_up_after_its_own_tries_or_a_whole_day_without_its_provider(
    first: Job, course: list[Refused | Hold], overdue_ms: int
) -> None:
    job = msgspec.structs.replace(first, notification=msgspec.structs.replace(first.notification, expires_ms=None))
    known = Facts(now_ms=job.due_ms + overdue_ms, jitter=0.5)
    refusals, down_from_ms = 0, None
    for each in course:
        if isinstance(each, Hold):
            held = msgspec.structs.replace(known, ruling=Hold(each.reason, known.now_ms + each.until_ms))
            move = next_move(job, held, limits=LIMITS)
            assert isinstance(move, Wait)
            known, down_from_ms = msgspec.structs.replace(known, now_ms=move.due_ms, down_since_ms=None), None
            continue
        refusals += not each.provider_down
        down_from_ms = (known.now_ms if down_from_ms is None else down_from_ms) if each.provider_down else None
        move = next_move(job, known, each, limits=LIMITS)
        assert not isinstance(move, Done)
        if isinstance(move, Bury):
            waited_ms = known.now_ms - down_from_ms if down_from_ms is not None else 0
            assert refusals == LIMITS.max_tries or waited_ms >= PATIENCE_MS
            return
        assert isinstance(move, Retry)
        known = given_back(known, move)
        assert refusals < LIMITS.max_tries
