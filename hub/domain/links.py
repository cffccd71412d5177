"""Links into the shop, made of the path that a notification carries."""

from __future__ import annotations


def whole_link(shop_url: str, path: str | None) -> str:
    """Return a whole URL within the shop, whatever a backend wrote as the path."""
    if path is None or not path.startswith("/") or path.startswith(("//", "/\\")):
        path = "/"
    return shop_url.rstrip("/") + path
