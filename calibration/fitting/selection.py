"""Which parameters to estimate where nobody said: those the data feel most and can tell from each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.comparison import Comparison
from calibration.fitting.runs import ModelRuns
from calibration.fitting.targets import Target, TargetValues, parameters_of, targets_of
from calibration.observation import Noise, Series
from calibration.optimisers import LeastSquares, SumOfSquares
from calibration.parameters import ParameterSpace
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.model import Model, facts_of
from pysd_runner.spec import Parameter, Prior

Array = NDArray[np.float64]

MOST = 10
# Errors are taken to be this share of the spread of the data while parameters are chosen.
ERROR = 0.1
# Change of the data, in such errors, that one prior standard deviation of a parameter must make by itself.
LEAST = 1.0
# Draws of the prior at which sensitivities are taken, the nearest to the data of so many.
POINTS, DRAWS = 3, 128
# Reasons that are listed.
SHOWN = 12
# Evaluations of the short search after which parameters are chosen once more.
ROUGHLY = 30
_STEP = 0.05


def selected(
    model: Model,
    held: Mapping[str, Any],
    series: tuple[Series, ...],
    bounds: Mapping[str, float],
    *,
    priors: Mapping[str, Prior],
    seed: int,
) -> tuple[list[str], tuple[str, ...]]:
    """Choose at most ten parameters."""
    targets, parameters = _candidates(model, held, priors)
    if not targets:
        raise InvalidInput(
            "{model} has no constant that could be estimated; name some with free (--free)", model=model.path.name
        )
    space = ParameterSpace.of(parameters)
    names = list(dict.fromkeys(name for item in series for name in item.expression.variables))
    runs = ModelRuns(TargetValues(model, targets, held=held), outcomes=names, **bounds)
    comparison = Comparison(runs, series, free=len(space))
    noise = {item.label: Noise(_error(item)) for item in series}
    slopes = _sensitivities(comparison, space, noise, seed)
    if not np.isfinite(slopes).any():
        raise InvalidInput(
            "{model} gives no numbers near its own values; name parameters with free (--free)", model=model.path.name
        )
    first, _ = _greedy(space, slopes)
    # Once more where those come to lie: far from the data, sensitivities are those of another world.
    point = _roughly(comparison, space, noise, [space.keys.index(name) for name in first])
    there = space.to_values(point[None])
    if not np.isfinite(comparison.residuals(there, 1, noise)).all():
        return _greedy(space, slopes)
    settled = comparison.estimated_noise(there)
    nearer = {label: Noise(min(item.sd, noise[label].sd)) for label, item in settled.items()}
    again = _slopes(comparison, space, nearer, point)
    return _greedy(space, again[None] if np.isfinite(again).all() else slopes)


def _roughly(comparison: Comparison, space: ParameterSpace, noise: Mapping[str, Noise], places: list[int]) -> Array:
    """Where a short search over some parameters ends, the others at their centres."""
    lower, upper = space.bounds

    def whole(part: Array) -> Array:
        point = space.centre.copy()
        point[places] = part
        return point

    def linearised(part: Array) -> tuple[Array, Array]:
        point = whole(part)
        residuals = comparison.residuals(space.to_values(point[None]), 1, noise)[0]
        slopes = _slopes(comparison, space, noise, point)[:, places] / space.scale[places]
        priors = np.diag(space.prior_slopes(point))[places][:, places]
        return np.concatenate([residuals, space.prior_residuals(point)[places]]), np.concatenate([slopes, priors])

    objective = SumOfSquares(linearised=linearised, lower=lower[places], upper=upper[places], scale=space.scale[places])
    return whole(LeastSquares(tolerance=1e-3, evaluations=ROUGHLY).minimise(objective, space.centre[places]).point)


def _candidates(
    model: Model, held: Mapping[str, Any], own: Mapping[str, Prior]
) -> tuple[tuple[Target, ...], tuple[Parameter, ...]]:
    declared = {} if model.spec is None else model.spec.parameters
    if declared:
        names = [key for key, item in declared.items() if item.role.startswith("FREE") and item.prior is not None]
    else:
        facts = facts_of(model.ir)
        names = [
            name
            for name, item in model.variables.items()
            if item.kind == "constant" and not item.dims and facts[name].value is not None
        ]
    targets: list[Target] = []
    parameters: list[Parameter] = []
    for name in names:
        for target in targets_of(model, [name]):
            if target.variable in held:
                continue
            try:
                parameters += parameters_of(model, [target], spec=model.spec, priors={})
            except InvalidInput:
                continue
            targets.append(target)
    if own:
        given = {item.name for item in targets_of(model, own)}
        kept = [place for place, target in enumerate(targets) if target.name in given]
        others = [place for place in range(len(targets)) if place not in kept]
        order = [*kept, *others]
        targets = [targets[place] for place in order]
        parameters = list(parameters_of(model, targets[: len(kept)], spec=model.spec, priors=own)) + [
            parameters[place] for place in others
        ]
    return tuple(targets), tuple(parameters)


def _error(series: Series) -> float:
    if series.errors.is_count:
        return ERROR
    seen = series.values[np.isfinite(series.values)]
    return ERROR * float(seen.std() or abs(seen[0]) or 1.0)


def _sensitivities(comparison: Comparison, space: ParameterSpace, noise: Mapping[str, Noise], seed: int) -> Array:
    """How one prior standard deviation moves the residuals, shape (point, residual, parameter)."""
    points = np.concatenate([space.centre[None], space.sample(np.random.default_rng([seed, 2]), DRAWS)])
    with np.errstate(all="ignore"):
        residuals = comparison.residuals(space.to_values(points), len(points), noise)
        costs = (residuals**2).sum(axis=1)
    usable = np.isfinite(costs)
    order = np.argsort(np.where(usable, costs, np.inf), kind="stable")[: min(POINTS, int(usable.sum()))]
    found = []
    for point in points[order]:
        slopes = _slopes(comparison, space, noise, point)
        if np.isfinite(slopes).all():
            found.append(slopes)
    if not found:
        return np.full((1, 1, len(space)), np.nan)
    return np.stack(found)


def _slopes(comparison: Comparison, space: ParameterSpace, noise: Mapping[str, Noise], point: Array) -> Array:
    values = {key: float(value) for key, value in space.to_values(point).items()}
    try:
        _, slopes = comparison.linearised(values, dict.fromkeys(space.keys, 1.0), noise)
        return slopes * (space.value_slopes(point) * space.scale)
    except UnsupportedFeature:
        count = len(space)
        moved = np.repeat(point[None], 2 * count, axis=0)
        places = np.arange(count)
        moved[2 * places, places] += _STEP * space.scale
        moved[2 * places + 1, places] -= _STEP * space.scale
        found = comparison.residuals(space.to_values(moved), len(moved), noise)
        return np.asarray((found[::2] - found[1::2]).T / (2 * _STEP))


def _greedy(space: ParameterSpace, slopes: Array) -> tuple[list[str], tuple[str, ...]]:
    left = slopes.copy()
    alone = _strengths(slopes)
    chosen: list[int] = []
    reasons: list[str] = []
    while len(chosen) < min(MOST, len(space)):
        strengths = _strengths(left)
        strengths[chosen] = 0.0
        best = int(strengths.argmax())
        if strengths[best] < LEAST:
            break
        chosen.append(best)
        reasons.append(
            f"{space.keys[best]} is estimated: the data move by {alone[best]:.3g} errors with it"
            + (f", {strengths[best]:.3g} of them apart from those before." if len(chosen) > 1 else ".")
        )
        # At each point by itself: along a ridge that bends, parameters are alike at every single one.
        lengths = np.sqrt((left[:, :, best] ** 2).sum(axis=1))
        direction = left[:, :, best] / np.where(lengths > 0, lengths, 1.0)[:, None]
        left = left - direction[:, :, None] * np.einsum("pr,prk->pk", direction, left)[:, None, :]
    if not chosen:
        raise InvalidInput(
            "the data feel no constant of the model; name parameters with free (--free), or look at units"
        )
    return [space.keys[place] for place in sorted(chosen)], (*reasons, *_held(space, alone, left, chosen))


def _strengths(slopes: Array) -> Array:
    """How far the data move with each parameter, root mean square over the points, shape (parameter,)."""
    return np.asarray(np.sqrt((slopes**2).sum(axis=1).mean(axis=0)))


def _held(space: ParameterSpace, alone: Array, left: Array, chosen: Sequence[int]) -> list[str]:
    """Why the others stay at their values."""
    others = [place for place in np.argsort(-alone, kind="stable") if place not in chosen]
    apart = _strengths(left)
    found = []
    for place in others[:SHOWN]:
        if alone[place] < LEAST:
            why = "the data hardly feel it"
        elif apart[place] < LEAST:
            why = "the data cannot tell it from those that are estimated"
        else:
            why = f"{MOST} are estimated already"
        found.append(f"{space.keys[place]} stays at {space.parameters[place].value:.6g}: {why}.")
    more = len(others) - SHOWN
    return [*found, *([f"{more} others stay at their values as well."] if more > 0 else [])]
