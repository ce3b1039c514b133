"""Learned worlds as environments: Gymnasium's `oyster/NAME-v0`, many of them on one device, and as pure functions.

Importing this makes the installed worlds known to Gymnasium; where Oyster is installed, Gymnasium does so by itself.
"""

from oyster_jax.gym.registration import register_worlds

register_worlds()
