"""Shape a load by hand, with locust's web pages: shoppers over WebSocket and a service that publishes over HTTP.

`locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --hmac-secret … --service-key …`, then open
http://127.0.0.1:8089. The service places orders for the shoppers of the same process, who report how long it took until
their app showed it. `--hmac-secret` signs their tokens; the environment's DOORBELL_TOKEN__HMAC_SECRET will do as well.
"""

from __future__ import annotations

import itertools
import re
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import gevent
import msgspec
import websocket
from gevent.event import AsyncResult
from locust import FastHttpUser, User, between, constant_throughput, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest.swarm.token import Mint

_TIMEOUT_S = 10.0
_decode = msgspec.json.decode
_PATH = "/connection/websocket"
_ORDER = re.compile(r"load-(\d+)-[0-9a-f]+")
"""Orders of ours; the number is when they were placed, in nanoseconds of this machine's clock."""
_online: set[str] = set()
"""Shoppers of this process who are connected."""


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: Any) -> None:
    parser.add_argument(
        "--hmac-secret",
        env_var="DOORBELL_TOKEN__HMAC_SECRET",
        default="",
        include_in_web_ui=False,
        help="what the hub checks tokens with",
    )
    parser.add_argument(
        "--service-key",
        env_var="DOORBELL_LOAD_SERVICE_KEY",
        default="",
        include_in_web_ui=False,
        help="an API key that may publish events",
    )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _check(environment: Environment, **_: Any) -> None:
    """End at once where something is missing, instead of failing with every user."""
    options: Any = environment.parsed_options
    users = environment.user_classes
    if any(issubclass(each, AppUser) for each in users) and not options.hmac_secret:
        sys.exit("no --hmac-secret: nobody can connect without a token")
    if PublishingService in users and not options.service_key:
        sys.exit("no --service-key: nothing can be published; name only the other users (Shopper) to go without")


def _encode(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


class Line:
    """One WebSocket connection that speaks the Centrifuge client protocol, and what comes in on it."""

    def __init__(self, url: str) -> None:
        """Connect. Raises OSError, websocket.WebSocketException."""
        self._socket = websocket.create_connection(url, timeout=_TIMEOUT_S)
        self._socket.settimeout(None)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, AsyncResult] = {}

    def call(self, command: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return its answer. Raises RefusedError, gevent.Timeout, OSError."""
        number = next(self._numbers)
        self._waiting[number] = AsyncResult()
        self._socket.send(_encode({"id": number, command: request}))
        reply: dict[str, Any] = self._waiting[number].get(timeout=_TIMEOUT_S)
        if "error" in reply:
            raise RefusedError(f"{command}: {reply['error']}")
        answer: dict[str, Any] = reply[command]
        return answer

    def pushes(self) -> Iterator[dict[str, Any]]:
        """Yield what the server says by itself, until the connection ends; answer its pings, hand out its replies."""
        while True:
            for text in str(self._socket.recv()).splitlines():
                message = _decode(text)
                if not message:
                    self._socket.send("{}")
                elif "push" in message:
                    yield message["push"]
                elif (waiting := self._waiting.pop(message.get("id", 0), None)) is not None:
                    waiting.set(message)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class RefusedError(Exception):
    """The hub has answered a command with an error."""


class AppUser(User):
    """Somebody with an app: connects, listens, and calls operations. Each role is a class of its own below."""

    abstract = True
    role: ClassVar[str] = ""

    def on_start(self) -> None:
        """Connect with a token, and listen in the background."""
        self.name = f"{self.role}-{secrets.token_hex(4)}"
        options = self.environment.parsed_options
        token = Mint(options.hmac_secret, claims={"role": self.role})(self.name)
        began_s = time.perf_counter()
        try:
            self.line = Line(_socket_url(self.host or ""))
            self._listener = gevent.spawn(self._listen)
            self.line.call("connect", {"token": token, "name": "locust"})
        except (OSError, websocket.WebSocketException, RefusedError, gevent.Timeout) as error:
            self.fire("connect", began_s, error)
            raise StopUser from error
        self.fire("connect", began_s)

    def on_stop(self) -> None:
        """Hang up."""
        if hasattr(self, "_listener"):
            self._listener.kill()
            self.line.close()

    def rpc(self, method: str, data: dict[str, Any]) -> None:
        """Call an operation, and report how long the answer took."""
        began_s = time.perf_counter()
        try:
            self.line.call("rpc", {"method": method, "data": data})
        except (OSError, websocket.WebSocketException, RefusedError, gevent.Timeout) as error:
            self.fire(method, began_s, error)
        else:
            self.fire(method, began_s)

    def shown(self, push: dict[str, Any]) -> None:
        """Take what the server says by itself."""

    def fire(self, what: str, began_s: float, error: BaseException | None = None) -> None:
        """Report to locust something that began at `began_s` of `time.perf_counter`."""
        self.environment.events.request.fire(
            request_type="WS",
            name=what,
            response_time=(time.perf_counter() - began_s) * 1e3,
            response_length=0,
            exception=error,
        )

    def _listen(self) -> None:
        try:
            for push in self.line.pushes():
                self.shown(push)
        except (OSError, websocket.WebSocketException) as error:
            self.fire("connection", time.perf_counter(), error)


class Shopper(AppUser):
    """A shopper: waits for news, looks at the inbox now and then."""

    role = "shopper"
    weight = 20
    wait_time = between(5, 15)

    def on_start(self) -> None:
        """Connect, and be somebody whom orders can be placed for."""
        super().on_start()
        _online.add(self.name)

    def on_stop(self) -> None:
        """Leave."""
        _online.discard(self.name)
        super().on_stop()

    @task(3)
    def look(self) -> None:
        """Look at the inbox."""
        self.rpc("inbox.list", {"limit": 20})

    @task
    def look_at_unread(self) -> None:
        """Look at what is new only."""
        self.rpc("inbox.list", {"limit": 20, "unread": True})

    def shown(self, push: dict[str, Any]) -> None:
        """Report how long an order took from the service to this app."""
        order = _ORDER.search(str(push.get("pub", "")))
        if order and push.get("channel") == f"inbox:{self.name}":
            self.fire("order to app", int(order[1]) / 1e9)


class PublishingService(FastHttpUser):
    """A service of the shop: places orders for shoppers who are connected."""

    weight = 1
    wait_time = constant_throughput(5)

    @task
    def place_order(self) -> None:
        """Publish `order.placed` for one of the shoppers."""
        if not _online:
            return
        order = f"load-{time.perf_counter_ns()}-{secrets.token_hex(4)}"
        headers = {
            "Authorization": f"Bearer {self.environment.parsed_options.service_key}",
            "Content-Type": "application/cloudevents+json",
        }
        customer = secrets.choice(sorted(_online))
        self.client.post("/v1/events", data=_encode(_placed(order, customer)), headers=headers)


def _placed(order: str, customer: str) -> dict[str, Any]:
    price = {"amount_minor": 1_999, "currency": "EUR"}
    item = {"product_id": "p1", "name": "Lamp", "quantity": 1, "price": price}
    data = {"order_id": order, "customer_id": customer, "total": price, "items": [item]}
    return {"specversion": "1.0", "id": order, "source": "/locust", "type": "order.placed", "data": data}


def _socket_url(host: str) -> str:
    scheme, netloc, path, _, _ = urlsplit(host)
    return urlunsplit(("wss" if scheme == "https" else "ws", netloc, f"{path.rstrip('/')}{_PATH}", "", ""))
