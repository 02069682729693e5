"""One value for each region, pulled towards the common one: regional effects that are declared as pooled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.assembly import at_bound
from calibration.fitting.point import FittedPoint, fitted_point
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from calibration.optimisers import LeastSquares, Objective
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.latex import Tabled
from pysd_runner.spec import FittedParameters

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# How far regions lie apart, in units of the declared belief; the first is no effects at all.
TRIED = (0.0, 0.5, 1.0, 2.0)
# Step of the derivatives along effects, in their standard deviations.
STEP = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What one distance between regions is worth."""

    sd: float  # standard deviation of the effects
    log_evidence: float  # logarithm of the panel's density given it, up to a constant common to all
    log_weight: float  # the same plus the log density of the half-normal belief
    largest: float  # largest effect in size


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionEffect:
    """The effect of one region."""

    region: str
    value: float
    standard_error: float
    contraction: float  # one minus posterior over prior variance: 0 where the panel says nothing of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled(Tabled):
    """Regional effects of one input."""

    effect: str  # key of the input
    sd: float  # distance between regions with the largest weight; 0 if that is none
    trials: tuple[Trial, ...]  # every distance that was tried
    regions: tuple[RegionEffect, ...]  # one effect for each region at `sd`; zeros if that is 0
    fitted: FittedParameters  # the fit with these effects, and the parameters found together with them

    def table(self) -> "pd.DataFrame":
        """The effects: region, value, standard error, contraction."""
        import pandas as pd

        return pd.DataFrame([asdict(item) for item in self.regions])

    def summary(self) -> str:
        """A few lines for people."""
        lines = [f"Regional effects of {self.effect}: sd {self.sd:g} has the largest weight."]
        best = max(item.log_weight for item in self.trials)
        lines += [
            f"  sd {item.sd:<5g} log weight {item.log_weight - best:+.2f}, largest effect {item.largest:.3g}"
            for item in self.trials
        ]
        if self.sd == 0:
            return "\n".join([*lines, "  The panel does not ask for effects of regions; all are zero."])
        known = max(item.contraction for item in self.regions)
        lines.append(f"  Of the best known region the panel took away {100 * known:.0f} percent of the prior variance.")
        return "\n".join(lines)


def pool(
    problem: CalibrationProblem, fit: FitResult, effect: str, *, progress: Callable[[int, int], None] | None = None
) -> Pooled:
    """Estimate region effects of an input with partial pooling."""
    check_poolable(problem, effect)
    at = fitted_point(problem, fit)
    belief = problem.spec.inputs[effect].pooled_sd
    modes = []
    for number, share in enumerate(TRIED):
        modes.append(_mode(at, effect, share * belief))
        if progress is not None:
            progress(number + 1, len(TRIED))
    trials = tuple(_trial(mode, belief) for mode in modes)
    best = modes[int(np.argmax([item.log_weight for item in trials]))]
    return Pooled(
        effect=effect,
        sd=best.sd,
        trials=trials,
        regions=tuple(best.regions(problem.panel.codes)),
        fitted=_fitted(at, fit.fitted, best, effect),
    )


def check_poolable(problem: CalibrationProblem, effect: str) -> None:
    """Refuse an input whose effects of regions cannot be found, which needs no fit."""
    pooled = [key for key, item in problem.spec.inputs.items() if item.pooled_sd > 0]
    if effect not in pooled:
        raise UnknownName(f"the model declares no pooled input {effect!r}.{suggest(effect, pooled)}")
    if len(problem.panel.regions) < 2:
        raise InvalidInput("effects of regions need at least two regions")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Mode:
    """Parameters and effects at their joint mode for one distance between regions."""

    sd: float
    count: int
    point: Array
    cost: float
    covariance: Array
    log_determinant: float

    @property
    def effects(self) -> Array:
        """Of each region, in the unit of the input."""
        return self.sd * self.point[len(self.point) - self.count :] if self.sd > 0 else np.zeros(self.count)

    def regions(self, codes: Sequence[str]) -> list[RegionEffect]:
        """One entry for each region."""
        if self.sd == 0:
            return [RegionEffect(region=code, value=0.0, standard_error=0.0, contraction=0.0) for code in codes]
        spread = np.diag(self.covariance)[-self.count :]
        return [
            RegionEffect(
                region=code,
                value=float(value),
                standard_error=float(self.sd * np.sqrt(variance)),
                contraction=float(1 - variance),
            )
            for code, value, variance in zip(codes, self.effects, spread, strict=True)
        ]


