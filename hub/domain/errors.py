"""The error tree: whose fault it is shows in the type.

DoorbellError
├── InputError          the input's fault: names the field; becomes a dead letter or a 4xx
│   └── TooLarge
├── ConfigurationError  the operator's fault: file, key, value and what to write
├── DeliveryError       a provider did not take a message
│   ├── TransientDeliveryError   try again, not before `retry_after_s`
│   ├── PermanentDeliveryError   never try again on this channel
│   └── UnknownDeliveryError     it may have been taken: the channel's policy decides
└── StoreUnavailable    Redis cannot be reached or refuses writes: wait, lose nothing

The peer's fault on a socket has its own tree, with codes, in `hub.protocol.codes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class DoorbellError(Exception):
    """Anything Doorbell raises on purpose."""


class InputError(DoorbellError):
    """An input breaks its contract. `field` is a path such as `data.total.currency`, or a header's name."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class TooLarge(InputError):
    """An input is larger than the bound on it, in bytes."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong in the configuration or the playbook."""

    file: str
    key: str
    value: str
    advice: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key} = {self.value}: {self.advice}"


class ConfigurationError(DoorbellError):
    """The configuration or the playbook has mistakes; `mistakes` lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class DeliveryError(DoorbellError):
    """A provider did not take a message."""


class TransientDeliveryError(DeliveryError):
    """The provider may take it later; `retry_after_s` is its own wish, None where it has none.

    `provider_down`: it takes nothing from us at present, whatever the message.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None, *, provider_down: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.provider_down = provider_down


class PermanentDeliveryError(DeliveryError):
    """The provider will never take it. `suppress` says that the address itself is bad."""

    def __init__(self, reason: str, *, suppress: bool = False) -> None:
        super().__init__(reason)
        self.suppress = suppress


class UnknownDeliveryError(DeliveryError):
    """The connection failed where the provider may already have taken the message."""


class StoreUnavailable(DoorbellError):
    """Redis cannot be reached or refuses writes."""
