"""Rank correlations with their intervals, for the examples beside it."""

import numpy as np
from scipy.stats import rankdata


def spearman(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation along the last axis; what is equal shares the mean of its ranks."""
    one, other = (rank - rank.mean(-1, keepdims=True) for rank in (rankdata(one, axis=-1), rankdata(other, axis=-1)))
    return (one * other).sum(-1) / np.sqrt((one**2).sum(-1) * (other**2).sum(-1))


def resamples(count: int, seed: int) -> np.ndarray:
    """Returns indices of so many things, `[1 + 1000, count]`: all of them first, then drawn with replacement."""
    return np.concatenate([np.arange(count)[None], np.random.default_rng(seed).integers(count, size=(1000, count))])


def interval(values: np.ndarray) -> np.ndarray:
    """Returns the first of resampled values `[1 + 1000, …]`, and the two ends of their 95 % interval."""
    return np.array([values[0], *np.percentile(values[1:], (2.5, 97.5), axis=0)])
