"""The hub over HTTP, as a backend and as a shopper's app talk to it."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from channels.standins.account import AUTH_TOKEN
from hub.api.webhooks import TWILIO_PATH

TIMEOUT_S = 10.0


def ask(port: int, method: str, path: str, *, body: object = None, headers: dict[str, str] | None = None) -> Any:
    """Send a request to a hub on loopback and return the JSON of its answer, which must be a success."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        response = connection.getresponse()
        answer = response.read().decode()
    finally:
        connection.close()
    assert response.status < HTTPStatus.BAD_REQUEST, f"{method} {path}: {response.status} {answer}"
    return json.loads(answer)


class Hub:
    """The hub of a running demonstration."""

    def __init__(self, port: int) -> None:
        self._port = port

    def publish(self, event_type: str, /, **data: Any) -> None:
        """Publish an event as a backend."""
        event = {
            "specversion": "1.0",
            "id": secrets.token_hex(8),
            "source": "/tests/browser",
            "type": event_type,
            "time": datetime.now(UTC).isoformat(),
            "data": data,
        }
        self._post("/v1/events", event, as_whom={"role": "service"}, media_type="application/cloudevents+json")

    def publish_on(self, topic: str, data: object) -> None:
        """Publish data of a backend's own on a topic of its own."""
        self._post("/v1/topics/publish", {"channel": topic, "data": data}, as_whom={"role": "service"})

    def disconnect(self, user: str, *, code: int, reason: str) -> None:
        """Close a person's connections as a backend does."""
        wish = {"user": user, "disconnect": {"code": code, "reason": reason}}
        self._post("/v1/users/disconnect", wish, as_whom={"role": "service"})

    def place_order(self, customer: str) -> str:
        """Publish that a person has placed an order; return its id."""
        order = f"T-{secrets.token_hex(4)}"
        price = {"amount_minor": 6400, "currency": "EUR"}
        lamp = {"product_id": "porch-lamp", "name": "Porch lamp", "quantity": 1, "price": price}
        self.publish("order.placed", order_id=order, customer_id=customer, total=price, items=[lamp])
        return order

    def empty_inbox(self, user: str) -> None:
        """Archive everything a person has."""
        self._post("/v1/inbox/archive", {"all": True}, as_whom={"user": user})

    def preferences(self, user: str) -> dict[str, Any]:
        """Return what a person wants to be told."""
        headers = {"Authorization": f"Bearer {self.token({'user': user})}"}
        told: dict[str, Any] = ask(self._port, "GET", "/v1/preferences", headers=headers)
        return told

    def forget_preferences(self, user: str) -> None:
        """Take back what a person has said; of consent, no is all that can be said."""
        known = self.preferences(user)
        back = {
            "switches": {category: dict.fromkeys(row) for category, row in known["switches"].items()},
            "quiet_hours": None,
            "snoozed_until_ms": None,
            "consent": {channel: {"granted": False} for channel in known["consent"]},
        }
        self._post("/v1/preferences", back, as_whom={"user": user})

    def answer_text(self, number: str, text: str) -> None:
        """Answer a text from a number, as the provider tells it."""
        path, form = f"{TWILIO_PATH}/twilio", {"From": number, "Body": text}
        signature = RequestValidator(AUTH_TOKEN).compute_signature(f"http://127.0.0.1:{self._port}{path}", form)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)) as connection:
            connection.request("POST", path, urlencode(form), headers)
            assert connection.getresponse().status == HTTPStatus.OK

    def register_device(self, user: str, *, app: str) -> None:
        """Register a phone of a person."""
        device = {"kind": "token", "registration": secrets.token_hex(8), "platform": "android", "app": app}
        self._post("/v1/devices", device, as_whom={"user": user})

    def mails_to(self, address: str, *, about: str) -> list[dict[str, Any]]:
        """Return the mails to an address that name `about`."""
        mails: list[dict[str, Any]] = ask(self._port, "GET", "/demo/outbox")["messages"]
        return [mail for mail in mails if address in mail["to"] and about in mail["text"]]

    def token(self, who: dict[str, str]) -> str:
        """Sign in."""
        return str(ask(self._port, "POST", "/demo/session", body=who)["token"])

    def _post(self, path: str, body: object, *, as_whom: dict[str, str], media_type: str = "application/json") -> None:
        headers = {"Authorization": f"Bearer {self.token(as_whom)}", "Content-Type": media_type}
        ask(self._port, "POST", path, body=body, headers=headers)
