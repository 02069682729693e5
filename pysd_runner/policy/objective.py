"""Objectives and constraints: statistics of effects over draws, their derivatives, and their Monte Carlo errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from scipy.stats import beta

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Flags, Indices

Statistic = Literal["mean", "cvar", "regret", "satisfied"]
STATISTICS: tuple[Statistic, ...] = ("mean", "cvar", "regret", "satisfied")

# Smoothing width in a search, relative to the size of the effects; reported results are not smoothed.
SOFTNESS = 0.05
# Probabilities at the ends of the 90 % interval.
ENDS = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Objective:
    """The quantity to maximise: a statistic of the effects of a policy over draws.

    Attributes
    ----------
    outcome
        Key of an outcome; empty for the first one.
    statistic
        ``"mean"``: mean effect over draws; ``"cvar"``: mean of the worst draws (conditional value at risk);
        ``"regret"``: minus the largest loss relative to the best known policy of each draw; ``"satisfied"``: share of
        draws in which the effect reaches `target`.
    level
        Share of draws that count as the worst, for ``"cvar"``.
    target
        Effect to reach for ``"satisfied"``, in the unit of the effect.

    Raises
    ------
    InvalidInput
        If the statistic is unknown, or the level is not a share above 0.
    """

    outcome: str = ""
    statistic: Statistic = "mean"
    level: float = 0.1
    target: float = 0.0

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise InvalidInput(
                "statistic must be one of {known}; found {found!r}", known=", ".join(STATISTICS), found=self.statistic
            )
        if not 0 < self.level <= 1:
            raise InvalidInput("level is a share of the draws above 0, at most 1; found {found!r}", found=self.level)

    def value(self, effects: Array, best: Array | None = None) -> float:
        """Compute the statistic.

        Parameters
        ----------
        effects
            Effects of the policy, shape (draw,).
        best
            Effect of the best known policy in each draw, for regret.
        """
        if self.statistic == "cvar":
            return float(effects[worst(effects, self.level)].mean())
        if self.statistic == "regret":
            assert best is not None  # noqa: S101
            return float(-np.maximum(best - effects, 0.0).max())
        if self.statistic == "satisfied":
            return float((effects >= self.target).mean())
        return float(effects.mean())

    def smooth(self, effects: Array, slopes: Array, best: Array | None, spread: float) -> tuple[float, Array]:
        """Compute the statistic and its derivatives, smoothed for ``"regret"`` and ``"satisfied"``.

        Parameters
        ----------
        effects
            Effects of the policy, shape (draw,).
        slopes
            Derivatives of the effects, shape (draw, decision).
        best
            As in `value`.
        spread
            Size of the effects, to which the smoothing width is proportional.
        """
        if self.statistic == "cvar":
            chosen = worst(effects, self.level)
            return float(effects[chosen].mean()), np.asarray(slopes[chosen].mean(axis=0))
        if self.statistic == "regret":
            assert best is not None  # noqa: S101
            width = SOFTNESS * spread
            losses = (best - effects) / width
            weights = np.exp(losses - losses.max())
            total = weights.sum()
            return float(-width * (np.log(total) + losses.max())), np.asarray(weights / total @ slopes)
        if self.statistic == "satisfied":
            width = SOFTNESS * spread
            shares = 1 / (1 + np.exp(-np.clip((effects - self.target) / width, -500, 500)))
            return float(shares.mean()), np.asarray((shares * (1 - shares) / width) @ slopes / len(effects))
        return float(effects.mean()), np.asarray(slopes.mean(axis=0))


@dataclass(frozen=True, slots=True)
class Constraint:
    """Lower bound on an effect, for its mean or in a share of draws.

    Attributes
    ----------
    outcome
        Key of an outcome, or of one that has a value for each region.
    at_least
        Smallest permitted effect, in its unit.
    share_of_draws
        Share of draws in which the bound must hold; None applies it to the mean.
    """

    outcome: str
    at_least: float = 0.0
    share_of_draws: float | None = None

    def __post_init__(self) -> None:
        if self.share_of_draws is not None and not 0 < self.share_of_draws < 1:
            raise InvalidInput("share_of_draws lies between 0 and 1; found {found!r}", found=self.share_of_draws)

    def margin(self, effects: Array, slopes: Array | None = None) -> tuple[Array, Array | None]:
        """Margin of the effect above its lower bound, and the derivatives of the margin.

        Parameters
        ----------
        effects
            Effects of the policy, shape (draw,) or (draw, element).
        slopes
            Derivatives of the effects, shape (draw, decision) or (draw, element, decision).

        Returns
        -------
        margin : ndarray
            Shape () or (element,); for a share of draws, the margin of the Harrell-Davis estimate of that quantile.
        slopes : ndarray or None
            Derivatives of the margin, with a trailing axis (decision,).
        """
        if self.share_of_draws is None:
            return effects.mean(axis=0) - self.at_least, None if slopes is None else slopes.mean(axis=0)
        weights = quantile_weights(len(effects), 1 - self.share_of_draws)
        order = np.argsort(effects, axis=0, kind="stable")
        weighted = np.empty_like(effects)
        np.put_along_axis(weighted, order, weights.reshape(-1, *[1] * (effects.ndim - 1)), axis=0)
        margin = (weighted * effects).sum(axis=0) - self.at_least
        return margin, None if slopes is None else (weighted[..., None] * slopes).sum(axis=0)


# Constraints of a search unless others are given, and those by which compared policies are judged.
DEFAULT_CONSTRAINTS = (
    Constraint(outcome="output_change", share_of_draws=0.9),
    Constraint(outcome="region_change", share_of_draws=0.5),
    Constraint(outcome="leader_change"),
)


def margins_of(constraints: Sequence[Constraint], effects: Arrays) -> Array:
    """Margins of constraints (positive if met), from effects by outcome; one for each element of a watched outcome."""
    parts = [np.atleast_1d(item.margin(effects[item.outcome])[0]) for item in constraints]
    return np.concatenate(parts) if parts else np.zeros(0)


def worst(effects: Array, level: float) -> Indices:
    """Indices of the worst share `level` of draws, at least one."""
    count = max(1, round(level * len(effects)))
    return np.argsort(effects, kind="stable")[:count]


def quantile_weights(count: int, level: float) -> Array:
    """Weights of the sorted draws in the Harrell-Davis estimator of a quantile."""
    edges = np.arange(count + 1) / count
    return np.diff(beta.cdf(edges, (count + 1) * level, (count + 1) * (1 - level)))


def walkers_of(values: xr.DataArray | xr.Dataset) -> Indices:
    """Walker of the sampler from which each draw comes; different for each draw if unknown."""
    return np.asarray(values["walker"] if "walker" in values.coords else np.arange(values.sizes["draw"]))


def share_error(chosen: Flags, walkers: Indices) -> float:
    r"""Standard error of a share of draws, allowing for correlation of draws of one walker.

    .. math:: \sqrt{\frac{B}{B - 1} \sum_b \left( \sum_{i \in b} (z_i - \bar z) \right)^2} / n
    """
    sums, batches = np.bincount(walkers, weights=chosen - chosen.mean()), np.unique(walkers).size
    return float(np.sqrt(batches / (batches - 1) * (sums**2).sum()) / chosen.size) if batches > 1 else np.nan


def tail_effective_size(values: Array, walkers: Indices) -> float:
    """Effective sample size for the ends of the 90 % interval, allowing for correlation of draws of one walker."""
    sizes = [float(values.size)]
    for level in ENDS:
        below = values <= np.quantile(values, level)
        error = share_error(below, walkers)
        if error > 0:
            sizes.append(float(below.mean() * (1 - below.mean()) / error**2))
    return min(sizes)


def quantile_error(values: Array, level: float, size: float) -> float:
    """Standard error of a quantile, from order statistics for `size` effective draws; see Vehtari et al. (2021)."""
    from scipy.special import betaincinv, ndtr

    low, high = np.quantile(values, betaincinv(size * level + 1, size * (1 - level) + 1, ndtr((-1.0, 1.0))))
    return float(high - low) / 2
