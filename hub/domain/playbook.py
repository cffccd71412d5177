"""Reading a playbook: the default one, an operator's merged over it rule by rule, and every mistake in both at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from hub.domain import conditions
from hub.domain.channels import BUILT_IN, INBOX, Channel
from hub.domain.conditions import Condition
from hub.domain.contexts import FAMILIES, variables_of
from hub.domain.digests import MAX_DIGEST_S
from hub.domain.durations import parse_duration
from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.events import PAYLOADS
from hub.domain.ids import RuleName, TemplateName
from hub.domain.notifications import MARKETING, Lane, Step, Throttle
from hub.domain.rules import Audience, Playbook, Rule

__all__ = ["Playbook", "Rule", "load_playbook"]

MAX_STEPS = 8
"""Rungs of a ladder at most."""
MAX_THROTTLE = 100
"""Of one key that may be let through within one window: all of them are remembered."""
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DEFAULTABLE = ("to", "lane", "ladder", "expires")
_REQUIRED = ("on", "category", "template")
_NEVER = "never"


class _Found(msgspec.Struct, frozen=True):
    """A value, and where it stands."""

    file: str
    key: str
    value: Any


def load_playbook(
    default: bytes,
    override: bytes | None = None,
    *,
    files: tuple[str, str],
    channels: Sequence[Channel] = BUILT_IN,
) -> Playbook:
    """Read the default playbook and the operator's own; `files` are their names in mistakes.

    `channels` are those that a ladder may name.

    A rule of `override` with a known name replaces only the fields it gives; its `[defaults]` do so for every rule that
    does not say otherwise. Raises ConfigurationError with all mistakes of both files.
    """
    mistakes: list[Mistake] = []
    layers = [(files[0], _table(default, files[0], mistakes))]
    if override is not None:
        layers.append((files[1], _table(override, files[1], mistakes)))
    reader = _Reader(layers, mistakes, channels)
    rules = [reader.rule(name) for name in reader.names()]
    if mistakes:
        raise ConfigurationError(mistakes)
    return Playbook(tuple(rule for rule in rules if rule is not None))


def _table(toml: bytes, file: str, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        return tomllib.loads(toml.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(Mistake(file, "(the file)", "(unreadable)", f"write TOML in UTF-8: {error}"))
        return {}


class _Reader:
    """Reads rules out of layered tables and notes each mistake with its file, its key and what to write."""

    def __init__(
        self, layers: list[tuple[str, dict[str, Any]]], mistakes: list[Mistake], channels: Sequence[Channel]
    ) -> None:
        self._mistakes = mistakes
        self._parsers: dict[str, Callable[[Any], Any]] = {**_PARSERS, "ladder": partial(_ladder, channels=channels)}
        self._rules: dict[str, dict[str, _Found]] = {}
        self._homes: dict[str, str] = {}
        self._defaults: dict[str, _Found] = {}
        for file, table in layers:
            self._only(file, "", table, ("defaults", "rules"))
            self._take(self._defaults, file, "defaults", table.get("defaults", {}), _DEFAULTABLE)
            rules = table.get("rules", {})
            if not isinstance(rules, dict):
                self._note(_Found(file, "rules", rules), "write tables: [rules.my-rule]")
                continue
            for name, fields in rules.items():
                own = self._rules.setdefault(name, {}) if isinstance(fields, dict) else {}
                self._homes.setdefault(name, file)
                self._take(own, file, f"rules.{name}", fields, tuple(self._parsers))
        parsed = {field: self._parsed(found, self._parsers[field]) for field, found in self._defaults.items()}
        self._inherited = {field: value for field, value in parsed.items() if value is not None}

    def names(self) -> list[str]:
        """Return the names of all rules, the default playbook's first."""
        return list(self._rules)

    def rule(self, name: str) -> Rule | None:
        """Return a rule, None where it has mistakes."""
        before = len(self._mistakes)
        own = self._rules[name]
        if _NAME.fullmatch(name) is None:
            self._note(_Found(self._homes[name], f"rules.{name}", name), "name rules in lower case: my-rule")
        for field in _REQUIRED:
            if field not in own:
                self._note(_Found(self._homes[name], f"rules.{name}.{field}", "(missing)"), f"write {_EXAMPLES[field]}")
        values = {field: self._parsed(found, self._parsers[field]) for field, found in own.items()}
        self._check_variables(own, values)
        if len(self._mistakes) > before:
            return None
        rule = _rule(name, {**self._inherited, **values})
        self._check_waits(name, rule, own)
        self._check_digest(name, rule, own)
        self._check_lane(name, rule, own)
        return rule

    def _check_variables(self, own: Mapping[str, _Found], values: Mapping[str, Any]) -> None:
        """Refuse variables that the rule's event does not have: they would be silently empty for ever."""
        if not isinstance(values.get("on"), str):
            return
        known = {variable.name: variable.sample for variable in variables_of(values["on"])}
        advice = f"use a variable of {values['on']}: {', '.join(sorted(known))}"
        for condition in values.get("when") or ():
            if not _reaches(condition.path, known):
                self._note(_Found(own["when"].file, own["when"].key, condition.text), advice)
        throttle = values.get("throttle")
        keys = {"collapse": values.get("collapse") or "", "throttle": throttle.key if throttle is not None else ""}
        for field, key in keys.items():
            for name in _PLACEHOLDER.findall(key):
                if name not in known:
                    self._note(_Found(own[field].file, own[field].key, f"{{{name}}}"), advice)

    def _check_waits(self, name: str, rule: Rule, own: Mapping[str, _Found]) -> None:
        gathering_s = (rule.digest_s or 0) * len(rule.ladder)
        if rule.expires_s is not None and gathering_s + sum(step.after_s for step in rule.ladder) >= rule.expires_s:
            found = own.get("digest") or own.get("expires") or own.get("ladder") or self._defaults.get("expires")
            if found is not None:
                here = _Found(found.file, f"rules.{name}.expires", f"{rule.expires_s}s")
                self._note(here, "write more than the waits and digests of the ladder, or its last step never comes")

    def _check_lane(self, name: str, rule: Rule, own: Mapping[str, _Found]) -> None:
        if rule.category == MARKETING and rule.lane is not Lane.MARKETING:
            found = own.get("lane") or own["category"]
            here = _Found(found.file, f"rules.{name}.lane", rule.lane.value)
            self._note(here, f"write {Lane.MARKETING}: promotion goes out only with consent")

    def _check_digest(self, name: str, rule: Rule, own: Mapping[str, _Found]) -> None:
        if rule.digest_s is not None and rule.lane is Lane.CRITICAL:
            found = own["digest"]
            self._note(
                _Found(found.file, f"rules.{name}.digest", found.value), "leave it out: what is critical goes alone"
            )
        if rule.digest_s is not None and rule.throttle is not None:
            throttled = own["throttle"]
            advice = "leave it out: what gathers in a digest goes out as one message"
            self._note(_Found(throttled.file, f"rules.{name}.throttle", throttled.value), advice)

    def _take(self, into: dict[str, _Found], file: str, key: str, fields: object, allowed: tuple[str, ...]) -> None:
        if not isinstance(fields, dict):
            self._note(_Found(file, key, fields), f"write a table: [{key}]")
            return
        self._only(file, f"{key}.", fields, allowed)
        into.update({name: _Found(file, f"{key}.{name}", fields[name]) for name in fields if name in allowed})

    def _only(self, file: str, prefix: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
        for name in table:
            if name not in allowed:
                self._note(_Found(file, prefix + name, table[name]), f"no such key; there are: {', '.join(allowed)}")

    def _parsed(self, found: _Found, parse: Callable[[Any], Any]) -> Any:
        try:
            return parse(found.value)
        except ValueError as error:
            self._note(found, str(error))
            return None

    def _note(self, found: _Found, advice: str) -> None:
        self._mistakes.append(Mistake(found.file, found.key, _shown(found.value), advice))


def _rule(name: str, values: Mapping[str, Any]) -> Rule:
    fields = {_IN_SECONDS.get(field, field): value for field, value in values.items()}
    throttle = fields.get("throttle")
    if throttle is not None and not throttle.key:
        fields["throttle"] = msgspec.structs.replace(throttle, key=name)
    return Rule(name=RuleName(name), **fields)


def _reaches(path: tuple[str, ...], known: Mapping[str, Any]) -> bool:
    value: Any = known
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("write a text in quotes")  # noqa: TRY004 - a mistake in a file, not a bug
    return value


def _event_type(value: object) -> str:
    if _text(value) not in PAYLOADS or not variables_of(_text(value)):
        notifying = [name for name in PAYLOADS if name.partition(".")[0] in FAMILIES]
        raise ValueError(f"write one of {', '.join(notifying)}")
    return _text(value)


def _name(value: object) -> str:
    if _NAME.fullmatch(_text(value)) is None:
        raise ValueError("write a name in lower case: my-name")
    return _text(value)


def _template(value: object) -> TemplateName:
    return TemplateName(_name(value))


def _audience(value: object) -> Audience:
    return Audience(_one_of(value, tuple(Audience)))


def _lane(value: object) -> Lane:
    return Lane(_one_of(value, tuple(Lane)))


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"write one of {', '.join(allowed)}")
    return _text(value)


