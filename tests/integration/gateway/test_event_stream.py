"""Event streams as a raw client sees them: requests, events, resuming, refusals and abuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from hub.domain.directives import DisconnectUser, SubscribeUser, Whose
from hub.domain.ids import Topic, UserId
from tests.integration.gateway.stage import PATIENCE_S, PING_S, Running, Start, until

PATH = "/connection/uni_sse"
LOG = Topic("log:1")


class Stream:
    """A client of an event stream: the answer's status and fields, and its events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.fields: dict[str, str] = {}
        self.last_id = ""
        self.retry_ms = 0

    async def begin(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        self.status = int(first.split()[1])
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}

    async def event(self) -> Any:
        """Return the data of the next event, by the rules of the standard."""
        data: list[str] = []
        while True:
            async with asyncio.timeout(PATIENCE_S):
                line = (await self.reader.readline()).decode()
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(":")
            match name:
                case "":
                    if data:
                        return json.loads("\n".join(data))
                case "data":
                    data.append(value.removeprefix(" "))
                case "id":
                    self.last_id = value.removeprefix(" ")
                case "retry":
                    self.retry_ms = int(value)

    async def publications(self, count: int) -> list[Any]:
        return [(await self.event())["pub"]["data"] for _ in range(count)]

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


@asynccontextmanager
async def asking(worker: Running, request: bytes) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port, limit=2**20)
    try:
        writer.write(request)
        stream = Stream(reader, writer)
        await stream.begin()
        yield stream
    finally:
        writer.close()


