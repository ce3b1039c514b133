"""A world with words and events: begun from a sentence, directed by a line, undone, and told a story."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.serve.browser.game import Game
from tests.serve.browser.server import Server
from tests.serve.meadow import store_meadow


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(store_meadow(tmp_path_factory.mktemp("worlds")), tmp_path_factory.mktemp("data")) as server:
        yield server


def test_a_world_begins_from_a_sentence_or_says_why_not(open_page, server: Server, screenshots: Path):
    game = Game(open_page(expected=("status of 4",)), server.address)
    game.page.goto(server.address)
    game.page.get_by_role("tab", name="In words").click()
    enter, box = game.page.get_by_role("button", name="Enter the world"), game.page.get_by_label("Say what there is")
    expect(enter).to_be_disabled()
    game.page.get_by_role("group", name="Examples").get_by_role("button").first.click()
    expect(box).not_to_be_empty()
    expect(enter).to_be_enabled()
    box.fill("xyzzy")
    box.press("Enter")
    expect(game.page.get_by_role("alert")).to_contain_text("no word that this world knows")
    game.page.screenshot(path=screenshots / "words-1280.png")
    box.fill("a cow and a dragon")
    enter.click()
    expect(game.page.locator(".screen")).to_be_visible()
    expect(game.page.get_by_text("Not understood: 'dragon'")).to_be_visible()


def test_what_is_typed_happens_and_stands_in_the_timeline(game: Game, screenshots: Path):
    line = game.page.get_by_label("Next")
    line.fill("Night falls")
    line.press("Enter")
    expect(game.page.locator("path.flag title", has_text="event: night_falls")).to_have_count(1)
    expect(line).to_have_value("")
    line.fill("hail")
    game.page.get_by_role("button", name="Do").click()
    expect(game.page.get_by_text("The event holds no word that this world knows")).to_be_visible()
    game.page.screenshot(path=screenshots / "directing-1280.png")
