"""Playing in a real browser: keys, time, branches and recordings."""

import json
from pathlib import Path

import av
import pytest
from playwright.sync_api import expect

from tests.serve.browser.game import Game


def test_figures_are_sane_after_some_seconds_of_play(game: Game, screenshots: Path):
    game.page.keyboard.down("ArrowRight")
    for _ in range(8):
        game.page.keyboard.press("Space", delay=90)
        game.page.wait_for_timeout(60)
    game.wait_ticks(30)
    game.page.keyboard.up("ArrowRight")

    # A machine that has much else to do takes a while to get there.
    game.wait("Math.abs(Number(document.querySelector('[data-figure=fps]').textContent) - 15) < 5")
    assert 0 < game.figure("step") < 66
    assert 0 <= game.figure("encode") < 20
    assert 0 < game.figure("photon") < 400
    assert game.figure("tick") > 20
    assert game.last["remaining"] < 1800
    game.page.screenshot(path=screenshots / "player-1280.png")


def test_keys_change_what_is_seen(game: Game):
    def life(key: str | None) -> list[int]:
        """Digests of the pictures of the first ticks of the same dream."""
        game.enter(seed=11)
        game.pause()
        game.command("reset")
        game.pause()
        game.page.locator(".screen").focus()
        if key:
            game.page.keyboard.down(key)
        seen = []
        for tick in range(1, 5):
            game.page.keyboard.press("Period")
            game.wait(f"watched.last.tick === {tick}")
            seen.append(game.page.evaluate("() => watched.now[`${watched.last.branch}:${watched.last.tick}`]"))
        if key:
            game.page.keyboard.up(key)
        return seen

    idle = life(None)
    assert life(None) == idle
    assert life("ArrowRight") != idle
    assert life("KeyD") == life("ArrowRight")


def test_a_rewound_frame_is_the_one_first_seen_bit_for_bit(game: Game):
    game.page.keyboard.down("ArrowRight")
    game.wait_ticks(25)
    game.page.keyboard.up("ArrowRight")
    game.pause()
    end = game.tick
    for tick in (end - 1, 12, 3, 20):
        game.page.evaluate("() => { watched.now = {}; }")
        game.seek(tick)
        first, now = game.page.evaluate(f"() => [watched.first, watched.now].map((seen) => seen['0:{tick}'])")
        assert now is not None
        assert now == first
    assert game.page.locator(".stage-badge").inner_text().startswith("Paused in the past")


def test_playing_on_from_the_past_makes_a_branch_and_both_can_be_hopped_to(game: Game, screenshots: Path):
    game.wait_ticks(30)
    game.pause()
    end = game.tick
    game.seek(10)
    game.resume()
    game.wait("watched.last.tick > 15")
    game.pause()
    assert len(game.branches()) == 2
    other = game.tick

    game.page.locator("[data-branch=main] .branch-hop").click()
    game.wait(f"watched.last.tick === {end}")
    game.page.screenshot(path=screenshots / "branches-1280.png")
    game.page.locator("li:not([aria-current]) .branch-hop").click()
    game.wait(f"watched.last.tick === {other}")


def test_two_branches_run_beside_each_other_under_the_same_keys(game: Game, screenshots: Path):
    game.wait_ticks(20)
    game.pause()
    game.seek(8)
    game.page.keyboard.press("KeyB")
    game.page.get_by_role("textbox").fill("other-way")
    game.page.get_by_role("button", name="Branch", exact=True).click()
    expect(game.page.locator("li[aria-current] .branch-name")).to_have_text("other-way")

    game.page.get_by_role("button", name="Run main beside").click()
    expect(game.page.locator(".screen")).to_have_count(2)
    game.page.evaluate("() => { window.beside = 0; }")
    game.resume()
    game.wait_ticks(12)
    game.pause()
    game.page.screenshot(path=screenshots / "beside-1280.png")
    game.page.get_by_role("button", name="Stop running main beside").click()
    expect(game.page.locator(".screen")).to_have_count(1)


def test_a_recording_is_a_clip_that_plays_and_its_events(game: Game, tmp_path: Path, screenshots: Path):
    game.command("record")
    start = game.tick
    game.page.keyboard.down("ArrowRight")
    game.wait_ticks(20)
    game.page.keyboard.up("ArrowRight")
    game.command("record")
    expect(game.page.get_by_role("heading", name="Your recording")).to_be_visible(timeout=30_000)
    stop = game.tick
    game.page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    game.page.screenshot(path=screenshots / "recording-1280.png")

    files = {}
    for kind in ("mp4", "jsonl"):
        with game.page.expect_download() as found:
            game.page.locator(f"a[data-format={kind}]").click()
        assert found.value.suggested_filename.endswith(kind)
        files[kind] = tmp_path / f"clip.{kind}"
        found.value.save_as(files[kind])

    with av.open(str(files["mp4"])) as clip:
        frames = sum(1 for _ in clip.decode(video=0))
    lines = [json.loads(line) for line in files["jsonl"].read_text("utf-8").splitlines()]
    ticks = [line for line in lines if "action" in line]
    # What the page asks for is done some ticks later.
    assert abs(frames - (stop - start)) <= 10
    assert len(ticks) == pytest.approx(frames, abs=1)
    assert any("right" in json.dumps(line) for line in ticks)


def test_a_label_stands_on_the_timeline(game: Game):
    game.wait_ticks(5)
    game.page.keyboard.press("KeyL")
    game.page.get_by_role("textbox").fill("here it jumped")
    game.page.get_by_role("button", name="Write").click()
    expect(game.page.locator(".tracks .flag title")).to_contain_text("here it jumped")


def test_a_screenshot_is_whole_pixels(game: Game, tmp_path: Path):
    from PIL import Image

    game.pause()
    with game.page.expect_download() as found:
        game.command("shot")
    found.value.save_as(tmp_path / "shot.png")
    with Image.open(tmp_path / "shot.png") as picture:
        assert picture.size == (128, 128)
        small = picture.resize((16, 16), Image.Resampling.NEAREST)
        assert list(small.resize((128, 128), Image.Resampling.NEAREST).convert("RGB").getdata()) == list(
            picture.convert("RGB").getdata()
        )
