"""The numbers of any model that can be estimated, and which of them to choose where nobody said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.comparison import Comparison
from calibration.fitting.space import ParameterSpace, with_part
from calibration.fitting.tying import ModelRuns, Parameters, Spreads
from calibration.observation import Noise, Series
from calibration.optimisers import LeastSquares
from pysd_runner.core.errors import InvalidInput, UnknownName, UnsupportedFeature, suggest
from pysd_runner.model import Model, facts_of
from pysd_runner.simulation.run import constant_values, element_name, located, simulate
from pysd_runner.spec import ModelSpec, Parameter, Prior
from pysd_runner.spec.own import weak_parameter, with_prior
from pysd_runner.study.equations import PREFIX, with_starts

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A single number of a model.

    Attributes
    ----------
    name
        As written in the file, with its element: the key of its parameter.
    variable
        Name of the variable.
    position
        Of the element; empty for a variable without subscripts.
    is_start
        Whether it is the starting value of a stock.
    """

    name: str
    variable: str
    position: tuple[int, ...]
    is_start: bool

    @property
    def entered(self) -> str:
        """Name of the constant that a run is given."""
        return f"{PREFIX}{self.variable}" if self.is_start else self.variable


def targets_of(model: Model, names: Iterable[str]) -> tuple[Target, ...]:
    """Every single number that some names stand for."""
    found: dict[str, Target] = {}
    for name in names:
        variable, position = _located(model, name)
        item = model.ir.variables[variable]
        if item.kind not in ("constant", "stock"):
            raise InvalidInput(
                "{variable!r} is computed by an equation ({kind}); only constants and starting values of stocks can "
                "be estimated",
                variable=variable,
                kind=item.kind,
            )
        shape = model.ir.shape(item.dims)
        places = product(*(range(size) for size in shape)) if position is None else (position,)
        for place in places:
            called = element_name(model.ir, variable, tuple(place))
            found.setdefault(
                called,
                Target(name=called, variable=variable, position=tuple(place), is_start=item.kind == "stock"),
            )
    return tuple(found.values())


def _located(model: Model, name: str) -> tuple[str, tuple[int, ...] | None]:
    """A variable and element; ``initial Infected`` stands for the starting value of ``Infected``."""
    try:
        return located(model, name)
    except UnknownName:
        for prefix in (PREFIX, "initial ", "initial value of "):
            if name.casefold().startswith(prefix.casefold()):
                try:
                    return located(model, name[len(prefix) :])
                except UnknownName:
                    continue
        raise


def parameters_of(
    model: Model, targets: Iterable[Target], *, spec: ModelSpec | None, priors: Mapping[str, Prior]
) -> tuple[Parameter, ...]:
    """Declarations of some numbers: those of the caller, of the file beside the model, or weak ones."""
    wanted = tuple(targets)
    facts = facts_of(model.ir)
    own = {target.name: prior for name, prior in priors.items() for target in targets_of(model, [name])}
    for name in own:
        if name not in {item.name for item in wanted}:
            raise UnknownName(
                "a prior is given for {name!r}, which is not estimated.{suggestion}",
                name=name,
                suggestion=suggest(name, [item.name for item in wanted]),
            )
    found = []
    for target in wanted:
        fact = facts[target.name]
        declared = None if spec is None else spec.parameters.get(target.name)
        value = fact.value if fact.value is not None else _computed(model, target)
        if target.name in own:
            base = _plain(target, value, fact.unit, fact.label)
            found.append(with_prior(base, own[target.name]))
        elif declared is not None:
            found.append(declared)
        else:
            found.append(
                weak_parameter(
                    target.name,
                    value=value,
                    unit=fact.unit,
                    limits=fact.limits,
                    label=fact.label or _label(target),
                )
            )
    return tuple(found)


def _label(target: Target) -> str:
    return f"Starting value of {target.name}" if target.is_start else target.name


def _plain(target: Target, value: float, unit: str, label: str) -> Parameter:
    """A declaration whose prior is still to come; its own stands for any number."""
    base = weak_parameter(target.name, value=1.0, unit=unit, label=label or _label(target))
    return replace(base, value=value)


