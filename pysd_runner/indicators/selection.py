"""Which options are best: a set, because simulations seldom give a reason to prefer one of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Flags, Indices, frozen

# Indifference by default, as a share of the largest mean effect; Monte Carlo errors by which membership is widened;
# largest Monte Carlo error, as a share of the indifference; and the least probability of an effect that is visible.
TENTH, ERRORS, PRECISE, VISIBLE = 0.1, 2.0, 1 / 3, 0.66


@frozen(eq=False)
class Selection:
    r"""Options whose mean effect is as good as the largest one, on common draws.

    Of the options that may be chosen and do not level down, :math:`b` has the largest mean effect, and the set is

    .. math:: \{j : \bar x_b - \bar x_j \le \delta + 2 s_j\}

    with :math:`s_j` the Monte Carlo error of the paired difference, so that error only widens it. The expected loss
    of a member is at most :math:`\delta` above the smallest, up to that error.

    Attributes
    ----------
    table
        A row for each option: ``mean``, ``median``, ``p05`` and ``p95`` of its effect; ``positive``, the probability
        of an effect above zero; ``own``, the median change of own output, NaN if unknown; ``within``, the probability
        of being within `delta` of the best of all; ``loss``, the expected loss against the best of all; ``error``,
        the Monte Carlo error of its difference from :math:`b`; ``is_candidate`` and ``is_member``.
    delta
        The indifference :math:`\delta`, in the unit of the effects.
    effects
        Effects, shape (draw, option).

    References
    ----------
    Bechhofer, R. E. (1954), A single-sample multiple decision procedure for ranking means of normal populations;
    Hsu, J. C. (1981), Simultaneous confidence intervals for all distances from the "best"; Chick, S. E. and Inoue, K.
    (2001), New two-stage and sequential procedures for selecting the best simulated system.
    """

    table: pd.DataFrame
    delta: float
    effects: Array

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.effects)

    @property
    def members(self) -> tuple[str, ...]:
        """Members of the set, the largest mean effect first; none if nothing helps visibly."""
        ordered = self.table.sort_values("mean", ascending=False, kind="stable")
        return tuple(map(str, ordered.index[ordered["is_member"]]))

    @property
    def leading(self) -> str:
        """The candidate with the largest mean effect, or the option if there is none."""
        candidates = self.table[self.table["is_candidate"]]
        return str((candidates if len(candidates) else self.table)["mean"].idxmax())

    @property
    def least_within(self) -> float:
        """Smallest probability, over the members, of being within `delta` of the best of all."""
        return float(self.table.loc[list(self.members), "within"].min())

    @property
    def needed(self) -> int:
        """Number of draws at which no member owes its place to Monte Carlo error of more than a third of `delta`."""
        error = float(self.table.loc[list(self.members), "error"].max()) if self.members else 0.0
        ratio = error / (PRECISE * self.delta) if error else 0.0
        return self.draws if ratio <= 1 else int(np.ceil(min(self.draws * ratio**2, 1e9)))


def select(
    names: Sequence[str],
    effects: Array,
    *,
    own: Array | None = None,
    weights: Array | None = None,
    walkers: Indices | None = None,
    allowed: Flags | None = None,
    delta: float | None = None,
    digit: float = 0.0,
) -> Selection:
    """Find the options among which mean effects give no reason to choose.

    Parameters
    ----------
    names
        Names of the options.
    effects
        Effects, shape (draw, option); positive is better.
    own
        Changes of own output per head of those who are to be helped, in the same shape: an option levels down, and is
        no candidate, if the median falls. None if no option can.
    weights
        Weights of the draws; None for equal ones.
    walkers
        Walker of the sampler from which each draw comes; draws of one are not independent. None if all are.
    allowed
        Which options may be chosen; None for all. The best of all is sought among all.
    delta
        Indifference; None for a tenth of the largest mean effect of a candidate, but at least half of `digit`.
    digit
        Value of the last digit with which effects are printed.

    Raises
    ------
    InvalidInput
        If `delta` is not positive.
    """
    if delta is not None and not (np.isfinite(delta) and delta > 0):
        raise InvalidInput("delta must be a positive number; found {delta!r}", delta=delta)
    # The order of summation must not depend on that of the options.
    effects, count = np.ascontiguousarray(effects), len(effects)
    shares = np.full(count, 1.0 / count) if weights is None else weights / weights.sum()
    batches = np.arange(count) if walkers is None else np.unique(walkers, return_inverse=True)[1]
    mean = _mean(effects, shares)
    change = np.full(len(names), np.nan) if own is None else _quantiles(own, shares, [0.5])[0]
    is_candidate = ~(change < 0) & (True if allowed is None else allowed)
    top = np.where(is_candidate, mean, -np.inf)
    first = int(top.argmax())
    if delta is None:
        delta = max(TENTH * max(float(mean[first]), 0.0), digit / 2)
    error = _error(effects[:, [first]] - effects, shares, batches)
    positive = _mean((effects > 0).astype(float), shares)
    lost = effects.max(axis=1, keepdims=True) - effects
    is_visible = (mean > ERRORS * _error(effects, shares, batches)) | (positive >= VISIBLE)
    is_near = mean[first] - mean <= delta + ERRORS * error
    columns = {
        "mean": mean,
        **dict(zip(("median", "p05", "p95"), _quantiles(effects, shares, [0.5, 0.05, 0.95]), strict=True)),
        "positive": positive,
        "own": change,
        "within": _mean((lost <= delta).astype(float), shares),
        "loss": _mean(lost, shares),
        "error": error,
        "is_candidate": is_candidate,
        "is_member": is_candidate & is_near & bool((is_candidate & is_visible).any()),
    }
    return Selection(table=pd.DataFrame(columns, index=pd.Index(names, name="scenario")), delta=delta, effects=effects)


def _mean(values: Array, shares: Array) -> Array:
    """Weighted mean over draws."""
    return np.asarray((shares[:, None] * values).sum(axis=0))


def _quantiles(values: Array, shares: Array, levels: Sequence[float]) -> Array:
    """Weighted quantiles over draws, shape (level, option).

    They are those of NumPy if weights are equal, else linear between the middles of steps.
    """
    if np.ptp(shares) == 0:
        return np.asarray(np.quantile(values, levels, axis=0))
    order = np.argsort(values, axis=0, kind="stable")
    ends = np.cumsum(shares[order], axis=0)
    middles, ordered = ends - shares[order] / 2, np.take_along_axis(values, order, axis=0)
    return np.array([np.interp(levels, *pair) for pair in zip(middles.T, ordered.T, strict=True)]).T


def _error(values: Array, shares: Array, batches: Indices) -> Array:
    r"""Monte Carlo error of the weighted mean, from independent batches :math:`b` of draws.

    .. math:: \sqrt{\frac{B}{B - 1} \sum_b \left( \sum_{i \in b} w_i (x_i - \bar x) \right)^2}

    With one draw, a run at central values, it is zero; with one batch it is infinite.
    """
    count = int(batches.max()) + 1
    if count == 1:
        return np.full(values.shape[1], 0.0 if len(values) == 1 else np.inf)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, batches, shares[:, None] * (values - _mean(values, shares)))
    return np.asarray(np.sqrt(count / (count - 1) * (sums**2).sum(axis=0)))
