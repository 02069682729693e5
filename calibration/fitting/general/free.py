"""What a calibration of any model may move: constants, elements of them, and starting values of stocks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.facts import facts_of
from pysd_runner.general.starting import PREFIX
from pysd_runner.model import Model
from pysd_runner.simulation.elements import constant_values, element_name, located
from pysd_runner.spec import ModelSpec, Parameter, Prior
from pysd_runner.spec.weak import weak_parameter, with_prior


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
                f"{variable!r} is computed by an equation ({item.kind}); only constants and starting values of stocks "
                "can be estimated"
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
                f"a prior is given for {name!r}, which is not estimated.{suggest(name, [item.name for item in wanted])}"
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
            f"the starting value of {target.variable!r} is computed from other numbers in the model file; estimate "
            "those, or declare its value and prior beside the model"
        )
    return float(np.asarray(constant_values(model, target.variable))[target.position])
