"""PPO in the learned CoinRun and in the real one, for the same steps; both are then played in the real one.

    .venv/bin/python tools/examples/ppo.py --out ppo

A small network sees the latent of the frame: that of the world's state, or the real frame's through the world's
encoder. In the world, episodes begin at recorded moments of training levels; in the real game, with a level. What was
learned is played on held-out levels, from their beginning, beside a random policy and that of the recordings. All
snapshots are then played from the same moments in both games: does the world rank them as reality does? Intervals are
95 % bootstrap, over levels. PPO is Schulman et al. 2017, https://arxiv.org/abs/1707.06347, with generalised
advantages.

Found, after 32,768 steps, which took 100 s in the world and 27 s in reality on two cores, on 192 held-out levels for
256 ticks at most: random 0.73 [0.42, 1.09], the policy of recordings 5.00 [4.32, 5.68], learned in the world 4.22
[3.54, 4.90], learned in reality 5.73 [5.00, 6.41]. So what is learned in the world carries over, but not all of it.
The world ranks the ten policies by their returns, from 23 moments, with a rank correlation of 0.82 [0.30, 0.94]. One
seed of training each: the intervals say nothing of others.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from matplotlib.figure import Figure
from ranking import resampled
from ranks import interval, spearman
from reality import Reality, sticky

import oyster_jax
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL
from oyster_jax.evaluate.held_out import held_out_source
from oyster_jax.generate.policies import Network, Policy, Random, View
from oyster_jax.gym.functional import FunctionalEnvironment
from oyster_jax.models import tokenizer
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.typing import Array
from oyster_jax.worlds.world import World

DISCOUNT, SMOOTHING, CLIP, ENTROPY, EPOCHS, MINIBATCHES = 0.99, 0.95, 0.2, 0.01, 3, 4
TRAINING = (0, 200_000)
#: Ticks over which the two games rank policies.
TICKS = 64
HELD_OUT = (FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 10_000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Learns to play in the world and in its simulator."""

    world: str = "coinrun"
    """Name or folder of the world."""
    out: Path = Path("ppo")
    """Folder of the study and of the plot."""
    updates: int = 16
    """Updates of the network."""
    environments: int = 32
    """Episodes side by side."""
    ticks: int = 64
    """Ticks of each between two updates."""
    levels: int = 192
    """Held-out levels that are played at last."""
    seed: int = 0
    """Of everything."""


type Batch = dict[str, Array]

#: `collect(here, network, key)` → where it then stands, arrays `[ticks, environments, …]`, the values after the last.
type Collect = Callable[[Any, Any, Array], tuple[Any, Batch, Array]]


def network(key: Array, inputs: int, actions: int) -> Any:
    """Draws a network of two hidden layers; its last outputs are small, so that it begins by acting at random."""
    widths = (inputs, 256, 128, actions + 1)
    keys = jax.random.split(key, 3)
    scales = (1.4, 1.4, 0.05)
    return [
        {"w": jax.random.normal(k, (i, o)) * (s / i**0.5), "b": jnp.zeros((1, o))}
        for k, i, o, s in zip(keys, widths[:-1], widths[1:], scales, strict=True)
    ]


def apply(layers: Any, latent: Array) -> tuple[Array, Array]:
    """Returns logits `[…, actions]` and values `[…]` of latents `[…, tokens, channels]`."""
    x = latent.reshape(-1, latent.shape[-2] * latent.shape[-1]).astype(jnp.float32)
    for layer in layers[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    x = (x @ layers[-1]["w"] + layers[-1]["b"]).reshape(*latent.shape[:-2], -1)
    return x[..., :-1], x[..., -1]


def decide(layers: Any, latent: Array, key: Array) -> tuple[Array, Batch]:
    """Returns drawn actions, and what is learned from."""
    logits, value = apply(layers, latent)
    action = jax.random.categorical(key, logits).astype(jnp.int32)
    chance = jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], axis=-1)[..., 0]
    return action, {"latent": latent.astype(jnp.float16), "action": action, "chance": chance, "value": value}


