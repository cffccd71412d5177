"""Whom a connection comes from, and how many connections each address may have.

Addresses of IPv6 count by their first 64 bits: what one customer is given. Behind a proxy the peer is the proxy, so who
comes through a trusted one is known by the last entry of `X-Forwarded-For` that is not itself a trusted proxy: entries
before that may be made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_CACHED = 4_096


class Addresses:
    """Counts the connections of each address. `limit` 0 counts nothing and lets everybody in."""

    def __init__(self, *, limit: int, trusted: Sequence[str] = ()) -> None:
        """Take the networks whose `X-Forwarded-For` is believed, as `10.0.0.0/8` or single addresses."""
        self._limit = limit
        self._trusted = tuple([ip_network(network) for network in trusted])
        self._counts: dict[str, int] = {}
        self._is_proxy = lru_cache(_CACHED)(self._look_up)

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._limit > 0

    @property
    def counted(self) -> int:
        """How many addresses have connections."""
        return len(self._counts)

    def of(self, peer: str, forwarded_for: str) -> str:
        """Return the address to count a connection by: of the peer, or of whom a trusted proxy speaks for."""
        client = peer
        for entry in reversed(forwarded_for.split(",")):
            if not self._is_proxy(client) or not (named := entry.strip()):
                break
            client = named
        return _grouped(client)

    def take(self, address: str) -> bool:
        """Count one more connection of an address, unless it has as many as it may."""
        count = self._counts.get(address, 0)
        if count >= self._limit:
            return False
        self._counts[address] = count + 1
        return True

    def give_back(self, address: str) -> None:
        """Count one connection less. The empty address stands for one that was not counted."""
        count = self._counts.get(address, 0)
        if count > 1:
            self._counts[address] = count - 1
        else:
            self._counts.pop(address, None)

    def _look_up(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _grouped(address: str) -> str:
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed or address)
