"""API keys: `db_live_<id>_<secret>_<checksum>`, for services. Doorbell keeps only the id and a SHA-256.

The secret has 256 random bits, so one plain hash is enough: there is nothing to guess. The checksum lets a scanner of
source code tell a real key from a look-alike, and a typing mistake fail without a look-up. Two keys may carry the same
name, with ids of their own: that is how a key is rotated.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from zlib import crc32

import msgspec

from hub.domain.ids import UserId
from hub.domain.permission import SERVICE_PREFIX, Identity, Role, TokenInvalid
from hub.settings import ApiKey

PREFIX = "db_live_"
_SHAPE = re.compile(r"(db_live_(?P<id>[0-9a-f]{12})_[0-9a-f]{64})_(?P<checksum>[0-9a-f]{8})")
_ID_BYTES = 6
_SECRET_BYTES = 32
_NO_HASH = "0" * 64


class NewApiKey(msgspec.Struct, frozen=True):
    """A key just made. `key` is shown once, to the person who asked; `setting` goes into the configuration."""

    key: str
    setting: ApiKey


def make_api_key(name: str, *, scopes: Iterable[str] = ()) -> NewApiKey:
    """Make a key for the service `name`; `scopes` as in `Operation.may_call`."""
    key_id = secrets.token_hex(_ID_BYTES)
    body = f"{PREFIX}{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    key = f"{body}_{_checksum(body)}"
    return NewApiKey(key, ApiKey(name=name, id=key_id, sha256=_hash(key), scopes=tuple(scopes)))


class ApiKeys:
    """The keys that are accepted."""

    def __init__(self, settings: Iterable[ApiKey]) -> None:
        self._by_id = {setting.id: setting for setting in settings}

    def verify(self, key: str) -> Identity:
        """Return the service the key belongs to, as user `service:<name>`. Raises TokenInvalid."""
        shape = _SHAPE.fullmatch(key)
        if shape is None or shape["checksum"] != _checksum(shape[1]):
            raise TokenInvalid("this is no API key")
        setting = self._by_id.get(shape["id"])
        # The comparison is made for an unknown id too, so that the time taken does not tell which ids exist.
        matches = hmac.compare_digest(_hash(key), setting.sha256 if setting else _NO_HASH)
        if setting is None or not matches:
            raise TokenInvalid("the API key is not known")
        return Identity(UserId(f"{SERVICE_PREFIX}{setting.name}"), Role.SERVICE, scopes=frozenset(setting.scopes))


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    return f"{crc32(body.encode()):08x}"
