"""Press to photon: from a key that is pressed in a browser to the picture on the canvas that was computed with it.

The player's own page is opened in Chromium and its keys are pressed by the browser's own input, at random moments,
while the world runs. The page tells of every frame that it has drawn (`oyster:frame`); the first one that echoes a
press is the answer to it.
"""

import dataclasses
import importlib.util
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oyster_jax.evaluate.figure import Figure, median_figure

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Where Debian keeps its Chromium.
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")

#: Multiples of a world's own pace that the page can be set to.
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)

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
  window.drawn = 0;
  const press = (event) => {
    if (event.repeat) return;
    pressed.set(event.timeStamp, performance.now());
  };
  addEventListener("keydown", press); // After the page's own listener, which sends at once.
  addEventListener("oyster:frame", ({ detail }) => {
    window.drawn += 1;
    const sent = pressed.get(detail.echo);
    if (sent === undefined || detail.lane !== 0) return;
    pressed.clear();
    requestAnimationFrame((shown) => window.photons.push({ ...detail, at: detail.echo, sent, shown }));
  });
}
"""


#: Share of presses that must be answered for the others to tell anything.
ANSWERED = 0.8


class BrowserError(RuntimeError):
    """There is no browser, or its page did not do what was asked; the message says what to do."""


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


_FIELDS = tuple(field.name for field in dataclasses.fields(Press))
_ENDS = ("drawn", "shown")


def check_browser() -> None:
    """Refuses where there is no browser to measure in.

    Raises:
      BrowserError: something is missing; the sentence says what.
    """
    if importlib.util.find_spec("playwright") is None:
        raise BrowserError("Measuring in a browser needs the package playwright; install the extra 'dev'.")
    if not CHROMIUM.exists():
        raise BrowserError(f"Measuring in a browser needs {CHROMIUM}; on Debian: apt-get install chromium.")


def photon_figures(address: str, *, presses: int, speed: float, conditions: dict[str, Any]) -> list[Figure]:
    """Measures presses in a session.

    Args:
      address: of the player's page, with its session.
      presses: how many are measured.
      speed: that the session is set to, one of `SPEEDS`.
      conditions: of the figures.

    Returns:
      Median and 95th percentile of both ends, the same of every part, and frames drawn a second.

    Raises:
      BrowserError: there is no browser, or too few presses were answered.
    """
    found, rate = _measure(address, presses, speed)
    about = conditions | {"presses": len(found), "speed": speed}
    samples = {name: np.asarray([getattr(press, name) for press in found]) for name in _FIELDS}
    figures = []
    for name, values in samples.items():
        full = f"photon.{name}" if name in _ENDS else f"photon.part.{name}"
        late = Figure(
            name=f"{full}.p95", value=float(np.percentile(values, 95)), unit="ms", spread=None, conditions=about
        )
        figures += [median_figure(f"{full}.p50", values, "ms", about), late]
    return [*figures, Figure(name="photon.frames", value=rate, unit="frames/s", spread=None, conditions=about)]


def _measure(address: str, presses: int, speed: float) -> tuple[list[Press], float]:
    """Returns the presses that were answered, and the frames a second that were drawn meanwhile."""
    check_browser()
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.locator(".speed").select_option(f"{speed:g}")
            page.locator(".screen").focus()
            page.evaluate(_LISTEN)
            found = _press_keys(page, presses)
            browser.close()
    except Error as error:
        raise BrowserError(f"The browser failed: {error.message.splitlines()[0]}") from error
    return found


def _press_keys(page: "Page", presses: int) -> tuple[list[Press], float]:
    chance = random.Random(0)
    begin = time.perf_counter()
    for index in range(WARM_UP + presses):
        key = KEYS[index % len(KEYS)]
        page.keyboard.down(key)
        time.sleep(chance.uniform(*HELD))
        page.keyboard.up(key)
        time.sleep(chance.uniform(*APART))
    rate = page.evaluate("() => window.drawn") / (time.perf_counter() - begin)
    answered = [_press(found) for found in page.evaluate("() => window.photons")]
    if len(answered) < ANSWERED * (WARM_UP + presses):
        raise BrowserError(
            f"Only {len(answered)} of {WARM_UP + presses} presses were answered by a frame; let the machine do less "
            "beside it, or measure a slower --speed."
        )
    return answered[-presses:], rate


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
