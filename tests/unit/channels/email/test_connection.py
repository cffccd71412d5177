import pytest

from channels.email.connection import _as_data


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".a\r\n.\r\n..b\r\nc.\r\n", b"..a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
        (b"a\n.b\r\n", b"a\n..b\r\n.\r\n"),
        (b"\r\n\r\n.\r\n", b"\r\n\r\n..\r\n.\r\n"),
    ],
)
def test_a_line_of_a_mail_never_ends_it(message: bytes, data: bytes) -> None:
    assert _as_data(message) == data
