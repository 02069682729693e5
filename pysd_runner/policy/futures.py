"""Futures in which policies are compared: draws of the posterior, with other costs, definitions and mechanisms."""

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
