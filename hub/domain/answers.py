"""What people answer to a text: the words that end texts to a number and let them go on. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

SOURCE = "sms STOP"
ANSWERED_STOP = "the person has answered STOP"
"""The reason of a suppression by which a number's stop is known again."""
_WORDING_MAX = 40
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "YES", "UNSTOP"})


class Answer(StrEnum):
    """What an answer asks for."""

    STOP = "stop"
    START = "start"


class Stop(msgspec.Struct, frozen=True):
    """A person's own word that a channel is to be left alone, until they take it back in the same way.

    `at_ms` is 0 and `wording` empty where they are not known.
    """

    source: str
    at_ms: int
    wording: str = ""


def answer_in(text: str, *, understood: str = "") -> Answer | None:
    """Return what an answer asks for; `understood` is what the provider takes it for, which goes before the text."""
    word = (understood or text).strip().strip(".!").upper()
    if word in _STOP:
        return Answer.STOP
    return Answer.START if word in _START else None


def wording_of(text: str) -> str:
    """Return as much of an answer as is kept of it."""
    return " ".join(text.split())[:_WORDING_MAX]


def stop_of(reason: str, *, at_ms: int, wording: str) -> Stop | None:
    """Return the stop that a suppression for this reason is, None where the person has said nothing."""
    return Stop(SOURCE, at_ms, wording) if reason.startswith(ANSWERED_STOP) else None


def told(stop: Stop) -> str:
    """Return a stop as the reason why something was not sent."""
    said = f" ({stop.wording})" if stop.wording else ""
    at = datetime.fromtimestamp(stop.at_ms / 1_000, UTC)
    return f"{ANSWERED_STOP}{said}{f' on {at:%Y-%m-%d at %H:%M:%S} UTC' if stop.at_ms else ''}"
