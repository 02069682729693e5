"""What a panel can and cannot say about each parameter, and about which combinations of them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.estimates import LEAST_SHOWN, ParameterEstimate, evidence
from calibration.fitting.point import FittedPoint, Progress, fitted_point
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from calibration.uncertainty.profiles import Profile, ProfileShape, half_quantile, profile
from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding
from pysd_runner.export.tables import Tabled

if TYPE_CHECKING:
    import pandas as pd

    from pysd_runner.plots.figure import ReportFigure

# Entry of `FittedParameters.provenance` under which reports find the verdicts.
ENTRY = "identifiability"

# A correlation at least this strong is named; at most so many partners.
STRONG = 0.4
MOST_PARTNERS = 2
# Some point of a profile lies below the fit by more than this: a likelihood ratio of a tenth.
GAIN = 0.1

_SHAPE_WORDS = {
    ProfileShape.BOTH: "the data alone bound it on both sides",
    ProfileShape.BELOW: "the data alone only rule out low values",
    ProfileShape.ABOVE: "the data alone only rule out high values",
    ProfileShape.FLAT: "the data alone rule out nothing within its prior",
    ProfileShape.TWO_MODES: "two separate ranges fit",
}
# Of a flat profile whose interval is narrower than the prior's nevertheless.
_TOGETHER = "the data rule values out only together with the priors of other parameters"
Array = NDArray[np.float64]

# Parameters with a smaller share of a direction are left out of its description.
LEAST_SHARE = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class PosteriorDirection:
    """One direction in prior standard deviations.

    Attributes
    ----------
    strength
        Singular value: change of the data residuals, in their standard deviations, over one prior standard deviation.
        Below 1 the prior says more about this direction than the data do.
    weights
        The parameters that make it, by key, largest first, the largest positive; squares of all sum to one.
    """

    strength: float
    weights: tuple[tuple[str, float], ...]

    @property
    def is_seen(self) -> bool:
        """Whether the data say more about it than the prior."""
        return self.strength > 1

    def __str__(self) -> str:
        """Strength and parameters."""
        parts = " ".join(f"{weight:+.2f} {key}" for key, weight in self.weights)
        return f"{parts.lstrip('+')} (strength {self.strength:.2g})"


def directions(at: FittedPoint) -> tuple[PosteriorDirection, ...]:
    """Decompose the sensitivity of the data, ``J D = U S V'`` with the prior's standard deviations in ``D``.

    Parameters
    ----------
    at
        Where the fit ended.

    Returns
    -------
    tuple of PosteriorDirection
        As many as there are moved parameters, the best seen first.
    """
    keys = at.problem.space.keys
    if not keys:
        return ()
    scaled = at.data_jacobian / at.problem.space.prior_slopes(at.point)
    _, strengths, vectors = np.linalg.svd(scaled, full_matrices=len(scaled) < len(keys))
    strengths = np.pad(strengths, (0, len(keys) - len(strengths)))
    return tuple(
        PosteriorDirection(strength=float(strength), weights=_weights(keys, vector))
        for strength, vector in zip(strengths, vectors, strict=True)
    )


def _weights(keys: tuple[str, ...], vector: Array) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(vector), kind="stable")
    sign = np.sign(vector[order[0]])
    kept = [place for place in order if abs(vector[place]) >= LEAST_SHARE] or [order[0]]
    return tuple((keys[place], float(sign * vector[place])) for place in kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterVerdict:
    """One parameter: how much is data, how much prior.

    Attributes
    ----------
    key, name, unit
        Of the parameter.
    estimate, low, high
        Estimate and interval; of the profile where there is one, else of the normal approximation.
    contraction
        One minus posterior over prior variance: the share of the prior's variance that the panel took away.
    shape
        Of the profile's data part; None without a profile.
    partners
        Parameters it is most correlated with, by key, strongest first.
    words
        One sentence.
    """

    key: str
    name: str
    unit: str
    estimate: float
    low: float
    high: float
    contraction: float
    shape: ProfileShape | None
    partners: tuple[tuple[str, float], ...]
    words: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Identifiability(Tabled):
    """What a panel says about the parameters of a model.

    Attributes
    ----------
    verdicts
        One for each moved parameter, in the order of the problem.
    directions
        Combinations of parameters, the best seen first.
    profiles
        Behind the verdicts; empty if none were asked for.
    level
        Probability of the intervals.
    """

    verdicts: tuple[ParameterVerdict, ...]
    directions: tuple[PosteriorDirection, ...]
    profiles: tuple[Profile, ...]
    level: float

    def findings(self) -> tuple[Finding, ...]:
        """List what a reader must know before quoting an estimate."""
        found = [
            Finding(
                "profile-lower",
                Message(
                    "Along the profile of {parameter} the posterior is higher than at the estimate (by {gain:.2g} in "
                    "its logarithm): the fit ended at a local optimum; calibrate with more starts.",
                    parameter=item.key,
                    gain=item.gain,
                ),
                "error",
            )
            for item in self.profiles
            if item.gain > GAIN
        ]
        found += [
            Finding(
                "two-modes",
                Message("The profile of {parameter} has two modes; its interval spans both.", parameter=item.key),
                "warning",
            )
            for item in self.profiles
            if item.shape is ProfileShape.TWO_MODES
        ]
        return tuple(found)

    def table(self) -> "pd.DataFrame":
        """One row a parameter: estimate, interval, contraction, shape, partners, words."""
        import pandas as pd

        rows = [
            {
                "key": item.key,
                "name": item.name,
                "unit": item.unit,
                "estimate": item.estimate,
                "low": item.low,
                "high": item.high,
                "level": self.level,
                "contraction": item.contraction,
                "profile": "" if item.shape is None else item.shape.value,
                "moves_with": "; ".join(f"{key} {size:+.2f}" for key, size in item.partners),
                "words": item.words,
            }
            for item in self.verdicts
        ]
        return pd.DataFrame(rows)

    def curves(self) -> "pd.DataFrame":
        """The profiles as a long table: key, value, unit, rise of minus log posterior and of its data part."""
        import pandas as pd

        rows = [
            {"key": item.key, "value": value, "unit": item.unit, "rise": rise, "data_rise": data}
            for item in self.profiles
            for value, rise, data in zip(item.values.tolist(), item.rise.tolist(), item.data_rise.tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=["key", "value", "unit", "rise", "data_rise"])

    def plot(self) -> "ReportFigure":
        """The profiles, one chart a parameter."""
        from pysd_runner.plots.sensitivity import plot_profile

        return plot_profile(self.curves(), level=self.level)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the file of the fitted parameters, from which reports print the table."""
        return {
            "level": self.level,
            "parameters": {
                item.key: {
                    "low": item.low,
                    "high": item.high,
                    "shape": None if item.shape is None else item.shape.name.lower(),
                    "evidence": evidence(item.contraction),
                    "partners": dict(item.partners),
                }
                for item in self.verdicts
            },
            "directions": [{"strength": item.strength, "weights": dict(item.weights)} for item in self.directions],
        }

    def attached(self, fit: FitResult) -> FitResult:
        """Put the verdicts into a fit, so that every result that rests on it can show them.

        Parameters
        ----------
        fit
            The fit they were made of.

        Returns
        -------
        FitResult
            With the verdicts in the provenance of its parameters, and what they found among its findings.
        """
        fitted = replace(fit.fitted, provenance={**fit.fitted.provenance, ENTRY: self.to_dict()})
        return replace(fit, fitted=fitted).with_findings(*self.findings())


