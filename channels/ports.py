"""What the runner needs of the store. The objects of `hub.store` fit; tests may pass others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.domain.decisions import Aggregate, Document
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification
from hub.domain.rulings import Allowance
from hub.service.sending.notifications import Sending
from hub.store.jobs import Claimed, Note
from hub.store.preferences import Versioned
from hub.store.records import Attempt, Record, RecordedRuling
from hub.store.suppressions import Suppression


class JobQueue(Protocol):
    """The delay queue (`hub.store.jobs.Jobs`). Every method raises StoreUnavailable."""

    async def schedule_many(self, jobs: Sequence[Job]) -> list[bool]:
        """Put jobs into the queue; one that is known already stays as it is."""
        ...

    async def claim(self, *, lane: Lane, now_ms: int, lease_ms: int, limit: int) -> list[Claimed]:
        """Take due jobs of a lane under a lease."""
        ...

    async def begin(self, claimed: Claimed, *, lease_until_ms: int | None = None) -> bool:
        """Note that a provider call begins; False where the lease is lost or the job has been cancelled."""
        ...

    async def are_cancelled(self, jobs: Sequence[Job]) -> list[bool]:
        """Say of each job whether it has been called off, by its cancel key or with its bulk."""
        ...

    async def finish(
        self,
        claimed: Claimed,
        *,
        followed_by: Sequence[Job] = (),
        outcome: str = "",
        provider_id: str = "",
        detail: str = "",
        ruling: RecordedRuling | None = None,
        notes: Sequence[Note] = (),
    ) -> bool:
        """Take a job out for good, schedule those that follow and note what became of it, and of others."""
        ...

    async def hold(self, claimed: Claimed, until_ms: int, *, ruling: RecordedRuling) -> bool:
        """Give a job back until a time as if it had not been claimed, and note why."""
        ...

    async def retry(
        self,
        claimed: Claimed,
        due_ms: int,
        reason: str,
        *,
        unknown: bool = False,
        outcome: str = "retry",
        down_since_ms: int | None = None,
    ) -> bool:
        """Give a job back until it is due again, and note why; `down_since_ms`: because its provider is down."""
        ...

    async def bury(self, claimed: Claimed, reason: str, *, notes: Sequence[Note] = ()) -> bool:
        """Move a job to the dead letters, and note why, and what became of others."""
        ...

    async def depth(self) -> dict[Lane, int]:
        """Return how many jobs there are, by lane."""
        ...


class Entries(Protocol):
    """The inbox (`hub.store.inbox.Inbox`)."""

    async def state_of_many(self, entries: Sequence[tuple[UserId, NotificationId]]) -> list[EntryState | None]:
        """Return how far people have come with their entries; None where one left the inbox before it was seen."""
        ...

    async def newest_of_many(self, collapsed: Sequence[tuple[UserId, str]]) -> list[NotificationId | None]:
        """Return the newest notification of each person's collapse key that is in the inbox."""
        ...

    async def awaited_of_many(self, collapsed: Sequence[tuple[UserId, str]]) -> list[NotificationId | None]:
        """Return the newest notification of each person's collapse key, also one that is still to appear."""
        ...


class People(Protocol):
    """The documents (`hub.store.documents.Documents`)."""

    async def read_many(self, aggregates: Sequence[Aggregate]) -> list[Document]:
        """Return the documents of people, version 0 where there is none."""
        ...


class PreferenceBook(Protocol):
    """What people want to be told (`hub.store.preferences.PreferenceBook`)."""

    async def read_many(self, users: Sequence[UserId]) -> list[Versioned]:
        """Return the preferences of people."""
        ...


class AllowanceBook(Protocol):
    """How many messages people have been sent (`hub.store.allowances.Allowances`)."""

    async def take_many(self, wanted: Sequence[tuple[UserId, Sequence[Allowance]]]) -> list[Allowance | None]:
        """Count messages; return of each the allowance that has no room for it."""
        ...


class RecordBook(Protocol):
    """The records of notifications (`hub.store.records.Records`)."""

    async def read(self, user: UserId, notification: NotificationId) -> Record | None:
        """Return what is noted."""
        ...

    async def record_attempt(self, notification: Notification, attempt: Attempt) -> None:
        """Note an attempt, replacing what was noted of the same step and number."""
        ...


class SuppressionList(Protocol):
    """Addresses that are not written to any more (`hub.store.suppressions.Suppressions`)."""

    async def add(self, channel: str, address: str, *, reason: str) -> None:
        """Write to an address no more, for a while."""
        ...

    async def find_many(self, addresses: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        """Return the suppression of each (channel, address), None where it may be written to."""
        ...


class Appearances(Protocol):
    """What puts notifications into inboxes (`hub.service.intake.effects.Effects`)."""

    async def notify(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        """Put notifications into inboxes and start their ladders, each once for its id.

        Raises StoreUnavailable; InputError where a notification cannot be rendered.
        """
        ...
