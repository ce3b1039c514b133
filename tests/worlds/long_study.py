"""A study of many files, so that there is time to kill it; `python long_study.py WORLD OUT` has eight devices."""

import sys

import jax

from oyster_jax.generate.interventions import nothing, perturb_latent
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.study import Study
from oyster_jax.worlds.world import World

STARTS = 30


def long_study(world: World) -> Study:
    return Study(
        ticks=4,
        worlds=world,
        policies="random",
        interventions={"nothing": nothing(), "noise": perturb_latent(0.5, at=1)},
        measures=("survival", "trajectory"),
        seeds=17,
        starts=STARTS,
        block=16,
    )


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    long_study(load(sys.argv[1])).run(sys.argv[2])
