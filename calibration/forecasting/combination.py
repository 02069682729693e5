"""Mixtures of forecasts, with fixed weights, or with weights and widths estimated from the members' past scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.baselines import kept
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin, digest
from pysd_runner.core.types import Array, Flags, frozen

# Number of equally spaced quantiles that represent a predictive distribution.
QUANTILES = 20
# Horizons at which members are scored. Fixed, so that weights do not depend on the horizon of the forecast.
SCORED_YEARS = 5
# Maximum number of draws from which members are scored (by `QUANTILES` quantiles of them).
SCORED_DRAWS = 500
# Number of observed times before the first scored origin: members have at least one error to estimate widths from.
FIRST_SCORED = 6
# Grid of inflation factors.
FACTORS = np.round(np.arange(0.5, 1.51, 0.05), 2)


@frozen(eq=False)
class EarlierOrigin:
    """Forecasts of the members at one earlier origin, and the realisations known so far."""

    kept: Array  # quantiles of the members, shape (member, quantile, region, horizon)
    between: Array  # mean distance between members, shape (member, member, region, horizon)
    realised: Array  # realisations, shape (region, horizon)
    known: Flags  # where both realisations and forecasts are known
    weight: float  # weight of the origin


def centre(item: EarlierOrigin, weights: Array) -> Array:
    """Mean of the mixture, shape (region, horizon)."""
    return np.tensordot(weights, item.kept.mean(axis=1), axes=1)


@frozen(eq=False)
class Learnt:
    """Weights and inflation factors of a combination, estimated from earlier origins."""

    weights: Array  # of the members, shape (member,), summing to 1
    inflation: Array  # factor on the distance of draws from their mean, shape (`SCORED_YEARS`,)


@frozen
class Mixture:
    """A mixture of forecasters with fixed weights."""

    name: str
    members: tuple[Forecaster, ...]
    weights: tuple[float, ...]

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Each draw is a joint draw of one member; the point is the weighted mean."""
        return mixed(self.members, np.array(self.weights), origin, horizon=horizon, draws=draws, seed=seed)


