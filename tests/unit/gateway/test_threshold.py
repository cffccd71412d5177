"""The queue before the door, of real sockets: the kernel makes connections whether or not anybody accepts them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hub.gateway.threshold import Threshold


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield listening


def test_it_knows_how_many_wait_to_be_accepted(listener: socket.socket) -> None:
    threshold = Threshold([listener])
    assert threshold.queued() == 0
    with ExitStack() as clients:
        for _ in range(3):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        assert threshold.queued() == 3
        clients.enter_context(listener.accept()[0])
        assert threshold.queued() == 2


def test_several_sockets_have_one_queue(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ExitStack() as clients:
        for each in (listener, other):
            clients.enter_context(socket.create_connection(each.getsockname()))
        assert Threshold([listener, other]).queued() == 2


def test_a_unix_socket_has_none_that_is_known(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "door"))
        listening.listen()
        assert Threshold([listening]).queued() == 0