def get(connect: Any, *fields: str, browser: bool = True) -> bytes:
    lines = [
        f"GET {PATH}?cf_connect={quote(json.dumps(connect))} HTTP/1.1",
        "Host: 127.0.0.1",
        *(("Accept: text/event-stream",) if browser else ()),
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def post(body: bytes, *fields: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ann(*topics: str) -> dict[str, Any]:
    return {"token": "ann", "subs": {topic: {} for topic in topics}}


# What a stream tells


async def test_a_browser_is_told_what_it_is_subscribed_to_first(worker: Running) -> None:
    async with asking(worker, get(ann(LOG))) as stream:
        connect = (await stream.event())["connect"]
        assert stream.status == 200
        assert stream.fields["content-type"] == "text/event-stream"
        assert (stream.fields["cache-control"], stream.fields["x-accel-buffering"]) == ("no-store", "no")
        assert set(connect["subs"]) == {"inbox:ann", "announcements", LOG}
        assert (connect["ping"], connect["pong"], 500 <= stream.retry_ms <= 3_000) == (300, False, True)


async def test_publications_follow_one_an_event(worker: Running) -> None:
    async with asking(worker, get(ann(LOG))) as stream:
        await stream.event()
        await worker.publish("inbox:ann", {"n": 1})
        assert await stream.event() == {"channel": "inbox:ann", "pub": {"data": {"n": 1}, "offset": 1}}
        await worker.publish(LOG, "two\r\nlines")
        assert await stream.event() == {"channel": LOG, "pub": {"data": "two\r\nlines", "offset": 1}}


async def test_json_written_over_several_lines_is_one_event(worker: Running) -> None:
    async with asking(worker, get(ann())) as stream:
        await stream.event()
        await worker.publish_raw("inbox:ann", b'{\r\n "a":\r1,\n"b": 2}')
        assert (await stream.event())["pub"]["data"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("way", ["body", "header"])
async def test_a_stream_can_be_asked_for_by_post(worker: Running, way: str) -> None:
    request = {
        "body": post(b'{"token":"ann"}'),
        "header": post(b"", "Authorization: Bearer ann"),
    }[way]
    async with asking(worker, request) as stream:
        assert "inbox:ann" in (await stream.event())["connect"]["subs"]


async def test_the_value_of_a_latest_topic_comes_with_the_connect_push(worker: Running) -> None:
    await worker.publish("price:p", 10, rank=1)
    async with asking(worker, get(ann("price:p"))) as stream:
        sub = (await stream.event())["connect"]["subs"]["price:p"]
        assert [each["data"] for each in sub["publications"]] == [10]
        await worker.publish("price:p", 12, rank=2)
        assert await stream.publications(1) == [12]


async def test_a_topic_that_one_may_not_see_is_told_about(worker: Running) -> None:
    async with asking(worker, get(ann(LOG, "order:A-bob", "nowhere:1"))) as stream:
        assert set((await stream.event())["connect"]["subs"]) == {"inbox:ann", "announcements", LOG}
        told = sorted([await stream.event(), await stream.event()], key=lambda each: str(each["channel"]))
        assert [(each["channel"], each["unsubscribe"]["code"]) for each in told] == [
            ("nowhere:1", 102),
            ("order:A-bob", 103),
        ]


async def test_pings_are_comments(worker: Running) -> None:
    async with asking(worker, get(ann())) as stream:
        await stream.event()
        for _ in range(2):
            worker.hands.forward(PING_S)
            async with asyncio.timeout(PATIENCE_S):
                assert await stream.reader.readuntil(b"\n\n") == b":\n\n"


async def test_directives_reach_streams_too(worker: Running) -> None:
    whose = Whose(UserId("ann"))
    async with asking(worker, get(ann())) as stream:
        await stream.event()
        await worker.publish(LOG, "before")
        await worker.tell(SubscribeUser(whose, LOG))
        assert (await stream.event())["subscribe"]["offset"] == 1
        await worker.tell(DisconnectUser(whose, 4_501, "signed out"))
        assert await stream.event() == {"disconnect": {"code": 4_501, "reason": "signed out"}}
        assert stream.retry_ms > 3_600_000
        assert await stream.rest() == b""


async def test_draining_tells_browsers_when_to_come_again(start: Start) -> None:
    worker = await start(drain_s=0.3)
    async with asking(worker, get(ann())) as stream:
        await stream.event()
        stream.retry_ms = 0
        draining = asyncio.create_task(worker.gateway.drain())
        assert await stream.event() == {"disconnect": {"code": 3001, "reason": "shutdown"}}
        assert 500 <= stream.retry_ms <= 3_000
        assert await stream.rest() == b""
        stream.writer.close()
        async with asking(worker, get(ann())) as late:
            assert (await late.event())["disconnect"]["code"] == 3001
        await draining


async def test_a_token_that_ends_ends_the_stream(worker: Running) -> None:
    async with asking(worker, get({"token": f"ann@{worker.hands.in_s(1)}"})) as stream:
        assert (await stream.event())["connect"]["expires"] is True
        worker.hands.forward(4)
        assert (await stream.event())["disconnect"]["code"] == 3005


# Resuming


async def test_a_stream_resumes_without_hole_or_double(worker: Running) -> None:
    async with asking(worker, get(ann(LOG))) as stream:
        await stream.event()
        for number in range(3):
            await worker.publish(LOG, number)
        assert await stream.publications(2) == [0, 1]
    for number in range(3, 6):
        await worker.publish(LOG, number)
    await worker.publish("inbox:ann", "mail")
    async with asking(worker, get(ann(LOG), f"Last-Event-ID: {stream.last_id}")) as again:
        subs = (await again.event())["connect"]["subs"]
        assert [each["data"] for each in subs[LOG]["publications"]] == [2, 3, 4, 5]
        assert [each["data"] for each in subs["inbox:ann"]["publications"]] == ["mail"]
        assert (subs[LOG]["recovered"], subs["inbox:ann"]["recovered"]) == (True, True)
        await worker.publish(LOG, 6)
        assert await again.publications(1) == [6]


async def test_every_event_is_a_place_to_resume_from(worker: Running) -> None:
    places: list[str] = []
    async with asking(worker, get(ann(LOG))) as stream:
        await stream.event()
        for number in range(6):
            await worker.publish(LOG if number % 2 else "inbox:ann", number)
            await stream.event()
            places.append(stream.last_id)
    for number, place in enumerate(places):
        async with asking(worker, get(ann(LOG), f"Last-Event-ID: {place}")) as again:
            subs = (await again.event())["connect"]["subs"]
            missed = [each["data"] for name in (LOG, "inbox:ann") for each in subs[name].get("publications", ())]
            assert sorted(missed) == [*range(number + 1, 6)]


async def test_who_missed_more_than_is_kept_is_told(worker: Running) -> None:
    async with asking(worker, get(ann(LOG))) as stream:
        await stream.event()
        await worker.publish(LOG, 0)
        await stream.event()
    await worker.topics.forget(LOG)
    await worker.publish(LOG, 1)
    await worker.publish(LOG, 2)
    await worker.topics.forget(LOG)
    async with asking(worker, get(ann(LOG), f"Last-Event-ID: {stream.last_id}")) as again:
        sub = (await again.event())["connect"]["subs"][LOG]
        assert (sub["was_recovering"], sub.get("recovered")) == (True, None)


async def test_positions_may_come_in_the_request_as_well(worker: Running) -> None:
    for number in range(3):
        await worker.publish(LOG, number)
    epoch = (await worker.topics.positions([LOG]))[0].epoch
    subs = {LOG: {"recover": True, "epoch": epoch, "offset": 1}}
    async with asking(worker, get({"token": "ann", "subs": subs})) as stream:
        sub = (await stream.event())["connect"]["subs"][LOG]
        assert [each["data"] for each in sub["publications"]] == [1, 2]


# Who is not let in


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get({"token": "forged"}), 401),
        (get({"token": "expired:ann"}), 401),
        (get({}), 401),
        (get([]), 400),
        (get({"token": 7}), 400),
        (get({"token": "ann", "subs": {"a": 1}}), 400),
        (get(ann(), "Last-Event-ID: nonsense"), 400),
        (get(ann(), "Last-Event-ID: 1~zz.e.1"), 400),
        (get(ann(), f"Last-Event-ID: 1{'~00000000.e.1' * 1_000}"), 400),
        (get({"token": "x" * 20_000}), 431),
        (get(ann(), "Origin: https://evil.example"), 403),
        (get(ann(), "Origin: null"), 403),
        (get(ann(), "Transfer-Encoding: chunked"), 411),
        (get(ann(), "Content-Length: many"), 400),
        (get(ann(), f"Content-Length: {'9' * 5_000}"), 413),
        (post(b"{"), 400),
        (post(b'"x"'), 400),
        (post(b"\xff"), 400),
        (post(b"[" * 60_000), 400),
        (post(b"x" * 70_000), 413),
        (b"DELETE /connection/uni_sse HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /connection/uni_sse?cf_connect=%FF HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /connection/uni_sse?%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a=b&" * 100), 400),
        (b"GET /connection/uni_sse HTTP/1.1\r\nHost: a\r\nBad Field\r\n\r\n", 400),
    ],
)
async def test_a_bad_request_is_refused_with_its_status(worker: Running, request_: bytes, status: int) -> None:
    async with asking(worker, request_) as stream:
        assert stream.status == status
        assert stream.fields.get("content-type", "").startswith("text/plain")
        await stream.rest()
    await until(lambda: worker.gateway.connections == 0)


