"""Attention over any one axis, and the parallel transformer block built on it."""

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn.dense import Dense
from oyster_jax.nn.functional import in_parts, whole
from oyster_jax.typing import Array, Bool, Float


def rms_norm(x: Float[Array, "... channels"]) -> Float[Array, "... channels"]:
    """Scales the last axis to root mean square one, in float32, without a learned gain (Zhang & Sennrich, 2019)."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6)


def attend(
    query: Float[Array, "*batch queries heads features"],
    key: Float[Array, "*batch keys heads features"],
    value: Float[Array, "*batch keys heads features"],
    mask: Bool[Array, "queries keys"] | None = None,
) -> Float[Array, "*batch queries heads features"]:
    """Softmax attention; where `mask` is false a query does not see a key."""
    batch = query.shape[:-3]
    query, key, value = (x.reshape(-1, *x.shape[-3:]) for x in (query, key, value))
    if mask is not None:
        mask = mask[None, None]
    # JAX's attention mixes bfloat16 with float32 on purpose; strictness is for our own arithmetic.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        out = jax.nn.dot_product_attention(query, key, value, mask=mask)
    return out.reshape(*batch, *out.shape[1:])


class ParallelBlock(nnx.Module):
    """A pre-norm transformer layer whose attention and squared-ReLU MLP read one input and add to one output.

    One wide product in and one out instead of six narrow ones (PaLM, arXiv 2204.02311; squared ReLU: Primer, arXiv
    2109.08668; normed queries and keys: arXiv 2302.05442). The caller chooses the axis that attends: the layer splits
    into `project` (queries, keys, values, hidden) and `merge`, with any attention between them.
    """

    def __init__(self, width: int, heads: int, *, expansion: int = 4, rngs: nnx.Rngs):
        self.width, self.heads, self.hidden = width, heads, expansion * width
        self.inward = Dense(width, 3 * width + self.hidden, rngs=rngs)
        self.outward = Dense(width + self.hidden, width, rngs=rngs, scale=0.0)

    def project(self, x: Float[Array, "... width"], dtype: jnp.dtype) -> tuple[Array, Array, Array, Array]:
        """Returns normed queries and keys, values (each `[..., heads, features]`) and hidden `[..., hidden]`."""
        sizes = (self.width, self.width, self.width, self.hidden)
        q, k, v, hidden = self.inward.split(whole(rms_norm(x).astype(dtype)), sizes)
        q, k, v = (z.reshape(*z.shape[:-1], self.heads, -1) for z in (q, k, v))
        return rms_norm(q).astype(dtype), rms_norm(k).astype(dtype), v, hidden

    def merge(self, x: Array, attended: Array, hidden: Array) -> Array:
        """Adds attention and MLP to the residual stream `x`, which stays in float32."""
        attended = attended.reshape(*attended.shape[:-2], self.width)
        # Elementwise work is faster in float32 on a CPU, and the conversions fuse.
        hidden = jnp.square(jax.nn.relu(hidden.astype(jnp.float32))).astype(attended.dtype)
        return x + in_parts(self.outward.join([attended, hidden])).astype(jnp.float32)

    def __call__(self, x: Float[Array, "*batch tokens width"], *, dtype: jnp.dtype) -> Array:
        """Lets every token see all tokens of its row."""
        q, k, v, hidden = self.project(x, dtype)
        return self.merge(x, attend(q, k, v), hidden)
