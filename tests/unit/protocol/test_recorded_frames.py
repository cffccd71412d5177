"""Frames that official SDKs wrote, recorded on a line between them and a worker; and what a worker has to make of them.

They hold the format where no SDK is installed.
"""

import pytest
from msgspec import Raw

from hub.protocol.protobuf_codec import ProtobufCodec
from hub.protocol.wire import (
    ChannelRequest,
    Command,
    ConnectRequest,
    HistoryRequest,
    PublishRequest,
    RpcRequest,
    StreamPosition,
    SubscribeRequest,
)

ORDER = "order:A-ann"
RPC = Command(3, rpc=RpcRequest("echo", Raw(b'{"a":1}')))
PUBLISH = PublishRequest(ORDER, Raw(b'{"a":1}'))

PYTHON = {  # centrifuge-python 0.7.0
    "110801220d0a03616e6e2206707974686f6e": Command(1, connect=ConnectRequest("ann")),
    "1308022a0f0a0b6f726465723a412d616e6e7001": Command(2, subscribe=SubscribeRequest(ORDER, flag=1)),
    "1308036a0f0a077b2261223a317d12046563686f": RPC,
    "1a08043a160a0b6f726465723a412d616e6e12077b2261223a317d": Command(4, publish=PUBLISH),
    "1c080552180a0b6f726465723a412d616e6e380a420508011201654801": Command(
        5, history=HistoryRequest(ORDER, limit=10, since=StreamPosition(1, "e"), reverse=True)
    ),
    "110806420d0a0b6f726465723a412d616e6e": Command(6, presence=ChannelRequest(ORDER)),
    "1108074a0d0a0b6f726465723a412d616e6e": Command(7, presence_stats=ChannelRequest(ORDER)),
}
JAVASCRIPT = {  # centrifuge-js 5.8.0
    "0d080122090a03616e6e22026a73": Command(1, connect=ConnectRequest("ann")),
    "1308022a0f0a0b6f726465723a412d616e6e7001": Command(2, subscribe=SubscribeRequest(ORDER, flag=1)),
    "00": Command(),
    "47080322430a03616e6e1a1d0a0d616e6e6f756e63656d656e7473120c180132084b563355344d48351a190a09696e626f783a616e6e120c1801"
    "3208396878396148534e22026a732108042a1d0a0b6f726465723a412d616e6e18013208454776325f34697838037001": (
        Command(
            3,
            connect=ConnectRequest(
                "ann",
                {
                    "announcements": SubscribeRequest(recover=True, epoch="KV3U4MH5"),
                    "inbox:ann": SubscribeRequest(recover=True, epoch="9hx9aHSN"),
                },
            ),
        ),
        Command(4, subscribe=SubscribeRequest(ORDER, recover=True, epoch="EGv2_4ix", offset=3, flag=1)),
    ),
    "110805320d0a0b6f726465723a412d616e6e": Command(5, unsubscribe=ChannelRequest(ORDER)),
    "130806520f0a0b6f726465723a412d616e6e380a": Command(6, history=HistoryRequest(ORDER, limit=10)),
}
JAVA = {  # centrifuge-java 0.4.1
    "0f0801220b0a03616e6e22046a617661": Command(1, connect=ConnectRequest("ann")),
    "1108022a0d0a0b6f726465723a412d616e6e": Command(2, subscribe=SubscribeRequest(ORDER)),
    "1308036a0f0a077b2261223a317d12046563686f": RPC,
    "1a08043a160a0b6f726465723a412d616e6e12077b2261223a317d": Command(4, publish=PUBLISH),
    "00": Command(),
}


@pytest.mark.parametrize(
    ("frame", "meant"),
    [recorded for sdk in (PYTHON, JAVASCRIPT, JAVA) for recorded in sdk.items()],
)
def test_what_an_official_sdk_writes_is_understood(frame: str, meant: Command | tuple[Command, ...]) -> None:
    expected = [meant] if isinstance(meant, Command) else [*meant]
    assert ProtobufCodec().decode(bytes.fromhex(frame)) == expected
