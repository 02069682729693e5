"""States at the origin and the paths from there, by the Kalman filter of each law."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from calibration.filtering.learning import Laws, heavy, learn_laws, left_of_relative
from calibration.filtering.trend import FilterSettings, Step, forecasts, moved, positions, steps

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Filtered:
    """What is known at the origin.

    Attributes
    ----------
    laws
        What was learnt about output.
    at
        States by law and region.
    position
        Mean log relative output of the years up to the origin, shape (region,).
    values
        Log relative output up to the origin, shape (region, year).
    groups
        Class of each region; empty for none.
    """

    laws: Laws
    at: Step
    position: Array
    values: Array
    groups: tuple[str, ...]

    @property
    def sizes(self) -> Array:
        """Yearly standard deviation of shocks to the level, shape (law, region)."""
        return np.asarray(self.laws.sd[:, None] * self.laws.by_region)


def estimate(values: Array, groups: Sequence[str], settings: FilterSettings) -> Filtered:
    """Filter the years up to the origin.

    Parameters
    ----------
    values
        Log relative output, shape (region, year), NaN where missing; every region is seen at least once.
    groups
        Class of each region; empty for none.
    settings
        Grids and priors.

    Returns
    -------
    Filtered
        States at the origin.
    """
    laws, centres = learn_laws(values, groups, settings), positions(values, settings.memory_years)
    sizes = laws.sd[:, None] * laws.by_region
    seen = values if settings.is_filtered else _last(values)
    *_, at = steps(seen, centres, laws.trend, sizes, settings)
    return Filtered(laws=laws, at=at, position=centres[:, -1], values=values, groups=tuple(groups))


def _last(values: Array) -> Array:
    """Level that each region was last seen at, shape (region, 1)."""
    back = np.isfinite(values)[:, ::-1].argmax(axis=1, keepdims=True)
    return np.take_along_axis(values, values.shape[1] - 1 - back, axis=1)


def ahead(
    filtered: Filtered, settings: FilterSettings, *, horizon: int, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Forecast from the origin.

    Parameters
    ----------
    filtered
        What is known there.
    settings
        Tails of the shocks.
    horizon
        Number of years.
    draws
        Number of paths.
    rng
        Decides every random number.

    Returns
    -------
    tuple[Array, Array]
        Log relative output: its mean over the laws, shape (region, horizon), and draws, shape (draw, region, horizon),
        whose mean it is. Deviations are stretched as past errors ask for.
    """
    mean = _mean(filtered, horizon)
    paths = _paths(filtered, settings, horizon, draws, rng)
    away = paths - paths.mean(axis=0)
    away -= away.mean(axis=1, keepdims=True)
    return mean, mean + learn_widths(filtered.values, filtered.laws, settings, horizon) * away


def _mean(filtered: Filtered, horizon: int) -> Array:
    """What the laws expect, by their weights."""
    at, trend, found = filtered.at, filtered.laws.trend, []
    for _ in range(horizon):
        at = moved(at, trend, filtered.position)
        found.append(filtered.laws.weight @ at.level)
    mean = np.stack(found, axis=-1)
    return np.asarray(mean - mean.mean(axis=0))


def _paths(filtered: Filtered, settings: FilterSettings, horizon: int, draws: int, rng: np.random.Generator) -> Array:
    """Output of laws drawn by their weights, from states drawn at the origin, with shocks."""
    chosen = filtered.laws.drawn(draws, rng)
    trend = filtered.laws.trend.of(chosen)
    memory, momentum, stay, left = (
        item[:, None] for item in (trend.memory, trend.momentum, 1 - trend.reversion, trend.left)
    )
    aim = trend.persistence[:, None] * filtered.position
    (level, drift), found = states(filtered, chosen, rng), []
    for _ in range(horizon):
        shock, push = (noise(filtered, chosen, settings.tails, rng) for _ in range(2))
        level = aim + stay * (level - aim) + left * drift + shock
        drift = memory * drift + momentum * push
        found.append(level)
    return np.stack(found, axis=-1)


def noise(filtered: Filtered, chosen: NDArray[np.intp], tails: float, rng: np.random.Generator) -> Array:
    """Shocks of the size that chosen laws have, shape (draw, region)."""
    groups, shared = filtered.groups, filtered.laws.shared
    unit = heavy(rng, len(chosen), groups, shared, tails) / left_of_relative(groups, shared)
    return np.asarray(filtered.sizes[chosen] * unit)


def states(filtered: Filtered, chosen: NDArray[np.intp], rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws of level and drift at the origin under chosen laws, each of shape (draw, region)."""
    at = filtered.at
    one, other = (noise(filtered, chosen, np.inf, rng) for _ in range(2))
    # The Cholesky root: a level that was seen has no variance, and shocks have the same sign in all regions.
    size = np.sqrt(at.var_level)
    along = np.divide(at.level_drift, size, out=np.zeros(size.shape), where=size > 0)
    alone = np.sqrt(np.maximum(at.var_drift - along**2, 0.0))
    return at.level[chosen] + size[chosen] * one, at.drift[chosen] + along[chosen] * one + alone[chosen] * other


def learn_widths(values: Array, laws: Laws, settings: FilterSettings, horizon: int) -> Array:
    r"""Factor on the width of the forecast at each horizon.

    The filter forecasts from every earlier year; the mean absolute error is set against the one its law expects.
    The ratio counts as many origins as do not overlap, and is shrunk to the law by `width_weight`:
    :math:`\log f_h = \frac{n_h}{n_h + n_0} \log (\overline{|e|} / \overline{E|e|})`.
    """
    likely = laws.likely
    trend, weight, sd = likely.trend, likely.weight, likely.sd[:, None] * laws.by_region
    centres = positions(values, settings.memory_years)
    years = values.shape[1]
    found, expected, origins = np.zeros(horizon), np.zeros(horizon), np.zeros(horizon)
    for ahead in forecasts(values, centres, trend, sd, settings, horizon):
        place, known = ahead.step - 1, ahead.known
        error, size = _error(ahead.at.level, ahead.at.var_level * sd**2, weight, values[:, ahead.year])
        counts = 0.5 ** ((years - 1 - ahead.year) / settings.width_half_life)
        found[place] += counts * np.abs(error[known] - error[known].mean()).mean()
        expected[place] += counts * _mean_of_unit(settings.tails, ahead.step) * size[known].mean()
        origins[place] += counts
    apart = origins / np.arange(1, horizon + 1)
    held = (found > 0) & (expected > 0)
    ratio = np.divide(found, expected, out=np.ones(horizon), where=held)
    return np.asarray(np.exp(apart / (apart + settings.width_weight) * np.log(ratio)))


def _mean_of_unit(tails: float, years: int) -> float:
    """Mean absolute value at unit variance: of Student's t after a year, ever nearer to the normal after more."""
    normal = np.sqrt(2 / np.pi)
    heavy = 2 * np.sqrt(tails - 2) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return float(normal + (heavy - normal) / years)


def _error(level: Array, variance: Array, weight: Array, observed: Array) -> tuple[Array, Array]:
    """Error of the mixture's mean and its standard deviation, shape (region,)."""
    mean = weight @ level
    spread = weight @ (variance + (level - mean) ** 2)
    return mean - observed, np.sqrt(spread)
