"""Twilio's Programmable Messaging on loopback: `POST /2010-04-01/Accounts/<sid>/Messages.json`, form and Basic auth.

What it took is in `taken`, in memory, and in `GET /texts` for the demonstration. It fails when told to, and reports the
fate of a message to its status callback, signed as Twilio does: when asked to (`report`), or each of `fates` by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType

import aiohttp
import msgspec
from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.standins.account import ACCOUNT_SID, AUTH_TOKEN
from channels.standins.http_script import Drop, HttpFault, HttpScript, conduct, hang_up
from channels.standins.loopback import LoopbackServer

TEXTS_MAX = 1_000
LISTED_MAX = 100
_CALLBACK_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


class SentText(msgspec.Struct, frozen=True):
    """A text as it was handed over."""

    id: str
    received_ms: int
    to: str
    sender: str
    body: str
    callback: str
    validity_s: int


def twilio_error(status: int, code: int, *, retry_after_s: float | None = None) -> HttpFault:
    """Return the answer that Twilio gives for an error."""
    body = {"code": code, "message": "as told", "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    return HttpFault(status, json.dumps({**body, "status": status}).encode(), headers)


class TwilioStandIn(LoopbackServer):
    """The stand-in. Use it as `async with TwilioStandIn() as twilio:`; `twilio.url` is an account's `endpoint`."""

    def __init__(
        self,
        *,
        port: int = 0,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        fates: tuple[str, ...] = (),
    ) -> None:
        """Take `fates`: the statuses that the callback of each text is told, in order."""
        super().__init__(port=port)
        self.faults = HttpScript()
        self.taken: deque[SentText] = deque(maxlen=TEXTS_MAX)
        self.requests = 0
        self.account_sid = account_sid
        self.auth_token = auth_token
        self._fates = fates
        self._reports: set[asyncio.Task[None]] = set()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self.fall_silent()

    async def fall_silent(self) -> None:
        """Give up the reports that are under way."""
        for report in (reports := tuple(self._reports)):
            report.cancel()
        await asyncio.gather(*reports, return_exceptions=True)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return Twilio's route, and the listing."""
        return web.post("/2010-04-01/Accounts/{sid}/Messages.json", self._send), web.get("/texts", self._list)

    async def report(self, text: SentText, status: str, *, code: int | None = None) -> int:
        """Tell the status callback of a text what became of it; return the HTTP status of the answer."""
        form = {"MessageSid": text.id, "MessageStatus": status, "To": text.to, "AccountSid": self.account_sid}
        if code is not None:
            form["ErrorCode"] = str(code)
        return await self.call(text.callback, form)

    async def call(self, url: str, form: dict[str, str]) -> int:
        """Call a webhook with a good signature; return the HTTP status of the answer."""
        signature = RequestValidator(self.auth_token).compute_signature(url, form)
        async with (
            aiohttp.ClientSession(timeout=_CALLBACK_TIMEOUT) as session,
            session.post(url, data=form, headers={"X-Twilio-Signature": signature}) as answer,
        ):
            return answer.status

    async def _send(self, request: web.Request) -> web.Response:
        self.requests += 1
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(self.account_sid, self.auth_token):
            return web.Response(status=401, body=twilio_error(401, 20_003).body, content_type="application/json")
        form = await request.post()
        to = str(form.get("To", ""))
        fault = self.faults.strike(to)
        if fault is not None and (answer := await conduct(fault, request)) is not None:
            return answer
        text = SentText(
            id=f"SM{secrets.token_hex(16)}",
            received_ms=time.time_ns() // 1_000_000,
            to=to,
            sender=str(form.get("From") or form.get("MessagingServiceSid", "")),
            body=str(form.get("Body", "")),
            callback=str(form.get("StatusCallback", "")),
            validity_s=int(str(form.get("ValidityPeriod", "0"))),
        )
        self.taken.append(text)
        if text.callback and self._fates:
            self._reports.add(report := asyncio.create_task(self._report_all(text)))
            report.add_done_callback(self._reports.discard)
        if fault is not None and fault.drop is Drop.AFTER:
            return hang_up(request)
        return web.json_response({"sid": text.id, "status": "queued", "to": to, "body": text.body}, status=201)

    async def _report_all(self, text: SentText) -> None:
        # Who does not answer is not asked again: Twilio's own retries are no part of this.
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            for status in self._fates:
                await self.report(text, status)

    async def _list(self, _: web.Request) -> web.Response:
        newest_first = [*self.taken][: -LISTED_MAX - 1 : -1]
        return web.json_response({"texts": [msgspec.to_builtins(text) for text in newest_first]})
