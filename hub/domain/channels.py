"""Channels: the ways to reach a person, by name. Four are Doorbell's own; an installation may register others."""

from __future__ import annotations

from typing import Annotated, NewType

from msgspec import Meta

Channel = NewType("Channel", str)

INBOX = Channel("inbox")
PUSH = Channel("push")
SMS = Channel("sms")
EMAIL = Channel("email")

BUILT_IN = (INBOX, PUSH, SMS, EMAIL)
NAME_PATTERN = r"^[a-z][a-z0-9-]{0,31}\Z"
ChannelName = Annotated[Channel, Meta(pattern=NAME_PATTERN)]
"""A channel as somebody outside names it: whether there is one of that name is for the receiver to check."""
