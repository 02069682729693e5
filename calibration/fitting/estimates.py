"""What a fit says of each parameter, series and search, and how sure it is of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.parameters import ParameterSpace
from pysd_runner.core.errors import Message, joined

Array = NDArray[np.float64]

# Contraction at and above which a phrase applies.
EVIDENCE = (
    (0.90, Message("settled by the panel")),
    (0.50, Message("mostly the panel")),
    (0.20, Message("panel and prior")),
    (0.05, Message("mostly prior")),
)
PRIOR_ONLY = Message("prior")
# Of a parameter that a panel is not asked for first, the least contraction with which tables show it.
LEAST_SHOWN = 0.05


def evidence(contraction: float, *, source: str = "panel") -> str:
    """Say what an estimate rests on.

    >>> evidence(0.95), evidence(0.1), evidence(0.0)
    ('settled by the panel', 'mostly prior', 'prior')
    """
    found = next((words for least, words in EVIDENCE if contraction >= least), PRIOR_ONLY)
    return Message(found.replace("panel", source))


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterEstimate:
    """One parameter as the panel sees it."""

    key: str
    name: str
    unit: str
    role: str
    stage: str
    estimate: float
    standard_error: float
    low: float
    high: float
    lower_bound: float
    upper_bound: float
    prior_median: float
    prior_low: float
    prior_high: float
    score: float  # distance of the estimate from the prior median in prior standard deviations
    contraction: float  # one minus posterior over prior variance
    at_bound: str  # ``""``, ``"lower"`` or ``"upper"``
    words: str  # what the estimate rests on
    price_basis: str  # prices of a money-valued parameter; empty otherwise
    en: str
    zh: str

    @property
    def is_shown(self) -> bool:
        """Whether tables show it: the panel is asked for it, or has something to say about it."""
        return self.role.startswith("FREE") or self.contraction > LEAST_SHOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class RidgeEstimate:
    """What a panel knows of parameters it does not tell apart."""

    ridge: str  # key of the declaration
    name: str
    estimate: float
    low: float
    high: float
    contraction: float  # one minus posterior over prior variance of its logarithm, or of its logit for a share
    en: str
    zh: str

    @property
    def words(self) -> str:
        """One clause for a report."""
        return Message(
            "Ridge {ridge}: {name} {estimate:.4g} ({low:.4g} to {high:.4g}): {words}",
            ridge=self.ridge,
            name=Message(self.name),
            estimate=self.estimate,
            low=self.low,
            high=self.high,
            words=evidence(self.contraction),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFit:
    """One series: its errors, and how well they were described."""

    measurement: str
    indicator: str
    relative: bool
    increments: bool
    national: bool
    observations: int
    missing: int
    unusable: int
    declared_sd: float  # standard deviation before anything was fitted
    sd: float
    persistence: float
    total_sd: float
    rms: float
    wild: int  # cells whose innovation is beyond `calibration.observation.BEND` standard deviations; they count less
    leftover: float
    en: str
    zh: str
    errors: str = ""  # how the errors are distributed, as declared, in a clause
    region_sds: tuple[float, ...] = ()  # standard deviation of the innovations of each region
    interval: str = Message("a year")  # what persistence is meant for, in words

    @property
    def label(self) -> str:
        """Measurement and indicator."""
        return f"{self.measurement}:{self.indicator}"

    @property
    def words(self) -> str:
        """One clause on its errors for a report."""
        parts = [Message("{label}: {errors}; sd {sd:.3g}", label=self.label, errors=self.errors, sd=self.sd)]
        if self.region_sds:
            low, high = min(self.region_sds), max(self.region_sds)
            parts.append(Message(", in regions {low:.3g} to {high:.3g}", low=low, high=high))
        if self.persistence > 0:
            share = 100 * self.persistence
            parts.append(
                Message(
                    ", {share:.0f} percent of an error is left {interval} later", share=share, interval=self.interval
                )
            )
        return joined(parts, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """How well a fit foretells observations it did not see.

    Attributes
    ----------
    measurement
        Key of the column.
    observations
        Values that were held out.
    rmse, naive_rmse
        Root mean square error of the median forecast, and of holding the last value that was seen; unit of the column.
    bias
        Mean of forecast less observed.
    covered
        Share of the values within the interval.
    level
        Probability of the interval.
    """

    measurement: str
    observations: int
    rmse: float
    naive_rmse: float
    bias: float
    covered: float
    level: float

    @property
    def words(self) -> str:
        """One sentence for a report."""
        ratio = self.rmse / self.naive_rmse if self.naive_rmse > 0 else float("inf")
        gain = f"{ratio:.2f} times that of holding the last value"
        verdict = "" if ratio < 1 else ": nothing is gained over it"
        return (
            f"Held out, {self.measurement}: {self.observations} values, root mean square error {self.rmse:.4g}, {gain}"
            f"{verdict}; {100 * self.covered:.0f} % lie in the {100 * self.level:.0f} % interval"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Where one search ended."""

    start: str  # ``"staged"`` for the point the stages led to, ``"prior draw"`` otherwise
    cost: float  # half the sum of squared residuals
    outcome: str
    message: str
    evaluations: int
    distance: float  # largest distance of a parameter from the best end, in posterior standard deviations


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalOptimum:
    """Searches that ended at one place, see `calibration.optimisers.multistart`."""

    starts: tuple[int, ...]  # numbers of the starts, 0 for the one the stages led to
    cost: float
    rise: float
    distance: float
    furthest: str
    point: Mapping[str, float]  # values of the moved parameters, by key

    @property
    def words(self) -> str:
        """One sentence for a report."""
        count = {"count": len(self.starts), "searches": "search" if len(self.starts) == 1 else "searches"}
        if not self.furthest:
            return Message("{count} {searches} ended at the best optimum, cost {cost:.6g}", cost=self.cost, **count)
        return Message(
            "{count} {searches} ended at another one, cost higher by {rise:.2g}, {distance:.2g} prior standard "
            "deviations away in {parameter}",
            rise=self.rise,
            distance=self.distance,
            parameter=self.furthest,
            **count,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laplace:
    """Normal approximation of the posterior."""

    covariance: Array  # on the unbounded scale, shape (parameter, parameter)
    contraction: Array  # one minus posterior over prior variance, shape (parameter,)
    is_positive_definite: bool  # whether the curvature at the mode is finite and positive in every direction
    condition: float  # largest over smallest eigenvalue of the curvature in prior standard deviations
    flattest: float  # that smallest eigenvalue, one where the data say nothing about a direction


def laplace(space: ParameterSpace, z: Array, jacobian: Array) -> Laplace:
    """Approximate the posterior from the Jacobian at its mode, ``covariance = (J'J)^-1`` with the priors' rows in J."""
    slopes = space.prior_slopes(z)
    # In prior standard deviations the priors' rows are the unit matrix, so that the inverse is well conditioned.
    scaled = jacobian / slopes
    curvature = scaled.T @ scaled
    sound = bool(np.isfinite(curvature).all())
    eigenvalues, vectors = np.linalg.eigh(curvature) if sound else (np.ones(len(z)), np.eye(len(z)))
    sound = sound and bool((eigenvalues > 0).all())
    spread = (vectors / eigenvalues) @ vectors.T if sound else np.eye(len(z))
    covariance = spread / np.outer(slopes, slopes)
    return Laplace(
        covariance=0.5 * (covariance + covariance.T),
        contraction=1 - np.diag(spread),
        is_positive_definite=sound,
        condition=float(eigenvalues.max() / eigenvalues.min()) if sound and len(z) else 1.0,
        flattest=float(eigenvalues.min()) if sound and len(z) else 1.0,
    )
