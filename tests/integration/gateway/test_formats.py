"""JSON and protobuf beside each other, and what is special about either."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.integration.gateway.dialects import DIALECTS, JSON, PROTOBUF
from tests.integration.gateway.stage import Raw, Running, Start


@pytest.mark.parametrize("offer", [None, ["centrifuge-protobuf"]])
async def test_the_target_may_name_the_format(worker: Running, offer: Any) -> None:
    async with connect(f"{worker.url}?format=protobuf", proxy=None, subprotocols=offer) as socket:
        assert socket.subprotocol == (offer[0] if offer else None)
        assert "subs" in await Raw(socket, PROTOBUF).call(connect={"token": "ann"})


@pytest.mark.parametrize("offer", [None, ["mqtt"]])
async def test_who_names_no_format_that_is_known_speaks_json(worker: Running, offer: Any) -> None:
    async with connect(worker.url, proxy=None, subprotocols=offer) as socket:
        assert socket.subprotocol is None
        assert "subs" in await Raw(socket, JSON).call(connect={"token": "ann"})


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("pieces", [1, 2])
async def test_the_other_kind_of_frame_closes(worker: Running, name: str, pieces: int) -> None:
    async with worker.user("bob") as neighbour, worker.user("ann", dialect=DIALECTS[name]) as client:
        frame = b"\x00\x00" if name == "json" else "{}"
        await client.socket.send(frame if pieces == 1 else [frame[:1], frame[1:]])
        assert await client.closed() == (3506, "inappropriate protocol")
        assert await neighbour.call(ping={}) == {}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x80",
        b"\x05\x08\x05\x5a\x00",
        b"\xff\xff\xff\xff\x0f\x08",
        b"\xff" * 20,
        b"\x05\x32\x03\x0a\x01\xff",
        b"\x02\x5a\x00",
        b'{"id":5,"ping":{}}',
    ],
    ids=[
        "nothing",
        "a cut length",
        "a cut message",
        "a huge length",
        "an endless length",
        "a name that is not UTF-8",
        "a command without id",
        "JSON",
    ],
)
async def test_what_is_no_command_closes_and_hurts_nobody_else(worker: Running, frame: bytes) -> None:
    async with worker.user("bob") as neighbour, worker.user("ann", dialect=PROTOBUF) as client:
        await client.socket.send(frame)
        assert await client.closed() == (3501, "bad request")
        assert await neighbour.call(ping={}) == {}


async def test_a_field_of_another_type_is_one_that_nobody_has_heard_of(worker: Running) -> None:
    async with worker.user("ann", dialect=PROTOBUF) as client:
        await client.socket.send(b"\x04\x28\x05\x08\x09")
        assert await client.next() == {"id": 9, "error": {"code": 104, "message": "method not found"}}


@pytest.mark.parametrize(("command", "code"), [({"subscribe": {"channel": 5}}, 107), ({"frobnicate": {}}, 104)])
async def test_json_that_is_no_command_of_ours_is_refused(worker: Running, command: Any, code: int) -> None:
    async with worker.user("ann") as client:
        assert (await client.call(**command))["code"] == code
        assert await client.call(ping={}) == {}


async def test_data_that_is_not_json_is_refused(worker: Running) -> None:
    async with worker.user("ann", dialect=PROTOBUF) as client:
        # A call of `echo` with the byte 0xff.
        await client.socket.send(b"\x0d\x08\x07\x6a\x09\x0a\x01\xff\x12\x04echo")
        assert (await client.next()) == {"id": 7, "error": {"code": 107, "message": "bad request"}}
        assert await client.call(rpc={"method": "echo", "data": "ü"}) == {"data": "ü"}


async def test_subscribers_of_both_formats_are_told_the_same(worker: Running) -> None:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(worker.user(f"u{n}", dialect=(JSON, PROTOBUF)[n % 2])) for n in range(150)
        ]
        for n in range(3):
            await worker.publish("announcements", {"sale": n, "name": "Tür"})
        expected = [{"data": {"sale": n, "name": "Tür"}, "offset": n + 1} for n in range(3)]
        told = await asyncio.gather(*(client.publications(3) for client in clients))
        assert all(publications == expected for publications in told)


async def test_slow_readers_of_both_formats_miss_nothing(start: Start) -> None:
    worker = await start(write_buffer_bytes=4096)
    async with worker.raw(max_queue=1) as one, worker.raw(dialect=PROTOBUF, max_queue=1) as other:
        for client in (one, other):
            client.hello = await client.call(connect={"token": "ann"})
            await client.call(subscribe={"channel": "chat:1"})
        for _ in range(150):
            await worker.publish("chat:1", "x" * 40_000)
        for client in (one, other):
            assert [entry["offset"] for entry in await client.publications(150)] == list(range(1, 151))
