"""Estimate the standard deviation, autocorrelation and tails of errors from the residuals of a fit."""

import numpy as np

from calibration.observation.noise import (
    MOST_PERSISTENT,
    Loss,
    Noise,
    Whitening,
    expected_count,
    held,
    loss_of,
    spread_of,
)
from calibration.observation.series import Series
from pysd_runner.core.errors import Message, joined
from pysd_runner.core.types import Array, frozen
from pysd_runner.spec.design import DECLARED

# Weight of the standard deviation of all regions, in observations, when a region's own is estimated: a variance from
# ten years has a relative error of 45 percent, and a region with small errors by chance would dominate the fit.
PRIOR_REGION = 4.0
# Weight of the declared standard deviation, in observations, and of zero persistence, in pairs of residuals.
PRIOR_OBSERVATIONS = DECLARED.weight
PRIOR_PAIRS = 4.0


def estimate_noise(series: Series, residuals: Array, *, persistence: float | None = None, share: float = 1.0) -> Noise:
    """Estimate the error model of a series from residuals (fitted minus observed), shape (row, time).

    Unless `persistence` is given, it is the pooled regression coefficient of residuals on the preceding ones, shrunk
    towards zero by `PRIOR_PAIRS` pairs; it is zero if errors are declared independent. The standard deviation of the
    innovations is estimated under the declared family (`calibration.observation.noise`), so that with the Huber and
    Student-t families a few outliers hardly affect the estimates. With a scale per region, each region's standard
    deviation is estimated in the same way from its own cells, with that of all regions counting as `PRIOR_REGION`
    observations.

    Parameters
    ----------
    series
        An observed series.
    residuals
        Fitted minus observed values, shape (row, time).
    persistence
        Autocorrelation of the errors, if it is known.
    share
        Degrees of freedom per cell, below 1 where estimated parameters use some up.

    Returns
    -------
    Noise
        Standard deviations and persistence, in the units of the residuals.
    """
    cells, errors, sizes = series.cells, series.errors, series.sizes
    if errors.known and not series.is_given:
        return Noise(series.declared_sd)
    if errors.memory == "independent":
        persistence = 0.0
    if persistence is None:
        kept = held(np.where(series.seen, residuals, np.nan)) if sizes.holds else residuals
        persistence = _persistence(cells.pick(kept)[cells.follows], cells.pick_previous(kept)[cells.follows])
    declared = series.declared_sd * float(np.sqrt(1 - persistence**2))
    if series.is_given:
        return Noise(declared, persistence)
    innovations = cells.innovations(residuals, Noise(1.0, persistence))
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(share * len(cells), 1.0) if sizes.by_parameters else max(len(cells) - lost, 0)
    loss = loss_of(errors)
    sd = loss.sd(innovations, freedom=freedom, declared=declared, weight=sizes.weight)
    if sizes.least:
        seen = series.values[np.isfinite(series.values)]
        sd = max(sd, sizes.least * (float(seen.std()) or float(np.abs(seen).max()) or 1.0))
    regional: tuple[float, ...] = ()
    if errors.scale == "region":
        part = freedom / max(len(cells), 1)
        regional = _row_ratios(loss, cells, innovations, sd=sd, share=part, count=len(series.values))
    independent = 1.0
    if errors.memory == "momentum":
        standard = cells.standardised(residuals, Noise(sd, persistence, regional))
        # Years are the clusters of this variance, so that it has a t distribution with one degree less than years.
        spare = max(len(np.unique(cells.year)) - 3, 1)
        independent = effective_share(np.nan_to_num(cells.spread_out(standard)), relative=series.relative)
        independent *= spare / (spare + 2)
    return Noise(sd, persistence, regional, independent)


def effective_share(innovations: Array, *, relative: bool = False) -> float:
    """Effective number of regions, as a share of their number, from innovations of shape (region, year).

    ``n = sum |e_s|^2 |e_t|^2 / sum (e_s' e_t)^2`` over pairs of different years estimates ``tr(S)^2 / tr(S^2)`` of the
    covariance ``S`` of the regions without bias: the variance of a persistence is larger by the inverse of the share.
    """
    products = innovations.T @ innovations
    sizes = np.diag(products)
    apart = ~np.eye(len(sizes), dtype=bool)
    shared = float((products[apart] ** 2).sum())
    count = int(innovations.any(axis=1).sum()) - relative
    return min(float(np.outer(sizes, sizes)[apart].sum()) / (count * shared), 1.0) if count > 0 and shared > 0 else 1.0


def estimate_spread(series: Series, predicted: Array, *, share: float) -> Noise:
    """Estimate the overdispersion of counts: the value for which Pearson's statistic equals its degrees of freedom.

    Parameters
    ----------
    series
        An observed series.
    predicted
        Predicted counts, shape (row, time).
    share
        Degrees of freedom per cell, below 1 where estimated parameters use some up.

    Returns
    -------
    Noise
        The overdispersion; the declared one where it is given.
    """
    if series.is_given or series.errors.family == "poisson":
        return Noise(series.declared_sd)
    counts = series.cells.pick(series.values)
    expected = expected_count(series.cells.pick(predicted))
    return Noise(spread_of(counts, expected, max(share * len(counts), 1.0)))


