"""Two other ways to learn what comes next, each with the operations of `plain` of configs/coinrun_ablations.py.

    tools/rivals              # both; the recordings, latents and windows are those of tools/ablate
    tools/rivals --only discrete

`whole`: one network of all layers draws each tick, and no layer of it runs once a tick only; every tick of a window has
a noise level of its own (diffusion forcing, arXiv 2407.01392, as arXiv 2509.24527 has it).

`discrete`: a frame is 64 patches out of a codebook, each the nearest that is there (a patch further than a threshold
from all becomes one), and all patches of the next frame are classified at once (block teacher forcing; both of arXiv
2502.01591).
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ablate
import jax
import jax.numpy as jnp
import numpy as np
import optax
import studies
import tyro
from flax import nnx

from oyster_jax.cli.train import load_config
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.latents import cache_latents
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.data.record import RecordConfig
from oyster_jax.diffusion.schedule import mix, toward
from oyster_jax.evaluate.windows import choose_windows, read_windows
from oyster_jax.models import tokenizer
from oyster_jax.models.action_encoder import ActionEncoder
from oyster_jax.models.dynamics import DynamicsConfig, Group
from oyster_jax.nn import functional
from oyster_jax.nn.attention import rms_norm
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.nn.level import LevelEmbedding
from oyster_jax.nn.patch import merge_tokens, patchify, split_tokens, unpatchify
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.train.loop import Stage, fit
from oyster_jax.typing import Array, Params
from oyster_jax.worlds.registry import data_home, load

CONTEXT, TICKS, STEPS = 8, 8, 4

#: Patches of the codebook, features of one, and how they are written as a latent: by two digits.
CODES, FEATURES, DIGIT = 4096, 64, 64

#: Share of ticks that are to be learned, and how noisy the others may be.
LEARNED, HISTORY = 0.5, 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Trains rivals of the dynamics, and compares them."""

    only: tuple[str, ...] = ("whole", "discrete")
    """Which."""
    updates: int = 250
    """Of `plain`, whose operations all get."""
    windows: int = 96
    """Of held-out levels that are lived."""
    out: Path | None = None
    """Folder of tools/ablate."""


def main(config: Config) -> int:
    """Trains what is not trained yet and prints what was found."""
    folder = config.out or data_home() / "ablations"
    module = load_config(ablate.ROOT / "configs" / "coinrun_ablations.py")
    first = module.get_config()
    world = load("coinrun")
    params = world.params["tokenizer"]
    first = dataclasses.replace(first, tokenizer=world.model.tokenizer)
    seen = studies.recorded(first.recording, folder / "seen" / "frames")
    learned = studies.latents(world.model.tokenizer, params, seen, folder / "seen" / "latents")
    held_out = RecordConfig(source=first.recording.source, frames=20_000, levels=studies.HELD_OUT, seed=2)
    others = studies.recorded(held_out, folder / "held-out" / "frames")
    allowed = config.updates * studies.operations(ablate._stage(first, learned))
    network = dataclasses.replace(first.dynamics, groups=3, channels=first.dynamics.channels)
    for name in config.only:
        rival = (Whole if name == "whole" else Discrete)(network, first, params, seen, learned, folder / name)
        updates = round(allowed / studies.operations(rival.stage))
        training = dataclasses.replace(first.dynamics_training, steps=updates)
        state = fit(rival.stage, training, folder / name, first.seed)
        found = measured(rival, state.average, others, config.windows) | {"updates": updates}
        (folder / name / "result.json").write_text(json.dumps(found))
        print(json.dumps({"rival": name} | found), flush=True)
    return 0


