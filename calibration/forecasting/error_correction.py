"""Error correction: level and last change, with the same coefficients for all regions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.baselines import Array, held, last_level
from calibration.observation.noise import MAD_TO_SD, median_size
from pysd_runner.core.errors import InvalidInput

LEAST_ROWS = 10
# Changes of logs that are no changes.
ROUNDING = 1e-12


def coefficients(history: Array, step: int) -> tuple[float, float] | None:
    r"""Least squares of the change over some years on level and last change, pooled over regions and years.

    :math:`r_{i,t+h} - r_{it} = a_h r_{it} + b_h (r_{it} - r_{i,t-1})`.
    """
    return least_squares(*pairs(history, step))


def least_squares(level: Array, change: Array, following: Array) -> tuple[float, float] | None:
    """Coefficients of what followed on level and change, all of one shape with NaN where missing; None as above."""
    whole = np.isfinite(level + change + following)
    regressors = np.column_stack((level[whole], change[whole]))
    if len(regressors) < LEAST_ROWS or np.linalg.matrix_rank(regressors) < 2:
        return None
    on_level, on_change = np.linalg.lstsq(regressors, following[whole], rcond=None)[0]
    return float(on_level), float(on_change)


def pairs(history: Array, step: int) -> tuple[Array, Array, Array]:
    """Levels, changes of the last year and of the years that followed; each of shape (region, year - step - 1)."""
    level = history[:, 1:-step]
    return level, np.diff(history, axis=1)[:, : level.shape[1]], history[:, 1 + step :] - level


def group_means(values: Array, places: NDArray[np.intp]) -> Array:
    """Mean over the regions of each one's group that were seen in the same year."""
    member = np.eye(places.max() + 1)[places].T
    total, count = member @ np.nan_to_num(values), member @ np.isfinite(values)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.where(np.isfinite(values), means[places], np.nan)


def kept(years: float, against: float) -> float:
    """What is kept of an estimate from some years when what is assumed counts for others; nothing of no years."""
    return years / (years + against) if years > 0 else 0.0


def usual_size(values: Array) -> float:
    """Size without the largest: 1.4826 times the median, a standard deviation if values are normal about zero."""
    middle = median_size(values)
    return MAD_TO_SD * middle if middle > ROUNDING else math.inf


def last_state(history: Array) -> tuple[Array, Array]:
    """Last level of each region and its change in the last year, 0 where unknown; shape (region,)."""
    level = last_level(history)
    # A change over more years, as after a hole, says nothing about one year.
    return level, np.nan_to_num(history[:, -1] - history[:, -2]) if history.shape[1] > 1 else np.zeros(len(level))


@dataclass(frozen=True, slots=True)
class ErrorCorrection:
    r"""Pooled second-order error correction, estimated directly at each horizon.

    :math:`\hat r_{i,T+h} = r_{iT} + s\,(\hat a_h r_{iT} + \hat b_h \Delta r_{iT})`. Where a horizon has too few
    rows, the change of the longest one that has enough. Carvalho & Harvey (2005), *Growth, cycles and convergence in
    US regional time series*, Int. J. Forecasting 21: 667-686, have its convergence component.

    Attributes
    ----------
    strength
        What is kept of both estimates, s; 0 is persistence.
    """

    strength: float = 1.0

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level, change = last_state(history)
        result = held(level, horizon)
        found = (0.0, 0.0)
        for step in range(1, horizon + 1):
            found = coefficients(history, step) or found
            result[:, step - 1] += self.strength * (found[0] * level + found[1] * change)
        return result


