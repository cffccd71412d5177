"""What a digest tells, for whatever gathered in it and whatever happened meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from channels.digest import MAX_LISTED, Contents, Digester
from channels.ladder import Facts
from channels.standing import Standing
from hub.domain.channels import EMAIL, Channel
from hub.domain.digests import closing_job
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification, Step, job_id
from hub.domain.people import Person
from hub.store.digests import Gathering
from hub.store.jobs import Claimed
from hub.store.records import Attempt
from templates.texts import InboxText, TemplateError

NOW_MS = 1_000_000
ZOE = Person(UserId("zoe"))
BROKEN = TemplateName("broken")


class Gathered:
    """A digest with these steps in it; its texts are the steps' names, and of a broken template there are none."""

    def __init__(self, jobs: Sequence[Job], standings: Sequence[Standing]) -> None:
        self.jobs = jobs
        self.standings = standings

    async def gather(self, claimed: Claimed, closing: Job) -> Gathering:
        return Gathering.GATHERED

    async def take(self, claimed: Claimed) -> tuple[Job, ...] | None:
        return tuple(self.jobs)

    async def of(self, jobs: Sequence[Job]) -> list[Standing]:
        return list(self.standings)

    def tracked_link(self, notification: Notification, channel: Channel) -> str:
        return f"https://shop/{notification.id}/{channel}"

    def track(self, url: str, notification: Notification, channel: Channel) -> str:
        return f"{url}?by={notification.id}"

    def inbox(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any], /) -> InboxText:
        if template == BROKEN:
            raise TemplateError(template, "no such file")
        return InboxText(context["title"], "See https://shop/sale.")


standings = st.builds(Standing, st.none() | st.sampled_from(EntryState), st.booleans(), st.booleans())


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Job, Standing]]:
    found = []
    for number in range(draw(st.integers(0, MAX_LISTED + 8))):
        about = Notification(
            NotificationId(f"n{number}"),
            ZOE.user,
            RuleName("r"),
            "t",
            "orders",
            Lane.TRANSACTIONAL,
            draw(st.sampled_from([TemplateName("t"), TemplateName("t"), BROKEN])),
            {"title": f"title {number}"},
            number,
            (Step(EMAIL),),
            expires_ms=draw(st.none() | st.sampled_from([NOW_MS, NOW_MS + 1])),
            digest_s=60,
        )
        fresh = Standing(EntryState.UNSEEN, cancelled=False, replaced=False)
        found.append((Job(job_id(about.id, 0), 0, about, 0), draw(st.just(fresh) | standings)))
    return found


def closed(found: Sequence[tuple[Job, Standing]], *, erased: bool) -> tuple[Claimed, Contents]:
    jobs = [job for job, _ in found]
    gathered: Any = Gathered(jobs, [standing for _, standing in found])
    digester = Digester(
        gathered,
        standings=gathered,
        records=gathered,
        texts=gathered,
        links=gathered,
        default_locale="en",
    )
    opener = jobs[0] if jobs else Job(job_id(NotificationId("x"), 0), 0, _anything(), 0)
    claimed = Claimed(closing_job(opener, now_ms=0), "token", attempt=0, unknown=False, claims=0, lease_until_ms=NOW_MS)
    contents = asyncio.run(digester.close(claimed, ZOE, Facts(now_ms=NOW_MS, erased=erased)))
    assert contents is not None
    return claimed, contents


def _anything() -> Notification:
    return Notification(
        NotificationId("x"), ZOE.user, RuleName("r"), "t", "c", Lane.MARKETING, TemplateName("t"), {}, 0, (Step(EMAIL),)
    )


@given(steps(), st.booleans())
def test_each_step_is_told_or_left_out_for_a_reason(found: list[tuple[Job, Standing]], erased: bool) -> None:
    _, contents = closed(found, erased=erased)
    told = {job.id for job in contents.jobs}
    left_out = {each.job.id for each in contents.left_out}
    assert told.isdisjoint(left_out)
    assert told | left_out == {job.id for job, _ in found}
    for job, standing in found:
        about = job.notification
        wanted = standing.state in {None, EntryState.UNSEEN} and not (standing.cancelled or standing.replaced)
        alive = about.expires_ms is None or about.expires_ms > NOW_MS
        assert (job.id in told) == (wanted and alive and not erased and about.template != BROKEN)


@given(steps())
def test_the_message_lists_the_newest_and_counts_all(found: list[tuple[Job, Standing]]) -> None:
    claimed, contents = closed(found, erased=False)
    match contents.jobs:
        case ():
            assert contents.message is None
        case (only,):
            assert contents.message == only.notification
        case several:
            assert contents.message is not None
            context = contents.message.context
            newest = [job.notification.context["title"] for job in reversed(several)][:MAX_LISTED]
            assert [each["title"] for each in context["updates"]] == newest
            links = [f"https://shop/{job.notification.id}/email" for job in reversed(several)][:MAX_LISTED]
            assert [each["link"] for each in context["updates"]] == links
            bodies = [f"See https://shop/sale?by={job.notification.id}." for job in reversed(several)][:MAX_LISTED]
            assert [each["body"] for each in context["updates"]] == bodies
            assert (context["count"], context["more"]) == (len(several), len(several) - len(newest))
            assert msgspec.structs.replace(contents.message, context={}) == claimed.job.notification


@given(steps())
def test_every_record_gets_its_own_last_word(found: list[tuple[Job, Standing]]) -> None:
    claimed, contents = closed(found, erased=False)
    notes = contents.notes(claimed, Attempt(1, 0, 0, EMAIL, "delivered", "id"))
    assert sorted(about.id for about, _ in notes) == sorted(job.notification.id for job, _ in found)
    told = {job.notification.id for job in contents.jobs}
    for about, attempt in notes:
        assert (attempt.outcome == "delivered") == (about.id in told)
        assert attempt.detail
        assert attempt.number == 1
