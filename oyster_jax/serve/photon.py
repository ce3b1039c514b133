"""Press to photon: from a key that is pressed in a real browser to the picture on the canvas that was computed with it.

The player's own page is opened in Chromium and its keys are pressed by the browser's own input, at random moments, while
the world runs. The page tells of every frame that it has drawn (`oyster:frame`); the first one that echoes the press is
the answer to it.
"""

import dataclasses
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.figure import Figure, median_figure

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Where Debian keeps its Chromium.
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")

#: Keys that are pressed in turns, and for how long, in seconds; how long until the next.
KEYS = ("ArrowRight", "Space", "ArrowLeft")
HELD = (0.08, 0.25)
APART = (0.1, 0.35)
#: Presses before those that count: programs and caches are warm by then.
WARM_UP = 10
#: Milliseconds that a page, an answer and a press may take.
PATIENCE = 60_000

#: Of each press: when it was, when the page had sent it, and the frame that answered it. `shown` is the browser's next
#: chance to put what was drawn on the display.
_LISTEN = """
() => {
  const pressed = new Map();
  window.photons = [];
  const press = (event) => {
    if (event.repeat) return;
    pressed.set(event.timeStamp, performance.now());
  };
  addEventListener("keydown", press); // After the page's own listener, which sends at once.
  addEventListener("oyster:frame", ({ detail }) => {
    const sent = pressed.get(detail.echo);
    if (sent === undefined || detail.lane !== 0) return;
    pressed.clear();
    requestAnimationFrame((shown) => window.photons.push({ ...detail, at: detail.echo, sent, shown }));
  });
}
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Press:
    """One press of a key and its answer, all times in milliseconds.

    Attributes:
      drawn: from the press to the picture on the canvas.
      shown: from the press to the browser's next chance to put that on the display.
      sending: from the press to the message being handed to the socket.
      waiting: the message waited at the server for the next tick.
      stepping: of the tick.
      encoding: of its picture.
      serving: the rest of the server's time, from the beginning of the tick to the socket.
      link: what no other part explains: sockets and event loops on both sides.
      drawing: from the message's arrival to the picture on the canvas.
    """

    drawn: float
    shown: float
    sending: float
    waiting: float
    stepping: float
    encoding: float
    serving: float
    link: float
    drawing: float


def photon_figures(
    address: str, *, presses: int, factor: float, conditions: dict[str, Any], progress: Progress | None = None
) -> list[Figure]:
    """Measures presses in a session that is open at `address`.

    Args:
      address: of the player's page, with its session.
      presses: how many are measured.
      factor: the speed that the session is set to, as a multiple of the world's own.
      conditions: of the figures.
      progress: told the presses done and to do.

    Returns:
      Median and 95th percentile of both ends, the median of every part, and the rate of frames.

    Raises:
      RuntimeError: there is no browser, or the page did not answer; the sentence says what to do.
    """
    found, rate = _measure(address, presses, factor, progress)
    about = conditions | {"presses": len(found), "speed": factor}
    columns = {field.name: np.asarray([getattr(press, field.name) for press in found]) for field in _FIELDS}
    figures = []
    for end in ("drawn", "shown"):
        figures += [
            median_figure(f"photon.{end}.p50", columns[end], "ms", about),
            Figure(
                name=f"photon.{end}.p95",
                value=float(np.percentile(columns[end], 95)),
                unit="ms",
                spread=None,
                conditions=about,
            ),
        ]
    parts = [name for name in columns if name not in ("drawn", "shown")]
    figures += [median_figure(f"photon.part.{name}", columns[name], "ms", about) for name in parts]
    return [*figures, Figure(name="photon.frames", value=rate, unit="frames/s", spread=None, conditions=about)]


_FIELDS = dataclasses.fields(Press)


def _measure(address: str, presses: int, factor: float, progress: Progress | None) -> tuple[list[Press], float]:
    """Returns the presses that were answered, and the frames a second that were drawn meanwhile."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise RuntimeError("Measuring in a browser needs the package playwright; install the extra 'dev'.") from error
    if not CHROMIUM.exists():
        raise RuntimeError(f"Measuring in a browser needs {CHROMIUM}; on Debian: apt-get install chromium.")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.locator(".speed").select_option(f"{factor:g}")
            page.locator(".screen").focus()
            page.evaluate(_LISTEN)
            result = _press_keys(page, presses, progress)
            browser.close()
    except Error as error:
        raise RuntimeError(f"The browser failed: {error.message.splitlines()[0]}") from error
    return result


def _press_keys(page: "Page", presses: int, progress: Progress | None) -> tuple[list[Press], float]:
    chance = random.Random(0)
    page.evaluate("() => { window.frames_drawn = 0; addEventListener('oyster:frame', () => window.frames_drawn++); }")
    begin = time.perf_counter()
    for index in range(WARM_UP + presses):
        key = KEYS[index % len(KEYS)]
        page.keyboard.down(key)
        time.sleep(chance.uniform(*HELD))
        page.keyboard.up(key)
        time.sleep(chance.uniform(*APART))
        if progress is not None and index >= WARM_UP:
            progress(index + 1 - WARM_UP, presses)
    rate = page.evaluate("() => window.frames_drawn") / (time.perf_counter() - begin)
    answered = [_press(found) for found in page.evaluate("() => window.photons")]
    if len(answered) < WARM_UP + 0.9 * presses:
        raise RuntimeError(f"Only {len(answered)} of {WARM_UP + presses} presses were answered by a frame.")
    return answered[WARM_UP:], rate


def _press(found: dict[str, float]) -> Press:
    drawn, drawing = found["drawn"] - found["at"], found["drawn"] - found["received"]
    sending = found["sent"] - found["at"]
    return Press(
        drawn=drawn,
        shown=max(drawn, found["shown"] - found["at"]),
        sending=sending,
        waiting=found["waited"],
        stepping=found["step"],
        encoding=found["encode"],
        serving=found["server"] - found["step"] - found["encode"],
        link=drawn - sending - found["waited"] - found["server"] - drawing,
        drawing=drawing,
    )