def _row_ratios(
    loss: Loss, cells: Whitening, innovations: Array, *, sd: float, share: float, count: int
) -> tuple[float, ...]:
    """Ratio of each region's standard deviation to that of all regions; `share` is degrees of freedom per cell."""
    found = []
    for region in range(count):
        own = innovations[cells.region == region]
        found.append(loss.sd(own, freedom=share * own.size, declared=sd, weight=PRIOR_REGION) / sd)
    return tuple(found)


def _persistence(now: Array, before: Array) -> float:
    squares = float((before**2).sum())
    if not squares > 0:
        return 0.0
    slope = float((now * before).sum()) / (squares * (1 + PRIOR_PAIRS / now.size))
    return float(np.clip(slope, 0.0, MOST_PERSISTENT))


OUTPUT = "output_per_head"

# Maximum degrees of freedom estimated, at which a Student-t is practically normal.
MOST_DEGREES = 100.0
# Minimum number of shocks to estimate tails.
_MIN_SHOCKS = 30


@frozen
class Shocks:
    """Summary statistics of the residual regional shocks to yearly relative growth."""

    sd: float  # standard deviation of a yearly shock in log points, including outliers
    persistence: float = 0.0  # lag-1 autocorrelation; if positive, errors grow faster than the root of the horizon
    long_run_sd: float  # long-run standard deviation per root year, ``sd sqrt((1 + rho) / (1 - rho))``
    degrees: float = float("nan")  # degrees of freedom of a fitted Student-t, at most `MOST_DEGREES`; NaN if too few
    excess_kurtosis: float = float("nan")  # fourth standardised moment minus 3; NaN if there are too few shocks
    largest: float = 0.0  # largest absolute shock in standard deviations
    count: int = 0  # number of shocks; 0 if `sd` is the declared value

    @property
    def words(self) -> str:
        """Description of the shocks in one sentence, for reports."""
        parts = [
            Message(
                "a region's growth relative to the others misses the fit by about {size:.1f} percent a year",
                size=100 * self.sd,
            )
        ]
        if self.persistence > 0:
            share = 100 * self.persistence
            parts.append(Message(", and {share:.0f} percent of a miss is found again the year after", share=share))
        if np.isfinite(self.degrees) and self.degrees < MOST_DEGREES:
            parts.append(
                Message("; tails like a Student-t with {degrees:.1f} degrees of freedom", degrees=self.degrees)
            )
        return joined(parts, "")


def summarise_shocks(series: Series, residuals: Array, *, prior_sd: float) -> Shocks:
    """Summarise residuals (region, year) of yearly relative growth.

    Parameters
    ----------
    series
        An observed series.
    residuals
        Shocks to yearly relative growth, shape (region, year).
    prior_sd
        Standard deviation before data, with the weight of four observations.

    Returns
    -------
    Shocks
        Size, persistence and tails.
    """
    cells = series.cells
    shocks = cells.pick(residuals)
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(len(cells) - lost, 0)
    variance = (float((shocks**2).sum()) + PRIOR_OBSERVATIONS * prior_sd**2) / (freedom + PRIOR_OBSERVATIONS)
    sd = float(np.sqrt(variance))
    now, before = shocks[cells.follows], cells.pick_previous(residuals)[cells.follows]
    rho = float(np.clip(correlation_of(now, before), -0.9, 0.9)) if now.size > 1 else 0.0
    enough = len(cells) >= _MIN_SHOCKS and bool(shocks.any())
    scaled = shocks / np.sqrt(np.mean(shocks**2)) if enough else shocks / sd
    return Shocks(
        sd=sd,
        persistence=rho,
        long_run_sd=float(sd * np.sqrt((1 + rho) / (1 - rho))),
        degrees=_degrees(scaled) if enough else float("nan"),
        excess_kurtosis=float(np.mean(scaled**4) - 3) if enough else float("nan"),
        largest=float(np.abs(shocks).max() / sd) if len(cells) else 0.0,
        count=len(cells),
    )


def correlation_of(now: Array, before: Array) -> float:
    """Uncentred correlation over the pairs in which both values are finite; 0 if either is always zero."""
    both = np.isfinite(now) & np.isfinite(before)
    size = float(np.sqrt((now[both] ** 2).sum() * (before[both] ** 2).sum()))
    return float((now[both] * before[both]).sum() / size) if size > 0 else 0.0


def _degrees(scaled: Array) -> float:
    """Maximum-likelihood degrees of freedom of a Student-t; the scale is estimated too."""
    from scipy.optimize import minimize
    from scipy.stats import t

    def cost(point: Array) -> float:
        return -float(t.logpdf(scaled, df=np.exp(point[0]), scale=np.exp(point[1])).sum())

    bounds = [(np.log(1.5), np.log(MOST_DEGREES)), (-4.0, 2.0)]
    found = minimize(cost, np.array([np.log(6.0), -0.2]), bounds=bounds, method="L-BFGS-B")
    return float(np.exp(found.x[0]))
