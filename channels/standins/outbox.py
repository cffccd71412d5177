"""The outbox of a stand-in: the mails it took, in memory, and an HTTP listing of them for the demo's page.

`GET /outbox` gives `{"messages": [{id, to, from, subject, text, received_ms, message_id}]}`, newest first (`?to=` picks
one recipient's); `GET /outbox/<id>` one mail with its HTML and headers; `GET /outbox/<id>/html` the HTML alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
from aiohttp import web

MAILS_MAX = 1_000
LISTED_MAX = 100
# A mail's HTML is shown in a frame: no scripts, no requests, no matter what is in it.
_HTML_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


class Taken(msgspec.Struct, frozen=True):
    """A mail as it was handed over: the envelope and the bytes."""

    id: str
    received_ms: int
    sender: str
    recipients: tuple[str, ...]
    content: bytes

    def parsed(self) -> EmailMessage:
        """Return the message as a mail program would read it."""
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - what policy.default makes.
        return message


class Outbox:
    """The newest mails, up to `mails_max`; older ones are forgotten. `total` counts all that were ever taken."""

    def __init__(self, *, mails_max: int = MAILS_MAX) -> None:
        self._mails: deque[Taken] = deque(maxlen=mails_max)
        self.total = 0

    def take(self, *, sender: str, recipients: tuple[str, ...], content: bytes, at_ms: int) -> Taken:
        """Keep a mail."""
        self.total += 1
        mail = Taken(str(self.total), at_ms, sender, recipients, content)
        self._mails.append(mail)
        return mail

    def mails(self, recipient: str = "") -> list[Taken]:
        """Return the kept mails, oldest first, all or those for one recipient."""
        return [mail for mail in self._mails if not recipient or recipient in mail.recipients]

    def find(self, mail_id: str) -> Taken | None:
        """Return one mail, None where it is not kept (any more)."""
        return next((mail for mail in self._mails if mail.id == mail_id), None)

    def clear(self) -> None:
        """Forget all mails; `total` goes on counting."""
        self._mails.clear()


def application(outbox: Outbox) -> web.Application:
    """Return a server of an outbox's listing alone."""
    app = web.Application()
    app.add_routes(routes(outbox))
    return app


def routes(outbox: Outbox) -> Iterable[web.RouteDef]:
    """Return the HTTP listing of an outbox."""

    async def listing(request: web.Request) -> web.Response:
        newest_first = outbox.mails(request.query.get("to", ""))[: -LISTED_MAX - 1 : -1]
        return web.json_response({"messages": [_summary(mail) for mail in newest_first], "total": outbox.total})

    async def one(request: web.Request) -> web.Response:
        mail = _found(outbox, request)
        headers = [[name, str(value)] for name, value in mail.parsed().items()]
        return web.json_response({**_summary(mail), "html": _part(mail, "html"), "headers": headers})

    async def html(request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": _HTML_POLICY}
        return web.Response(text=_part(_found(outbox, request), "html"), content_type="text/html", headers=headers)

    return web.get("/outbox", listing), web.get("/outbox/{id}", one), web.get("/outbox/{id}/html", html)


def _found(outbox: Outbox, request: web.Request) -> Taken:
    mail = outbox.find(request.match_info["id"])
    if mail is None:
        raise web.HTTPNotFound(text="No such mail, or it is too old.")
    return mail


def _summary(mail: Taken) -> dict[str, object]:
    message = mail.parsed()
    return {
        "id": mail.id,
        "received_ms": mail.received_ms,
        "from": str(message["From"]),
        "to": list(mail.recipients),
        "subject": str(message["Subject"]),
        "message_id": str(message["Message-ID"]),
        "text": _part(mail, "plain"),
    }


def _part(mail: Taken, subtype: str) -> str:
    part = mail.parsed().get_body((subtype,))
    return str(part.get_content()) if part is not None else ""