def measured(rival: Any, params: Params, others: EpisodeDataset, count: int) -> dict[str, Any]:
    """Returns PSNR of squared errors pooled over windows after 1, 4, 8 ticks: expected, and drawn."""
    chosen = choose_windows(others.lengths, CONTEXT + TICKS, count, 0)
    read = read_windows(others, chosen, np.arange(len(chosen)), CONTEXT + TICKS, ("frames", "actions"))
    frames, actions = jnp.asarray(read["frames"]), jnp.asarray(read["actions"])
    found: dict[str, Any] = {"parameters": sum(leaf.size for leaf in jax.tree.leaves(params))}
    truth = np.asarray(frames[:, CONTEXT:], np.float32) / 255
    for name, draws in (("expected", False), ("drawn", True)):
        lived = np.asarray(rival.live(params, frames[:, :CONTEXT], actions, draws), np.float32) / 255
        error = np.mean((lived - truth) ** 2, axis=(0, 2, 3, 4))
        found[name] = [round(float(-10 * np.log10(error[tick - 1])), 2) for tick in ablate.HORIZONS]
    ceiling = np.asarray(rival.reconstructed(frames[:, CONTEXT:]), np.float32) / 255
    found["ceiling"] = round(float(-10 * np.log10(np.mean((ceiling - truth) ** 2))), 2)
    return found


