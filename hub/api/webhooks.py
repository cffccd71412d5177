"""What providers call back: `POST /v1/webhooks/twilio/<account>` for answers, with a receipt behind it for statuses.

Twilio signs the public URL and every parameter with the account's token (twilio.com/docs/usage/security): a call
without a good signature is refused, whatever else is right about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from twilio.request_validator import RequestValidator

from hub.observe import WEBHOOKS
from hub.service.feedback.sms_receipts import SmsReceipts

TWILIO_PATH = "/v1/webhooks/twilio"
_SIGNATURE = "X-Twilio-Signature"
_NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def twilio_routes(tokens: Mapping[str, str], *, public_url: str, receipts: SmsReceipts) -> Iterable[web.RouteDef]:
    """Return the routes for the accounts whose auth tokens these are, by name."""
    validators = {name: RequestValidator(token) for name, token in tokens.items()}

    async def checked(request: web.Request) -> Mapping[str, Any]:
        validator = validators.get(request.match_info["account"])
        form = await request.post()
        url = f"{public_url.rstrip('/')}{request.path_qs}"
        # The validator cannot take None for a signature that is not there.
        if validator is None or not validator.validate(url, form, request.headers.get(_SIGNATURE, "")):
            WEBHOOKS.labels("twilio", "refused").inc()
            raise web.HTTPForbidden(text="The signature is not good.")
        return form

    async def status(request: web.Request) -> web.Response:
        form = await checked(request)
        known = await receipts.status(
            request.match_info["receipt"],
            status=str(form.get("MessageStatus", "")),
            code=_number(str(form.get("ErrorCode", ""))),
            number=str(form.get("To", "")),
        )
        WEBHOOKS.labels("twilio", "taken" if known else "unknown").inc()
        # What we do not know (any more) is no reason to be told again.
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def answer(request: web.Request) -> web.Response:
        form = await checked(request)
        number, text = str(form.get("From", "")), str(form.get("Body", ""))
        await receipts.answered(number, text=text, wish=str(form.get("OptOutType", "")))
        WEBHOOKS.labels("twilio", "taken").inc()
        return web.Response(text=_NO_ANSWER, content_type="text/xml")

    yield web.post(TWILIO_PATH + "/{account}/{receipt}", status)
    yield web.post(TWILIO_PATH + "/{account}", answer)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None
