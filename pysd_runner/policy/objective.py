"""What a search makes large, and what it must keep: statistics of effects over draws, with their derivatives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from pysd_runner.core.errors import InvalidInput

Array = NDArray[np.float64]
Statistic = Literal["mean", "cvar", "regret", "satisfied"]
STATISTICS: tuple[Statistic, ...] = ("mean", "cvar", "regret", "satisfied")

# Width of what is smoothed in a search, as a part of the spread of the effects; results are always exact.
SOFTNESS = 0.05


@dataclass(frozen=True, slots=True)
class Objective:
    """What is made large.

    Attributes
    ----------
    outcome
        Key of an outcome; empty for the first one.
    statistic
        ``"mean"`` of its effect over draws; ``"cvar"``, the mean of the worst draws; ``"regret"``, the largest loss
        against the best known policy of a draw, as a negative number; ``"satisfied"``, the share of draws in which the
        effect reaches `target`.
    level
        Share of the draws that count as the worst.
    target
        What satisfies, in the unit of the effect.

    Raises
    ------
    InvalidInput
        If it cannot be computed.
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
        """The statistic.

        Parameters
        ----------
        effects
            Of the policy, shape (draw,).
        best
            Of the best known policy in each draw, for regret.
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
        """The statistic and its derivatives, smoothed where it jumps or has kinks in every draw.

        Parameters
        ----------
        effects
            Shape (draw,).
        slopes
            Derivatives, shape (draw, number).
        best
            As in `value`.
        spread
            Size of the effects, which decides how much is smoothed.
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
    """What a policy must keep.

    Attributes
    ----------
    outcome
        Key of an outcome, or of one that has a value for each region.
    at_least
        Least effect, in its unit.
    share_of_draws
        Share of the draws in which it must be reached; None asks it of the mean.
    """

    outcome: str
    at_least: float = 0.0
    share_of_draws: float | None = None

    def __post_init__(self) -> None:
        if self.share_of_draws is not None and not 0 < self.share_of_draws < 1:
            raise InvalidInput("share_of_draws lies between 0 and 1; found {found!r}", found=self.share_of_draws)

    def margin(self, effects: Array, slopes: Array | None = None) -> tuple[Array, Array | None]:
        """How far above the least effect it is, and the derivatives of that.

        Parameters
        ----------
        effects
            Shape (draw,) or (draw, element).
        slopes
            Shape (draw, number) or (draw, element, number).

        Returns
        -------
        margin : ndarray
            Shape () or (element,); of a share of draws the distance of that quantile, as Harrell and Davis estimate it.
        slopes : ndarray or None
            With one more axis.
        """
        if self.share_of_draws is None:
            return effects.mean(axis=0) - self.at_least, None if slopes is None else slopes.mean(axis=0)
        weights = quantile_weights(len(effects), 1 - self.share_of_draws)
        order = np.argsort(effects, axis=0, kind="stable")
        weighted = np.empty_like(effects)
        np.put_along_axis(weighted, order, weights.reshape(-1, *[1] * (effects.ndim - 1)), axis=0)
        margin = (weighted * effects).sum(axis=0) - self.at_least
        return margin, None if slopes is None else (weighted[..., None] * slopes).sum(axis=0)


def worst(effects: Array, level: float) -> NDArray[np.intp]:
    """Positions of the worst draws, at least one."""
    count = max(1, round(level * len(effects)))
    return np.argsort(effects, kind="stable")[:count]


def quantile_weights(count: int, level: float) -> Array:
    """Weights of sorted draws that estimate a quantile."""
    edges = np.arange(count + 1) / count
    return np.asarray(np.diff(beta.cdf(edges, (count + 1) * level, (count + 1) * (1 - level))))
