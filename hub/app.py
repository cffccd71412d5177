"""The composition root: who is made of what. Every role starts from here; nobody else knows everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hub.domain import playbook as playbooks
from hub.domain.channels import BUILT_IN, EMAIL, PUSH, SMS, Channel
from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.house_rules import Cap, HouseRules
from hub.domain.quiet_hours import parse_quiet_hours
from hub.domain.rules import Playbook
from hub.domain.topics import Namespaces
from hub.service.feedback.clicks import ClickLinks
from hub.service.feedback.mail_reports import MailReports
from hub.service.intake.effects import Effects
from hub.service.intake.ingest import Ingest, IngestLimits
from hub.service.person.person_links import PersonLinks
from hub.service.person.preferences import PreferenceCentre
from hub.service.signing import Signer
from hub.settings import Settings
from hub.store.allowances import Allowances
from hub.store.bulks import Bulks
from hub.store.clock import unix_ms
from hub.store.connection import generation_of
from hub.store.dead_letters import DeadLetters
from hub.store.delivery_workers import DeliveryWorkers
from hub.store.devices import Devices
from hub.store.digests import Digests
from hub.store.directives import Directives
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.idempotency import Idempotency
from hub.store.inbox import Inbox
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.opening import open_server
from hub.store.outbox import Outbox
from hub.store.parked import Parked
from hub.store.preferences import PreferenceBook
from hub.store.presence import Presence
from hub.store.queue_view import QueueView
from hub.store.records import Records
from hub.store.return_paths import ReturnPaths
from hub.store.scripts import Scripts
from hub.store.segments import Segments
from hub.store.server import Server
from hub.store.suppressions import Suppressions
from hub.store.topics import Topics
from hub.store.velocity import Velocity
from hub.store.workers import Workers
from templates.moments import zone
from templates.renderer import Renderer

_DAY_S = 86_400
DEFAULT_PLAYBOOK = Path(playbooks.__file__).with_name("default_playbook.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything that is kept in Redis, on one connection pool."""

    server: Server
    keys: Keys
    scripts: Scripts
    namespaces: Namespaces
    documents: Documents
    erasure: Erasure
    topics: Topics
    inbox: Inbox
    jobs: Jobs
    digests: Digests
    bulks: Bulks
    segments: Segments
    records: Records
    outbox: Outbox
    parked: Parked
    dead_letters: DeadLetters
    idempotency: Idempotency
    suppressions: Suppressions
    return_paths: ReturnPaths
    devices: Devices
    preferences: PreferenceBook
    allowances: Allowances
    velocity: Velocity
    presence: Presence
    directives: Directives
    workers: Workers
    delivery_workers: DeliveryWorkers
    queue_view: QueueView


@asynccontextmanager
async def open_stores(settings: Settings, url: str) -> AsyncIterator[Stores]:
    """Yield the stores on the Redis at `url`. Nothing is connected before the first use."""
    server = open_server(url)
    try:
        yield stores_on(server, settings)
    finally:
        await server.aclose()


def stores_on(server: Server, settings: Settings) -> Stores:
    """Return the stores on an open server."""
    keys, scripts = Keys(settings.key_prefix), Scripts(server)
    namespaces = Namespaces(settings.namespaces)
    shards, window_s = settings.delivery.shards, settings.dedupe_window_s
    outbox = Outbox(server, scripts, keys, shards=shards)
    told = outbox if settings.kafka.bootstrap and settings.kafka.outcomes_topic else None
    records = Records(server, scripts, keys, outbox=told)
    letters = DeadLetters(server, scripts, keys)
    size = settings.inbox_size
    return Stores(
        server=server,
        keys=keys,
        scripts=scripts,
        namespaces=namespaces,
        documents=Documents(server, scripts, keys, ttl_s=settings.document_ttl_s),
        erasure=Erasure(server, scripts, keys, shards=shards),
        topics=Topics(server, scripts, keys, namespaces, dedupe_window_s=window_s),
        inbox=Inbox(server, scripts, keys, namespaces, size=size, dedupe_window_s=window_s, outbox=told),
        jobs=Jobs(server, scripts, keys, letters, records, shards=shards, dedupe_window_s=window_s),
        digests=Digests(scripts, keys, letters, shards=shards, dedupe_window_s=window_s),
        bulks=Bulks(server, scripts, keys),
        segments=Segments(server, scripts, keys),
        records=records,
        outbox=outbox,
        parked=Parked(server, scripts, keys),
        dead_letters=letters,
        idempotency=Idempotency(server, scripts, keys),
        suppressions=Suppressions(server, scripts, keys),
        return_paths=ReturnPaths(server, keys),
        devices=Devices(server, scripts, keys),
        preferences=PreferenceBook(server, scripts, keys),
        allowances=Allowances(scripts, keys),
        velocity=Velocity(scripts, keys),
        presence=Presence(scripts, keys, namespaces, ttl_s=settings.gateway.presence_ttl_s),
        directives=Directives(server, scripts, keys),
        workers=Workers(scripts, keys),
        delivery_workers=DeliveryWorkers(scripts, keys),
        queue_view=QueueView(server, keys, shards=shards),
    )