@dataclass(frozen=True, slots=True)
class ShrunkenErrorCorrection:
    r"""Error correction whose coefficients are shrunken to prior ones, and those of groups and regions to common ones.

    :math:`\hat r_{i,T+h} = r_{iT} + a_h \psi(r_{iT}) + b_h \psi(\Delta r_{iT})` with
    :math:`a_h = \frac{n_h \hat a_h + n_a p_h}{n_h + n_a}` and :math:`b_h = \frac{n_h}{n_h + n_b} \hat b_h`, where
    :math:`\psi` bounds what is far out. Regions share the shocks of a year and changes over h years overlap, so that
    what counts is the number of years without overlap, :math:`n_h`, and not the number of rows. Gaps are not taken to
    grow by themselves: :math:`a_h` is at most 0, as mean reversion of the filter is at least 0. The prior mean
    reversion :math:`p_h` is the mean of :math:`(1 - \kappa)^h - 1` over some rates, each weighed by
    :math:`S_\kappa^{-n_h / 2}`, S the squared errors it would have made, as if each year were one observation.
    Shrinking to what other panels say: Lindley & Smith (1972), J. R. Stat. Soc. B 34: 1-41; about 2 % a year: Barro &
    Sala-i-Martin (1992), J. Polit. Econ. 100: 223-251.

    Where regions have groups (countries, classes) the means of groups have coefficients of their own, and so have the
    deviations from them: the between and the within estimate, each shrunken to the common one by
    :math:`m / (m + m_0)` (partial pooling), with the degrees of freedom :math:`m = n_h (G - 1)` of G groups and
    :math:`n_h (N - G)` of N regions in them.

    Attributes
    ----------
    rates
        Parts of a gap that may be closed in a year, :math:`\kappa`.
    level_years
        Years that the prior mean reversion counts for, :math:`n_a`.
    change_years
        Years that no effect of the last change counts for, :math:`n_b`.
    most
        Last changes beyond so many times their `usual_size` count as if they were so large: they are shocks to the
        level more than news about what comes. The function is that of Huber (1964, Ann. Math. Stat. 35: 73-101), who
        bounds errors, and 1.345 the bound it is mostly given there; that it suits a regressor is a judgement. Infinite
        takes changes as they are.
    most_level
        The same for levels, of which a few are far out: capitals, oil.
    common_freedom
        Degrees of freedom that common coefficients count for against those of means or deviations, :math:`m_0`.
    groups
        Of each region; empty for none.
    """

    rates: tuple[float, ...] = (0.0, 0.01, 0.02)
    level_years: float = 2.0
    change_years: float = 0.5
    most: float = 1.345
    most_level: float = 3.0
    common_freedom: float = 100.0
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("most", "most_level"):
            if not getattr(self, name) > 0:
                raise InvalidInput(
                    "{name} is {value}; expected a number of usual sizes above 0", name=name, value=getattr(self, name)
                )

    def with_groups(self, groups: tuple[str, ...]) -> "ShrunkenErrorCorrection":
        """The same for regions with groups."""
        return replace(self, groups=groups)

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level, change = last_state(history)
        sizes = usual_size(level), usual_size(np.diff(history, axis=1))
        bounds = np.array([self.most_level, self.most]) * sizes

        def bounded(levels: Array, changes: Array) -> tuple[Array, Array]:
            return np.clip(levels, -bounds[0], bounds[0]), np.clip(changes, -bounds[1], bounds[1])

        state = np.stack(bounded(level, np.where(np.isfinite(level), change, np.nan)))
        result = held(level, horizon)
        for step in range(1, horizon + 1):
            before, last, following = pairs(history, step)
            rows = np.stack((*bounded(before, last), following))
            result[:, step - 1] += self._change(np.where(np.isfinite(rows.sum(axis=0)), rows, np.nan), state, step)
        return result

    def _change(self, rows: Array, state: Array, step: int) -> Array:
        """Change over some years, from rows of shape (3, region, year) and a state of shape (2, region)."""
        found = least_squares(*rows)
        years = float(np.isfinite(rows[0]).any(axis=0).sum()) / step if found else 0.0
        prior = self._prior(rows, years, step)

        def shrunken(own: tuple[float, float] | None) -> Array:
            on_level, on_change = own or (0.0, 0.0)
            on_level = prior + kept(years, self.level_years) * (on_level - prior)
            return np.array([min(on_level, 0.0), kept(years, self.change_years) * on_change])

        common = shrunken(found)
        result = common @ state
        for own_rows, own_state, freedom in self._levels(rows, state) if found else ():
            if freedom and (own := least_squares(*own_rows)):
                result += kept(years * freedom, self.common_freedom) * (shrunken(own) - common) @ own_state
        return np.asarray(result)

    def _prior(self, rows: Array, years: float, step: int) -> float:
        """Prior coefficient on the level."""
        level, _, following = rows
        reverted = (1 - np.array(self.rates)) ** step - 1
        if not years:
            return float(reverted.mean())
        errors = np.array([np.nansum((following - part * level) ** 2) for part in reverted])
        errors = np.maximum(errors, ROUNDING**2)
        weights = (errors / errors.min()) ** (-years / 2)
        return float(weights @ reverted / weights.sum())

    def _levels(self, rows: Array, state: Array) -> Iterator[tuple[Array, Array, int]]:
        """Means of groups and deviations from them, each with its state and degrees of freedom; none without groups."""
        if len(set(self.groups)) < 2:
            return
        # A region without a group is one of its own.
        labels = [group or f"{place}" for place, group in enumerate(self.groups)]
        places = np.unique(labels, return_inverse=True)[1]
        means = np.stack([group_means(part, places) for part in rows])
        middle = group_means(state.T, places).T
        known = places[np.isfinite(state[0])]
        groups = len(np.unique(known))
        yield means, middle, groups - 1
        yield rows - means, state - middle, len(known) - groups
