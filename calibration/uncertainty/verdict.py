"""Identifiability: how far a panel determines each parameter and combinations of parameters."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.fitting.estimates import LEAST_SHOWN, ParameterEstimate, evidence
from calibration.fitting.point import FittedPoint, Progress, fitted_point
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.uncertainty.profiles import Profile, ProfileShape, half_quantile, profile
from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Interval, Record, frozen
from pysd_runner.export.files import Tabled
from pysd_runner.spec.fitted import MOVED_BY, has_moved

if TYPE_CHECKING:
    import pandas as pd

    from pysd_runner.plots.figure import ReportFigure

# Entry of `FittedParameters.provenance` under which reports find the verdicts.
ENTRY = "identifiability"

# Minimum absolute correlation to list a parameter as a partner, and maximum number of partners listed.
STRONG = 0.4
MOST_PARTNERS = 2
# Reduction of minus log posterior along a profile above which the fit is reported as a local optimum.
GAIN = 0.1

_SHAPE_WORDS = {
    ProfileShape.BOTH: "the data alone bound it on both sides",
    ProfileShape.BELOW: "the data alone only rule out low values",
    ProfileShape.ABOVE: "the data alone only rule out high values",
    ProfileShape.FLAT: "the data alone rule out nothing within its prior",
    ProfileShape.TWO_MODES: "two separate ranges fit",
}
# For a flat profile likelihood whose interval is narrower than that of the prior all the same.
_TOGETHER = "the data rule values out only together with the priors of other parameters"

# Minimum absolute weight of a parameter to be listed in a direction.
LEAST_SHARE = 0.3


@frozen
class PosteriorDirection:
    """A direction in parameter space, in units of prior standard deviations.

    Attributes
    ----------
    strength
        Singular value: change of the standardised data residuals per prior standard deviation along the direction.
        Below 1 the prior is more informative about the direction than the data.
    weights
        Largest components of the unit vector, by key of the parameter, in descending order; the first is positive.
    """

    strength: float
    weights: tuple[tuple[str, float], ...]

    @property
    def is_seen(self) -> bool:
        """Whether the data are more informative about the direction than the prior."""
        return self.strength > 1

    def __str__(self) -> str:
        """Weights of the parameters, and the strength."""
        parts = " ".join(f"{weight:+.2f} {key}" for key, weight in self.weights)
        return f"{parts.lstrip('+')} (strength {self.strength:.2g})"


def directions(at: FittedPoint) -> tuple[PosteriorDirection, ...]:
    """Decompose the sensitivity of the residuals, ``J D = U S V'`` with prior standard deviations in ``D``.

    Parameters
    ----------
    at
        End point of the fit.

    Returns
    -------
    tuple of PosteriorDirection
        One direction per estimated parameter, the best identified first.
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


@frozen
class ParameterVerdict:
    """How far the data, rather than the prior, determine one parameter.

    Attributes
    ----------
    key, name, unit
        Key, name and unit of the parameter.
    estimate, low, high
        Estimate and interval; the interval is that of the profile if there is one, else of the normal approximation.
    contraction
        Posterior contraction: one minus the ratio of posterior to prior variance.
    shift
        Posterior centre less prior median, in prior standard deviations on the unconstrained scale.
    shape
        Shape of the profile likelihood; None without a profile.
    partners
        Keys of the most correlated parameters with their correlations, strongest first.
    words
        Summary in one sentence.
    """

    key: str
    name: str
    unit: str
    estimate: float
    low: float
    high: float
    contraction: float
    shift: float
    shape: ProfileShape | None
    partners: tuple[tuple[str, float], ...]
    words: str


@frozen(eq=False)
class Identifiability(Tabled):
    """Identifiability of a model's parameters from a panel.

    Attributes
    ----------
    verdicts
        One for each estimated parameter, in the order of the problem.
    directions
        Combinations of parameters, the best identified first.
    profiles
        Profiles on which the verdicts are based; empty if none were requested.
    level
        Probability of the intervals.
    """

    verdicts: tuple[ParameterVerdict, ...]
    directions: tuple[PosteriorDirection, ...]
    profiles: tuple[Profile, ...]
    level: float

    def findings(self) -> tuple[Finding, ...]:
        """List problems of the fit that the profiles reveal: local optima and several modes."""
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
        """One row per parameter: estimate, interval, contraction, shape, partners, words."""
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
                "shift": item.shift,
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

        if not self.profiles:
            return pd.DataFrame(columns=["key", "value", "unit", "rise", "data_rise"])
        return pd.concat([item.curve() for item in self.profiles], ignore_index=True)

    def plot(self) -> "ReportFigure":
        """Plot the profiles, one panel per parameter."""
        from pysd_runner.plots.over_time import plot_profile

        return plot_profile(self.curves(), level=self.level)

    def to_dict(self) -> Record:
        """Plain data to store in the file of the fitted parameters, from which reports print the table."""
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

    def attached(self, fit: Fit) -> Fit:
        """Add the verdicts to a fit, so that results based on it can show them.

        Parameters
        ----------
        fit
            The fit that was assessed.

        Returns
        -------
        Fit
            The fit with the verdicts in the provenance of its parameters, and with their findings.
        """
        fitted = replace(fit.fitted, provenance={**fit.fitted.provenance, ENTRY: self.to_dict()})
        return replace(fit, fitted=fitted).with_findings(*self.findings())


def identify(
    problem: Problem,
    fit: Fit,
    *,
    profiles: bool = True,
    level: float = 0.9,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> Identifiability:
    """Assess how far the data, rather than the prior, determine each parameter.

    Parameters
    ----------
    problem
        The calibration problem that was fitted.
    fit
        Its fit.
    profiles
        Whether to profile the parameters that tables show; otherwise intervals are those of the normal approximation.
    level
        Probability of the intervals.
    executor
        Computes several profiles in parallel, as for `fit`; results do not depend on it.
    checkpoint
        Folder that stores finished profiles, from which the same call resumes.
    progress
        Called with the number of parameters finished and the total.

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
    found = Identifiability(verdicts=(), directions=directions(at), profiles=tuple(curves), level=level)
    judged = fit.with_findings(*found.findings())
    shifts, partners, width = fit.shifts, _partners(at), np.sqrt(2 * half_quantile(level)) * at.spread
    verdicts = [
        _verdict(
            judged.parameter(key),
            shifts[key],
            known.get(key),
            partners[key],
            at.problem.space.interval(place, at.point[place], width[place]),
        )
        for place, key in enumerate(at.problem.space.keys)
    ]
    return replace(found, verdicts=tuple(verdicts))


def _verdict(
    item: ParameterEstimate,
    shift: float,
    curve: Profile | None,
    partners: Sequence[tuple[str, float]],
    interval: Interval,
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
        shift=shift,
        shape=None if curve is None else curve.shape,
        partners=tuple(partners),
        words=_sentence(item, shift, curve, partners),
    )


def _sentence(
    item: ParameterEstimate, shift: float, curve: Profile | None, partners: Sequence[tuple[str, float]]
) -> str:
    parts = [item.words]
    if curve is not None:
        is_narrower = item.contraction > LEAST_SHOWN
        parts.append(_TOGETHER if curve.shape is ProfileShape.FLAT and is_narrower else _SHAPE_WORDS[curve.shape])
    if has_moved(shift, item.contraction):
        parts.append(MOVED_BY)
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
