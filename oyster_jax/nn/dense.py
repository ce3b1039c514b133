"""Dense layers whose products run at full speed forwards and backwards, on a CPU as on an accelerator."""

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.experimental.layout import Layout, with_layout_constraint

from oyster_jax.parallel import rules
from oyster_jax.typing import Array, Float


@jax.custom_vjp
def matmul(x: Float[Array, "rows in"], w: Float[Array, "in out"]) -> Float[Array, "rows out"]:
    """Returns `x @ w` for two matrices of one dtype.

    XLA's CPU backend multiplies bfloat16 at full speed only when both operands are row-major. Every gradient
    multiplies by a transpose, which is otherwise upcast to float32 without a word (3 to 5 times slower), so the
    backward pass writes both transposes out.
    """
    return x @ w


def _matmul_forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ w, (x, w)


def _matmul_backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, w = residuals
    return gradient @ _row_major_transpose(w), _row_major_transpose(x) @ gradient


def _row_major_transpose(x: Array) -> Array:
    return with_layout_constraint(x.T, Layout(major_to_minor=(0, 1)))


matmul.defvjp(_matmul_forward, _matmul_backward)


def lifted(x: Array, rank: int) -> Array:
    """Returns `x` with leading axes of size one up to `rank`: broadcasting that says so."""
    return x.reshape((1,) * (rank - x.ndim) + x.shape)


class Dense(nnx.Module):
    """A linear map over the last axis, `[..., in] → [..., out]`, in the dtype of its input.

    The kernel is drawn from a normal of variance `scale² / in` (LeCun et al., 1998), so `scale=0` begins at zero.
    """

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs, scale: float = 1.0, bias: bool = False):
        self.kernel = nnx.Param(scale * inputs**-0.5 * jax.random.normal(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros((outputs,))) if bias else None

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """Maps the last axis."""
        # Stored cut up, a kernel is put together here; else the compiler might exchange activations instead.
        y = _mapped(x, rules.constrain(self.kernel[...].astype(x.dtype), None, None))
        return y if self.bias is None else y + lifted(self.bias[...].astype(x.dtype), y.ndim)

    def split(self, x: Float[Array, "... in"], sizes: Sequence[int]) -> list[Array]:
        """Returns the output in parts `[..., size]`; a mesh that cuts heads cuts each part, and each in the same way.

        For a layer without a bias.
        """
        ends = list(itertools.accumulate(sizes))
        if rules.ways("heads") == 1:
            return jnp.split(self(x), ends[:-1], axis=-1)
        kernel = self.kernel[...].astype(x.dtype)
        columns = [kernel[:, end - size : end] for size, end in zip(sizes, ends, strict=True)]
        cut = [_passing(part, ("stored", None), ("gathered", "heads"), (None, "heads")) for part in columns]
        return [rules.constrain(_mapped(x, part), "heads") for part in cut]

    def join(self, parts: Sequence[Float[Array, "..."]]) -> Float[Array, "... out"]:
        """Maps parts that lie side by side in the input, as `split` cuts them; for a layer without a bias."""
        if rules.ways("heads") == 1:
            return self(jnp.concatenate(parts, axis=-1))
        ends = list(itertools.accumulate(part.shape[-1] for part in parts))
        kernel = self.kernel[...].astype(parts[0].dtype)
        rows = [kernel[end - part.shape[-1] : end] for part, end in zip(parts, ends, strict=True)]
        cut = [_passing(part, (None, "stored"), ("heads", "gathered"), ("heads", None)) for part in rows]
        return functools.reduce(jnp.add, map(_mapped, parts, cut))


def _passing(kernel: Array, *ways: tuple[str | None, str | None]) -> Array:
    """Returns a part of a kernel, cut in the last of these ways, after it was cut in each of the others.

    So its own piece is taken out first, exchanged along `tensor`, and only then put together along `fsdp`.
    """
    for axes in ways:
        kernel = rules.constrain(kernel, *axes)
    return kernel


def _mapped(x: Float[Array, "... in"], kernel: Float[Array, "in out"]) -> Float[Array, "... out"]:
    return matmul(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], kernel.shape[-1])
