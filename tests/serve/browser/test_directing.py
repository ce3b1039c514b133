"""A world with words and events: begun from a sentence, directed by a line, undone, and told a story."""

import re
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


def test_what_is_typed_happens_stands_in_the_timeline_and_is_undone(game: Game, screenshots: Path):
    game.wait_ticks(4)
    line, undo = game.page.get_by_label("Next"), game.page.get_by_role("button", name="Undo")
    expect(undo).to_be_disabled()
    line.fill("night falls")
    line.press("Enter")
    mark = game.page.locator("path.done title")
    expect(mark).to_have_text(re.compile(r"event: night falls \(tick \d+\)"))
    expect(line).to_have_value("")
    line.fill("hail")
    game.page.get_by_role("button", name="Do", exact=True).click()
    expect(game.page.get_by_text("The event holds no word that this world knows")).to_be_visible()
    tick = int((mark.text_content() or "").split()[-1].rstrip(")"))
    game.wait(f"watched.last.tick > {tick + 3}")

    happened = game.page.get_by_role("list", name="What happened").get_by_role("button")
    expect(happened).to_contain_text("night falls")
    game.page.screenshot(path=screenshots / "directing-1280.png")
    undo.click()
    tracks = game.page.locator(".timeline-tracks")
    expect(tracks).to_have_attribute("aria-valuenow", str(tick - 1))
    expect(happened).to_have_count(0)
    expect(undo).to_be_disabled()
    tracks.press("ArrowRight")
    expect(tracks).to_have_attribute("aria-valuetext", re.compile("night falls"))
    tracks.press("ArrowLeft")
    expect(tracks).to_have_attribute("aria-valuenow", str(tick - 1))
    game.resume()
    # What goes on from before it does without it.
    expect(game.page.locator("li[aria-current] .branch-name")).to_have_text("branch-1")
    expect(happened).to_have_count(0)


STORY = """
world = "meadow"
[[act]]
label = "dusk"
event = "night falls"
do = "go*3"
[[act]]
when = { reward = 1e9 }
do = "noop*9"
[[act.branch]]
name = "one-way"
[[act.branch.act]]
do = "noop*3"
[[act.branch]]
name = "another"
[[act.branch.act]]
event = "cow_dies"
do = "go*3"
"""


def test_a_story_is_told_act_by_act_and_ends_on_its_last_branch(game: Game, tmp_path: Path, screenshots: Path):
    game.page.get_by_text("Tell a story").click()
    script, tell = game.page.get_by_label("Acts, as in the files"), game.page.get_by_role("button", name="Tell it")
    script.fill(STORY.replace("night falls", "hail"))
    tell.click()
    panel = game.page.get_by_role("region", name="Story")
    expect(panel.get_by_role("status")).to_contain_text("Act 1 of the story, on 'main': 'hail' is refused (vocabulary)")
    (tmp_path / "told.toml").write_text(STORY)
    game.page.locator("#story-file").set_input_files(tmp_path / "told.toml")
    expect(script).to_have_value(STORY)
    tell.click()
    acts = panel.get_by_role("list", name="Acts").get_by_role("listitem")
    expect(panel.get_by_role("status")).to_have_text("The story is at its end.")
    expect(acts).to_have_count(4)
    for number, state in enumerate(("done", "left out", "done", "done")):
        expect(acts.nth(number)).to_have_attribute("data-state", state)
    expect(game.page.locator("li[aria-current] .branch-name")).to_have_text("another")
    expect(game.page.locator("[data-command=toggle]")).to_have_attribute("aria-label", "Play")
    expect(game.page.locator("path.done")).to_have_count(2)
    game.page.screenshot(path=screenshots / "story-1280.png", full_page=True)

    script.fill(STORY.replace("go*3", "go*900", 1))
    tell.click()
    expect(acts.first).to_have_attribute("aria-current", "step")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_role("status")).to_have_text("The story was stopped.")
