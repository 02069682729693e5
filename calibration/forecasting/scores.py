"""Scores of predictive draws against realisations; error = forecast - observed, and lower is better unless said.

CRPS, interval, pinball and energy scores are those of the scoringrules library.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.baselines.history import last_level

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)
PINBALL = (0.05, 0.25, 0.5, 0.75, 0.95)
# The energy score compares all pairs of draws; so many are enough for the mean over origins.
ENERGY_DRAWS = 100


def crps(draws: Array, observed: Array) -> Array:
    r"""Continuous ranked probability score, :math:`E|X - y| - \frac12 E|X - X'|`; from 0, in units of the target."""
    # Gneiting & Raftery (2007), J. Amer. Statist. Assoc. 102: 359-378.
    from scoringrules import crps_ensemble

    result: Array = crps_ensemble(observed, draws, m_axis=0, estimator="qd", backend="numpy")
    return result


def interval_score(lower: Array, upper: Array, observed: Array, level: float) -> Array:
    r"""Interval width plus :math:`2/\alpha` times the miss, :math:`\alpha` = 1 - level; at least 0."""
    from scoringrules import interval_score as score

    result: Array = score(observed, lower, upper, 1 - level, backend="numpy")
    return result


def pinball(quantile: Array, observed: Array, level: float) -> Array:
    r"""Pinball loss :math:`(\mathbf 1\{y \le q\} - \tau)(q - y)` of a quantile of probability `level`; at least 0."""
    from scoringrules import quantile_score

    result: Array = quantile_score(observed, quantile, level, backend="numpy")
    return result


def energy_score(draws: Array, observed: Array) -> float:
    r"""Energy score of a vector, :math:`E\|X - y\| - \frac12 E\|X - X'\|`; from 0, in units of the target."""
    from scoringrules import es_ensemble

    seen = np.isfinite(observed) & np.isfinite(draws[0])
    if not seen.any():
        return float("nan")
    return float(es_ensemble(observed[seen], draws[:ENERGY_DRAWS, seen], m_axis=0, v_axis=1, backend="numpy"))


def pit(draws: Array, observed: Array) -> Array:
    """Probability integral transform: share of draws below the realisation, ties by half; uniform when calibrated."""
    below = (draws < observed).mean(axis=0)
    ties = (draws == observed).mean(axis=0)
    result: Array = np.where(np.isfinite(observed) & np.isfinite(draws[0]), below + ties / 2, np.nan)
    return result


def naive_scale(history: Array) -> Array:
    """Mean absolute yearly change of each region up to the origin, by which MASE divides; shape (region,)."""
    # Hyndman & Koehler (2006), Int. J. Forecasting 22: 679-688. NaN where nothing ever changed or was seen.
    changes = np.abs(np.diff(history, axis=1))
    known = np.isfinite(changes)
    total = np.where(known, changes, 0.0).sum(axis=1)
    scale: Array = np.divide(total, known.sum(axis=1), out=np.full(len(total), np.nan), where=total > 0)
    return scale


def dispersion_scores(draws: Array, observed: Array, history: Array) -> dict[str, Array]:
    """Whether dispersion falls: its probability, its realisation (1 or 0), and the base rate; each (horizon,)."""
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
    """Whether dispersion over the regions seen both times is less than it was."""
    both = np.isfinite(then) & np.isfinite(now)
    return bool(now[both].std() < then[both].std())


def all_scores(point: Array, draws: Array, observed: Array, scale: Array) -> dict[str, Array]:
    """Every score of one forecast, shape (region, horizon)."""
    error = point - observed
    known = np.isfinite(error)
    result = {"error": error, "scaled_error": np.abs(error) / scale[:, None], "crps": crps(draws, observed)}
    result["pit"] = pit(draws, observed)
    tails = {level: ((1 - level) / 2, (1 + level) / 2) for level in LEVELS}
    probabilities = sorted({*PINBALL, *(end for ends in tails.values() for end in ends)})
    found = dict(zip(probabilities, np.quantile(draws, probabilities, axis=0), strict=True))
    for level, (low, high) in tails.items():
        lower, upper = found[low], found[high]
        inside = (lower <= observed) & (observed <= upper)
        result[f"covered_{percent(level)}"] = np.where(known, inside, np.nan)
        result[f"interval_{percent(level)}"] = interval_score(lower, upper, observed, level)
    for level in PINBALL:
        result[f"pinball_{percent(level)}"] = pinball(found[level], observed, level)
    steps = range(observed.shape[1])
    result["energy"] = np.array([energy_score(draws[:, :, step], observed[:, step]) for step in steps])
    return result


def percent(level: float) -> int:
    """A probability as a whole number of percent."""
    return round(100 * level)
