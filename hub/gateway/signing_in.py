"""Connecting: whose token it is, and what its bearer is subscribed to by that."""

from __future__ import annotations

from hub.domain.ids import Topic
from hub.domain.permission import ANONYMOUS, Identity, Role, TokenError, TokenExpired, TokenInvalid
from hub.domain.topics import Position
from hub.gateway.arrivals import Ask
from hub.gateway.audience import terms_by_token, topics_of
from hub.gateway.client import Client
from hub.gateway.worker import Worker
from hub.protocol import codes
from hub.protocol.codes import CommandError
from hub.protocol.effects import Authenticate


def sign_in(client: Client, worker: Worker, wish: Authenticate) -> None:
    """Let a client in and ask for its server-side subscriptions; or tell it why not."""
    session = client.session
    identity = identify(client, worker, wish.id, wish.token)
    if identity is None:
        return
    topics = topics_of(identity, personal_namespace=worker.settings.user_personal_channel_namespace)
    if topics is None:
        client.perform(session.close(codes.INVALID_TOKEN))
        return
    try:
        terms = terms_by_token(identity, worker.directory)
    except CommandError as error:
        client.perform(session.refused(wish.id, error))
        return
    if len(terms) > worker.limits.max_subscriptions:
        client.perform(session.close(codes.CHANNEL_LIMIT))
        return
    session.admitted(identity)
    since: dict[Topic, Position | None] = {topic: wish.positions.get(topic) for topic in (*topics, *terms)}
    worker.arrivals.ask(Ask(client, wish.id, since, connect=True, terms=terms))


def identify(client: Client, worker: Worker, command_id: int, token: str) -> Identity | None:
    """Return whose token it is; or else tell the client, and return None."""
    session = client.session
    if not token:
        if worker.settings.allow_anonymous_connect_without_token:
            return ANONYMOUS
        client.perform(session.refused(command_id, codes.unauthorized()))
        return None
    try:
        return worker.access.authenticate(token)
    except TokenInvalid:
        client.perform(session.close(codes.INVALID_TOKEN))
    except TokenExpired:
        client.perform(session.refused(command_id, codes.token_expired()))
    except TokenError:
        client.perform(session.refused(command_id, codes.internal()))
    return None


def one_too_many(client: Client, worker: Worker) -> bool:
    """Say whether the person has as many connections as allowed already. Services have no limit."""
    limit, identity = worker.settings.max_connections_per_user, client.session.identity
    if not limit or identity is None or identity.anonymous or identity.role is Role.SERVICE:
        return False
    return worker.people.count(identity.user) >= limit