def _conditions(value: object) -> tuple[Condition, ...]:
    if not isinstance(value, list):
        raise ValueError('write a list of conditions: ["total.amount_minor >= 10000"]')  # noqa: TRY004 - as in _text
    return tuple(conditions.parse(_text(text)) for text in value)


def _ladder(value: object, *, channels: Sequence[Channel]) -> tuple[Step, ...]:
    if not isinstance(value, list) or len(value) > MAX_STEPS:
        raise ValueError(f'write a list of at most {MAX_STEPS} steps: [{{ channel = "email", after = "60s" }}]')
    return tuple(_step(step, channels) for step in value)


def _step(value: object, channels: Sequence[Channel]) -> Step:
    if not isinstance(value, dict) or "channel" not in value or value.keys() - {"channel", "after"}:
        raise ValueError('write a step as { channel = "email", after = "60s" }')
    outside = tuple(channel for channel in channels if channel != INBOX)
    channel = Channel(_one_of(value["channel"], outside))
    return Step(channel, float(parse_duration(_text(value.get("after", "0s")))))


def _expiry(value: object) -> int | None:
    if value == _NEVER:
        return None
    seconds = parse_duration(_text(value))
    if seconds == 0:
        raise ValueError(f'write a duration above zero, or "{_NEVER}"')
    return seconds


