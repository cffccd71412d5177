"""Addresses that a mail can go to, and where mails come from."""

from __future__ import annotations

import re
from email.utils import parseaddr

import msgspec

from channels.email.headers import encoded, single_line
from hub.domain.errors import ConfigurationError, Mistake

_LOCAL_PART = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"({_LOCAL_PART})@({_LABEL}(?:\.{_LABEL})*)")
_MAILBOX_MAX = 254
_LOCAL_PART_MAX = 64


class Sender(msgspec.Struct, frozen=True):
    """Where mails come from. `header` is ready for `From:`, `name` (maybe empty) is shown as the shop's."""

    mailbox: str
    header: str
    name: str = ""

    @property
    def domain(self) -> str:
        """The domain of the mailbox, the right side of Message-IDs."""
        return self.mailbox.rpartition("@")[2]


def mailbox(address: str) -> str | None:
    """Return an address in the form SMTP takes (RFC 5321, ASCII; a domain in IDNA), None where it has none.

    Quoted local parts are refused, and so is `=?` in one: a header would show it as an encoded word.
    """
    local_part, _, domain = address.rpartition("@")
    try:
        ascii_address = f"{local_part}@{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return None
    match = _MAILBOX.fullmatch(ascii_address)
    if match is None or len(ascii_address) > _MAILBOX_MAX or len(match[1]) > _LOCAL_PART_MAX or "=?" in match[1]:
        return None
    return ascii_address


def sender(text: str) -> Sender:
    """Read `Name <mailbox>` or a bare mailbox.

    Raises:
        ConfigurationError: it holds no mailbox that mails can come from.
    """
    name, address = parseaddr(text)
    own = mailbox(address)
    if own is None:
        advice = "write a mailbox, or a name and a mailbox: Shop <no-reply@shop.example>"
        raise ConfigurationError([Mistake("settings", "smtp.sender", text, advice)])
    name = single_line(name).replace("\\", "").replace('"', "")
    if not name:
        return Sender(own, own)
    return Sender(own, f'"{name}" <{own}>' if name.isascii() else f"{encoded(name)} <{own}>", name)