def _mode(at: FittedPoint, effect: str, sd: float) -> _Mode:
    problem, size = at.problem, len(at.point)
    count = len(problem.panel.regions)
    objective = _objective(problem, effect, sd) if sd > 0 else _plain(problem)
    start = np.concatenate([at.point, np.zeros(count)]) if sd > 0 else at.point
    end = LeastSquares().minimise(objective, start)
    jacobian = objective.linearised(end.point)[1]
    slopes = problem.space.prior_slopes(end.point[:size])
    units = np.concatenate([slopes, np.ones(len(end.point) - size)])
    scaled = jacobian / units
    curvature = scaled.T @ scaled
    return _Mode(
        sd=sd,
        count=count,
        point=end.point,
        cost=end.cost,
        covariance=np.linalg.inv(curvature) / np.outer(units, units),
        log_determinant=float(np.linalg.slogdet(curvature)[1]),
    )


def _plain(problem: CalibrationProblem) -> Objective:
    lower, upper = problem.space.bounds
    return Objective(linearised=problem.linearised, lower=lower, upper=upper, scale=problem.space.scale)


def _objective(problem: CalibrationProblem, effect: str, sd: float) -> Objective:
    """Residuals of parameters and effects together; effects have a standard normal residual each."""
    lower, upper = problem.space.bounds
    size, count, data = len(problem.space), len(problem.panel.regions), len(problem.rows())
    # One row for each step, so that the derivatives along all effects are one batch of simulations.
    steps = STEP * np.concatenate([np.eye(count), -np.eye(count)])

    def linearised(point: Array) -> tuple[Array, Array]:
        z, eta = point[:size], point[size:]
        residuals, jacobian = problem.with_effects({effect: sd * eta[None]}).linearised(z)
        around = problem.with_effects({effect: sd * (eta + steps)}).residual_batch(
            np.repeat(z[None], 2 * count, axis=0)
        )
        along = ((around[:count] - around[count:]) / (2 * STEP)).T
        whole = np.zeros((len(residuals) + count, size + count))
        whole[: len(residuals), :size] = jacobian
        whole[:data, size:] = along[:data]
        whole[len(residuals) :, size:] = np.eye(count)
        return np.concatenate([residuals, eta]), whole

    return Objective(
        linearised=linearised,
        lower=np.concatenate([lower, np.full(count, -np.inf)]),
        upper=np.concatenate([upper, np.full(count, np.inf)]),
        scale=np.concatenate([problem.space.scale, np.ones(count)]),
    )


def _trial(mode: _Mode, belief: float) -> Trial:
    evidence = -mode.cost - 0.5 * mode.log_determinant
    return Trial(
        sd=mode.sd,
        log_evidence=evidence,
        log_weight=evidence - 0.5 * (mode.sd / belief) ** 2,
        largest=float(np.abs(mode.effects).max()),
    )


def _of_these_estimates(provenance: Mapping[str, Any], mode: _Mode) -> dict[str, Any]:
    """What still holds: draws and verdicts of the fit without effects say nothing about the one with them."""
    gone = () if mode.sd == 0 else ("sampling", "identifiability")
    return {name: item for name, item in provenance.items() if name not in gone}


def _fitted(at: FittedPoint, fitted: FittedParameters, mode: _Mode, effect: str) -> FittedParameters:
    """The fit with the parameters of a mode in the place of those found without effects."""
    space, size = at.problem.space, len(at.point)
    values, slopes = space.to_values(mode.point[:size]), space.value_slopes(mode.point[:size])
    covariance = np.array(fitted.covariance, dtype=float)
    estimates, errors = list(fitted.estimates), list(fitted.standard_errors)
    contraction, marks = list(fitted.contraction), list(fitted.at_bound)
    places = [fitted.keys.index(key) for key in space.keys]
    covariance[np.ix_(places, places)] = mode.covariance[:size, :size]
    prior = space.prior_slopes(mode.point[:size])
    for column, (key, place) in enumerate(zip(space.keys, places, strict=True)):
        spread = float(np.sqrt(mode.covariance[column, column]))
        estimates[place] = float(values[key])
        marks[place] = at_bound(space.priors[column], estimates[place])
        errors[place] = float(abs(slopes[column])) * spread
        contraction[place] = float(1 - (spread * prior[column]) ** 2)
    return replace(
        fitted,
        estimates=tuple(estimates),
        standard_errors=tuple(errors),
        contraction=tuple(contraction),
        at_bound=tuple(marks),
        covariance=tuple(tuple(row) for row in (0.5 * (covariance + covariance.T)).tolist()),
        region_effects={**fitted.region_effects, effect: tuple(float(value) for value in mode.effects)},
        draws=fitted.draws if mode.sd == 0 else (),
        provenance={**_of_these_estimates(fitted.provenance, mode), "pooled": {effect: {"sd": mode.sd}}},
    )
