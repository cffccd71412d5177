"""The real demonstration as a subprocess, and pages of it in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.browser.demo import Demo, web_tools
from tests.browser.hub_client import Hub
from tests.browser.line import Line
from tests.browser.pages import OpenPage, Scheme
from tests.services import run_folder

PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1280, height=900)
TIMEOUT_MS = 15_000
"""How long a page may take, on a machine that has much else to do."""


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The source of axe-core, to be evaluated in a page."""
    return (web_tools() / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """The run's `doorbell demo`. Its people are shared: `hub` gives a test one with an empty inbox."""
    with run_folder() as folder, Demo.running(folder / "demo") as running:
        yield running


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The run's Chromium."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def hub(demo: Demo) -> Hub:
    """The hub as a backend and as a shopper's app talk to it over HTTP."""
    return Hub(demo.port)


@pytest.fixture
def line(demo: Demo) -> Iterator[Line]:
    """A network line to the hub that can be cut. Ask for it before `open_page`: pages complain when it ends."""
    with Line.to(demo.port) as line:
        yield line


@pytest.fixture
def complaints() -> list[str]:
    """What pages have written to the console as errors, for tests that expect some."""
    return []


@pytest.fixture
def open_page(browser: Browser, demo: Demo, complaints: list[str]) -> Iterator[OpenPage]:
    """Opens pages, each in a browser context of its own. Fails the test where one complained on its console."""
    contexts: list[BrowserContext] = []

    def open_one(
        path: str, *, base: str = demo.url, phone: bool = False, scheme: Scheme = "light", locale: str = "en-US"
    ) -> Page:
        size = PHONE if phone else DESKTOP
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", locale=locale)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(base + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def shots(request: pytest.FixtureRequest) -> Path:
    """Where screenshots go, for a person to look at."""
    folder = Path(request.config.rootpath) / "test-results" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
