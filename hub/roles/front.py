"""What one worker offers to callers, over HTTP and `rpc` alike: who they are, what they may, and the operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hub.api.health import Check
from hub.app import Stores, build_mail_reports, build_preference_centre, build_signer, known_channels, load_playbook
from hub.domain import digests
from hub.domain.ids import Topic
from hub.domain.permission import Action, Identity, SubscriptionGrant
from hub.service.access import Access
from hub.service.api_keys import ApiKeys
from hub.service.attendance import Attendances
from hub.service.authentication import Authenticator
from hub.service.bulk_sending import BulkSending
from hub.service.calls import Operations
from hub.service.devices import DeviceRegistry
from hub.service.effects import Effects
from hub.service.events import Events
from hub.service.histories import Histories
from hub.service.inbox import InboxService
from hub.service.ingest import Ingest
from hub.service.installation import Installation
from hub.service.key_sets import Jwks, fixed_keys, keys_from_files
from hub.service.letters import Letters
from hub.service.mail_intake import MailIntake
from hub.service.notifications import Notifications
from hub.service.operator_letters import OperatorLetters
from hub.service.operator_texts import OperatorTexts
from hub.service.operator_view import OperatorView
from hub.service.orders import Orders
from hub.service.people import PeoplesConnections
from hub.service.publishing import Publishing
from hub.service.rate import RateLimiter
from hub.service.records import NotificationRecords
from hub.service.repeats import StoredRepeats
from hub.service.rpc import Rpc
from hub.service.segments import SegmentService
from hub.service.service_topics import ServiceTopics
from hub.service.suppression_list import SuppressionList
from hub.service.tokens import Keys, TokenVerifier
from hub.settings import Settings, Token
from templates.renderer import Renderer

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


def _for_operators(
    settings: Settings, stores: Stores, *, ingest: Ingest, renderer: Renderer
) -> tuple[OperatorView, OperatorLetters, OperatorTexts]:
    letters = Letters(dead_letters=stores.dead_letters, ingest=ingest, jobs=stores.jobs)
    return (
        OperatorView(stores.delivery_workers, stores.queue_view),
        OperatorLetters(stores.dead_letters, letters),
        OperatorTexts(renderer, signer=build_signer(settings), max_segments=settings.sms.max_segments),
    )


def build_front(
    settings: Settings,
    stores: Stores,
    *,
    ingest: Ingest,
    effects: Effects,
    keys: Keys,
    renderer: Renderer,
) -> Front:
    """Return what a worker offers."""
    for_services = ServiceTopics(stores.namespaces)
    promotional = load_playbook(settings).promotional
    services = (
        InboxService(stores.inbox),
        Orders(stores.documents),
        Events(ingest),
        DeviceRegistry(stores.devices),
        build_preference_centre(settings, stores),
        Notifications(
            effects,
            cancel_keys=stores.jobs.cancellations,
            templates=templates_for_services(renderer),
            channels=known_channels(settings),
            link_hosts=settings.click_hosts,
            promotional=promotional,
        ),
        NotificationRecords(stores.records, stores.inbox),
        BulkSending(
            stores.bulks,
            stores.bulks.outcomes,
            stores.segments,
            templates=templates_for_services(renderer),
            channels=known_channels(settings),
            promotional=promotional,
        ),
        SegmentService(stores.segments),
        Publishing(stores.topics, for_services),
        Histories(stores.topics, for_services),
        Attendances(stores.presence, for_services),
        PeoplesConnections(stores.directives, for_services),
        Installation(stores.workers),
        MailIntake(build_mail_reports(settings, stores)),
        SuppressionList(stores.suppressions),
        *_for_operators(settings, stores, ingest=ingest, renderer=renderer),
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
