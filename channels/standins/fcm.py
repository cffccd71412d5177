"""Firebase Cloud Messaging on loopback: `POST /v1/projects/<project>/messages:send`, as its HTTP v1 API has it.

What it took is in `taken`, in memory, and in `GET /pushes` for the demonstration. It fails when told to.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from channels.standins.http_script import Drop, HttpFault, HttpScript, conduct, hang_up
from channels.standins.loopback import LoopbackServer

PUSHES_MAX = 1_000
LISTED_MAX = 100
PAYLOAD_MAX_BYTES = 4_096


class Push(msgspec.Struct, frozen=True):
    """A message as it was handed over; `to` is the registration."""

    id: str
    received_ms: int
    to: str
    message: dict[str, Any]


def fcm_error(status: int, code: str, detail: str = "", *, retry_after_s: float | None = None) -> HttpFault:
    """Return the answer FCM gives: `code` as in google.rpc.Code, `detail` as in FcmError."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": detail}] if detail else []
    error = {"code": status, "message": f"{code} {detail}".strip(), "status": code, "details": details}
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    return HttpFault(status, json.dumps({"error": error}).encode(), headers)


class FcmStandIn(LoopbackServer):
    """The stand-in. Use it as `async with FcmStandIn() as fcm:`; `fcm.url` is what `push.fcm.endpoint` takes."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.faults = HttpScript()
        self.taken: deque[Push] = deque(maxlen=PUSHES_MAX)
        self.requests = 0
        """Calls that reached it, whatever became of them."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return FCM's route, and the listing."""
        return web.post("/v1/projects/{project}/messages:send", self._send), web.get("/pushes", self._list)

    async def _send(self, request: web.Request) -> web.Response:
        self.requests += 1
        body = await request.json()
        message = body["message"]
        to = message.get("token") or message.get("fid") or ""
        fault = self.faults.strike(to)
        if fault is not None and (answer := await conduct(fault, request)) is not None:
            return answer
        if (refusal := _invalid(message)) is not None:
            return web.Response(status=refusal.status, body=refusal.body, content_type="application/json")
        push = Push(f"{len(self.taken)}-{time.time_ns():x}", time.time_ns() // 1_000_000, to, message)
        self.taken.append(push)
        if fault is not None and fault.drop is Drop.AFTER:
            return hang_up(request)
        return web.json_response({"name": f"projects/{request.match_info['project']}/messages/{push.id}"})

    async def _list(self, _: web.Request) -> web.Response:
        newest_first = [*self.taken][: -LISTED_MAX - 1 : -1]
        return web.json_response({"pushes": [msgspec.to_builtins(push) for push in newest_first]})


def _invalid(message: dict[str, Any]) -> HttpFault | None:
    """Refuse what FCM would: no registration, values that are no texts, more than 4 KiB."""
    payload = {name: part for name, part in message.items() if name not in {"token", "fid"}}
    if not (message.get("token") or message.get("fid")):
        return fcm_error(400, "INVALID_ARGUMENT")
    if not all(isinstance(value, str) for value in message.get("data", {}).values()):
        return fcm_error(400, "INVALID_ARGUMENT")
    if len(json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()) > PAYLOAD_MAX_BYTES:
        return fcm_error(400, "INVALID_ARGUMENT")
    return None
