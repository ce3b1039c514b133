"""A platformer of whole pixels that can be put back, and models of it that are right or wrong on purpose.

The agent walks a pixel a tick over a level of steps, jumps with 6 pixels a tick and falls by one more each tick. A
thing lies still and another moves on its own. The agent's picture tells all of the state, so that a model can read it.
"""

import dataclasses
import types

import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import ActionSpec, EntitySpec, FrameSpec, WorldSpec
from oyster_jax.core.state import WorldState
from oyster_jax.data.sources.source import TimeStep

TILE = 4
SIZE = 13 * TILE
MIDDLE = SIZE // 2
JUMP = 6
EPISODE = 200
ACTIONS = ("left", "noop", "right", "left+jump", "jump", "right+jump")
SPEC = WorldSpec(
    name="coinrun",  # the camera of this name is known
    frame=FrameSpec(height=SIZE, width=SIZE),
    action=ActionSpec(names=ACTIONS, idle="noop"),
    entity=EntitySpec(capacity=4, fields=("x", "y", "vx", "vy", "rx", "ry", "type")),
)
AGENT, STILL, MOVER = 0, 2, 5


def ground(x, xp=np):
    """High ground of 48 columns, then ground three tiles lower, again and again."""
    return xp.where(x % 96 < 48, 40, 28)


def moved(state, action, xp=np):
    """The state one tick later: x, y, vertical speed, level, tick."""
    x, y, speed, level, tick = state
    ahead = xp.maximum(x + action % 3 - 1, 0)
    after = xp.where(ground(ahead, xp) <= y, ahead, x)
    jumps = (action >= 3) & (y == ground(x, xp)) & (speed == 0)
    speed = xp.where(jumps, JUMP, xp.maximum(speed - 1, -JUMP))
    lands = y + speed <= ground(after, xp)
    return after, xp.where(lands, ground(after, xp), y + speed), xp.where(lands, 0, speed), level, tick + 1


def things(state, xp=np):
    """Places in pixels of the agent, the still thing and the mover: x, y and type of each."""
    x, y, _, _, tick = state
    return ((x, y, AGENT), (x * 0 + 36, y * 0 + 44, STILL), (x * 0 + 60 + tick % 16, y * 0 + 32, MOVER))


