"""What one worker offers to callers, over HTTP and `rpc` alike: who they are, what they may, and the operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from hub.api.health import Check
from hub.app import Stores, build_signer, known_channels
from hub.domain import digests
from hub.domain.ids import Topic
from hub.domain.permission import Action, Identity, SubscriptionGrant
from hub.roles.back import Back
from hub.service.calls import Operations
from hub.service.feedback.mail_intake import MailIntake
from hub.service.feedback.suppression_list import SuppressionList
from hub.service.identity.access import Access
from hub.service.identity.api_keys import ApiKeys
from hub.service.identity.authentication import Authenticator
from hub.service.identity.key_sets import Jwks, fixed_keys, keys_from_files
from hub.service.identity.tokens import Keys, TokenVerifier
from hub.service.intake.events import Events
from hub.service.intake.letters import Letters
from hub.service.operations import AnyOperation
from hub.service.operator.letters import OperatorLetters
from hub.service.operator.texts import OperatorTexts
from hub.service.operator.view import OperatorView
from hub.service.person.devices import DeviceRegistry
from hub.service.person.inbox import InboxService
from hub.service.person.orders import Orders
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.service.rpc import Rpc
from hub.service.sending.bulk_sending import BulkSending
from hub.service.sending.notifications import Notifications
from hub.service.sending.records import NotificationRecords
from hub.service.sending.segments import SegmentService
from hub.service.topics.attendance import Attendances
from hub.service.topics.histories import Histories
from hub.service.topics.installation import Installation
from hub.service.topics.people import PeoplesConnections
from hub.service.topics.publishing import Publishing
from hub.service.topics.service_topics import ServiceTopics
from hub.settings import Settings, Token
from templates.renderer import Renderer


class _Service(Protocol):
    def operations(self) -> Iterable[AnyOperation]: ...


_ADDED_BY_US = "name"
"""The person's name is not for services to tell."""


@dataclass(frozen=True, slots=True)
class Front:
    """The operations and who may call them. Fits the gateway's ports `Access` and `Operations`."""

    operations: Operations
    authenticator: Authenticator
    access: Access
    rpc_methods: Rpc

    def authenticate(self, token: str) -> Identity:
        """Return whose token it is; see `Authenticator`."""
        return self.authenticator.authenticate(token)

    def subscription(self, token: str) -> SubscriptionGrant:
        """Return what a subscription token grants; see `Authenticator`."""
        return self.authenticator.subscription(token)

    async def may(self, who: Identity, action: Action, topic: Topic, *, subscribed: bool = False) -> bool:
        """Say whether somebody may do something with a topic; see `Access`."""
        return await self.access.may(who, action, topic, subscribed=subscribed)

    async def rpc(self, who: Identity, method: str, data: bytes) -> bytes:
        """Call an operation; see `Rpc`."""
        return await self.rpc_methods(who, method, data)


@asynccontextmanager
async def issuers_keys(settings: Token) -> AsyncIterator[tuple[Keys, Mapping[str, Check]]]:
    """Yield how to find a token's key, kept fresh meanwhile, and what that adds to the readiness."""
    files = keys_from_files(settings)
    if not settings.jwks_url:
        yield fixed_keys(files), {}
        return
    async with Jwks(settings, beside=files) as jwks:
        yield jwks.find, {"jwks": jwks.check}


def templates_for_services(renderer: Renderer) -> Mapping[str, frozenset[str]]:
    """Return the templates that services may ask for by name, with the variables that they have to give."""
    samples = {name: sample for name, sample in renderer.catalog.samples.items() if name != digests.TEMPLATE}
    return {name: frozenset(sample) - {_ADDED_BY_US} for name, sample in samples.items()}


def build_front(settings: Settings, back: Back, *, keys: Keys) -> Front:
    """Return what a worker offers."""
    stores = back.stores
    services = (
        *_for_people(back),
        *_for_shops(settings, back),
        *_for_topics(stores),
        *_for_operators(settings, back),
    )
    operations = Operations(
        [operation for service in services for operation in service.operations()],
        rates=RateLimiter(),
        repeats=StoredRepeats(stores.idempotency),
    )
    verifier = TokenVerifier(settings.token, keys=keys)
    return Front(
        operations=operations,
        authenticator=Authenticator(verifier, ApiKeys(settings.api_keys)),
        access=Access(stores.documents, stores.namespaces),
        rpc_methods=Rpc(operations),
    )


def _for_people(back: Back) -> tuple[_Service, ...]:
    """Return what shoppers ask for, and services on their behalf."""
    stores = back.stores
    return InboxService(stores.inbox), Orders(stores.documents), DeviceRegistry(stores.devices), back.centre


def _for_shops(settings: Settings, back: Back) -> tuple[_Service, ...]:
    """Return what a shop's backends ask for: events, messages, and what became of them."""
    stores = back.stores
    templates, channels = templates_for_services(back.renderer), known_channels(settings)
    return (
        Events(back.ingest),
        Notifications(
            back.effects,
            cancel_keys=stores.jobs.cancellations,
            templates=templates,
            channels=channels,
            link_hosts=settings.click_hosts,
            promotional=back.playbook.promotional,
        ),
        NotificationRecords(stores.records, stores.inbox),
        BulkSending(
            stores.bulks,
            stores.bulks.outcomes,
            stores.segments,
            templates=templates,
            channels=channels,
            promotional=back.playbook.promotional,
        ),
        SegmentService(stores.segments),
        MailIntake(back.mail_reports),
    )


def _for_topics(stores: Stores) -> tuple[_Service, ...]:
    """Return what backends ask for that use topics of their own."""
    for_services = ServiceTopics(stores.namespaces)
    return (
        Publishing(stores.topics, for_services),
        Histories(stores.topics, for_services),
        Attendances(stores.presence, for_services),
        PeoplesConnections(stores.directives, for_services),
        Installation(stores.workers),
    )


def _for_operators(settings: Settings, back: Back) -> tuple[_Service, ...]:
    """Return what operators look at and mend."""
    stores = back.stores
    letters = Letters(dead_letters=stores.dead_letters, ingest=back.ingest, jobs=stores.jobs)
    return (
        SuppressionList(stores.suppressions),
        OperatorView(stores.delivery_workers, stores.queue_view),
        OperatorLetters(stores.dead_letters, letters),
        OperatorTexts(back.renderer, signer=build_signer(settings), max_segments=settings.sms.max_segments),
    )
