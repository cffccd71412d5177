"""Subscribing to a topic: whether a client may, on which terms, and until when."""

from __future__ import annotations

from msgspec.structs import replace

from hub.domain.ids import Topic
from hub.domain.permission import Action, SubscriptionGrant, TokenError, TokenExpired, TokenInvalid
from hub.domain.topics import Namespace, namespace_of
from hub.gateway.arrivals import Ask, Terms, forced_terms
from hub.gateway.client import Client
from hub.gateway.permits import allowed, identity_of, options_of, permit
from hub.gateway.subscriptions import GrantedSubscription, Subscription
from hub.gateway.worker import Worker
from hub.protocol import codes
from hub.protocol.codes import CommandError, Disconnect
from hub.protocol.effects import Join, RenewSubscription
from hub.protocol.session import Session


async def join(client: Client, worker: Worker, wish: Join) -> None:
    """Subscribe to a topic, if its namespace exists and the client may."""
    try:
        terms = await _terms(client, worker, wish)
    except CommandError as error:
        client.perform(client.session.not_joined(wish.id, wish.topic, error))
        return
    if isinstance(terms, Disconnect):
        client.perform(client.session.close(terms))
    elif client.session.subscriptions.get(wish.topic) == wish.id:
        since, rejected = {wish.topic: wish.since}, wish.reject_unrecovered
        ask = Ask(client, wish.id, since, connect=False, reject_unrecovered=rejected, terms={wish.topic: terms})
        worker.arrivals.ask(ask)


async def _terms(client: Client, worker: Worker, wish: Join) -> Terms | Disconnect:
    options = options_of(worker, wish.topic)
    if _too_many(client.session, options):
        raise codes.limit_exceeded()
    if not wish.token:
        await permit(client, worker, Action.SUBSCRIBE, wish.topic, subscribed=False)
        return await _negotiated(client, worker, options, wish)
    grant = _grant(client, worker, wish.topic, wish.token)
    if isinstance(grant, Disconnect):
        return grant
    if grant is None:
        raise codes.permission_denied()
    terms = await _negotiated(client, worker, options, wish)
    ttl_s = worker.limits.refresh_in_s(grant.expires_s, int(worker.unix_s()))
    return replace(terms, expires_s=grant.expires_s, ttl_s=ttl_s, info=grant.info)


def _too_many(session: Session[Subscription], options: Namespace) -> bool:
    """Say whether a connection has more subscriptions in one namespace than it may, with the one that is being made."""
    if not options.max_subscriptions:
        return False
    return sum(namespace_of(topic) == options.name for topic in session.subscriptions) > options.max_subscriptions


async def _negotiated(client: Client, worker: Worker, options: Namespace, wish: Join) -> Terms:
    """Return what a subscription is by its namespace's will, and by its client's where that may have one."""
    forced = forced_terms(options)
    recoverable, positioned, join_leave = forced.recoverable, forced.positioned, False
    if options.recoverable and (wish.recoverable > recoverable or wish.positioned > positioned):
        history = await allowed(client, worker, Action.HISTORY, wish.topic, subscribed=True)
        recoverable = recoverable or (wish.recoverable and (options.allow_recovery or history))
        positioned = positioned or recoverable or (wish.positioned and (options.allow_positioning or history))
    if wish.join_leave and options.join_leave and not options.force_push_join_leave:
        join_leave = await allowed(client, worker, Action.PRESENCE, wish.topic, subscribed=True)
    return Terms(recoverable, positioned, join_leave)


def _grant(client: Client, worker: Worker, topic: Topic, token: str) -> SubscriptionGrant | Disconnect | None:
    """Return what a token for a topic grants; a reason to hang up if it is another's; None if it is no good token."""
    try:
        grant = worker.access.subscription(token)
    except TokenExpired as error:
        raise codes.token_expired() from error
    except TokenInvalid:
        return None
    except TokenError as error:
        raise codes.internal() from error
    if grant.user != identity_of(client).user or grant.topic != topic:
        return codes.INVALID_TOKEN
    if grant.expires_s is not None and grant.expires_s <= worker.unix_s():
        # Good within the leeway for clocks that differ, but what it opens would end at once.
        raise codes.token_expired()
    return grant


def renew(client: Client, worker: Worker, wish: RenewSubscription) -> None:
    """Let a subscription go on until a fresh token's end."""
    try:
        grant = _grant(client, worker, wish.topic, wish.token)
    except CommandError as error:
        client.perform(client.session.refused(wish.id, error))
        return
    if not isinstance(grant, SubscriptionGrant):
        client.perform(client.session.close(codes.INVALID_TOKEN))
        return
    ttl = 0
    if isinstance(wish.seat, GrantedSubscription) and wish.seat.attached:
        wish.seat.expires_s = grant.expires_s
        worker.await_end(wish.seat)
        ttl = worker.limits.refresh_in_s(grant.expires_s, int(worker.unix_s()))
    # Any other subscription does not end, and goes on without the token.
    client.perform(client.session.subscription_renewed(wish.id, ttl))
