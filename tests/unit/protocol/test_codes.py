import pytest

from hub.protocol import codes
from hub.protocol.codes import Disconnect


@pytest.mark.parametrize(
    ("why", "reconnect"),
    [
        (codes.SHUTDOWN, True),
        (codes.NO_PONG, True),
        (codes.INSUFFICIENT_STATE, True),
        (codes.INVALID_TOKEN, False),
        (codes.BAD_REQUEST, False),
        (Disconnect(4499, "own"), True),
        (Disconnect(4500, "own"), False),
    ],
)
def test_the_range_of_a_code_says_whether_a_client_comes_back(why: Disconnect, reconnect: bool) -> None:
    assert why.reconnect is reconnect