def _digest(value: object) -> int | None:
    if value == _NEVER:
        return None
    seconds = parse_duration(_text(value))
    if not 0 < seconds <= MAX_DIGEST_S:
        raise ValueError(f'write a duration above zero of at most {MAX_DIGEST_S // 86_400}d, or "{_NEVER}"')
    return seconds


def _collapse(value: object) -> str:
    text = _text(value)
    if not text or "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        raise ValueError('write a key with variables in braces: "eta:{shipment_id}"')
    return text


def _throttle(value: object) -> Throttle:
    """Read a throttle; one without a key gets the rule's name for it."""
    if not isinstance(value, dict) or not {"count", "per"} <= value.keys() <= {"count", "per", "key"}:
        raise ValueError('write { count = 1, per = "1h" }, and if need be key = "price:{product_id}"')
    count, window_s = value["count"], parse_duration(_text(value["per"]))
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_THROTTLE:
        raise ValueError(f"write a count from 1 to {MAX_THROTTLE}")
    if window_s == 0:
        raise ValueError("write a duration above zero")
    return Throttle(_collapse(value["key"]) if "key" in value else "", count, window_s)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")  # noqa: TRY004 - as in _text
    return value


_IN_SECONDS = {"expires": "expires_s", "digest": "digest_s"}
"""What a field is called once it is a number of seconds."""
_PARSERS: dict[str, Callable[[object], Any]] = {
    "on": _event_type,
    "when": _conditions,
    "to": _audience,
    "category": _name,
    "lane": _lane,
    "template": _template,
    "expires": _expiry,
    "collapse": _collapse,
    "throttle": _throttle,
    "digest": _digest,
    "enabled": _switch,
}
_EXAMPLES = {
    "on": 'the type of event: on = "order.packed"',
    "category": 'what people switch on and off: category = "orders"',
    "template": 'the name of a template: template = "order-packed"',
}
