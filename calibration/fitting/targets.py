"""What a calibration of any model may move: constants, elements of them, and starting values of stocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.runs import Parameters, Spreads
from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.model import Model, facts_of
from pysd_runner.simulation.elements import constant_values, element_name, located
from pysd_runner.simulation.run import simulate
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
