"""`devices.*`: an app tells where its person can be reached by push, and a person sees and forgets their devices."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from hub.domain.devices import Device, DeviceId, Kind, Platform, device_id
from hub.domain.permission import Role
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.devices import Devices as Store

_log = logger(__name__)
_PEOPLE = frozenset({Role.SHOPPER, Role.COURIER, Role.AGENT})
_RATE = Rate(count=60, window_s=60.0)

Registration = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,4096}\Z")]
App = Annotated[str, Meta(max_length=128)]
Tag = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z", max_length=35)]
Zone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+\-/]{1,64}\Z")]


class RegisterDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where this app can be reached: FCM's registration token (`token`) or Firebase installation id (`fid`)."""

    kind: Kind
    registration: Registration
    platform: Platform
    app: App = ""
    locale: Tag | None = None
    time_zone: Zone | None = None
    replaces: Registration | None = None
    """The registration of the same kind that this one takes the place of, when FCM has renewed it."""


class DeviceView(msgspec.Struct, frozen=True):
    """A device as its person sees it: without the registration, which is nobody's business."""

    id: DeviceId
    platform: Platform
    app: str
    registered_ms: int
    seen_ms: int


class Registered(msgspec.Struct, frozen=True):
    """The id under which the device is known."""

    id: DeviceId


class NoFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say."""


class DeviceList(msgspec.Struct, frozen=True):
    """A person's devices, those seen last first."""

    devices: tuple[DeviceView, ...]


class NamedDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which device."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{24}\Z")]


class Unregistered(msgspec.Struct, frozen=True):
    """Whether there was such a device."""

    removed: bool


class DeviceRegistry:
    """Keeps and shows the devices of whoever calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def register(self, call: Call, request: RegisterDevice) -> Registered:
        """Register the caller's device, or say that it is still there.

        Raises OperationFailed (NOT_FOUND for a person who was erased), StoreUnavailable.
        """
        known = {device.id: device for device in await self._store.of(call.who.user)}
        before = known.get(device_id(request.kind, request.registration))
        device = Device(
            kind=request.kind,
            registration=request.registration,
            platform=request.platform,
            registered_ms=before.registered_ms if before else call.now_ms,
            seen_ms=call.now_ms,
            app=request.app,
            locale=request.locale,
            time_zone=request.time_zone,
        )
        if not await self._store.put(call.who.user, device):
            raise OperationFailed(Failure.NOT_FOUND, "this person has been erased")
        if request.replaces is not None and request.replaces != request.registration:
            await self._store.remove(call.who.user, [device_id(request.kind, request.replaces)])
        _log.info("device_registered", user=call.who.user, device=device.id, platform=device.platform.value)
        return Registered(device.id)

    async def show(self, call: Call, request: NoFields) -> DeviceList:
        """Return the caller's devices. Raises StoreUnavailable."""
        devices = await self._store.of(call.who.user)
        return DeviceList(tuple(_view(device) for device in devices))

    async def unregister(self, call: Call, request: NamedDevice) -> Unregistered:
        """Forget one of the caller's devices: what an app does when its person signs out. Raises StoreUnavailable."""
        return Unregistered(await self._store.remove(call.who.user, [DeviceId(request.id)]) > 0)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what apps can ask for here."""
        register: Operation[RegisterDevice, Registered] = Operation(
            name="devices.register",
            summary="Register this app for push, refresh its registration, or say that it is still in use.",
            request=RegisterDevice,
            response=Registered,
            roles=_PEOPLE,
            http=Http("POST", "/v1/devices"),
            handler=self.register,
            rate=_RATE,
            repeat=Repeat.IDEMPOTENT,
            errors=(Failure.NOT_FOUND,),
        )
        show: Operation[NoFields, DeviceList] = Operation(
            name="devices.list",
            summary="Show the devices on which one is reached by push.",
            request=NoFields,
            response=DeviceList,
            roles=_PEOPLE,
            http=Http("GET", "/v1/devices"),
            handler=self.show,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        unregister: Operation[NamedDevice, Unregistered] = Operation(
            name="devices.unregister",
            summary="Forget a device, as an app does when its person signs out.",
            request=NamedDevice,
            response=Unregistered,
            roles=_PEOPLE,
            http=Http("DELETE", "/v1/devices/{id}"),
            handler=self.unregister,
            rate=_RATE,
            repeat=Repeat.IDEMPOTENT,
        )
        return register, show, unregister


def _view(device: Device) -> DeviceView:
    return DeviceView(device.id, device.platform, device.app, device.registered_ms, device.seen_ms)