def identify(
    problem: CalibrationProblem,
    fit: FitResult,
    *,
    profiles: bool = True,
    level: float = 0.9,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> Identifiability:
    """Say how much of each parameter is data and how much is prior.

    Parameters
    ----------
    problem
        What was fitted.
    fit
        What was found.
    profiles
        Whether the parameters that tables show are profiled; without, intervals are those of the normal approximation.
    level
        Probability of the intervals.
    executor
        Works on several profiles at the same time, as for `fit`; results do not depend on it.
    checkpoint
        A folder that keeps finished profiles; the same call goes on from there.
    progress
        Called with parameters finished and parameters in all.

    Returns
    -------
    Identifiability
        Verdicts, directions and profiles.

    Raises
    ------
    InvalidInput
        If the fit does not belong to the problem, or the level is not a probability.
    """
    at = fitted_point(problem, fit)
    shown = [item.key for item in fit.shown]
    settings: dict[str, Any] = {"executor": executor, "checkpoint": checkpoint, "progress": progress}
    curves = profile(problem, fit, shown, level=level, **settings) if profiles else ()
    known = {item.key: item for item in curves}
    partners, width = _partners(at), np.sqrt(2 * half_quantile(level)) * at.spread
    verdicts = [
        _verdict(
            fit.parameter(key),
            known.get(key),
            partners[key],
            at.problem.space.interval(place, at.point[place], width[place]),
        )
        for place, key in enumerate(at.problem.space.keys)
    ]
    return Identifiability(verdicts=tuple(verdicts), directions=directions(at), profiles=tuple(curves), level=level)


def _verdict(
    item: ParameterEstimate,
    curve: Profile | None,
    partners: Sequence[tuple[str, float]],
    interval: tuple[float, float],
) -> ParameterVerdict:
    low, high = interval if curve is None else (curve.low, curve.high)
    return ParameterVerdict(
        key=item.key,
        name=item.name,
        unit=item.unit,
        estimate=item.estimate,
        low=low,
        high=high,
        contraction=item.contraction,
        shape=None if curve is None else curve.shape,
        partners=tuple(partners),
        words=_sentence(item, curve, partners),
    )


def _sentence(item: ParameterEstimate, curve: Profile | None, partners: Sequence[tuple[str, float]]) -> str:
    parts = [evidence(item.contraction, source="data" if "data" in item.words else "panel")]
    if curve is not None:
        is_narrower = item.contraction > LEAST_SHOWN
        parts.append(_TOGETHER if curve.shape is ProfileShape.FLAT and is_narrower else _SHAPE_WORDS[curve.shape])
    if partners:
        parts.append("moves with " + " and ".join(key for key, _ in partners))
    return "; ".join(parts)


def _partners(at: FittedPoint) -> Mapping[str, tuple[tuple[str, float], ...]]:
    keys = at.problem.space.keys
    correlation = at.curvature.covariance / np.outer(at.spread, at.spread)
    found = {}
    for place, key in enumerate(keys):
        others = sorted(
            ((other, float(correlation[place, column])) for column, other in enumerate(keys) if column != place),
            key=lambda pair: -abs(pair[1]),
        )
        found[key] = tuple(pair for pair in others if abs(pair[1]) >= STRONG)[:MOST_PARTNERS]
    return found