@frozen
class Combination:
    r"""A mixture of forecasters whose weights and width are estimated from earlier origins.

    Weights start from the prior weights and become :math:`w_m \propto w^0_m \exp(-\eta L_m)` with the loss L computed
    by `losses`: the weight of a clearly worse member vanishes quickly, similar members keep their weights
    (exponentially weighted averages; Cesa-Bianchi & Lugosi 2006, *Prediction, Learning, and Games*, chapter 2). The
    distance of draws from their mean is multiplied by the factors with the lowest past CRPS, shrunk towards one
    (`fit_inflation`).

    Attributes
    ----------
    name
        Name shown in tables.
    members
        The forecasters.
    prior
        Prior weights, any positive numbers; empty for equal ones.
    rate
        Learning rate of the weights, :math:`\eta`: at 1, a member that scores a tenth above the mean of the members
        one year ahead loses a tenth of its weight with each origin. Zero keeps the prior weights.
    half_life
        Years after which the weight of an origin has halved.
    no_inflation
        Prior weight of no inflation, as a number of origins (`fit_inflation`); infinite for no inflation.
    """

    name: str
    members: tuple[Forecaster, ...]
    prior: tuple[float, ...] = ()
    rate: float = 1.2
    half_life: float = 8.0
    no_inflation: float = 3.0

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. As in `Mixture`, with draws inflated about the point."""
        learnt = self.learn(origin, draws=draws, seed=seed)
        found = mixed(self.members, learnt.weights, origin, horizon=horizon, draws=draws, seed=seed)
        factors = learnt.inflation[np.minimum(np.arange(horizon), SCORED_YEARS - 1)]
        return Forecast(point=found.point, draws=found.point + factors * (found.draws - found.point))

    def learn(self, origin: Origin, *, draws: int, seed: int) -> Learnt:
        """Estimate weights and inflation from the data up to the origin; arguments as for `forecast`."""
        judged = self._judged(origin, draws, seed)
        loss = losses(judged) if judged else np.zeros(len(self.members))
        weights = np.array(self.prior or [1.0] * len(loss)) * np.exp(-self.rate * (loss - loss.min()))
        weights = weights / weights.sum()
        inflation = fit_inflation(judged, weights, self.no_inflation) if judged else np.ones(SCORED_YEARS)
        return Learnt(weights=weights, inflation=inflation)

    def remember(self, origin: Origin, year: int, *, draws: int, seed: int) -> tuple[Array, Array]:
        """Quantiles of the members' forecasts made at an earlier year, and the distances between members; cached.

        The quantiles have shape (member, quantile, region, `SCORED_YEARS`).
        """
        draws = min(draws, SCORED_DRAWS)
        seen = origin.target.values[:, : origin.target.position(year) + 1]

        def compute() -> tuple[Array, Array]:
            then = origin if year == origin.time else origin.earlier(year)
            forecasts = [member_forecast(member, then, SCORED_YEARS, draws, seed) for member in self.members]
            levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
            kept = np.stack([np.quantile(item.draws, levels, axis=0) for item in forecasts])
            return kept, distances(kept)

        return origin.memory.recall(("quantiles", repr(self.members), draws, seed, digest(seen)), compute)

    def _judged(self, origin: Origin, draws: int, seed: int) -> list[EarlierOrigin]:
        """Every earlier origin with the realisations known so far."""
        years, observed = origin.target.times, origin.target.values
        result = []
        for place in (place for place in origin.target.places[FIRST_SCORED - 1 :] if place < len(years) - 1):
            kept, between = self.remember(origin, years[place], draws=draws, seed=seed)
            ahead = min(SCORED_YEARS, len(years) - 1 - place)
            realised = np.full(kept.shape[2:], np.nan)
            realised[:, :ahead] = observed[:, place + 1 : place + 1 + ahead]
            known = np.isfinite(realised) & np.isfinite(kept[:, 0]).all(axis=0)
            weight = 0.5 ** ((len(years) - 1 - place) / self.half_life)
            result.append(EarlierOrigin(kept=kept, between=between, realised=realised, known=known, weight=weight))
        return result


def losses(judged: Sequence[EarlierOrigin]) -> Array:
    r"""Loss of each member summed over earlier origins, shape (member,).

    :math:`L_m = \sum_h \frac1h \sum_t \omega_t s_{mht} / \bar s_h`: s the CRPS averaged over regions, :math:`\bar s_h`
    its mean over members and origins, so that long horizons do not dominate; :math:`\omega` the weight of an origin.
    Errors over h years overlap with those of h - 1 other origins, hence 1/h.
    """
    members, horizons = len(judged[0].kept), judged[0].realised.shape[1]
    total, origins = np.zeros((members, horizons)), np.zeros(horizons)
    for item in judged:
        own = np.einsum("mmrh->mrh", item.between)
        score = np.abs(item.kept - item.realised).mean(axis=1) - own / 2
        count = item.known.sum(axis=0)
        total += item.weight * np.where(item.known, score, 0.0).sum(axis=1) / np.maximum(count, 1)
        origins += item.weight * (count > 0)
    unit = np.divide(total.mean(axis=0), origins, out=np.zeros(horizons), where=origins > 0)
    held = unit > 0
    steps = np.arange(1, horizons + 1)
    return np.asarray((total[:, held] / (unit * steps)[held]).sum(axis=1))


def member_forecast(member: Forecaster, origin: Origin, horizon: int, draws: int, seed: int) -> Forecast:
    """The forecast of a member, computed once per origin."""
    key = ("forecast", repr(member), horizon, draws, seed, origin.digest)
    return origin.memory.recall(key, lambda: member.forecast(origin, horizon=horizon, draws=draws, seed=seed))


def mixed(
    members: Sequence[Forecaster], weights: Array, origin: Origin, *, horizon: int, draws: int, seed: int
) -> Forecast:
    """Joint draws of the members in proportion to their weights, shifted to the weighted mean of their points."""
    forecasts = [member_forecast(member, origin, horizon, draws, seed) for member in members]
    point = np.tensordot(weights, np.stack([item.point for item in forecasts]), axes=1)
    chosen = np.random.default_rng((seed, origin.time, len(members))).permutation(shares(weights, draws))
    found = np.stack([item.draws for item in forecasts])[chosen, np.arange(draws)]
    # Only some draws of each member are used, so their mean has sampling error.
    return Forecast(point=point, draws=point + found - found.mean(axis=0))


def distances(kept: Array) -> Array:
    r"""Mean distance :math:`E|X_m - X_n|` between members, computed from their quantiles."""
    count = len(kept)
    result = np.zeros((count, count, *kept.shape[2:]))
    for one in range(count):
        for other in range(one, count):
            gaps = np.abs(kept[one][:, None] - kept[other][None]).mean(axis=(0, 1))
            result[one, other] = result[other, one] = gaps
    return result


def shares(weights: Sequence[float] | Array, draws: int) -> NDArray[np.int64]:
    """Member of each draw, ascending: draws are allocated by the weights (largest-remainder method)."""
    wanted = np.asarray(weights) * draws
    counts = np.floor(wanted).astype(np.int64)
    for place in np.argsort(counts - wanted, kind="stable")[: draws - int(counts.sum())]:
        counts[place] += 1
    return np.repeat(np.arange(len(counts)), counts)


def fit_inflation(judged: Sequence[EarlierOrigin], weights: Array, no_inflation: float) -> Array:
    r"""Factor on the distance of draws from their mean for each number of years ahead, shape (horizon,).

    :math:`\delta_h = c^{1 - p_h} c_h^{p_h}`, with :math:`c_h` the factor with the lowest CRPS h years ahead,
    :math:`p_h = \frac{n_h / h}{n_h / h + n_0}` and :math:`c = \hat c^{\,n_1 / (n_1 + n_0)}`, :math:`\hat c` the single
    factor with the lowest CRPS over all horizons; :math:`n_h` the weighted number of origins whose realisations h years
    later are known. Errors over h years overlap with those of h - 1 other origins, hence :math:`n_h / h`. The factor
    is c at a horizon without realisations, and 1 if there are none at all.
    """
    scores = inflated_scores(judged, weights)
    told = np.isfinite(scores).all(axis=0)
    if not told.any():
        return np.ones(scores.shape[1])
    origins = np.stack([item.weight * item.known.any(axis=0) for item in judged]).sum(axis=0)
    common = FACTORS[scores[:, told].mean(axis=1).argmin()] ** kept(origins.max(), no_inflation)
    own = FACTORS[np.where(told, scores, 0.0).argmin(axis=0)]
    parts = np.array([kept(count / step, no_inflation) for step, count in enumerate(origins, start=1)])
    return np.asarray(np.where(told, common ** (1 - parts) * own**parts, common))


def inflated_scores(judged: Sequence[EarlierOrigin], weights: Array) -> Array:
    r"""CRPS of a mixture over earlier origins for each of `FACTORS`, relative to that without inflation.

    The score of a mixture inflated by c about its mean :math:`\mu` is
    :math:`E|\mu + c(X - \mu) - y| - \frac c2 E|X - X'|`. Linear pools of calibrated forecasts are too wide: Gneiting &
    Ranjan (2013), Electron. J. Stat. 7: 1747-1782.
    """
    horizons = judged[0].realised.shape[1]
    near, apart = np.zeros((len(FACTORS), horizons)), np.zeros(horizons)
    for item in judged:
        middle = centre(item, weights)
        about, away = item.kept - middle, item.realised - middle
        for place, factor in enumerate(FACTORS):
            distance = np.tensordot(weights, np.abs(factor * about - away).mean(axis=1), axes=1)
            near[place] += item.weight * np.where(item.known, distance, 0.0).sum(axis=0)
        spread = np.einsum("m,n,mnrh->rh", weights, weights, item.between)
        apart += item.weight * np.where(item.known, spread, 0.0).sum(axis=0) / 2
    no_inflation = near[FACTORS == 1][0] - apart
    unknown = np.full(near.shape, np.nan)
    return np.asarray(np.divide(near - FACTORS[:, None] * apart, no_inflation, out=unknown, where=no_inflation > 0))