def drawn(state, xp=np, *, texture=True):
    """A frame: texture by place and level, the things in blue, the state in the agent's picture."""
    x, y, speed, level, tick = state
    columns = x + xp.arange(SIZE) - MIDDLE
    rows = y - xp.arange(SIZE) + MIDDLE - 1
    place = columns[None, :] * 37 + rows[:, None] * 91 + (columns[None, :] * rows[:, None]) % 61 + level * 13
    red = place % 200 * int(texture)
    green = xp.where(rows[:, None] < ground(columns, xp)[None, :], 200, 50)
    blue = xp.zeros((SIZE, SIZE), np.int32)
    for left, down, _ in things(state, xp)[1:]:
        box = (abs(2 * (columns[None, :] - left) + 1) < 4) & (abs(2 * (rows[:, None] - down) + 1) < 4)
        blue = xp.where(box, 255, blue)
    frame = xp.stack([red, green, blue], axis=-1)
    state = xp.repeat(xp.stack([x // 256, x % 256, y, speed + 128, level, tick]), 3).reshape(2, 3, 3)
    row, column = (np.clip(np.arange(SIZE) - MIDDLE, 0, last) for last in (1, 2))
    rows, columns = np.indices((SIZE, SIZE))
    agent = (rows // 2 == MIDDLE // 2) & (columns >= MIDDLE) & (columns < MIDDLE + 3)
    return xp.where(agent[..., None], state[row][:, column], frame).astype(np.uint8)


def told(frame, xp=np):
    """The state that the agent's picture tells."""
    high, low, y, speed, level, tick = (
        frame[MIDDLE + index // 3, MIDDLE + index % 3, 0].astype(np.int32) for index in range(6)
    )
    return high * 256 + low, y, speed - 128, level, tick


def motion(frames):
    """Camera motion in tiles a tick, read off the agent's picture."""
    places = np.array([told(frame)[:2] for frame in frames], np.float32)
    return np.diff(places, axis=0) / TILE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platformer:
    """The game as a source; `exact` is whether its simulator can be put back."""

    entities: bool = False
    exact: bool = True

    name = "platformer"
    options = {}  # noqa: RUF012
    licence = "Apache-2.0"
    policies = types.MappingProxyType({})

    @property
    def spec(self):
        return SPEC if self.entities else dataclasses.replace(SPEC, entity=None)

    def open(self, *, environments, levels, seed):
        simulator = Simulator(environments, levels, seed)
        return simulator if self.exact else Plain(simulator)


class Simulator:
    """Levels differ in their texture only; an episode ends by the clock."""

    def __init__(self, environments, levels, seed):
        level = np.random.default_rng(seed).integers(*levels, size=environments)
        self._state = np.stack([level * 0 + 20, level * 0 + 40, level * 0, level % 256, level * 0])
        self._levels = level.astype(np.int32)

    def observe(self):
        return self._time_step(np.zeros(len(self._levels), bool))

    def step(self, actions):
        self._state = np.stack(moved(self._state, actions))
        ended = self._state[4] >= EPISODE
        begin = np.array([20, 40, 0, 0, 0])[:, None]
        self._state = np.where(ended & (np.arange(5) != 3)[:, None], begin, self._state)
        return self._time_step(ended)

    def close(self):
        pass

    def states(self):
        return [column.tobytes() for column in self._state.T]

    def restore(self, states):
        self._state = np.stack([np.frombuffer(state, np.int64) for state in states], axis=1)

    def _time_step(self, ended):
        count = len(ended)
        table = np.zeros((count, 4, 7), np.float32)
        for row, (x, y, kind) in enumerate(things(self._state)):
            table[:, row] = np.stack([x / TILE, y / TILE, x * 0, x * 0, x * 0 + 0.5, x * 0 + 0.5, x * 0 + kind], -1)
        table[:, 0, 3] = self._state[2] / TILE
        return TimeStep(
            frames=np.stack([drawn(tuple(column)) for column in self._state.T]),
            levels=self._levels,
            rewards=np.zeros(count, np.float32),
            ended=ended,
            terminals=ended & False,
            entities=table,
            entity_mask=np.tile(np.arange(4) < 3, (count, 1)),
        )


class Plain:
    """A simulator that cannot be put back."""

    def __init__(self, simulator):
        self.observe, self.step, self.close = simulator.observe, simulator.step, simulator.close


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact:
    """The game as a model. `heeds` is whether actions reach it, `remembers` whether it draws the level's texture.

    `tells` is whether it reads anything out, `shift` by how many tiles the things it reads out are off to the right.
    """

    heeds: bool = True
    remembers: bool = True
    tells: bool = True
    shift: float = 0.0
    spec: WorldSpec = dataclasses.replace(SPEC, entity=None)

    def init(self, key):
        return {}

    def reset(self, params, key):
        raise NotImplementedError

    def encode(self, params, frames, actions, key):
        state = jnp.stack(told(frames[-1], jnp))
        return WorldState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            latent=jnp.stack([state, state]).astype(jnp.float32),
            cache={},
            memory={},
            readout=jnp.zeros((1,)),
            status=jnp.zeros((), jnp.int32),
        )

    def advance(self, params, state, action):
        action = action if self.heeds else jnp.int32(1)
        later = jnp.stack(moved(tuple(state.latent[1].astype(jnp.int32)), action, jnp))
        return state.replace(step=state.step + 1, latent=jnp.stack([state.latent[0], later.astype(jnp.float32)]))

    def render(self, params, state):
        return drawn(tuple(state.latent[1].astype(jnp.int32)), jnp, texture=self.remembers)

    def readouts(self, params, state):
        if not self.tells:
            return {}
        first, now = state.latent
        found = things(tuple(now.astype(jnp.int32)), jnp)
        places = jnp.stack([jnp.stack([x, y]) for x, y, _ in found]).astype(jnp.float32)
        places = (places - now[None, :2]) / TILE + self.shift * jnp.array([[1.0, 0.0]])
        speeds = jnp.zeros((3, 2)).at[0, 1].set(now[2] / TILE)
        kinds = jnp.array([[kind] for _, _, kind in found], jnp.float32)
        return {
            "position": (now[:2] - first[:2]) * jnp.array([1.0, -1.0]),
            "entities": jnp.concatenate([kinds, places, speeds], axis=1),
            "entity_mask": jnp.ones((3,)),
        }
