"""Devices: where a person can be reached by push. A registration belongs to whoever signed in on the device last."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.devices import MAX_DEVICES, UNSEEN_MAX_S, Device, DeviceId
from hub.domain.ids import UserId
from hub.store.clock import Clock, unix_ms
from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_PUT = load_script("device_put")
_decode = msgspec.json.Decoder(Device).decode
_MS = 1_000


class Devices:
    """The devices of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, clock: Clock = unix_ms) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._clock = clock

    async def put(self, user: UserId, device: Device) -> bool:
        """Keep a device, new or seen again, and take it from whoever had it; False where the person is erased.

        A crash in between leaves the device with both for a moment: until the next time that it is seen.
        """
        document = self._keys.document(Aggregate(AggregateKind.PERSON, user))
        value = b"%d:%s" % (device.seen_ms, msgspec.json.encode(device))
        call = Call((self._keys.devices(user), document), (device.id, value, MAX_DEVICES, UNSEEN_MAX_S))
        if not await self._scripts.run(_PUT, call):
            return False
        claim: Command = ("SET", self._keys.device_user(device.id), user, "EX", UNSEEN_MAX_S, "GET")
        (before,) = await read_pipelined(self._server, [claim], what="device put")
        if before is not None and before.decode() != user:
            await self.remove(UserId(before.decode()), [device.id])
        return True

    async def remove(self, user: UserId, devices: Sequence[DeviceId]) -> int:
        """Forget devices of a person; return how many there were."""
        if not devices:
            return 0
        (count,) = await read_pipelined(
            self._server, [("HDEL", self._keys.devices(user), *devices)], what="device remove"
        )
        return int(count)

    async def of(self, user: UserId) -> list[Device]:
        """Return a person's devices, those seen last first. Ones not seen for 270 days are forgotten on the way."""
        ((*devices,),) = await self.of_many([user])
        return devices

    async def of_many(self, users: Sequence[UserId]) -> list[list[Device]]:
        """As `of`, for many people in one round trip."""
        reads: list[Command] = [("HVALS", self._keys.devices(user)) for user in users]
        oldest_ms = self._clock() - UNSEEN_MAX_S * _MS
        found: list[list[Device]] = []
        gone: list[Command] = []
        for user, values in zip(users, await read_pipelined(self._server, reads, what="devices read"), strict=True):
            devices = sorted(map(_device, values), key=lambda device: device.seen_ms, reverse=True)
            found.append([device for device in devices if device.seen_ms > oldest_ms])
            gone += [("HDEL", self._keys.devices(user), each.id) for each in devices if each.seen_ms <= oldest_ms]
        if gone:
            await pipelined(self._server, gone, what="devices prune")
        return found


def _device(value: bytes) -> Device:
    return _decode(value.partition(b":")[2])
