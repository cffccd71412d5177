"""Every Redis key and pub/sub channel Doorbell uses. No other module spells a key.

All keys that one script touches share a hash tag, the part in braces, so that Redis Cluster keeps them on one node:
a person's inbox with its topic (`{user:42}`), an order with its topic (`{order:A-1}`), a lane's shard
(`{due:critical:0}`).
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from hub.domain.bulks import BulkId
from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.devices import DeviceId
from hub.domain.ids import EffectId, JobId, NotificationId, OrderId, Topic, UserId
from hub.domain.notifications import Lane
from hub.domain.topics import INBOX

_OTHER_TAGS = frozenset(
    {
        "user",
        "topic",
        "parked",
        "due",
        "dead",
        "idem",
        "probe",
        "workers",
        "deliverers",
        "device",
        "velocity",
        "bulk",
        "bulks",
        "segment",
        "suppressions",
        "suppressed",
        "mailed",
        "notification",
        "outcomes",
    }
)
"""First words of the hash tags that are no topic's name: a backend's namespace of that name gets a tag of its own."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The key space of one installation. `prefix` keeps installations (and tests) on one Redis apart: no braces."""

    prefix: str = "db:"

    def _tagged(self, tag: str, name: str) -> str:
        return f"{self.prefix}{{{tag}}}:{name}"

    @staticmethod
    def _tag_of(topic: Topic) -> str:
        namespace, _, name = topic.partition(":")
        if namespace == INBOX:
            return f"user:{name}"
        return f"topic:{topic}" if namespace in _OTHER_TAGS else topic

    @staticmethod
    def _tag_of_aggregate(aggregate: Aggregate) -> str:
        # An enum's own formatting would cost more than all the rest.
        return ("user:" if aggregate.kind is AggregateKind.PERSON else aggregate.kind + ":") + aggregate.id

    # Topics

    def topic_place(self, topic: Topic) -> tuple[str, str, str]:
        """Return all that a publication goes through: `topic_meta`, `topic_stream` and `topic_channel`."""
        slot = self._tagged(self._tag_of(topic), "")
        return slot + "meta", slot + "stream", slot + "live"

    def topic_meta(self, topic: Topic) -> str:
        """Hash: epoch, offset and, of a latest topic, rank."""
        return self._tagged(self._tag_of(topic), "meta")

    def topic_stream(self, topic: Topic) -> str:
        """Stream of publications; entry ids are `<offset>-0`."""
        return self._tagged(self._tag_of(topic), "stream")

    def topic_seen(self, topic: Topic, effect: EffectId) -> str:
        """String with a TTL: this effect has been published."""
        return self._tagged(self._tag_of(topic), f"seen:{effect}")

    def topic_channel(self, topic: Topic) -> str:
        """Pub/sub channel of a topic."""
        return self._tagged(self._tag_of(topic), "live")

    def presence(self, topic: Topic, part: str) -> str:
        """One of the structures of a topic's presence: expiry, entries, users."""
        return self._tagged(self._tag_of(topic), f"presence:{part}")

    # Aggregates

    def document(self, aggregate: Aggregate) -> str:
        """Hash: `v` version, `body` JSON and, of an erased person, `erased`."""
        return self._tagged(self._tag_of_aggregate(aggregate), "doc")

    def parked(self, aggregate: Aggregate) -> str:
        """Hash: effect id to an event that waits for the aggregate to appear, behind its deadline."""
        return self._tagged(self._tag_of_aggregate(aggregate), "parked")

    def parked_deadlines(self) -> str:
        """Sorted set: aggregate by the time its parked events are given up."""
        return self._tagged("parked", "deadlines")

    def order_shipments(self, order: OrderId) -> str:
        """Set of the shipments of an order."""
        return self._tagged(f"order:{order}", "shipments")

    # Inbox

    def inbox_parts(self, user: UserId) -> tuple[str, str, str, str]:
        """Return all the structures of a person's inbox: entries, order, unread, collapse."""
        slot = self._tagged(f"user:{user}", "inbox:")
        return slot + "entries", slot + "order", slot + "unread", slot + "collapse"

    def inbox(self, user: UserId, part: str) -> str:
        """One of the structures of a person's inbox: entries, order, unread, collapse."""
        return self._tagged(f"user:{user}", f"inbox:{part}")

    def record(self, user: UserId, notification: NotificationId) -> str:
        """Hash with a TTL: what became of one notification."""
        return self._tagged(f"user:{user}", f"record:{notification}")

    def awaited(self, user: UserId, digest: str) -> str:
        """String with a TTL: the newest notification of a collapse key, where one was sent ahead of its time."""
        return self._tagged(f"user:{user}", f"awaited:{digest}")

    def feed(self, user: UserId) -> str:
        """List with a TTL: the notifications of a person that have records, the newest first."""
        return self._tagged(f"user:{user}", "feed")

    def outbox(self, user: UserId) -> str:
        """List with a TTL: outcomes of a person's notifications that wait to be told, the oldest first."""
        return self._tagged(f"user:{user}", "outbox")

    def outcomes(self, shard: int, part: str) -> str:
        """One of the structures about a shard of people's outboxes: waiting, resting, lease."""
        return self._tagged(f"outcomes:{shard}", part)

    def notification_user(self, notification: NotificationId) -> str:
        """String with a TTL: whose notification it is."""
        return self._tagged(f"notification:{notification}", "user")

    # Preferences

    def preferences(self, user: UserId) -> str:
        """Hash: `v` version, `body` JSON."""
        return self._tagged(f"user:{user}", "preferences")

    def allowance(self, user: UserId, digest: str) -> str:
        """Sorted set with a TTL: the messages counted under an allowance, known by the digest of its name, by time."""
        return self._tagged(f"user:{user}", f"allowance:{digest}")

    # Devices

    def devices(self, user: UserId) -> str:
        """Hash: device id to when it was seen and what it is."""
        return self._tagged(f"user:{user}", "devices")

    def device_user(self, device: DeviceId) -> str:
        """String with a TTL: whose device it is."""
        return self._tagged(f"device:{device}", "user")

    def velocity(self, bound: str, digest: str, window: int) -> str:
        """Set with a TTL: the messages counted under a bound in one of its windows."""
        return self._tagged(f"velocity:{bound}:{digest}", f"{window}")

    # Delay queue

    def jobs(self, lane: Lane, shard: int, part: str) -> str:
        """One of the structures of a lane's shard: due, leased, body, state."""
        return self._tagged(f"due:{lane}:{shard}", part)

    def job_seen(self, lane: Lane, shard: int, job: JobId) -> str:
        """String with a TTL: this job has been scheduled."""
        return self._tagged(f"due:{lane}:{shard}", f"seen:{job}")

    def job_claim(self, lane: Lane, shard: int, token: str) -> str:
        """String with a TTL: the jobs that one claim was given."""
        return self._tagged(f"due:{lane}:{shard}", f"claim:{token}")

    def cancellation(self, lane: Lane, shard: int, digest: str) -> str:
        """Hash with a TTL: the generation below which jobs of a person's cancel key are dropped, and those jobs."""
        return self._tagged(f"due:{lane}:{shard}", f"cancel:{digest}")

    def open_digest(self, lane: Lane, shard: int, digest: str) -> str:
        """Hash with a TTL: what gathers in one of a person's digests."""
        return self._tagged(f"due:{lane}:{shard}", f"gathering:{digest}")

    def closed_digest(self, lane: Lane, shard: int, notification: NotificationId) -> str:
        """Hash with a TTL: what is in a digest that has been closed, until its message has gone out."""
        return self._tagged(f"due:{lane}:{shard}", f"digest:{notification}")

    # Bulks and segments

    def bulk(self, bulk: BulkId, part: str) -> str:
        """One of the structures of a bulk: state, rows, outcomes, counts, cancelled."""
        return self._tagged(f"bulk:{bulk}", part)

    def bulks_waiting(self) -> str:
        """Sorted set: bulks that are not worked off, by the time at which somebody may go on with them."""
        return self._tagged("bulks", "waiting")

    def segment(self, name: str) -> str:
        """Hash: the generation of a segment's members."""
        return self._tagged(f"segment:{name}", "info")

    def segment_members(self, name: str, generation: str) -> str:
        """Sorted set: the members of a segment, since they were put there all at once."""
        return self._tagged(f"segment:{name}", f"members:{generation}")

    # Operations

    def dead_letters(self, part: str) -> str:
        """One of the structures of the dead letters: index, body, age."""
        return self._tagged("dead", part)

    def suppression(self, channel: str, digest: str) -> str:
        """String with a TTL: why an address, known by its digest, is not written to."""
        return self._tagged(f"suppressed:{channel}:{digest}", "why")

    def suppressions(self, part: str) -> str:
        """One of the structures about all suppressions: index."""
        return self._tagged("suppressions", part)

    def return_path(self, notification: NotificationId) -> str:
        """String with a TTL: whom the mail of a notification went to."""
        return self._tagged(f"mailed:{notification}", "to")

    def idempotency(self, caller: str, key: str) -> str:
        """Hash with a TTL: the claim on an Idempotency-Key, and the answer given."""
        return self._tagged(f"idem:{caller}", key)

    def workers(self, part: str) -> str:
        """One of the structures about the workers that run: alive, facts."""
        return self._tagged("workers", part)

    def delivery_workers(self, part: str) -> str:
        """One of the structures about the delivery workers that run: alive, facts."""
        return self._tagged("deliverers", part)

    def probe_channel(self, worker: str) -> str:
        """Pub/sub channel by which a worker proves that the pub/sub path works."""
        return self._tagged(f"probe:{worker}", "live")


def shard_of(user: UserId, shards: int) -> int:
    """Return which shard of a lane holds a person's jobs. Stable across processes and versions."""
    return crc32(user.encode()) % shards
