"""Scores of predictive draws against realisations, with tests and intervals for the difference between forecasts.

Error = forecast - observed; lower scores are better unless noted. The CRPS is that of the scoringrules library. Regions
share the shocks of a year, so tests and intervals treat origins as the sample: losses are averaged over regions first.
Forecasts of several years from successive origins overlap, so that neighbouring origins are dependent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.observation.series import last_level
from pysd_runner.core.types import Array, Interval

LEVELS = (0.5, 0.8, 0.9, 0.95)
# Level of the bootstrap intervals.
LEVEL = 0.9
# Minimum number of origins of a test or interval.
LEAST_ORIGINS = 4


def crps(draws: Array, observed: Array) -> Array:
    r"""Continuous ranked probability score, :math:`E|X - y| - \frac12 E|X - X'|`, at least 0; units of the target."""
    # Gneiting & Raftery (2007), J. Amer. Statist. Assoc. 102: 359-378.
    from scoringrules import crps_ensemble

    result: Array = crps_ensemble(observed, draws, m_axis=0, estimator="qd", backend="numpy")
    return result


def pit(draws: Array, observed: Array) -> Array:
    """Probability integral transform: share of draws below the realisation, ties count half; uniform if calibrated."""
    below = (draws < observed).mean(axis=0)
    ties = (draws == observed).mean(axis=0)
    result: Array = np.where(np.isfinite(observed) & np.isfinite(draws[0]), below + ties / 2, np.nan)
    return result


def dispersion_scores(draws: Array, observed: Array, history: Array) -> dict[str, Array]:
    """Predicted probability that dispersion falls, whether it fell (1 or 0), and the base rate; each (horizon,)."""
    last, horizon = last_level(history), observed.shape[1]
    falls, fell, base = (np.full(horizon, np.nan) for _ in range(3))
    for step in range(horizon):
        earlier = [
            _fell(then, now)
            for then, now in zip(history.T, history[:, step + 1 :].T, strict=False)
            if (np.isfinite(then) & np.isfinite(now)).sum() > 1
        ]
        base[step] = (sum(earlier) + 1) / (len(earlier) + 2)
        known = np.isfinite(last) & np.isfinite(observed[:, step]) & np.isfinite(draws[0, :, step])
        if known.sum() > 1:
            fell[step] = _fell(last[known], observed[known, step])
            falls[step] = (draws[:, known, step].std(axis=1) < last[known].std()).mean()
    return {"dispersion_falls": falls, "dispersion_fell": fell, "dispersion_base": base}


def _fell(then: Array, now: Array) -> bool:
    """Whether the dispersion over the regions observed at both times has decreased."""
    both = np.isfinite(then) & np.isfinite(now)
    return bool(now[both].std() < then[both].std())


def all_scores(point: Array, draws: Array, observed: Array) -> dict[str, Array]:
    """Every score of one forecast, shape (region, horizon)."""
    error = point - observed
    known = np.isfinite(error)
    result = {"error": error, "crps": crps(draws, observed), "pit": pit(draws, observed)}
    for level in LEVELS:
        lower, upper = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2), axis=0)
        inside = (lower <= observed) & (observed <= upper)
        result[f"covered_{percent(level)}"] = np.where(known, inside, np.nan)
    return result


def percent(level: float) -> int:
    """A probability as a whole number of percent."""
    return round(100 * level)


@dataclass(frozen=True, slots=True)
class DieboldMariano:
    """Result of the test that two forecasts have equal expected loss."""

    statistic: float  # negative if the first has less loss; NaN if undefined
    p_value: float
    origins: int


def by_origin(loss: Array) -> Array:
    """Mean over regions of losses of shape (origin, region), ignoring NaN; shape (origin,)."""
    known = np.isfinite(loss)
    total = np.where(known, loss, 0.0).sum(axis=1)
    result: Array = np.divide(total, known.sum(axis=1), out=np.full(len(loss), np.nan), where=known.any(axis=1))
    return result


def diebold_mariano(loss: Array, benchmark: Array, horizon: int) -> DieboldMariano:
    r"""Diebold-Mariano test of equal accuracy for overlapping forecasts.

    :math:`d_t` is the difference of losses averaged over regions; its long-run variance sums the autocovariances up to
    lag h - 1, with Bartlett weights if the unweighted sum is not positive. The statistic
    :math:`\bar d / \sqrt{\hat V/n}` is multiplied by :math:`\sqrt{(n + 1 - 2h + h(h-1)/n)/n}` and compared with
    Student's t with n - 1 degrees of freedom.

    References
    ----------
    Diebold & Mariano (1995), J. Bus. Econ. Stat. 13: 253-263. Harvey, Leybourne & Newbold (1997), Int. J. Forecasting
    13: 281-291.
    """
    from scipy.special import stdtr

    both = np.where(np.isfinite(loss) & np.isfinite(benchmark), loss - benchmark, np.nan)
    difference = by_origin(both)
    difference = difference[np.isfinite(difference)]
    count = len(difference)
    if count < max(LEAST_ORIGINS, horizon + 2):
        return DieboldMariano(float("nan"), float("nan"), count)
    variance = long_run_variance(difference, horizon - 1)
    if variance <= 0:
        return DieboldMariano(float("nan"), float("nan"), count)
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = difference.mean() / np.sqrt(variance / count) * np.sqrt(max(correction, 0.0))
    return DieboldMariano(float(statistic), float(2 * stdtr(count - 1, -abs(statistic))), count)


def long_run_variance(series: Array, lags: int) -> float:
    """Long-run variance from autocovariances up to `lags`, with Bartlett weights if the plain sum is not positive."""
    centred = series - series.mean()
    count = len(series)
    covariances = np.array([centred[lag:] @ centred[: count - lag] / count for lag in range(lags + 1)])
    plain = float(covariances[0] + 2 * covariances[1:].sum())
    if plain > 0:
        return plain
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    return float(covariances[0] + 2 * (weights * covariances[1:]).sum())


def blocks(count: int, length: int, repetitions: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Circular block bootstrap: resampled indices of origins, shape (repetition, origin)."""
    # Politis & Romano (1992), in *Exploring the Limits of Bootstrap*.
    length = min(length, count)
    starts = rng.integers(0, count, size=(repetitions, -(-count // length)))
    whole = (starts[:, :, None] + np.arange(length)) % count
    return whole.reshape(repetitions, -1)[:, :count]


def block_length(count: int, horizon: int) -> int:
    """Length of a block: the horizon, but at least the cube root of the number of origins."""
    return max(horizon, round(float(np.cbrt(count))))


def spread_factor(count: int, length: int, horizon: int) -> float:
    r"""Factor by which the block-bootstrap interval of a mean is widened to correct its small-sample bias.

    Blocks drawn from few origins vary too little about their own mean, and cut the dependence of origins at their ends.
    Forecasts over h years from origins k years apart share h - k of their shocks, so that errors correlate by
    :math:`\max(1 - k/h, 0)`. This gives the variance of the mean and the expected variance of the bootstrap; the
    factor is the square root of their ratio, times the quantile of Student's t with n - 1 degrees of freedom divided
    by the normal one, as in the correction of Harvey, Leybourne & Newbold (1997).
    """
    from scipy.special import ndtri, stdtrit

    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    correlation = np.maximum(1 - apart / horizon, 0.0)
    whole, rest = divmod(count, length)
    found = whole * _block_variance(correlation, length) + _block_variance(correlation, rest)
    tail = (1 + LEVEL) / 2
    return float(np.sqrt(correlation.sum() / found) * stdtrit(count - 1, tail) / ndtri(tail))


def _block_variance(correlation: Array, length: int) -> float:
    """Expected variance of the sum of a circular block about the overall mean, averaged over its start."""
    count = len(correlation)
    places = (np.arange(count)[:, None] + np.arange(length)) % count
    block = np.zeros((count, count))
    np.put_along_axis(block, places, 1.0, axis=1)
    centred = block - length / count
    return float(np.einsum("ij,jk,ik->i", centred, correlation, centred).mean())


def ratio_interval(
    loss: Array, benchmark: Array, horizon: int, *, power: float = 1.0, seed: int = 0, repetitions: int = 999
) -> Interval:
    """90 % block-bootstrap interval over origins of the ratio of pooled losses, widened by `spread_factor`."""
    both = np.isfinite(loss) & np.isfinite(benchmark)
    above, below = (np.where(both, part, 0.0).sum(axis=1) for part in (loss, benchmark))
    found, low, high, factor = _bootstrap(above, below, horizon, seed, repetitions)
    if not found > 0:
        return found**power, found**power
    # Ratios are positive, so the interval is widened on the log scale.
    return (found * (low / found) ** factor) ** power, (found * (high / found) ** factor) ** power


def mean_interval(values: Array, horizon: int, *, seed: int = 0, repetitions: int = 999) -> Interval:
    """90 % block-bootstrap interval of a coverage, the pooled mean of ones and zeros; see `ratio_interval`."""
    known = np.isfinite(values)
    above = np.where(known, values, 0.0).sum(axis=1)
    below = known.sum(axis=1).astype(float)
    found, *ends, factor = _bootstrap(above, below, horizon, seed, repetitions)
    if np.isnan(found):
        return found, found
    low, high = np.clip([found + factor * (end - found) for end in ends], 0.0, 1.0)
    return float(low), float(high)


def _bootstrap(
    above: Array, below: Array, horizon: int, seed: int, repetitions: int
) -> tuple[float, float, float, float]:
    """Ratio of sums over origins, two quantiles of its block bootstrap, and the factor by which to widen them."""
    held = below > 0
    above, below = above[held], below[held]
    count = len(above)
    length = block_length(count, horizon)
    if count < LEAST_ORIGINS or count <= length:
        return (float("nan"),) * 4
    chosen = blocks(count, length, repetitions, np.random.default_rng(seed))
    ratios = above[chosen].sum(axis=1) / below[chosen].sum(axis=1)
    found = float(above.sum() / below.sum())
    low, high = (float(end) for end in np.quantile(ratios, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    # The interval includes the estimate even if the bootstrap distribution is skewed.
    return found, min(low, found), max(high, found), spread_factor(count, length, horizon)
