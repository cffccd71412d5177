"""Links of notifications: a path within the shop, or a whole URL on a host that the operator has named."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def whole_link(shop_url: str, link: str | None, *, hosts: Collection[str] = ()) -> str:
    """Return a whole URL within the shop or on one of `hosts`, whatever a backend wrote as the link."""
    if link is not None and leads_to(link, hosts):
        return link
    if link is None or not link.startswith("/") or link.startswith(("//", "/\\")):
        link = "/"
    return shop_url.rstrip("/") + link


def leads_to(link: str, hosts: Collection[str]) -> bool:
    """Say whether a link is an https URL on one of the hosts (`host` or `host:port`, lower case)."""
    try:
        url = urlsplit(link)
    except ValueError:
        return False
    return url.scheme == "https" and url.netloc.lower() in hosts
