"""The player's page in a browser, as tests use it."""

import re
from typing import Any

from playwright.sync_api import Page, expect

#: Keeps a number for the picture of every tick that the page draws, and the newest frame as the page tells of it.
WATCH = """
() => {
  const canvas = document.querySelector(".pixels");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  const digest = () => {
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let hash = 2166136261;
    for (const value of data) hash = Math.imul(hash ^ value, 16777619) >>> 0;
    return hash;
  };
  window.watched = { first: {}, now: {}, frames: 0, last: null };
  addEventListener("oyster:frame", ({ detail }) => {
    if (detail.lane !== 0) return;
    const key = `${detail.branch}:${detail.tick}`;
    const found = digest();
    window.watched.first[key] ??= found;
    window.watched.now[key] = found;
    window.watched.frames += 1;
    const { picture, ...rest } = detail;
    window.watched.last = rest;
  });
}
"""


class Game:
    """A page with a session in it."""

    def __init__(self, page: Page, address: str):
        self.page, self.address = page, address

    def enter(self, seed: int = 7) -> None:
        """Goes from the worlds into a dream."""
        self.page.goto(self.address)
        self.page.get_by_label("Seed", exact=True).fill(str(seed))
        self.page.get_by_role("button", name="Enter the world").click()
        expect(self.page.locator(".screen")).to_be_visible()
        self.watch()
        self.wait("watched.frames > 2")

    def watch(self) -> None:
        self.page.evaluate(WATCH)

    def wait(self, condition: str, timeout: float = 20_000) -> None:
        self.page.wait_for_function(f"() => {condition}", timeout=timeout, polling=50)

    def wait_ticks(self, ticks: int) -> None:
        """Waits until that many more ticks have been drawn."""
        self.wait(f"watched.last && watched.last.tick >= {self.tick + ticks}")

    @property
    def last(self) -> dict[str, Any]:
        """The header of the newest frame."""
        return self.page.evaluate("() => watched.last")

    @property
    def tick(self) -> int:
        last = self.last
        return 0 if last is None else last["tick"]

    @property
    def session(self) -> str:
        found = re.search(r"session=([0-9a-f]+)", self.page.url)
        assert found, self.page.url
        return found[1]

    def command(self, name: str) -> None:
        self.page.locator(f"[data-command={name}]").click()

    def pause(self) -> None:
        if self.page.locator("[data-command=toggle]").get_attribute("aria-label") == "Pause":
            self.command("toggle")
        expect(self.page.locator("[data-command=toggle]")).to_have_attribute("aria-label", "Play")
        self._settle()

    def _settle(self) -> None:
        """Waits until frames that were on their way have been drawn: they would move the handle of the timeline."""
        seen = -1
        while seen != (seen := self.page.evaluate("() => watched.frames")):
            self.page.wait_for_timeout(250)

    def resume(self) -> None:
        self.command("toggle")
        expect(self.page.locator("[data-command=toggle]")).to_have_attribute("aria-label", "Pause")

    def seek(self, tick: int) -> None:
        """Drags the handle of the timeline to a tick near the one that is given, then goes to it by keys."""
        tracks = self.page.locator(".timeline-tracks")
        tracks.focus()
        for _ in range(200):
            at = int(tracks.get_attribute("aria-valuenow") or 0)
            if at == tick:
                break
            key = (
                ("PageDown" if at - tick >= 15 else "ArrowLeft")
                if at > tick
                else ("PageUp" if tick - at >= 15 else "ArrowRight")
            )
            self.page.keyboard.press(key)
            expect(tracks).not_to_have_attribute("aria-valuenow", str(at))
        self.wait(f"watched.last.tick === {tick}")

    def branches(self) -> list[str]:
        return self.page.locator(".branch-name").all_inner_texts()

    def figure(self, name: str) -> float:
        """A number of the figures beside the picture."""
        return float(self.page.locator(f"[data-figure={name}]").inner_text().replace(",", "").rstrip(" %"))

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