class Trunk(nnx.Module):
    """Groups of space and time attention over tokens that stand for places, and registers."""

    def __init__(self, config: DynamicsConfig, inputs: int, outputs: int, rngs: nnx.Rngs):
        self.config, self.dtype, width = config, jnp.dtype(config.dtype), config.features
        self.actions = ActionEncoder(config.actions, width, rngs=rngs)
        self.level = LevelEmbedding(width, rngs=rngs)
        self.embed = Dense(inputs, width, rngs=rngs, bias=True)
        self.place = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.coarse, width)))
        self.registers = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.registers, width)))
        self.groups = functional.Stack(lambda rngs: Group(config, rngs), config.groups, rngs=rngs)
        self.out = Dense(width, outputs, rngs=rngs, scale=0.0, bias=True)

    def __call__(self, tokens: Array, actions: Array, level: Array) -> Array:
        """Maps `[batch, ticks, tokens, inputs]` of the latent's own grid to `[…, outputs / merge²]`."""
        merge, columns = self.config.merge, self.config.columns
        x = self.embed(merge_tokens(tokens, merge, columns).astype(self.dtype)).astype(jnp.float32)
        x = x + lifted(self.place[...], x.ndim)
        registers = jnp.broadcast_to(lifted(self.registers[...], x.ndim), (*x.shape[:-2], *self.registers.shape))
        x = jnp.concatenate([x, registers], axis=-2) + (self.actions(actions) + self.level(level))[..., None, :]
        age = jnp.arange(x.shape[1])[:, None] - jnp.arange(x.shape[1])
        visible = (age >= 0) & (age < self.config.window)
        x, _ = self.groups(x, lambda group, x, _: (group.sequence(x, visible), None))
        out = self.out(rms_norm(x[..., : self.config.coarse, :]).astype(self.dtype)).astype(jnp.float32)
        return split_tokens(out, merge, columns // merge)


class Whole:
    """One network that draws the latent of each tick from noise, shown the latents before."""

    def __init__(self, network: DynamicsConfig, first: Any, params: Params, seen: Any, learned: Any, folder: Path):
        del seen, folder
        self.config, self.tokenizer, self.params = network, first.tokenizer, params
        joined = network.channels * network.merge**2
        self.build = functools.partial(Trunk, inputs=joined, outputs=joined)
        self.stage = _stage("whole", self.init, self.loss, first.dynamics_training, learned, first.seed)

    def init(self, key: Array) -> Params:
        return functional.init(lambda config, rngs: self.build(config, rngs=rngs), self.config, key)

    def bound(self, params: Params) -> Trunk:
        return functional.bind(_built(self.build), self.config, params)

    def loss(self, params: Params, batch: Any, key: Array) -> tuple[Array, dict[str, Array]]:
        latents = batch["latents"].astype(jnp.float32)
        kind, near, far, noise = jax.random.split(key, 4)
        shape = latents.shape[:2]
        learned = jax.random.bernoulli(kind, LEARNED, shape)
        level = jnp.where(jax.random.bernoulli(near, 0.5, shape), 0.0, jax.random.uniform(far, shape))
        signal = jnp.where(learned, level, 1 - HISTORY * jax.random.uniform(near, shape))
        noisy = mix(latents, jax.random.normal(noise, latents.shape), signal)
        error = jnp.mean(jnp.square(self.predicted(params, noisy, batch["actions"], signal) - latents), axis=(-1, -2))
        return jnp.sum(learned * error) / jnp.maximum(jnp.sum(learned), 1), {}

    def predicted(self, params: Params, noisy: Array, actions: Array, signal: Array) -> Array:
        before = jnp.pad(actions[:, :-1], ((0, 0), (1, 0)))
        return self.bound(params)(noisy, before, 1 - signal)

    def reconstructed(self, frames: Array) -> Array:
        return tokenizer.as_frames(self._render(self._encode(frames)))

    def live(self, params: Params, frames: Array, actions: Array, draws: bool) -> Array:
        predict = jax.jit(self.predicted)
        context = self._encode(frames)
        latents = jnp.pad(context, ((0, 0), (0, TICKS), (0, 0), (0, 0)))
        key = jax.random.key(0)
        for tick in range(CONTEXT, CONTEXT + TICKS):
            now = jax.random.normal(jax.random.fold_in(key, tick), latents[:, tick].shape)
            for step in range(STEPS if draws else 1):
                signal = jnp.ones(latents.shape[:2]).at[:, tick].set(step / STEPS)
                clean = predict(params, latents.at[:, tick].set(now), actions, signal)[:, tick]
                share = jnp.full(len(now), step / STEPS), jnp.full(len(now), 1 / STEPS)
                now = toward(now, clean, *share) if draws else clean
            latents = latents.at[:, tick].set(now)
        return tokenizer.as_frames(self._render(latents[:, CONTEXT:]))

    @functools.partial(jax.jit, static_argnums=0)
    def _encode(self, frames: Array) -> Array:
        return jax.lax.map(tokenizer.bind(self.tokenizer, self.params).encoder, frames)

    @functools.partial(jax.jit, static_argnums=0)
    def _render(self, latents: Array) -> Array:
        return jax.lax.map(tokenizer.bind(self.tokenizer, self.params).renderer, latents)


class Classes(nnx.Module):
    """Embeds codes, runs the trunk, classifies the codes of the next tick."""

    def __init__(self, config: DynamicsConfig, rngs: nnx.Rngs):
        self.codes = nnx.Param(jax.random.normal(rngs.params(), (CODES, FEATURES)))
        joined = FEATURES * config.merge**2
        self.trunk = Trunk(config, joined, joined, rngs)
        self.classes = Dense(FEATURES, CODES, rngs=rngs, bias=True)

    def __call__(self, codes: Array, actions: Array) -> Array:
        """Returns logits `[batch, ticks, tokens, codes]` of the next tick."""
        found = self.trunk(self.codes[...][codes], actions, jnp.zeros(codes.shape[:2]))
        return self.classes(rms_norm(found).astype(self.trunk.dtype)).astype(jnp.float32)


class Discrete:
    """A codebook of patches, and a network that classifies all patches of the next frame at once."""

    def __init__(self, network: DynamicsConfig, first: Any, params: Params, seen: Any, learned: Any, folder: Path):
        del params, learned
        self.config, self.patch = network, first.tokenizer.patch
        self.book = jnp.asarray(codebook(seen, self.patch, folder / "codebook.npy"))
        coded = cache_latents(seen, self._encode_block, f"codebook of {len(self.book)}", folder / "codes")
        self.build = lambda config, rngs: Classes(config, rngs)
        self.stage = _stage("discrete", self.init, self.loss, first.dynamics_training, coded, first.seed)

    def init(self, key: Array) -> Params:
        return functional.init(self.build, self.config, key)

    def loss(self, params: Params, batch: Any, key: Array) -> tuple[Array, dict[str, Array]]:
        del key
        codes = (batch["latents"].astype(jnp.float32) @ jnp.array([DIGIT, 1.0])).astype(jnp.int32)
        logits = functional.bind(self.build, self.config, params)(codes, batch["actions"])
        error = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], codes[:, 1:])
        right = jnp.mean(jnp.argmax(logits[:, :-1], axis=-1) == codes[:, 1:])
        return jnp.mean(error), {"right": right}

    def reconstructed(self, frames: Array) -> Array:
        return self._frames(jnp.stack([self._codes(window) for window in frames]))

    def live(self, params: Params, frames: Array, actions: Array, draws: bool) -> Array:
        model = functional.bind(self.build, self.config, params)
        codes = jnp.pad(jnp.stack([self._codes(window) for window in frames]), ((0, 0), (0, TICKS), (0, 0)))
        key = jax.random.key(0)
        half = len(codes) // 2
        step = jax.jit(lambda codes, actions: model(codes, actions))
        for tick in range(CONTEXT, CONTEXT + TICKS):
            parts = [step(codes[rows], actions[rows])[:, tick - 1] for rows in (slice(half), slice(half, None))]
            logits = jnp.concatenate(parts)
            drawn = jax.random.categorical(jax.random.fold_in(key, tick), logits)
            codes = codes.at[:, tick].set(drawn if draws else jnp.argmax(logits, axis=-1))
        return self._frames(codes[:, CONTEXT:])

    def _encode_block(self, memory: Any, block: Any) -> tuple[Any, dict[str, Any]]:
        codes = np.asarray(self._codes(jnp.asarray(block["frames"])))
        return memory, {"latents": np.stack([codes // DIGIT, codes % DIGIT], axis=-1).astype(np.float16)}

    @functools.partial(jax.jit, static_argnums=0)
    def _codes(self, frames: Array) -> Array:
        patches = patchify(frames.astype(jnp.float32) / 127.5 - 1, self.patch)
        return jnp.argmax(patches @ self.book.T - lifted(0.5 * jnp.sum(self.book**2, axis=-1), 3), axis=-1)

    def _frames(self, codes: Array) -> Array:
        columns = self.config.columns
        pixels = unpatchify(self.book[codes], self.patch, columns)
        return jnp.clip(jnp.round((pixels + 1) * 127.5), 0, 255).astype(jnp.uint8)


def codebook(seen: EpisodeDataset, patch: int, path: Path) -> np.ndarray:
    """Returns patches `[CODES, features]`: with the smallest threshold that needs no more of them."""
    if path.exists():
        return np.load(path)
    rng = np.random.default_rng(0)
    frames = np.concatenate([seen[int(i)].frames[::5] for i in rng.permutation(len(seen))[:400]])
    patches = np.asarray(patchify(jnp.asarray(frames[:6000], jnp.float32) / 127.5 - 1, patch)).reshape(-1, patch**2 * 3)
    patches = np.unique(patches.round(3), axis=0)
    patches = rng.permutation(patches)[:20_000]
    low, high = 0.0, float(patches.shape[1])
    book = patches[:CODES]
    for _ in range(9):
        middle = (low + high) / 2
        found = covering(patches, middle)
        if len(found) > CODES:
            low = middle
        else:
            high, book = middle, found
    print(f"codebook: {len(book)} patches, squared distance at most {high:.2f}", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    full = np.concatenate([book, rng.permutation(patches)[: CODES - len(book)]])
    np.save(path, full)
    return full


def covering(patches: np.ndarray, most: float) -> np.ndarray:
    """Returns patches such that no other is further than a squared distance from all of them; stops beyond CODES."""
    left, found = patches, []
    while len(left) and len(found) <= CODES:
        found.append(left[0])
        left = left[np.sum((left - left[0]) ** 2, axis=1) > most]
    return np.stack(found)


@functools.cache
def _built(build: Callable[..., Trunk]) -> Callable[..., Trunk]:
    return lambda config, rngs: build(config, rngs=rngs)


def _stage(name: str, init: Any, loss: Any, training: Any, dataset: EpisodeDataset, seed: int) -> Stage:
    def batches(rows: Sequence[int] | None = None) -> Any:
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=("latents", "actions"))
        return iter(windows(dataset, drawn, rows))

    return Stage(name=name, init=init, loss=loss, batches=batches)


if __name__ == "__main__":
    quiet_without_tpu()
    raise SystemExit(main(tyro.cli(Config, prog="rivals", description=__doc__)))
