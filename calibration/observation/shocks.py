"""What the fit leaves of yearly growth: size, memory and tails of regional shocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.observation.estimation import PRIOR_OBSERVATIONS
from calibration.observation.series import Series
from pysd_runner.core.errors import Message, joined

Array = NDArray[np.float64]

# Tail index of a normal distribution for practical purposes.
MOST_DEGREES = 100.0
# Fewer shocks than this say nothing about tails.
_FEWEST = 30


@dataclass(frozen=True, slots=True)
class Shocks:
    """Regional shocks to yearly relative growth, as a fit leaves them.

    Attributes
    ----------
    sd
        Standard deviation of one year's shock in log points, tails included.
    persistence
        Correlation with the year before; above 0, errors grow faster than the root of the horizon.
    long_run_sd
        Standard deviation per root year once shocks have run their course, ``sd sqrt((1 + rho) / (1 - rho))``.
    degrees
        Degrees of freedom of a Student-t with these tails; `MOST_DEGREES` stands for normal, NaN for too few shocks.
    excess_kurtosis
        Fourth moment less 3; NaN for too few shocks.
    largest
        Largest shock in standard deviations.
    count
        How many shocks.
    """

    sd: float
    persistence: float
    long_run_sd: float
    degrees: float
    excess_kurtosis: float
    largest: float
    count: int

    @property
    def words(self) -> str:
        """One sentence for a report."""
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
    """Summarise the residuals of yearly relative growth.

    Parameters
    ----------
    series
        Output in yearly changes.
    residuals
        Fitted less observed, shape (region, year).
    prior_sd
        Declared standard deviation, which counts as four observations.

    Returns
    -------
    Shocks
        Size, memory and tails.
    """
    cells = series.cells
    shocks = cells.pick(residuals)
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(len(cells) - lost, 0)
    variance = (float((shocks**2).sum()) + PRIOR_OBSERVATIONS * prior_sd**2) / (freedom + PRIOR_OBSERVATIONS)
    sd = float(np.sqrt(variance))
    now, before = shocks[cells.follows], cells.pick_previous(residuals)[cells.follows]
    rho = _correlation(now, before)
    enough = len(cells) >= _FEWEST and bool(shocks.any())
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


def _correlation(now: Array, before: Array) -> float:
    size = np.sqrt((now**2).sum() * (before**2).sum())
    return float(np.clip((now * before).sum() / size, -0.9, 0.9)) if now.size > 1 and size > 0 else 0.0


def _degrees(scaled: Array) -> float:
    """Degrees of freedom of the most likely Student-t, with its own scale."""
    from scipy.optimize import minimize
    from scipy.stats import t

    def cost(point: Array) -> float:
        return -float(t.logpdf(scaled, df=np.exp(point[0]), scale=np.exp(point[1])).sum())

    bounds = [(np.log(1.5), np.log(MOST_DEGREES)), (-4.0, 2.0)]
    found = minimize(cost, np.array([np.log(6.0), -0.2]), bounds=bounds, method="L-BFGS-B")
    return float(np.exp(found.x[0]))