async def test_a_page_of_an_allowed_origin_may_ask_and_read(start: Start) -> None:
    worker = await start(allowed_origins=("https://shop.example",))
    origin = "Origin: https://shop.example"
    preflight = f"OPTIONS {PATH} HTTP/1.1\r\nHost: a\r\n{origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    async with asking(worker, preflight.encode()) as stream:
        assert stream.status == 204
        assert stream.fields["access-control-allow-origin"] == "https://shop.example"
        assert "Authorization" in stream.fields["access-control-allow-headers"]
    for request in (get(ann(), origin), get({"token": "forged"}, origin)):
        async with asking(worker, request) as stream:
            assert stream.fields["access-control-allow-origin"] == "https://shop.example"


async def test_over_its_budget_a_worker_asks_browsers_and_others_to_come_later(start: Start) -> None:
    worker = await start(accepts_per_second=1)
    async with asking(worker, get(ann())):
        async with asking(worker, get(ann())) as browser:
            assert browser.status == 200
            assert (await browser.event())["disconnect"]["code"] == 3013
            assert 500 <= browser.retry_ms <= 3_000
        async with asking(worker, get(ann(), browser=False)) as other:
            assert (other.status, "retry-after" in other.fields) == (503, True)


async def test_a_body_that_does_not_come_is_not_waited_for(start: Start) -> None:
    worker = await start(handshake_timeout_s=0.3)
    async with asking(worker, post(b"{}")[:-1]) as stream:
        assert stream.status == 408


async def test_whoever_goes_on_talking_is_hung_up_on(worker: Running) -> None:
    async with asking(worker, get(ann())) as stream:
        await stream.event()
        stream.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: worker.gateway.connections == 0)


async def test_a_stream_may_be_asked_for_on_a_connection_that_is_kept_alive(worker: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    stream = Stream(reader, writer)
    await stream.begin()
    assert await reader.readexactly(5) == b"hello"
    request = post(b'{"token":"ann"}')
    writer.write(request[:-9])
    # The rest comes in a read of its own: the HTTP server has begun with the first part.
    http = worker.runner.server
    assert http is not None
    await until(lambda: http.requests_count == 2)
    writer.write(request[-9:])
    await stream.begin()
    assert "connect" in await stream.event()
    await worker.publish("inbox:ann", 1)
    assert await stream.publications(1) == [1]
    writer.close()
    await until(lambda: worker.gateway.connections == 0)


@pytest.mark.parametrize(("size", "status"), [(70_000, 413), (100, 400)])
async def test_a_bad_body_on_a_connection_that_is_kept_alive_is_refused(
    worker: Running, size: int, status: int
) -> None:
    hello = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with asking(worker, hello) as stream:
        assert await stream.reader.readexactly(5) == b"hello"
        stream.writer.write(post(b"x" * size))
        await stream.begin()
        assert stream.status == status


# Slow readers


async def test_a_slow_reader_gets_everything_in_order_and_costs_its_buffer_only(start: Start) -> None:
    worker = await start(write_buffer_bytes=16_384)
    count = 200
    async with asking(worker, get(ann("wide:1"))) as stream:
        await stream.event()
        (connection,) = worker.gateway._worker.connections
        transport = connection._transport
        assert transport is not None
        # The test's reader stops at twice its limit, the kernel's buffers take some megabytes.
        for number in range(count):
            await worker.publish("wide:1", f"{number}{'x' * 60_000}")
        await until(lambda: connection.paused)
        assert transport.get_write_buffer_size() < 16_384 + 2 * 61_000
        found = await stream.publications(count)
        assert [int(each.rstrip("x")) for each in found] == [*range(count)]
        assert not connection.paused
