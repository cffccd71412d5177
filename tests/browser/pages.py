"""How tests open pages (fixture `open_page`)."""

from typing import Literal, Protocol

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"], iframes: false})).violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(" ")}`)"""
"""The serious barriers that axe-core finds in a page, once its source has been evaluated there."""


class OpenPage(Protocol):
    """Opens the page at a path; `base` leads there by another way than directly, `locale` is the browser's."""

    def __call__(
        self, path: str, *, base: str = ..., phone: bool = ..., scheme: Scheme = ..., locale: str = ...
    ) -> Page:
        """Return the page in a browser context of its own."""
        ...
