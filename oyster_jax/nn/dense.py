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
        return self._whole(x, 0)

    def _whole(self, x: Array, stored: int) -> Array:
        """Maps the last axis with the whole kernel, whose axis `stored` is cut where it lies."""
        kernel = self.kernel[...].astype(x.dtype)
        y = _mapped(x, _put_together(kernel, stored) if rules.ways("stored") > 1 else kernel)
        return y if self.bias is None else y + lifted(self.bias[...].astype(x.dtype), y.ndim)

    def split(self, x: Float[Array, "... in"], sizes: Sequence[int]) -> list[Array]:
        """Returns the output in parts `[..., size]`; a mesh that cuts heads cuts each part, and each in the same way.

        For a layer without a bias.
        """
        ends, ways = list(itertools.accumulate(sizes)), _ways(sizes)
        if ways == 1:
            return jnp.split(self(x), ends[:-1], axis=-1)
        kernel = _shares(self.kernel[...].astype(x.dtype), tuple(sizes), 1)
        y = _mapped(x, kernel.reshape(len(kernel), -1))
        shares = rules.constrain(y.reshape(*y.shape[:-1], ways, -1), "heads", None)
        parts = jnp.split(shares, [end // ways for end in ends[:-1]], axis=-1)
        return [rules.constrain(part.reshape(*part.shape[:-2], -1), "heads") for part in parts]

    def join(self, parts: Sequence[Float[Array, "..."]]) -> Float[Array, "... out"]:
        """Maps parts that lie side by side in the input, as `split` cuts them; for a layer without a bias."""
        sizes = tuple(part.shape[-1] for part in parts)
        if (ways := _ways(sizes)) == 1:
            return self._whole(jnp.concatenate(parts, axis=-1), 1)
        kernel = _shares(self.kernel[...].astype(parts[0].dtype), sizes, 0)
        shares = [part.reshape(*part.shape[:-1], ways, -1) for part in parts]
        x = rules.constrain(jnp.concatenate(shares, axis=-1), "heads", None)
        return _mapped(x.reshape(*x.shape[:-2], -1), kernel.reshape(-1, kernel.shape[-1]))


def _ways(sizes: Sequence[int]) -> int:
    """Returns into how many parts the present mesh cuts heads, one where these sizes do not come out even."""
    ways = rules.ways("heads")
    return 1 if any(size % ways for size in sizes) else ways


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _put_together(kernel: Array, stored: int) -> Array:
    """Returns a kernel whole, whose axis `stored` is cut; else the compiler might exchange activations instead.

    How it lies is said before it is made whole, so that what travels is what products take, not float32. Its
    gradient is summed up into the parts that updates are made in, and put together nowhere.
    """
    return rules.constrain(rules.constrain_halfway(_cut(kernel, stored, None, "stored"), stored), None, None)


def _put_together_forward(kernel: Array, stored: int) -> tuple[Array, None]:
    return _put_together(kernel, stored), None


def _put_together_backward(stored: int, _: None, gradient: Array) -> tuple[Array]:
    del stored
    longer = int(gradient.shape[0] <= gradient.shape[1])
    return (_cut(rules.constrain_halfway(gradient, longer), longer, None, "stored"),)


_put_together.defvjp(_put_together_forward, _put_together_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _shares(kernel: Array, sizes: tuple[int, ...], axis: int) -> Array:
    """Returns a kernel with `axis`, made of parts, as `[ways, share]`: a device's pieces of all parts in a row.

    So one product serves all parts, and one sum crosses between devices. Each device's own piece is taken out of what
    is stored first, exchanged along `tensor`, and only then put together along `fsdp`. The gradient goes the same way
    back.
    """
    ends, ways = list(itertools.accumulate(sizes)), rules.ways("heads")
    parts = [jax.lax.slice_in_dim(kernel, end - size, end, axis=axis) for size, end in zip(sizes, ends, strict=True)]
    cut = [_cut(_cut(part, axis, "stored", None), axis, "gathered", "heads") for part in parts]
    pieces = [part.reshape(*part.shape[:axis], ways, -1, *part.shape[axis + 1 :]) for part in cut]
    whole = _cut(jnp.concatenate(pieces, axis=axis + 1), axis, "gathered", "heads", None)
    return _cut(whole, axis, None, "heads", None)


def _shares_forward(kernel: Array, sizes: tuple[int, ...], axis: int) -> tuple[Array, None]:
    return _shares(kernel, sizes, axis), None


def _shares_backward(sizes: tuple[int, ...], axis: int, _: None, gradient: Array) -> tuple[Array]:
    ends, ways = list(itertools.accumulate(sizes)), rules.ways("heads")
    gradient = _summed_up(gradient, axis)
    pieces = jnp.split(gradient, [end // ways for end in ends[:-1]], axis=axis + 1)
    parts = [piece.reshape(*piece.shape[:axis], -1, *piece.shape[axis + 2 :]) for piece in pieces]
    stored = [_cut(_cut(part, axis, "gathered", "heads"), axis, "stored", None) for part in parts]
    return (_cut(jnp.concatenate(stored, axis=axis), axis, "stored", None),)


def _summed_up(gradient: Array, axis: int) -> Array:
    """Says that the gradient of shares is cut along its other axis, which comes first while it is summed up.

    The compiler sums up into parts of the outermost axis only, and only where it sees no parts of these parts.
    """
    other = 2 if axis == 0 else 0
    turned = jnp.moveaxis(gradient, other, 0)
    if rules.ways("batch") == rules.ways("gathered"):
        # Without copies the compiler would let parts of the product run around in a ring, which sends twice as much.
        turned = rules.constrain(turned, None, "heads", None)
    turned = rules.constrain(turned, "gathered", "heads", None)
    return jnp.moveaxis(jax.lax.optimization_barrier(turned), 0, other)


_shares.defvjp(_shares_forward, _shares_backward)


def _cut(kernel: Array, axis: int, other: str | None, *own: str | None) -> Array:
    """Says that `axis` of a kernel (0 or 1), by now perhaps several, is cut like `own`, the other like `other`."""
    return rules.constrain(kernel, *((*own, other) if axis == 0 else (other, *own)))


def _mapped(x: Float[Array, "... in"], kernel: Float[Array, "in out"]) -> Float[Array, "... out"]:
    return matmul(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], kernel.shape[-1])
