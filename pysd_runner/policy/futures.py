"""Futures in which policies are compared: draws with other costs, definitions and mechanisms; boxes of such futures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.policy.cost import unit_costs
from pysd_runner.policy.study import Named, Outcome, Study, Values, end_effects
from pysd_runner.simulation.run import element_name
from pysd_runner.text import say

Array = NDArray[np.float64]

# Costs lie between these multiples of what a draw says.
FACTORS = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor(Named):
    """One thing that differs between futures.

    Attributes
    ----------
    key
        Name in tables.
    kind
        ``"number"``: anything; ``"switch"``: 0 off, 1 on; ``"choice"``: the number of one of `choices`.
    choices
        Names of the values of a choice.
    unit
        Of a number.
    en, zh
        Labels.
    """

    kind: str = "number"
    choices: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mechanism:
    """A part of the model that a future has or has not.

    Attributes
    ----------
    factor
        Its name.
    off
        Values by variable that switch it off.
    on
        Values that switch it on; of variables that are not named, each future keeps its own.
    """

    factor: Factor
    off: Mapping[str, float]
    on: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Futures:
    """Futures on which every policy is run.

    Attributes
    ----------
    studies
        One for each definition, with the values of its futures.
    factors
        What differs between futures.
    levels
        Shape (future, factor), in the order of the studies.
    costs
        Variable of each cost among the factors, by its key.
    """

    studies: tuple[Study, ...]
    factors: tuple[Factor, ...]
    levels: Array
    costs: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.levels)

    def effects(
        self, policies: Sequence[Values], outcomes: Sequence[Outcome], progress: Any = None
    ) -> dict[str, Array]:
        """Effects in the last year, by outcome, shape (policy, future), with elements behind where it has some."""
        parts = [end_effects(study, policies, outcomes, progress=progress) for study in self.studies]
        return {item.key: np.concatenate([part[item.key] for part in parts], axis=1) for item in outcomes}

    def column(self, key: str) -> Array:
        """Levels of one factor, shape (future,)."""
        return self.levels[:, [factor.key for factor in self.factors].index(key)]


def futures_of(
    studies: Study | Mapping[str, Study],
    costs: Mapping[str, tuple[Factor, str]] | None = None,
    mechanisms: Sequence[Mechanism] = (),
    *,
    definition: Factor | None = None,
    seed: int = 0,
) -> Futures:
    """Mix draws of the posterior with what no posterior knows.

    Every draw becomes a future: each cost is multiplied by a number between a half and two, each mechanism is on or
    off by halves; definitions take turns over the draws.

    Parameters
    ----------
    studies
        One, or several by definition of what was measured; the same number of draws each.
    costs
        Factor and variable of every cost, by key. None takes what the model declares: unit costs, and of a regional
        model definitions and doubted mechanisms; of any other model every number that differs between draws is a factor
        as well.
    mechanisms
        What may be switched off.
    definition
        Name of the factor that says which definition holds; None where there is one alone.
    seed
        Decides the numbers.

    Returns
    -------
    Futures
        As many as all studies have draws.

    Raises
    ------
    InvalidInput
        If there is no study.
    """
    if isinstance(studies, Study):
        studies = {"": studies}
    if not studies:
        raise InvalidInput("there is no study, so there are no futures")
    first, is_declared = next(iter(studies.values())), costs is None
    if costs is None:
        en, zh = (say("policy_outcome.definition", lang) for lang in ("en", "zh"))
        definition = Factor(key="definition", en=en, zh=zh) if len(studies) > 1 else None
        costs, mechanisms = _costs(first.model), _doubted(first)
    rng = np.random.default_rng(seed)
    made, rows = [], []
    for place, study in enumerate(studies.values()):
        values = dict(study.values)
        columns = []
        for _, variable in costs.values():
            low, high = np.log(FACTORS)
            factors = np.exp(rng.uniform(low, high, study.draws))
            changed = _spread(study, variable) * factors.reshape(1, -1, *[1] * (_spread(study, variable).ndim - 2))
            values[variable] = changed
            columns.append(changed.reshape(study.draws, -1).mean(axis=1))
        for item in mechanisms:
            on = rng.permutation(study.draws) % 2 == 0
            for variable, off in item.off.items():
                own = _spread(study, variable)
                held = item.on.get(variable, own)
                values[variable] = np.where(on.reshape(1, -1, *[1] * (own.ndim - 2)), held, off)
            columns.append(on.astype(float))
        if definition is not None:
            columns.append(np.full(study.draws, float(place)))
        made.append(replace(study, values=values))
        rows.append(np.column_stack(columns) if columns else np.zeros((study.draws, 0)))
    factors_of = [factor for factor, _ in costs.values()] + [item.factor for item in mechanisms]
    if definition is not None:
        factors_of.append(replace(definition, kind="choice", choices=tuple(studies)))
    numbers = _drawn(first, costs) if is_declared and not first.regions else {}
    return Futures(
        studies=tuple(made),
        factors=(*factors_of, *(Factor(key=key) for key in numbers)),
        levels=np.column_stack([np.concatenate(rows), *numbers.values()]),
        costs={key: variable for key, (_, variable) in costs.items()},
    )


def _costs(model: Model) -> dict[str, tuple[Factor, str]]:
    """Unit costs that a model declares, with their variables."""
    declared = {} if model.spec is None else model.spec.parameters
    found = {}
    for key, variable in unit_costs(model).items():
        en, zh = (declared[key].en, declared[key].zh) if key in declared else ("", "")
        found[key] = Factor(key=key, unit=model.ir.variables[variable].unit, en=en, zh=zh), variable
    return found


def _doubted(study: Study) -> list[Mechanism]:
    """Doubted mechanisms, and assumptions about policy that are off unless they are switched on."""
    declared = {} if study.model.spec is None else study.model.spec.parameters
    optional = {item.switch for item in declared.values() if item.switch in declared}
    optional = {key for key in optional if declared[key].role == "ASM"}
    doubted = study.model.bindings.parameters.doubted if study.regions else ()
    return [
        Mechanism(
            factor=Factor(key=key, kind="switch", en=declared[key].en, zh=declared[key].zh),
            off={declared[key].variable: 0.0},
            on={declared[key].variable: 1.0} if key in optional else {},
        )
        for key in (*doubted, *sorted(optional))
    ]


def _drawn(study: Study, costs: Mapping[str, object]) -> dict[str, Array]:
    """Every number that differs between draws and is no cost, shape (draw,)."""
    found = {}
    for name, value in study.values.items():
        if isinstance(value, TimePath) or name in costs:
            continue
        array = np.asarray(value, dtype=float)
        dims = len(study.model.ir.variables[name].dims)
        if array.ndim != dims + 2 or array.shape[1] != study.draws:
            continue
        for place in np.ndindex(array.shape[2:]):
            column = array[(0, slice(None), *place)]
            if np.ptp(column) > 0:
                found[element_name(study.model.ir, name, place or None)] = column
    return found


def _spread(study: Study, variable: str) -> Array:
    """Values of a variable for every draw, shape (1, draw, ...)."""
    own = study.own(variable)
    if isinstance(own, TimePath):
        raise InvalidInput("{variable!r} changes over time, so it cannot differ between futures", variable=variable)
    return np.array(np.broadcast_to(own, (1, study.draws, *own.shape[2:])))


# Part of the futures in the box that a step of peeling cuts off, and least part of all futures a box keeps.
PEEL, LEAST = 0.05, 0.1
# A side must raise the share of hits by this much when the others stay, and what it cuts off must have a share that is
# lower by this many standard errors; the best of many slices looks good by chance.
GAIN, ERRORS = 0.02, 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a box."""

    factor: int
    low: float
    high: float
    gain: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Futures in which something happens more often than elsewhere."""

    sides: tuple[Side, ...]
    density: float
    coverage: float
    mass: float

    def inside(self, factors: Array) -> NDArray[np.bool_]:
        """Which futures lie in it."""
        found = np.ones(len(factors), dtype=bool)
        for side in self.sides:
            found &= (factors[:, side.factor] >= side.low) & (factors[:, side.factor] <= side.high)
        return found


def prim(factors: Array, hits: NDArray[np.bool_]) -> Box:
    r"""Find a box by peeling: thin slices are cut off, each time the one that raises the share of hits most.

    Of the boxes on the way the one is kept that holds most hits beyond what as many futures hold on average,

    .. math:: \text{mass} \cdot (\text{density} - \text{share of hits in all futures});

    sides that add little, or no more than chance, are taken back.

    Parameters
    ----------
    factors
        Shape (future, factor); a switch has the values 0 and 1.
    hits
        Whether it happens, shape (future,).

    Returns
    -------
    Box
        Without sides where nothing helps.

    References
    ----------
    Friedman, J. H. and Fisher, N. I. (1999), Bump hunting in high-dimensional data; Bryant, B. P. and Lempert, R. J.
    (2010), Thinking inside the box; Lavrac, N., Flach, P. and Zupan, B. (1999), Rule evaluation measures.
    """
    limits = np.tile([-np.inf, np.inf], (factors.shape[1], 1))
    best, best_score = limits.copy(), _score(factors, hits, limits)
    while True:
        slices = _slices(factors, hits, limits)
        if not slices:
            break
        limits = max(slices, key=lambda item: item[0])[1]
        score = _score(factors, hits, limits)
        if score > best_score + 1e-12:
            best, best_score = limits.copy(), score
    return _box(factors, hits, _simplified(factors, hits, best))


def _inside(factors: Array, limits: Array) -> NDArray[np.bool_]:
    return np.asarray(((factors >= limits[:, 0]) & (factors <= limits[:, 1])).all(axis=1))


def _score(factors: Array, hits: NDArray[np.bool_], limits: Array) -> float:
    """Hits beyond what as many futures hold on average, as a part of all futures."""
    inside = _inside(factors, limits)
    return float((hits & inside).mean() - inside.mean() * hits.mean())


def _slices(factors: Array, hits: NDArray[np.bool_], limits: Array) -> list[tuple[float, Array]]:
    """Boxes with one slice less, with their share of hits."""
    inside = _inside(factors, limits)
    found = []
    for factor in range(factors.shape[1]):
        values = factors[inside, factor]
        kinds = np.unique(values)
        if len(kinds) < 2:
            continue
        cuts = (
            ((1, kinds[0]), (0, kinds[-1]))
            if len(kinds) == 2
            else ((0, np.quantile(values, PEEL)), (1, np.quantile(values, 1 - PEEL)))
        )
        for end, cut in cuts:
            new = limits.copy()
            if len(kinds) > 2:
                # The slice goes away whole, also where many futures share its value.
                rest = kinds[kinds > cut] if end == 0 else kinds[kinds < cut]
                if not len(rest):
                    continue
                cut = rest[0] if end == 0 else rest[-1]
            new[factor, end] = cut
            left = _inside(factors, new)
            if left.sum() >= max(1, LEAST * len(factors)) and left.sum() < inside.sum():
                found.append((float(hits[left].mean()), new))
    return found


def _simplified(factors: Array, hits: NDArray[np.bool_], limits: Array) -> Array:
    """Take back sides without which the share of hits hardly falls, the least telling first."""
    current = limits.copy()
    while True:
        set_sides = [(factor, end) for factor, end in np.argwhere(np.isfinite(current)).tolist()]
        if not set_sides:
            return current
        inside = _inside(factors, current)
        losses = []
        for factor, end in set_sides:
            without = current.copy()
            without[factor, end] = -np.inf if end == 0 else np.inf
            wider = _inside(factors, without)
            loss = float(hits[inside].mean() - hits[wider].mean())
            losses.append((loss if _is_sure(hits[inside], hits[wider & ~inside]) else 0.0, without))
        loss, without = min(losses, key=lambda item: item[0])
        if loss >= GAIN:
            return current
        current = without


def _is_sure(inside: NDArray[np.bool_], cut: NDArray[np.bool_]) -> bool:
    """Whether the shares of hits differ by more than chance."""
    if not len(cut):
        return False
    share = (inside.sum() + cut.sum()) / (len(inside) + len(cut))
    error = np.sqrt(share * (1 - share) * (1 / len(inside) + 1 / len(cut)))
    return bool(inside.mean() - cut.mean() > ERRORS * error)


def _box(factors: Array, hits: NDArray[np.bool_], limits: Array) -> Box:
    inside = _inside(factors, limits)
    density = float(hits[inside].mean())
    sides = []
    for factor in np.flatnonzero(np.isfinite(limits).any(axis=1)).tolist():
        without = limits.copy()
        without[factor] = (-np.inf, np.inf)
        gain = density - float(hits[_inside(factors, without)].mean())
        sides.append(Side(factor=factor, low=float(limits[factor, 0]), high=float(limits[factor, 1]), gain=gain))
    return Box(
        sides=tuple(sorted(sides, key=lambda side: -side.gain)),
        density=density,
        coverage=float((hits & inside).sum() / max(hits.sum(), 1)),
        mass=float(inside.mean()),
    )