def load_playbook(settings: Settings) -> Playbook:
    """Return the default playbook with the operator's merged over it. Raises ConfigurationError with all mistakes."""
    override = Path(settings.playbook).read_bytes() if settings.playbook else None
    files = (DEFAULT_PLAYBOOK.name, settings.playbook)
    return playbooks.load_playbook(
        DEFAULT_PLAYBOOK.read_bytes(), override, files=files, channels=known_channels(settings)
    )


def known_channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels that a ladder may name: the built-in ones, and those with a table of their own."""
    return (*BUILT_IN, *map(Channel, settings.channels))


def reaching_channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels after the inbox that are configured: those that people can choose between."""
    configured = {EMAIL: settings.smtp.all_relays, PUSH: settings.push.fcm, SMS: settings.sms.twilio}
    return (*(channel for channel, parts in configured.items() if parts), *map(Channel, settings.channels))


def build_house_rules(settings: Settings) -> HouseRules:
    """Return what the operator lays down about messages to everybody."""
    own = settings.preferences
    caps = (Cap(own.marketing_per_day, _DAY_S), Cap(own.marketing_per_week, 7 * _DAY_S))
    return HouseRules(
        stops=own.stops,
        quiet_hours=parse_quiet_hours(own.quiet_hours) if own.quiet_hours else None,
        time_zone=zone(own.time_zone),
        marketing_caps=tuple(cap for cap in caps if cap.count),
    )


def build_preference_centre(settings: Settings, stores: Stores, playbook: Playbook) -> PreferenceCentre:
    """Return what shows and changes people's preferences, for operations and for pages behind signed links."""
    return PreferenceCentre(
        stores.preferences,
        stores.documents,
        stores.suppressions,
        house=build_house_rules(settings),
        channels=reaching_channels(settings),
        categories=sorted({rule.category for rule in playbook.rules if rule.enabled}),
    )


def build_renderer(settings: Settings) -> Renderer:
    """Return the renderer of all texts, with the operator's own folder before the built-in one.

    Raises TemplateError, and ConfigurationError where the default locale has no texts.
    """
    override = Path(settings.templates_dir) if settings.templates_dir else None
    renderer = Renderer(override=override, default_locale=settings.default_locale)
    known = renderer.catalog.locales()
    if settings.default_locale not in known:
        advice = f"has no texts; write one of {', '.join(known)}, or add its folder to templates_dir"
        raise ConfigurationError([Mistake("doorbell.toml", "default_locale", settings.default_locale, advice)])
    return renderer


def build_signer(settings: Settings) -> Signer | None:
    """Return what signs callbacks and links, None where there is no secret for it."""
    secret = settings.signing_secret or settings.token.hmac_secret
    return Signer(secret, former=settings.former_signing_secrets) if secret else None


def build_person_links(settings: Settings) -> PersonLinks:
    """Return what makes and reads the links to people's own pages."""
    return PersonLinks(build_signer(settings), public_url=settings.public_url, clock=unix_ms)


def build_mail_reports(settings: Settings, stores: Stores, centre: PreferenceCentre) -> MailReports:
    """Return what heeds bounces and complaints."""
    return MailReports(
        signer=build_signer(settings),
        records=stores.records,
        suppressions=stores.suppressions,
        paths=stores.return_paths,
        windows=stores.velocity,
        consents=centre,
        clock=unix_ms,
    )


def build_click_links(settings: Settings) -> ClickLinks:
    """Return what makes and reads the links of notifications."""
    return ClickLinks(
        build_signer(settings),
        public_url=settings.public_url,
        shop_url=settings.shop_url or settings.public_url,
        hosts=settings.click_hosts,
        tracking=settings.click_tracking,
    )


def build_ingest_alone(settings: Settings, stores: Stores) -> Ingest:
    """Return what takes events in, for who needs nothing else of what it is made of."""
    effects = build_effects(settings, stores, build_renderer(settings))
    return build_ingest(settings, stores, effects, load_playbook(settings))


def build_effects(settings: Settings, stores: Stores, renderer: Renderer) -> Effects:
    """Return what carries decisions out."""
    return Effects(
        scripts=stores.scripts,
        topics=stores.topics,
        inbox=stores.inbox,
        jobs=stores.jobs,
        records=stores.records,
        documents=stores.documents,
        erasure=stores.erasure,
        renderer=renderer,
        default_locale=settings.default_locale,
    )


def build_ingest(settings: Settings, stores: Stores, effects: Effects, playbook: Playbook) -> Ingest:
    """Return what takes events in, whichever way they come."""
    return Ingest(
        documents=stores.documents,
        parked=stores.parked,
        dead_letters=stores.dead_letters,
        effects=effects,
        playbook=playbook,
        limits=IngestLimits(
            replay_window_s=settings.replay_window_s,
            park_timeout_s=settings.park_timeout_s,
            park_limit=settings.park_limit,
        ),
        identity=partial(generation_of, stores.server),
        clock=unix_ms,
    )
