"""How tests open pages (fixture `open_page`)."""

from typing import Literal, Protocol

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]


class OpenPage(Protocol):
    """Opens the page at a path; `base` leads there by another way than directly."""

    def __call__(self, path: str, *, base: str = ..., phone: bool = ..., scheme: Scheme = ...) -> Page:
        """Return the page in a browser context of its own."""
        ...
