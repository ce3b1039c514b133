"""Convolution as one matrix product over gathered neighbourhoods, which is what is fast on a CPU."""

import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn.dense import Dense
from oyster_jax.typing import Array, Float


class Convolution(nnx.Module):
    """A two-dimensional convolution, `[batch, height, width, in] → [batch, height/stride, width/stride, out]`.

    Edges are filled with zeros, so that a stride of one keeps the size. An even kernel looks one place further to the
    right and to the bottom than to the left and to the top.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, rngs: nnx.Rngs):
        self.kernel, self.stride = kernel, stride
        self.dense = Dense(inputs * kernel**2, outputs, rngs=rngs, bias=True)

    def __call__(self, x: Float[Array, "batch height width in"]) -> Float[Array, "batch rows columns out"]:
        """Convolves in the dtype of `x`."""
        _, height, width, _ = x.shape
        before = (self.kernel - 1) // 2
        edge = (before, self.kernel - 1 - before)
        x = jnp.pad(x, ((0, 0), edge, edge, (0, 0)))
        offsets = range(self.kernel)
        near = [
            x[:, row : row + height : self.stride, column : column + width : self.stride]
            for row in offsets
            for column in offsets
        ]
        return self.dense(jnp.concatenate(near, axis=-1))
