"""Any point method with widths learnt from how wrong it was before."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.baselines.history import last_level
from calibration.forecasting.forecaster import Forecast, GroupedMethod, Origin, PointMethod, digest
from calibration.forecasting.shape import over_horizons, over_regions, quantiles, root, stretched
from calibration.forecasting.spread import Spread, WidthSettings, learn_spread
from calibration.forecasting.target import Target
from pysd_runner.core.errors import InvalidInput

Array = NDArray[np.float64]

# A method is first judged when it has seen this many years.
FIRST_SEEN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The errors a method made before an origin."""

    errors: Array  # forecast less observed, shape (origin, region, horizon); NaN where not yet known
    ages: Array  # years since each became known, shape (origin, horizon); negative where not yet

    def known(self, back: int) -> "Past":
        """What was known some years earlier."""
        errors = np.where(self.ages[:, None, :] >= back, self.errors, np.nan)
        return Past(errors=errors, ages=self.ages - back)


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """A point method as a forecaster.

    At the origin it repeats itself at every earlier origin and learns from the errors known by then: their size by
    horizon and region (`spread`), the shape of what is left after division by the size *that was expected at the
    time*, and how regions move together (`shape`). The draws are a Gaussian copula with these margins.

    Attributes
    ----------
    name
        What tables call it.
    method
        Gives the points.
    settings
        Forgetting and shrinkage.
    """

    name: str
    method: PointMethod
    settings: WidthSettings = field(default_factory=WidthSettings)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`.

        Raises
        ------
        InvalidInput
            If no error other than zero is known: the widths cannot be learnt.
        """
        past = self.past(origin, horizon)
        spread = learn_spread(past.errors, past.ages, self.settings)
        if spread is None:
            # Holes may leave nothing but the first years, in which most methods are persistence.
            past = self.past(origin, horizon, first=1)
            spread = learn_spread(past.errors, past.ages, self.settings)
        if spread is None:
            raise InvalidInput(
                f"{self.name} cannot learn its widths in {origin.year}: {len(origin.target.years)} years hold no error "
                "of it other than zero, as when all regions grow alike; check that output of each region was observed, "
                f"or give an origin with at least {FIRST_SEEN + 1} years before it"
            )
        sizes, together = self._shape(past, spread, origin, horizon)
        point = self.points(origin, horizon)
        normal = joint_normal(draws, over_horizons(spread.growth, horizon), together, (seed, origin.year))
        width = spread.by_region[:, None] * spread.by_horizon
        away = np.where(np.isfinite(point), width * stretched(normal, sizes), np.nan)
        # What all regions share is no change of relative output.
        point = point - np.nanmean(point - last_level(origin.target.values)[:, None], axis=0)
        return Forecast(point=point, draws=point + away - np.nanmean(away, axis=1, keepdims=True))

    def method_for(self, target: Target) -> PointMethod:
        """The method, with the groups of the regions where it knows what to do with them."""
        return self.method.with_groups(target.groups) if isinstance(self.method, GroupedMethod) else self.method

    def points(self, origin: Origin, horizon: int) -> Array:
        """The points at an origin, shape (region, horizon)."""
        return self._points(origin, len(origin.target.years), horizon)

    def _points(self, origin: Origin, seen: int, horizon: int) -> Array:
        history, method = origin.target.values[:, :seen], self.method_for(origin.target)
        key = ("points", repr(method), horizon, digest(history))
        return origin.memory.recall(key, lambda: method.points(history.copy(), horizon))

    def past(self, origin: Origin, horizon: int, *, first: int = FIRST_SEEN) -> Past:
        """Errors of every earlier origin that has seen so many years, or of the last one, as known at this one."""
        values = origin.target.values
        years = values.shape[1]
        # Numbers of years up to those in which something was observed, and of which so many were.
        counts = np.array([place + 1 for place in origin.target.places if place < years - 1], dtype=int)
        seen = counts[min(first, len(counts)) - 1 :]
        steps = np.arange(1, horizon + 1)
        errors = np.full((len(seen), len(values), horizon), np.nan)
        for place, count in enumerate(seen):
            ahead = min(horizon, years - count)
            points = self._points(origin, int(count), horizon)
            errors[place, :, :ahead] = points[:, :ahead] - values[:, count : count + ahead]
        return Past(errors=errors, ages=(years - seen)[:, None] - steps)

    def _shape(self, past: Past, spread: Spread, origin: Origin, horizon: int) -> tuple[Array, Array]:
        """Quantiles of standardised errors, and the correlation of regions."""
        standardised = np.full(past.errors.shape, np.nan)
        count = len(past.errors)
        for place in range(1, count):
            then = self._spread_then(past, count - place, origin, horizon)
            if then is not None:
                standardised[place] = then.standardised(past.errors[place])
        known = np.isfinite(standardised)
        age = np.broadcast_to(past.ages[:, None, :], standardised.shape)
        weights = 0.5 ** (age[known] / self.settings.shape_half_life)
        sizes = quantiles(
            np.abs(standardised[known]),
            weights,
            shape_weight=self.settings.shape_weight,
            origins=float(known[:, :, 0].any(axis=1).sum()),
            tails=self.settings.tails,
        )
        return sizes, root(over_regions(spread.standardised(past.errors)[:, :, 0]))

    def _spread_then(self, past: Past, back: int, origin: Origin, horizon: int) -> Spread | None:
        """The spread expected some years earlier."""
        seen = len(origin.target.years) - back
        key = ("spread", repr(self.method), self.settings, horizon, digest(origin.target.values[:, :seen]))

        def learn() -> Spread | None:
            then = past.known(back)
            return learn_spread(then.errors, then.ages, self.settings)

        return origin.memory.recall(key, learn)


def joint_normal(draws: int, over_time: Array, together: Array, entropy: tuple[int, ...]) -> Array:
    """Standard normal draws with given correlations over regions and horizons; each draw has its mirror image."""
    half = np.random.default_rng(entropy).standard_normal(((draws + 1) // 2, len(together), len(over_time)))
    normal = together @ (half @ np.linalg.cholesky(over_time).T)
    return np.concatenate((normal, -normal))[:draws]
