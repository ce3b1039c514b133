"""The page itself: links, sizes, keys that are let go, a server that goes and comes back."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.serve.browser.game import Game
from tests.serve.browser.server import Server

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}


def held(game: Game) -> list[str]:
    return game.page.locator(".pad-key[data-down]").evaluate_all("(keys) => keys.map((key) => key.dataset.button)")


def test_the_worlds_come_first(open_page, server: Server, screenshots: Path):
    page = open_page()
    page.goto(server.address)
    expect(page.get_by_role("heading", name="Step into a learned world")).to_be_visible()
    expect(page.locator(".card")).to_have_count(1)
    page.screenshot(path=screenshots / "worlds-1280.png", full_page=True)


def test_a_phone_has_buttons_to_touch_and_nothing_sticks_out(open_page, server: Server, screenshots: Path):
    game = Game(open_page(**PHONE), server.address)
    game.page.goto(server.address)
    game.page.wait_for_selector(".card")
    game.page.screenshot(path=screenshots / "worlds-360.png", full_page=True)
    assert game.overflow() <= 0
    game.enter()
    game.wait_ticks(10)
    game.page.screenshot(path=screenshots / "player-360.png", full_page=True)
    assert game.overflow() <= 0

    box = game.page.locator(".pixels").bounding_box()
    assert box
    assert box["width"] * 3 == pytest.approx(16 * round(box["width"] * 3 / 16), abs=0.1)
    jump = game.page.locator("[data-button=jump]").bounding_box()
    assert jump
    assert jump["y"] + jump["height"] <= 740
    game.page.touchscreen.tap(jump["x"] + 5, jump["y"] + 5)
    game.wait("!Number.isNaN(watched.last.echo)")
    assert held(game) == []


def test_a_phone_that_is_turned_fits_again(open_page, server: Server):
    game = Game(open_page(**PHONE | {"viewport": {"width": 740, "height": 360}}), server.address)
    game.enter()
    game.wait_ticks(5)
    for width, height in ((360, 740), (1280, 800), (360, 740)):
        game.page.set_viewport_size({"width": width, "height": height})
        game.wait_ticks(3)
        assert game.overflow() <= 0


def test_a_moment_is_shared_and_opened_again(game: Game, open_page):
    game.wait_ticks(20)
    game.pause()
    game.seek(7)
    game.page.get_by_role("button", name="Share").click()
    link = game.page.get_by_role("textbox", name="This moment").input_value()
    assert "tick=7" in link

    other = Game(open_page(), game.address)
    other.page.goto(link)
    expect(other.page.locator(".timeline-tracks")).to_have_attribute("aria-valuenow", "7")
    # The first page hears that somebody else plays now.
    expect(game.page.get_by_role("heading", name="This session is closed")).to_be_visible()


def test_one_can_watch_without_playing(game: Game, open_page):
    other = Game(open_page(), game.address)
    other.page.goto(f"{game.address}#session={game.session}&watch=1")
    expect(other.page.get_by_text("You are watching")).to_be_visible()
    other.watch()
    other.wait("watched.frames > 5")
    assert other.page.locator("[data-command=record]").count() == 0


def test_all_keys_are_let_go_when_the_window_loses_the_focus(game: Game):
    game.page.keyboard.down("ArrowRight")
    game.page.keyboard.down("Space")
    assert held(game) == ["right", "jump"]
    game.page.evaluate("() => dispatchEvent(new Event('blur'))")
    assert held(game) == []
    game.page.keyboard.up("ArrowRight")
    game.page.keyboard.down("ArrowLeft")
    assert held(game) == ["left"]


def test_of_two_opposite_keys_the_newer_counts(game: Game):
    game.page.keyboard.down("ArrowRight")
    game.page.keyboard.down("KeyA")
    assert held(game) == ["left"]
    game.page.keyboard.up("KeyA")
    assert held(game) == ["right"]


def test_the_mouse_presses_buttons_too(game: Game):
    game.page.locator("[data-button=right]").hover()
    game.page.mouse.down()
    assert held(game) == ["right"]
    game.page.locator("[data-button=jump]").hover()
    assert held(game) == ["jump"]
    game.page.mouse.up()
    assert held(game) == []


#: A pad of the standard layout whose stick leans to the right while its lowest button is down.
GAMEPAD = """
() => {
  const buttons = Array.from({ length: 17 }, (_, place) => ({ pressed: place === 0, touched: false, value: 0 }));
  window.pads = [{ axes: [0.9, 0, 0, 0], buttons, mapping: "standard", connected: true, index: 0 }];
  navigator.getGamepads = () => window.pads;
  dispatchEvent(new Event("gamepadconnected"));
}
"""


def test_a_gamepad_plays(game: Game):
    game.page.evaluate(GAMEPAD)
    expect(game.page.locator(".pad-key[data-down]")).to_have_count(2)
    assert held(game) == ["right", "jump"]
    game.page.evaluate("() => { window.pads = []; }")
    expect(game.page.locator(".pad-key[data-down]")).to_have_count(0)


def test_a_jump_does_not_press_the_button_that_the_mouse_has_clicked(game: Game):
    game.page.get_by_role("button", name="Keys", exact=True).click()
    game.page.keyboard.press("Escape")
    game.pause()
    game.resume()
    game.page.keyboard.down("Space")
    assert held(game) == ["jump"]
    assert game.page.locator("dialog").count() == 0
    expect(game.page.locator("[data-command=toggle]")).to_have_attribute("aria-label", "Pause")


def test_a_picture_of_ones_own_becomes_a_world_after_it_was_said_how_well_it_is_known(
    open_page, server: Server, tmp_path: Path
):
    Image.new("RGB", (40, 30), (200, 120, 40)).save(tmp_path / "mine.png")
    game = Game(open_page(), server.address)
    game.page.goto(server.address)
    game.page.get_by_role("tab", name="Your picture").click()
    enter = game.page.get_by_role("button", name="Enter the world")
    expect(enter).to_be_disabled()
    game.page.locator("#picture").set_input_files(tmp_path / "mine.png")
    expect(game.page.locator(".verdict p")).to_contain_text("dB")
    enter.click()
    expect(game.page.locator(".screen")).to_be_visible(timeout=60_000)
    game.watch()
    game.wait("watched.frames > 2")


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(open_page, server: Server, tmp_path: Path):
    (tmp_path / "mine.png").write_bytes(b"no picture at all")
    page = open_page(expected=("status of 4",))
    page.goto(server.address)
    page.get_by_role("tab", name="Your picture").click()
    page.locator("#picture").set_input_files(tmp_path / "mine.png")
    expect(page.get_by_role("alert")).to_contain_text("no picture in")
    expect(page.get_by_role("button", name="Enter the world")).to_be_disabled()


def test_a_number_that_is_no_seed_is_refused_in_a_sentence(open_page, server: Server):
    page = open_page()
    page.goto(server.address)
    enter = page.get_by_role("button", name="Enter the world")
    page.locator("#seed").fill("-3.5")
    expect(page.locator(".refused")).to_contain_text("A seed is a whole number")
    expect(enter).to_be_disabled()
    page.locator("#seed").fill("7")
    expect(page.locator(".refused")).to_be_empty()
    expect(enter).to_be_enabled()


def test_pictures_come_as_video_where_one_asks_for_it(game: Game):
    game.page.get_by_role("button", name="Pictures").click()
    video = game.page.get_by_label("H.264")
    if video.is_disabled():
        pytest.skip("This Chromium decodes no H.264.")
    video.check()
    game.page.keyboard.press("Escape")
    game.wait("watched.last.kind === 3")
    game.wait_ticks(10)
    game.page.get_by_role("button", name="Pictures").click()
    game.page.get_by_label("JPEG").check()
    game.wait("watched.last.kind === 1")


def test_keys_are_bound_anew_and_that_is_kept(game: Game):
    game.page.get_by_role("button", name="Keys", exact=True).click()
    game.page.get_by_role("button", name="Add a key for jump").click()
    game.page.keyboard.press("KeyJ")
    expect(game.page.get_by_role("button", name="Remove J from jump")).to_be_visible()
    game.page.keyboard.press("Escape")
    game.page.keyboard.down("KeyJ")
    assert held(game) == ["jump"]
    game.page.keyboard.up("KeyJ")
    game.page.reload()
    expect(game.page.locator(".screen")).to_be_visible()
    game.page.keyboard.down("KeyJ")
    assert held(game) == ["jump"]


def test_the_keyboard_reaches_and_works_every_control(game: Game):
    game.page.locator("[data-command=toggle]").focus()
    game.page.keyboard.press("Tab")
    game.page.keyboard.press("Shift+Tab")
    game.page.keyboard.press("Space")  # Of the button that has the focus, not a jump.
    expect(game.page.locator("[data-command=toggle]")).to_have_attribute("aria-label", "Play")
    assert held(game) == []
    unnamed = game.page.evaluate(
        "() => [...document.querySelectorAll('button')].filter((b) => !(b.ariaLabel ?? b.textContent).trim()).length"
    )
    assert unnamed == 0


def test_play_goes_on_after_the_server_was_killed(game: Game, server: Server, screenshots: Path):
    game.wait_ticks(20)
    durable = game.last["durable"]
    server.kill()
    expect(game.page.get_by_role("heading", name="Connection lost")).to_be_visible()
    game.page.screenshot(path=screenshots / "lost-1280.png")
    server.start()
    expect(game.page.locator(".veil")).to_be_hidden(timeout=30_000)
    game.wait_ticks(5)
    assert game.tick > durable
    assert game.branches() == ["main"]
