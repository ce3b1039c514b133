"""What the engine and a session in memory do between them, without a socket."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from oyster_jax.serve.engine import Engine, Ticked
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.live import Live, Role
from oyster_jax.serve.metrics import Metrics
from oyster_jax.serve.protocol import Input
from oyster_jax.serve.stage import Stage
from oyster_jax.worlds.session import Session


class Watching:
    """Somebody who looks at a session and notes what it is shown."""

    role: Role = "player"

    def __init__(self):
        self.shown, self.events = [], []

    def show(self, shown):
        self.shown.append(shown)

    def tell(self, event):
        self.events.append(event)

    def end(self, code, name, message):
        self.events.append((code, name, message))


def ran(run):
    """Runs a coroutine function where no other loop is: the browser's tests leave theirs in this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()


@contextlib.asynccontextmanager
async def played(stage, folder, count, engine):
    """Sessions in memory with a player each, who is shown their frames."""
    with ThreadPoolExecutor(count) as pool:
        lives = [
            Live(f"{seed}", Session.create(folder / f"{seed}", stage.world, seed=seed), stage, engine=engine, pool=pool,
                 limits=Limits())
            for seed in range(count)
        ]  # fmt: skip
        watching = [Watching() for _ in lives]
        try:
            for live, watcher in zip(lives, watching, strict=True):
                await live.attach(watcher)
            yield lives, watching
        finally:
            for live in lives:
                await live.close()


def test_a_frame_answers_the_newest_input_that_its_tick_has_used(stage, tmp_path):
    async def run():
        async with played(stage, tmp_path, 1, Engine(Metrics())) as ((live,), (watcher,)):
            echoes, actions = [], []
            for before, during in ((1.0, 2.0), (None, 3.0), (None, None)):
                if before is not None:
                    live.press(Input(held=["left"], at=before))
                actions.append(live.begin(now=10.0))
                if during is not None:
                    live.press(Input(held=["right"], at=during))
                frame = live.session.step(actions[-1])
                live.end([Ticked(frame=frame, readouts={}, error=None, began=10.0, seconds=0.001)], now=10.1)
                echoes.append(watcher.shown[-1].echo)
            # What came in while a tick was computed is answered by the next one, which uses it.
            assert echoes == [1.0, 2.0, 3.0]
            left, right = (stage.action(frozenset({held})) for held in ("left", "right"))
            assert actions == [left, right, right]

    ran(run)


def test_as_many_sessions_are_stepped_at_once_as_the_device_has_room_for(stage, tmp_path, monkeypatch):
    stage = Stage(world=stage.world)
    stage.warm()
    stage.together.workers = 2
    both, step = threading.Barrier(2, timeout=20.0), stage.together.step

    def met(sessions, actions):
        both.wait()
        return step(sessions, actions)

    monkeypatch.setattr(stage.together, "step", met)

    async def run():
        engine = Engine(Metrics())
        running = asyncio.create_task(engine.run())
        async with played(stage, tmp_path, 2, engine) as (lives, watching):
            async with asyncio.timeout(30.0):
                while min(len(watcher.shown) for watcher in watching) < 5:
                    await asyncio.sleep(0.01)
            for live in lives:
                engine.leave(live)
            await asyncio.sleep(0.1)
            both.abort()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            engine.close()
        for seed, watcher in enumerate(watching):
            state, idle = stage.world.reset(seed), stage.world.spec.action.idle
            for shown in watcher.shown[1:5]:
                state = stage.world.step(state, idle)
                np.testing.assert_array_equal(shown.frame, stage.world.render(state))

    ran(run)
