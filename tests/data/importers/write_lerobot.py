"""Writes the folder `lerobot`, the dataset of `test_lerobot.py` that LeRobot itself made: it would bring all of torch.

python -m venv /tmp/lerobot
/tmp/lerobot/bin/pip install lerobot==0.4.4
/tmp/lerobot/bin/python tests/data/importers/write_lerobot.py tests/data/importers/lerobot
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # pyright: ignore[reportMissingImports]

LENGTHS, FPS, HEIGHT, WIDTH = (12, 9, 10), 10, 96, 128
FEATURES = {
    "action": {"dtype": "float32", "shape": (2,), "names": ["pan", "lift"]},
    "observation.state": {"dtype": "float32", "shape": (2,), "names": ["pan", "lift"]},
    "observation.images.front": {
        "dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"],
    },
}  # fmt: skip


def picture(episode: int, tick: int) -> np.ndarray:
    """A grey ground, darker from episode to episode, on which a square walks four pixels a tick."""
    frame = np.full((HEIGHT, WIDTH, 3), 200 - 30 * episode, np.uint8)
    frame[32:64, 4 * tick : 4 * tick + 32] = (250, 30, 30)
    return frame


def main(folder: Path) -> None:
    """Writes the dataset in the place of the one that was there."""
    shutil.rmtree(folder, ignore_errors=True)
    dataset = LeRobotDataset.create("oyster/square", FPS, FEATURES, root=folder, robot_type="square", use_videos=True)
    for episode, count in enumerate(LENGTHS):
        generator = np.random.default_rng(episode)
        for tick in range(count):
            action = generator.uniform(-1, 1, 2).astype(np.float32)
            dataset.add_frame(
                {"action": action, "observation.state": action / 2, "task": "walk",
                 "observation.images.front": picture(episode, tick)}
            )  # fmt: skip
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
