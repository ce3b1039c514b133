"""Learned worlds as environments: Gymnasium's `oyster/NAME-v0`, many of them on one device, and as pure functions.

Importing this makes the installed worlds known to Gymnasium.
"""

from oyster_jax.gym.registration import register_worlds

register_worlds()
