"""The rules of a playbook, as values: which events notify whom, how urgently, in which words and on which channels."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.conditions import Condition
from hub.domain.events import PAYLOADS
from hub.domain.ids import RuleName, TemplateName
from hub.domain.notifications import MARKETING, Lane, Step, Throttle


class Audience(StrEnum):
    """Whom a rule notifies."""

    CUSTOMER = "customer"
    """The person the order or the shipment belongs to."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. All of `when` must hold."""

    name: RuleName
    on: str
    """The type of event: `order.packed`."""
    category: str
    """What people switch on and off: orders, payments, shipping, prices, sales or one of the operator's own."""
    template: TemplateName
    to: Audience = Audience.CUSTOMER
    lane: Lane = Lane.TRANSACTIONAL
    when: tuple[Condition, ...] = ()
    ladder: tuple[Step, ...] = ()
    """The channels after the inbox; empty where the inbox is all."""
    expires_s: int | None = None
    """Seconds after which nobody needs to hear of it any more; None: never."""
    collapse: str | None = None
    """A key with variables in braces; a newer notification takes the place of an older one with the same key."""
    throttle: Throttle | None = None
    """How often it reaches a person beyond the inbox; variables in braces in its key."""
    digest_s: int | None = None
    """For how long a step gathers with others of its category and channel into one message; None: it goes alone."""
    enabled: bool = True


class Playbook:
    """All rules, by the type of event they wait for. Never changes."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Take the rules in the order in which they apply."""
        self.rules = rules
        self._by_type: dict[str, tuple[Rule, ...]] = {
            event_type: tuple(rule for rule in rules if rule.on == event_type) for event_type in PAYLOADS
        }

    def rules_for(self, event_type: str) -> tuple[Rule, ...]:
        """Return the rules for a type of event, those switched off included."""
        return self._by_type.get(event_type, ())

    @property
    def promotional(self) -> frozenset[str]:
        """The categories that are marketing alone: the one of that name, and those whose rules are all in its lane."""
        others = {rule.category for rule in self.rules if rule.lane is not Lane.MARKETING}
        return frozenset({rule.category for rule in self.rules} - others | {MARKETING})

    @property
    def templates(self) -> dict[TemplateName, str]:
        """The templates that the enabled rules need, and the type of event each is rendered for."""
        return {rule.template: rule.on for rule in self.rules if rule.enabled}
