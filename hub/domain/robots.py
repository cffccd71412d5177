"""Who fetches a link without anybody having followed it: previews in chats, mail scanners, crawlers, prefetching."""

from __future__ import annotations

import re

_ROBOTS = re.compile(
    r"bot\b|bot/|bots\b|crawl|spider|slurp|preview|scanner|facebookexternalhit|facebookcatalog|whatsapp/|"
    r"embedly|googleimageproxy|yahoomailproxy|mailpoet|barracuda|proofpoint|mimecast|safelinks|skypeuripreview|"
    r"vkshare|iframely|snap url|pinterest/|python-requests|python-urllib|curl/|wget/|go-http-client|okhttp/0",
    re.IGNORECASE,
)
"""By the names they give themselves in User-Agent. WhatsApp's own browser does not name itself like its previews."""
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
"""Of `Sec-Purpose` (Fetch standard), `Purpose` and `X-Purpose`, by which browsers say that nobody has asked yet."""


def is_robot(user_agent: str, purpose: str = "") -> bool:
    """Say whether a request comes from no person, by its User-Agent and what it says about its purpose.

    Who gives no name is taken for no person: every browser has one.
    """
    return not user_agent or _ROBOTS.search(user_agent) is not None or _AHEAD.search(purpose) is not None
