"""What plays where no person does."""

import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.policies import make_policy

#: Ten seconds that show a platformer's running, jumping and turning.
SCRIPT = (
    "right*25,right+jump*10,right*15,right+jump*10,noop*5,jump*10,left*20,right+jump*10,right*20,right+jump*10,right*15"
)


def scripted(spec: WorldSpec, ticks: int) -> list[int]:
    """Returns the ids of so many actions: the platformer's script, or the sticky policy's where that does not fit."""
    try:
        ids = spec.action.script(SCRIPT)
        return [int(action) for action in ids[np.arange(ticks) % len(ids)]]
    except ValueError:
        policy = make_policy("sticky", spec.action, 1, seed=0)
        return [int(policy.act(np.zeros(1, bool))[0]) for _ in range(ticks)]
