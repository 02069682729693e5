"""What it would be worth to know more before choosing. Arrays only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Parts into which futures are divided by a factor; many enough to bend, large enough to average.
PARTS = 8
# Samples of futures with replacement, for the standard error.
RESAMPLED = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """Value of knowing something before choosing, in the unit of the effect."""

    value: float
    error: float


def perfect_information(effects: Array, *, seed: int = 0) -> Worth:
    r"""Value of knowing the future itself.

    .. math:: E[\max_p e_p] - \max_p E[e_p]

    Parameters
    ----------
    effects
        Shape (policy, future).
    seed
        Decides the resampling.

    References
    ----------
    Raiffa, H. and Schlaifer, R. (1961), Applied Statistical Decision Theory.
    """
    return _with_error(effects, lambda kept: _perfect(effects[:, kept]), seed)


def partial_information(effects: Array, levels: Array, *, seed: int = 0) -> Worth:
    r"""Value of knowing one factor.

    .. math:: E_x[\max_p E[e_p \mid x]] - \max_p E[e_p]

    The conditional means are fitted: a straight line in each of eight parts of the futures ordered by the factor for a
    number, means for a factor of few values. The policy is chosen on one half of the futures and valued on the other,
    so that chance does not count as knowledge.

    Parameters
    ----------
    effects
        Shape (policy, future).
    levels
        The factor, shape (future,).
    seed
        Decides halves and resampling.

    References
    ----------
    Strong, M., Oakley, J. E. and Brennan, A. (2014), Estimating multiparameter partial expected value of perfect
    information from a probabilistic sensitivity analysis sample.
    """
    halves = np.random.default_rng(seed).permutation(len(levels)) % 2

    def value(kept: NDArray[np.intp]) -> float:
        gains = []
        for half in (0, 1):
            learn, judge = kept[halves[kept] == half], kept[halves[kept] != half]
            if len(learn) and len(judge):
                gains.append(_gain(effects, levels, learn, judge))
        return float(np.mean(gains)) if gains else 0.0

    found = _with_error(effects, value, seed)
    return Worth(value=max(0.0, found.value), error=found.error)


def _perfect(effects: Array) -> float:
    return float(effects.max(axis=0).mean() - effects.mean(axis=1).max())


def _with_error(effects: Array, value: Callable[[NDArray[np.intp]], float], seed: int) -> Worth:
    count = effects.shape[1]
    whole = np.arange(count)
    rng = np.random.default_rng([seed, 1])
    again = [value(np.asarray(rng.integers(0, count, count))) for _ in range(RESAMPLED)]
    return Worth(value=float(value(whole)), error=float(np.std(again, ddof=1)))


def _gain(effects: Array, levels: Array, learn: NDArray[np.intp], judge: NDArray[np.intp]) -> float:
    """How much better the choice by the factor is than the choice without, learnt on some futures, judged on others."""
    fitted = _conditional(effects[:, learn], levels[learn], levels[judge])
    chosen = fitted.argmax(axis=0)
    fixed = int(effects[:, learn].mean(axis=1).argmax())
    return float((effects[chosen, judge] - effects[fixed, judge]).mean())


def _conditional(effects: Array, levels: Array, wanted: Array) -> Array:
    """Conditional means of the effects at some levels, shape (policy, level)."""
    kinds = np.unique(levels)
    if len(kinds) <= PARTS:
        means = np.stack([effects[:, levels == kind].mean(axis=1) for kind in kinds], axis=1)
        return np.asarray(means[:, np.abs(wanted[:, None] - kinds).argmin(axis=1)])
    # Linear splines with knots at quantiles, fitted by least squares.
    knots = np.quantile(levels, np.linspace(0, 1, PARTS // 2 + 1)[1:-1])
    scale = max(float(np.ptp(levels)), 1e-300)

    def basis(values: Array) -> Array:
        columns = [np.ones_like(values), values / scale, *(np.maximum(values - knot, 0) / scale for knot in knots)]
        return np.stack(columns, axis=1)

    weights, *_ = np.linalg.lstsq(basis(levels), effects.T, rcond=None)
    return np.asarray((basis(wanted) @ weights).T)