def starts_of(world: World, config: Config) -> Any:
    """Returns a batch of states at moments of training levels: their beginnings, and places further on."""
    begin, states = jax.jit(world.model.encode), []
    for wander in (7, 32, 64):
        reality = Reality(world, moments=config.environments, levels=TRAINING, wander=wander, seed=wander)
        reality.close()
        moments = reality.moments
        states += [
            begin(world.params, *one, jax.random.key(0)) for one in zip(moments.frames, moments.actions, strict=True)
        ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def in_world(world: World, config: Config) -> tuple[Any, Collect]:
    """Returns where it begins in the world, and what collects there."""
    starts = starts_of(world, config)
    environment = FunctionalEnvironment(params=world.params, starts=starts, model=world.model, max_ticks=256)
    keys = jax.random.split(jax.random.key(config.seed), config.environments)
    _, first = jax.jit(lambda environment: jax.vmap(environment.reset)(keys))(environment)

    @functools.partial(jax.jit, donate_argnums=1)
    def run(environment: FunctionalEnvironment, state: Any, layers: Any, key: Array) -> tuple[Any, Batch, Array]:
        def tick(state: Any, key: Array) -> tuple[Any, Batch]:
            action, row = decide(layers, state.world.latent, key)
            keys = jax.random.split(jax.random.fold_in(key, 1), config.environments)
            _, state, reward, done, _ = jax.vmap(environment.step)(keys, state, action)
            return state, row | {"reward": reward, "done": done}

        state, rows = jax.lax.scan(tick, state, jax.random.split(key, config.ticks))
        return state, rows, apply(layers, state.world.latent)[1]

    return first, functools.partial(run, environment)


def in_reality(world: World, config: Config) -> tuple[Any, Collect]:
    """Returns where it begins in the simulator, and what collects there."""
    source = held_out_source(world.record["training"])
    simulator = source.open(environments=config.environments, levels=TRAINING, seed=config.seed)

    @jax.jit
    def act(params: Any, layers: Any, frames: Array, key: Array) -> tuple[Array, Batch]:
        return decide(layers, tokenizer.bind(world.model.tokenizer, params["tokenizer"]).encoder(frames), key)

    def collect(here: Any, layers: Any, key: Array) -> tuple[Any, Batch, Array]:
        rows = []
        for one in jax.random.split(key, config.ticks):
            action, row = act(world.params, layers, here.frames, one)
            here = simulator.step(np.asarray(action))
            rows.append(row | {"reward": jnp.asarray(here.rewards), "done": jnp.asarray(here.ended)})
        last = act(world.params, layers, here.frames, key)[1]["value"]
        return here, jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows), last

    return simulator.observe(), collect


def advantages(batch: Batch, last: Array, smoothing: float = SMOOTHING) -> Array:
    """Returns generalised advantages (https://arxiv.org/abs/1506.02438), `[ticks, environments]`."""

    def back(later: tuple[Array, Array], row: Batch) -> tuple[tuple[Array, Array], Array]:
        advantage, value = later
        goes_on = DISCOUNT * (1 - row["done"].astype(jnp.float32))
        advantage = row["reward"] + goes_on * (value + smoothing * advantage) - row["value"]
        return (advantage, row["value"]), advantage

    return jax.lax.scan(back, (jnp.zeros_like(last), last), batch, reverse=True)[1]


def loss(layers: Any, batch: Batch) -> Array:
    """Returns what PPO makes small."""
    logits, value = apply(layers, batch["latent"])
    chances = jax.nn.log_softmax(logits)
    ratio = jnp.exp(jnp.take_along_axis(chances, batch["action"][:, None], axis=1)[:, 0] - batch["chance"])
    better = (batch["advantage"] - batch["advantage"].mean()) / (batch["advantage"].std() + 1e-6)
    gained = jnp.minimum(ratio * better, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * better).mean()
    entropy = -(jnp.exp(chances) * chances).sum(axis=-1).mean()
    return 0.5 * jnp.square(value - batch["aim"]).mean() - gained - ENTROPY * entropy


OPTIMIZER = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(5e-4))