def _computed(model: Model, target: Target) -> float:
    """What a constant without a literal comes to."""
    if target.is_start:
        raise InvalidInput(
            "the starting value of {variable!r} is computed from other numbers in the model file; estimate those, or "
            "declare its value and prior beside the model",
            variable=target.variable,
        )
    return float(np.asarray(constant_values(model, target.variable))[target.position])


class TargetValues:
    """Parameters that are single numbers of the model itself.

    Parameters
    ----------
    model
        Any model.
    targets
        The numbers.
    held
        What else takes the place of values of the file, by variable: numbers, arrays over its subscripts, paths.
    """

    def __init__(self, model: Model, targets: Sequence[Target], *, held: Mapping[str, Any]) -> None:
        self._original, self._targets, self.held = model, tuple(targets), dict(held)
        self.model = with_starts(model, (item.variable for item in self._targets if item.is_start))
        self.keys = tuple(item.name for item in self._targets)
        self._bases = {item.entered: self._base(item) for item in self._targets}
        self._seeds: dict[tuple[str, ...], dict[str, Array]] = {}

    def imputed(self, parameters: Parameters) -> tuple[str, ...]:  # noqa: ARG002
        """None: every start value is one of the model."""
        return ()

    def values(self, parameters: Parameters, draws: int) -> dict[str, Array]:
        """Values by variable, shape (1, draw, element...)."""
        arrays = {name: np.repeat(base[None, None], draws, axis=1) for name, base in self._bases.items()}
        for item in self._targets:
            place: tuple[Any, ...] = (0, slice(None), *item.position)
            arrays[item.entered][place] = np.ravel(parameters[item.name])
        return arrays

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values of one vector, and derivatives of those that move, with a last axis (parameter)."""
        # The same seeds every time, so that the engine need not take them in again.
        if tuple(spreads) not in self._seeds:
            columns = {key: column for column, key in enumerate(spreads)}
            seeds = {name: np.zeros((1, 1, *base.shape, len(columns))) for name, base in self._bases.items()}
            for item in self._targets:
                seeds[item.entered][(0, 0, *item.position, columns[item.name])] = 1.0
            self._seeds[tuple(spreads)] = seeds
        return self.values(parameters, 1), self._seeds[tuple(spreads)]

    def number(self, parameters: Parameters, key: str) -> float:  # noqa: ARG002
        """A parameter that does not enter the model: there is none."""
        raise KeyError(key)

    def memory(self, parameters: Parameters) -> float:  # noqa: ARG002
        """Share of extra growth that is left a year later: none."""
        return 0.0

    def memory_slopes(self, parameters: Parameters, spreads: Spreads) -> None:  # noqa: ARG002
        """Derivatives of that share: none."""
        return

    def _base(self, target: Target) -> Array:
        """What the elements have that are not moved."""
        if target.entered in self.held:
            return np.asarray(self.held[target.entered], dtype=float)
        if not target.position:
            return np.zeros(())
        if target.is_start:
            plain = {name: value for name, value in self.held.items() if name in self._original.ir.variables}
            found = simulate(self._original, plain, outcomes=[target.variable])[target.variable]
            return np.asarray(found[0, 0, ..., 0], dtype=float)
        return np.array(constant_values(self._original, target.variable), dtype=float)


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

    def linearised(point: Array) -> tuple[Array, Array]:
        residuals = comparison.residuals(space.to_values(point[None]), 1, noise)[0]
        slopes = _slopes(comparison, space, noise, point)[:, places] / space.scale[places]
        priors = np.diag(space.prior_slopes(point))[places][:, places]
        return np.concatenate([residuals, space.prior_residuals(point)[places]]), np.concatenate([slopes, priors])

    search = LeastSquares(tolerance=1e-3, evaluations=ROUGHLY)
    part = search.minimise(space.part(linearised, space.centre, places), space.centre[places]).point
    return with_part(space.centre, places, part)


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
