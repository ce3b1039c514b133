"""A real server with the tiny world, and Debian's Chromium on its page; skipped where there is no browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from oyster_jax.serve.photon import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.cli.tiny import store
from tests.serve.browser.game import Game
from tests.serve.browser.server import Server

SCREENSHOTS = Path(__file__).resolve().parents[3] / "screenshots"
DESKTOP: Any = {"width": 1280, "height": 800}

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"There is no {CHROMIUM} to play in; on Debian: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("worlds") / "tiny")


@pytest.fixture(scope="session")
def server(browser: Browser, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(world, tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens pages that must stay without an error and must ask no other host."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(expected: tuple[str, ...] = (), **options: Any) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not any(text in message.text for text in expected):
                complaints.append(message.text)

        def ask(request: Request) -> None:
            if urlsplit(request.url).netloc not in (urlsplit(server.address).netloc, ""):
                complaints.append(request.url)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", ask)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A lost server is told in the console by the browser itself.
    assert [text for text in complaints if "ERR_CONNECTION_REFUSED" not in text] == []


@pytest.fixture
def game(open_page: Callable[..., Page], server: Server) -> Game:
    game = Game(open_page(), server.address)
    game.enter()
    return game


@pytest.fixture(scope="session")
def screenshots() -> Path:
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