@jax.jit
def update(layers: Any, state: Any, batch: Batch, last: Array, key: Array) -> tuple[Any, Any]:
    """Returns the network and the optimizer's state after some epochs over a batch."""
    advantage = advantages(batch, last)
    flat = batch | {"advantage": advantage, "aim": advantage + batch["value"]}
    flat = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), flat)

    def step(both: tuple[Any, Any], chosen: Array) -> tuple[tuple[Any, Any], None]:
        layers, state = both
        gradient = jax.grad(loss)(layers, jax.tree.map(lambda array: array[chosen], flat))
        changes, state = OPTIMIZER.update(gradient, state, layers)
        return (optax.apply_updates(layers, changes), state), None

    count = len(flat["action"])
    orders = jax.vmap(lambda key: jax.random.permutation(key, count))(jax.random.split(key, EPOCHS))
    return jax.lax.scan(step, (layers, state), orders.reshape(EPOCHS * MINIBATCHES, -1))[0]


def logits(layers: Any, view: View) -> Array:
    """Returns what the policy draws from."""
    return apply(layers, view.latent)[0]


def learned(name: str, here: Any, collect: Collect, world: World, config: Config) -> dict[str, Policy]:
    """Trains; returns four snapshots as policies."""
    inputs = world.model.tokenizer.tokens * world.model.tokenizer.channels
    layers = network(jax.random.key(config.seed), inputs, world.spec.action.count)
    state, begin, found = OPTIMIZER.init(layers), time.monotonic(), {}
    for number in range(1, config.updates + 1):
        key = jax.random.fold_in(jax.random.key(config.seed + 1), number)
        here, batch, last = collect(here, layers, key)
        layers, state = update(layers, state, batch, last, key)
        if number % max(config.updates // 4, 1) == 0:
            steps, seconds = number * config.ticks * config.environments, time.monotonic() - begin
            rewards, ends = float(batch["reward"].sum()), int(batch["done"].sum())
            print(f"{name}: {steps} steps, {seconds:.0f} s; reward {rewards:.0f} and {ends} ends in the last batch")
            found[f"{name}, {steps} steps"] = Network(params=layers, logits=logits)
    return found


def main(config: Config) -> None:
    """Learns in both, plays both, and compares."""
    world = oyster_jax.load(config.world)
    known: dict[str, Policy] = {
        "random": Random(actions=world.spec.action.count),
        "as recordings": sticky(world.spec.action),
    }
    dreamt = learned("world", *in_world(world, config), world, config)
    real = learned("reality", *in_reality(world, config), world, config)
    at_last = known | dict([*dreamt.items()][-1:]) | dict([*real.items()][-1:])
    beginnings = Reality(world, moments=config.levels, levels=HELD_OUT, context=1, wander=0, seed=config.seed)
    played = np.stack([beginnings.play(policy, 256).rewards.sum(1) for policy in at_last.values()])
    beginnings.close()
    print(f"Return on {config.levels} held-out levels, in at most 256 ticks:")
    for name, value, low, high in zip(at_last, *interval(resampled(played, config.seed)), strict=True):
        print(f"  {name:24} {value:.2f} [{low:.2f}, {high:.2f}]")
    rank(world, known | dreamt | real, config)


def rank(world: World, policies: dict[str, Policy], config: Config) -> None:
    """Plays all policies from the same moments in both games; prints and draws how far they agree."""
    reality = Reality(world, moments=24, levels=HELD_OUT, wander=24, seed=config.seed)
    true = np.stack([np.mean([reality.play(one, TICKS, seed=s).rewards.sum(1) for s in range(4)], 0)
                     for one in policies.values()])  # fmt: skip
    study = oyster_jax.Study(
        ticks=TICKS, worlds=world, policies=policies, prompts=reality.moments, measures="return", seeds=2, block=2
    )
    said = study.run(config.out)["return"].squeeze().mean("seed").transpose("policy", "start").values
    model, real = resampled(said, config.seed), resampled(true, config.seed)
    value, low, high = interval(spearman(model, real))
    print(f"Rank correlation of returns over {len(policies)} policies: {value:.2f} [{low:.2f}, {high:.2f}]")
    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, x, y in zip(policies, real[0], model[0], strict=True):
        axes.plot(x, y, "o")
        axes.annotate(name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set(xlabel="return in the simulator", ylabel="return in the world", title=f"ρ = {value:.2f}")
    figure.savefig(config.out / "ppo.png", dpi=140)


if __name__ == "__main__":
    quiet_without_tpu()
    main(tyro.cli(Config, description=__doc__))
