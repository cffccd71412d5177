"""What a stand-in of a mail relay is told to do wrong, and when.

A fault strikes at one phase of the conversation, the next `times` times (None: always), for recipients that contain
`recipient`. Within its phase it first waits `delay_s`, then answers `reply` instead of what is right, or drops the
connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from channels.standins.faults import Faults


class Phase(StrEnum):
    """The moments of an SMTP conversation at which something can go wrong."""

    BANNER = "banner"
    EHLO = "ehlo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """Before 354: nothing of the mail has been sent."""
    BODY = "body"
    """After 354, while the mail is being sent; only `drop` makes sense."""
    DOT = "dot"
    """After the final dot: `drop` takes the mail and never says so."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong."""

    phase: Phase
    reply: str = ""
    """The whole line, such as `451 4.3.0 try later`; empty: the right answer."""
    delay_s: float = 0.0
    drop: bool = False
    times: int | None = 1
    recipient: str = ""


class FaultScript(Faults[Fault]):
    """The faults to come of a mail relay."""

    @contextmanager
    def during(self, fault: Fault) -> Iterator[None]:
        """Let a fault strike inside a `with` block, and nothing strike after it."""
        self.add(fault)
        try:
            yield
        finally:
            self.clear()

    def strike(self, phase: Phase, recipient: str = "") -> Fault | None:
        """Return the fault for this moment, None where all is well, and count it."""
        return self.first(lambda fault: fault.phase is phase and fault.recipient in recipient)
