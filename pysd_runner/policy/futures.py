"""Futures (draws combined with uncertain costs, definitions and mechanisms), and scenario discovery with PRIM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.evidence.ledger import meaning
from pysd_runner.model import Model
from pysd_runner.policy.cost import unit_costs
from pysd_runner.policy.study import Named, Outcome, Study, Values, end_effects
from pysd_runner.simulation.run import element_name
from pysd_runner.text import LANGUAGES, say

Array = NDArray[np.float64]

# Unit costs are multiplied by factors between these bounds.
FACTORS = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor(Named):
    """An uncertain factor that differs between futures.

    Attributes
    ----------
    key
        Name in tables.
    kind
        ``"number"``: any value; ``"switch"``: 0 off, 1 on; ``"choice"``: index of one of `choices`.
    choices
        Names of the values of a choice.
    unit
        Unit of a number.
    en, zh
        Labels.
    """

    kind: str = "number"
    choices: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mechanism:
    """A part of the model that is switched on in some futures and off in others.

    Attributes
    ----------
    factor
        The factor that stands for it.
    off
        Values that switch it off, by model variable.
    on
        Values that switch it on; variables that are not listed keep the value of the draw.
    """

    factor: Factor
    off: Mapping[str, float]
    on: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Futures:
    """Futures in which every policy is simulated.

    Attributes
    ----------
    studies
        A study for each definition, with the values of its futures.
    factors
        Uncertain factors.
    levels
        Level of each factor in each future, shape (future, factor), in the order of the studies.
    costs
        Model variable of each factor that is a cost, by key of the factor.
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
        """Effects in the last year by outcome, shape (policy, future), or (policy, future, element)."""
        parts = [end_effects(study, policies, outcomes, progress=progress) for study in self.studies]
        return {item.key: np.concatenate([part[item.key] for part in parts], axis=1) for item in outcomes}

    def column(self, key: str) -> Array:
        """Levels of one factor, shape (future,)."""
        return self.levels[:, [factor.key for factor in self.factors].index(key)]


def futures_of(studies: Study | Mapping[str, Study], *, seed: int = 0) -> Futures:
    """Combine posterior draws with uncertainties that the data do not inform.

    Each draw of each study becomes a future: every unit cost is multiplied by a random factor between a half and two
    (log-uniform), and every mechanism is on in a random half of the futures. Unit costs, optional assumptions and, for
    a regional model, doubted mechanisms are those the model declares; for any other model every number that differs
    between draws is a factor as well.

    Parameters
    ----------
    studies
        A study, or one study for each definition of the observed series, all with the same number of draws.
    seed
        Seed of the cost factors and of the switches.

    Returns
    -------
    Futures
        One future for each draw of each study.

    Raises
    ------
    InvalidInput
        If there is no study.
    """
    if isinstance(studies, Study):
        studies = {"": studies}
    if not studies:
        raise InvalidInput("there is no study, so there are no futures")
    first = next(iter(studies.values()))
    costs, mechanisms, names = _costs(first.model), _doubted(first), tuple(studies)
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
        if len(names) > 1:
            columns.append(np.full(study.draws, float(place)))
        made.append(replace(study, values=values))
        rows.append(np.column_stack(columns) if columns else np.zeros((study.draws, 0)))
    factors_of = [factor for factor, _ in costs.values()] + [item.factor for item in mechanisms]
    if len(names) > 1:
        en, zh = (say("policy_outcome.definition", lang) for lang in LANGUAGES)
        factors_of.append(Factor(key="definition", kind="choice", choices=names, en=en, zh=zh))
    numbers = {} if first.regions else _drawn(first, costs)
    return Futures(
        studies=tuple(made),
        factors=(*factors_of, *(Factor(key=key) for key in numbers)),
        levels=np.column_stack([np.concatenate(rows), *numbers.values()]),
        costs={key: variable for key, (_, variable) in costs.items()},
    )


def _costs(model: Model) -> dict[str, tuple[Factor, str]]:
    """Factor and variable of each unit cost that a model declares, by key."""
    declared = {} if model.spec is None else model.spec.parameters
    found = {}
    for key, variable in unit_costs(model).items():
        en, zh = (meaning(model.source, declared[key], lang) if key in declared else "" for lang in LANGUAGES)
        found[key] = Factor(key=key, unit=model.ir.variables[variable].unit, en=en, zh=zh), variable
    return found


def _doubted(study: Study) -> list[Mechanism]:
    """Mechanisms that the model declares as doubted, and optional assumptions that are off by default."""
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
    """Numbers that differ between draws and are not costs, by element, shape (draw,)."""
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


# Share of the futures in the box that a peeling step removes, and minimum share of all futures that a box keeps.
PEEL, LEAST = 0.05, 0.1
# Minimum gain in the share of hits from a side of the box, and by how many standard errors the share must be lower in
# the futures that the side cuts off: the best of many slices looks good by chance.
GAIN, ERRORS = 0.02, 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """Limits of a box in one factor (index into the factors), and the share of hits gained by them."""

    factor: int
    low: float
    high: float
    gain: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Limits on factors within which an event is frequent, with its density, coverage and share of all futures."""

    sides: tuple[Side, ...]
    density: float
    coverage: float
    mass: float

    def inside(self, factors: Array) -> NDArray[np.bool_]:
        """Whether each future lies in the box, shape (future,)."""
        found = np.ones(len(factors), dtype=bool)
        for side in self.sides:
            found &= (factors[:, side.factor] >= side.low) & (factors[:, side.factor] <= side.high)
        return found


def prim(factors: Array, hits: NDArray[np.bool_]) -> Box:
    r"""Find a box with the patient rule induction method (PRIM): peel off the slice that raises the density most.

    Of the boxes on the peeling trajectory, the one with the largest weighted relative accuracy is kept,

    .. math:: \text{mass} \cdot (\text{density} - \text{share of hits in all futures});

    sides that add little, or no more than chance, are removed.

    Parameters
    ----------
    factors
        Levels of the factors, shape (future, factor); a switch has the values 0 and 1.
    hits
        Whether the event happens in each future, shape (future,).

    Returns
    -------
    Box
        The box; without sides if no slice helps.

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
    """Weighted relative accuracy of a box; see `prim`."""
    inside = _inside(factors, limits)
    return float((hits & inside).mean() - inside.mean() * hits.mean())


def _slices(factors: Array, hits: NDArray[np.bool_], limits: Array) -> list[tuple[float, Array]]:
    """Candidate boxes with one more slice removed, each with its share of hits."""
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
                # Remove all futures that share the value at the cut.
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
    """Remove sides without which the share of hits hardly falls, the least informative first."""
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
    """Whether the share of hits is significantly higher inside the box than in the futures cut off."""
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
