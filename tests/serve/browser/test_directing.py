"""Typing into the line of events, in a world that has some."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from playwright.sync_api import Browser, expect

from oyster_jax.core.spec import EventSpec
from oyster_jax.worlds.storage import save_world
from tests.models.structured import network, shaken
from tests.serve.browser.game import Game
from tests.serve.browser.server import Server


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    plain, folder = network(), tmp_path_factory.mktemp("worlds") / "weather"
    spec = dataclasses.replace(plain.spec, name="weather", events=EventSpec(names=("heavy_rain", "snow")))
    model = dataclasses.replace(plain, spec=spec, dynamics=dataclasses.replace(plain.dynamics, events=2))
    params = shaken(model.init(jax.random.key(0)))
    bias = params["dynamics"]["readouts"]["summary"]["bias"]
    params["dynamics"]["readouts"]["summary"]["bias"] = bias.at[1].set(-100.0)
    save_world(folder, model, params, {"name": "weather", "licence": "", "training": {}, "figures": {}})
    with Server(folder, tmp_path_factory.mktemp("data")) as server:
        yield server


def test_what_is_typed_happens_and_stands_in_the_timeline(game: Game, screenshots: Path):
    line = game.page.get_by_label("Next")
    line.fill("Heavy rain")
    line.press("Enter")
    expect(game.page.locator("path.flag title", has_text="event: heavy_rain")).to_have_count(1)
    expect(line).to_have_value("")
    line.fill("hail")
    game.page.get_by_role("button", name="Do").click()
    expect(game.page.get_by_text("There is no event 'hail' in this world; it knows heavy_rain, snow.")).to_be_visible()
    game.page.screenshot(path=screenshots / "directing-1280.png")
