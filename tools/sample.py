"""Makes the small sample of docs/your-world.md: clips of a game of one paddle and one ball, with actions beside them.

    .venv/bin/python tools/sample.py docs/paddle

A ball bounces between three walls and a paddle at the bottom, which is moved to the left and to the right; missing the
ball ends the game. Who plays follows the ball most of the time.
"""

import csv
import dataclasses
import sys
from pathlib import Path

import numpy as np

from oyster_jax.frames import write_clip

SIDE, RATE = 64, 15.0
CLIPS, TICKS = 28, 240
SEED = 0

GROUND, PADDLE, BALL = (24, 28, 44), (230, 235, 240), (250, 200, 60)
ACTIONS = {"noop": 0, "left": -3, "right": 3}

#: Pixels: of the ball, of the paddle, and where the paddle's top is.
BALL_SIDE, PADDLE_WIDTH, PADDLE_HEIGHT, PADDLE_TOP = 5, 16, 4, 56

#: How often the player follows the ball, and how often it thinks again.
SKILL, ATTENTION = 0.75, 0.35


@dataclasses.dataclass
class Game:
    """Where everything is, in pixels from the left and from the top."""

    x: int
    y: int
    dx: int
    dy: int
    paddle: int

    def step(self, action: str) -> tuple[float, bool]:
        """Moves paddle and ball; returns the reward and whether the ball was missed."""
        self.paddle = int(np.clip(self.paddle + ACTIONS[action], 0, SIDE - PADDLE_WIDTH))
        self.x, self.y = self.x + self.dx, self.y + self.dy
        if not 0 <= self.x <= SIDE - BALL_SIDE:
            self.x, self.dx = int(np.clip(self.x, 0, SIDE - BALL_SIDE)), -self.dx
        if self.y < 0:
            self.y, self.dy = 0, -self.dy
        reached = self.dy > 0 and PADDLE_TOP <= self.y + BALL_SIDE <= PADDLE_TOP + self.dy
        if reached and self.paddle - BALL_SIDE < self.x < self.paddle + PADDLE_WIDTH:
            self.y, self.dy = PADDLE_TOP - BALL_SIDE, -self.dy
            return 1.0, False
        return 0.0, self.y >= SIDE

    def frame(self) -> np.ndarray:
        """Draws it, uint8 `[SIDE, SIDE, 3]`."""
        frame = np.full((SIDE, SIDE, 3), GROUND, np.uint8)
        frame[PADDLE_TOP : PADDLE_TOP + PADDLE_HEIGHT, self.paddle : self.paddle + PADDLE_WIDTH] = PADDLE
        frame[self.y : self.y + BALL_SIDE, self.x : self.x + BALL_SIDE] = BALL
        return frame


def play(generator: np.random.Generator) -> tuple[list[np.ndarray], list[tuple[str, float, int]]]:
    """Returns the frames of one game and a row of action, reward and end for each."""
    game = Game(
        x=int(generator.integers(SIDE - BALL_SIDE)),
        y=int(generator.integers(SIDE // 2)),
        dx=int(generator.choice((-2, -1, 1, 2))),
        dy=2,
        paddle=int(generator.integers(SIDE - PADDLE_WIDTH)),
    )
    frames, rows, action = [], [], "noop"
    for _ in range(TICKS):
        if generator.random() < ATTENTION:
            off = game.x - game.paddle - (PADDLE_WIDTH - BALL_SIDE) // 2
            follow = "noop" if abs(off) < 4 else "left" if off < 0 else "right"
            action = follow if generator.random() < SKILL else str(generator.choice(list(ACTIONS)))
        frames.append(game.frame())
        reward, missed = game.step(action)
        rows.append((action, reward, int(missed)))
        if missed:
            break
    return frames, rows


def main(folder: Path) -> int:
    """Writes the clips into a folder and says how much it was."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(SEED)
    ticks = 0
    for number in range(CLIPS):
        frames, rows = play(generator)
        ticks += len(rows)
        write_clip(folder / f"game{number:02d}.mp4", frames, rate=RATE)
        with (folder / f"game{number:02d}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("action", "reward", "terminal"), *rows])
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{CLIPS} clips, {ticks:,} ticks, {size / 1000:.0f} kB in {folder}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
