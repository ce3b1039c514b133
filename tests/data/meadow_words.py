"""Words of the meadow, a recording of it, and how they are learned in seconds."""

import jax
import numpy as np

from oyster_jax.core.facts import Fact
from oyster_jax.data.captions import Lexicon, Phrase
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import Provenance
from oyster_jax.data.scenes import Scenes, read_moments
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.words import WordsTraining, train_words
from tests.models.structured import SPEC, moments

FACTS = (
    Fact(name="stone_here", says="stone", topic="stone", part="tiles", of=("stone",), least=5.0),
    Fact(name="stone_left", says="stone to the left", topic="stone", part="tiles", of=("stone",), region="left",
         least=2.0),
    Fact(name="cow_here", says="a cow", topic="cow", part="entities", of=("cow",)),
    Fact(name="dark", says="dark", topic="time", part="quantities", of=("light",), least=0.0, most=0.5),
    Fact(name="rich", says="much wood", topic="wood", part="quantities", of=("wood",), least=4.0),
)  # fmt: skip
LEXICON = Lexicon(
    facts=FACTS,
    phrases={
        "stone_here": Phrase(symbol="stone"),
        "stone_left": Phrase(symbol="placed", bindings={"thing": "stone", "place": "left"}),
        "cow_here": Phrase(symbol="cow"),
        "dark": Phrase(symbol="dark"),
        "rich": Phrase(symbol="rich"),
    },
    events={"night_falls": Phrase(symbol="falls"), "cow_dies": Phrase(symbol="dies")},
    rules={
        "stone": ("stone", "rocks", "some stone", "grey stone"),
        "left": ("to the left", "on the left", "westwards", "in the west"),
        "placed": ("{thing} {place}", "{place} {thing}"),
        "cow": ("a cow", "cows", "a brown cow", "some cow"),
        "dark": ("dark", "it is dark", "night", "a dark night"),
        "rich": ("much wood", "a lot of wood", "with much wood", "lots of wood"),
        "falls": ("night falls", "it gets dark", "let night fall", "the night falls"),
        "dies": ("the cow dies", "kill the cow", "a cow dies", "the cow is dead"),
        "opening": ("there is", "show me"),
        "joint": (", ", " and "),
        "closing": ("", "."),
    },
)  # fmt: skip


def recording(folder) -> EpisodeDataset:
    """400 ticks of the meadow, half of them dark."""
    seen = jax.device_get(moments(400))
    quantities = np.array(seen.quantities)
    quantities[::2, 2] = 1.0
    provenance = Provenance(
        spec=SPEC, split="training", levels=None, source="tests:meadow", options={}, policy="none", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, provenance) as writer:
        for start in range(0, 400, 40):
            part = slice(start, start + 40)
            writer.add(
                Episode(
                    actions=np.zeros(40, np.int32), rewards=np.zeros(40, np.float32), terminals=np.zeros(40, bool),
                    frames=np.array(seen.frame)[part], tiles=np.array(seen.tiles)[part], quantities=quantities[part],
                    entities=np.array(seen.entities)[part], entity_mask=np.array(seen.entity_mask)[part],
                )
            )  # fmt: skip
    return EpisodeDataset(folder)


def training(text=150, scene=200):
    """Few and small steps."""

    def steps(count):
        optimizer = OptimizerConfig(name="adamw", learning_rate=1e-2, warmup=5)
        return TrainConfig(
            steps=count, batch=32, window=1, average_decay=0.9, optimizer=optimizer, checkpoint_every=1000
        )

    return WordsTraining(
        text_features=16, text_depth=1, text=steps(text), scene_features=16, scene_depth=1, scene=steps(scene), most=3
    )


def learned(dataset, folder, config=None):
    """Words trained on the recording."""
    seen = read_moments(dataset)
    return train_words(config or training(), LEXICON, seen, Scenes.of(SPEC, seen), folder, seed=0)
